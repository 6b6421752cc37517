"""From what was named to images: through indexes, by platform, to manifests, configurations and layers."""

from __future__ import annotations

import hashlib
import platform as machine
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from leakguard.errors import NetError, SourceError
from leakguard.sources.image.archive import Parts, addressed
from leakguard.sources.image.layers import Layer
from leakguard.sources.image.manifest import (
    LARGEST,
    LARGEST_CONFIG,
    BrokenError,
    Config,
    Index,
    Manifest,
    Part,
    Saved,
    config,
    document,
    saved,
)
from leakguard.sources.unpack.layer import normal

_DEEPEST = 4
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm/v7", "i686": "386",
                  "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64"}  # fmt: skip
_NOBODY = "unknown/unknown"
"""The platform of what builders add to an index beside images."""
_ABOUT = "vnd.docker.reference.digest"
"""Of a statement about a build: the image that it speaks of."""
_TITLES = ("org.opencontainers.image.title", "in-toto.io/predicate-type")
TROUBLE = (BrokenError, SourceError, NetError, OSError)
"""What may come of asking for a document."""


class Image(NamedTuple):
    """One image and what it is made of."""

    root: str
    path: str
    """As in `ImageProvenance`."""
    name: str
    """Its tags, or how it was asked for."""
    id: str
    """Digest of its configuration, the same wherever the image lies."""
    digest: str
    """Of its manifest; empty where none is kept."""
    config: Config
    layers: tuple[Layer, ...]
    annotations: tuple[tuple[str, str], ...] = ()


class Trouble(NamedTuple):
    """An image, or some of them, that can't be read."""

    name: str
    error: BaseException


class Shelf(Protocol):
    """Where documents are, by digest. What it raises is in `TROUBLE`."""

    def has(self, digest: str) -> bool:
        """Whether it may be there."""

    def manifest(self, digest: str) -> bytes:
        """Return an index or a manifest."""

    def document(self, digest: str, limit: int) -> bytes:
        """Return a configuration."""

    def place(self, part: Part) -> tuple[str, int]:
        """Return the name by which a layer is found here, and its size."""


class Layout:
    """The blobs of an OCI layout."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def has(self, digest: str) -> bool:
        return self._parts.has(_path(digest))

    def manifest(self, digest: str) -> bytes:
        return self.document(digest, LARGEST)

    def document(self, digest: str, limit: int) -> bytes:
        raw = self._parts.read(_path(digest), limit)
        algorithm, _, told = digest.partition(":")
        if hashlib.new(algorithm, raw).hexdigest() != told:
            msg = "a document does not have the digest that it is kept under"
            raise BrokenError(msg)
        return raw

    def place(self, part: Part) -> tuple[str, int]:
        return _path(part.digest), part.size


def _path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


class Resolver:
    """Finds the images of one file, folder, engine or repository. `platform`: which of several; `all`; empty: this machine's."""

    def __init__(self, root: str, path: str, platform: str) -> None:
        self._root = root
        self._path = path
        self._platform = platform
        self._seen: set[str] = set()

    def archive(self, parts: Parts, part: str) -> Iterator[Image | Trouble]:
        """Yield the images of a file or folder, or of it the one that a tag or digest names."""
        try:
            if parts.has("manifest.json"):
                yield from self._saved(parts, saved(parts.read("manifest.json", LARGEST)), part)
                return
            index = document(parts.read("index.json", LARGEST))
            if not isinstance(index, Index):
                msg = "index.json is no index"
                raise BrokenError(msg)
        except TROUBLE as e:
            yield Trouble(part, e)
            return
        wanted = tuple(p for p in index.parts if not part or part in {p.digest, p.tag} or p.tag.endswith((f":{part}", f"/{part}")))
        if not wanted:
            yield Trouble(part, BrokenError(f"it holds no image {part!r}" if part else "its index lists no image"))
        yield from self._index(Index(wanted), Layout(parts), "", 0)

    def manifest(self, raw: bytes, digest: str, shelf: Shelf, name: str) -> Iterator[Image | Trouble]:
        """Yield the images of an index or manifest that a registry gave."""
        yield from self._document(raw, digest, shelf, name, "", 0)

    def _saved(self, parts: Parts, listed: tuple[Saved, ...], part: str) -> Iterator[Image | Trouble]:
        wanted = [s for s in listed if not part or any(part in {tag, tag.rpartition("/")[2]} for tag in s.tags)]
        if not wanted:
            yield Trouble(part, BrokenError(f"it holds no image {part!r}"))
        for one in wanted:
            try:
                raw = parts.read(one.config, LARGEST_CONFIG)
                told = config(raw)
            except TROUBLE as e:
                yield Trouble(", ".join(one.tags), e)
                continue
            ids = told.diff_ids if len(told.diff_ids) == len(one.layers) else ("",) * len(one.layers)
            layers = tuple(_saved_layer(parts, name, diff_id) for name, diff_id in zip(one.layers, ids, strict=True))
            digest = "sha256:" + hashlib.sha256(raw).hexdigest()
            if (claimed := addressed(one.config)) and claimed.startswith("sha256:") and claimed != digest:
                yield Trouble(", ".join(one.tags), BrokenError("its configuration does not have the digest that it is kept under"))
            yield Image(self._root, self._path, ", ".join(one.tags), digest, "", told, layers)

    def _document(self, raw: bytes, digest: str, shelf: Shelf, name: str, tag: str, depth: int) -> Iterator[Image | Trouble]:
        if digest in self._seen:
            return
        self._seen.add(digest)
        try:
            read = document(raw)
            if isinstance(read, Index):
                if depth > _DEEPEST:
                    msg = f"indexes are nested deeper than {_DEEPEST}"
                    raise BrokenError(msg)
                yield from self._index(read, shelf, tag or name, depth)
                return
            yield self._image(read, digest, shelf, tag or name)
        except TROUBLE as e:
            yield Trouble(tag or name, e)

    def _index(self, index: Index, shelf: Shelf, name: str, depth: int) -> Iterator[Image | Trouble]:
        groups: dict[str, list[Part]] = {}
        about: dict[str, list[Part]] = {}
        for part in index.parts:
            if part.platform == _NOBODY:
                about.setdefault(part.noted(_ABOUT), []).append(part)
            else:
                groups.setdefault(part.tag, []).append(part)
        for tag, group in groups.items():
            try:
                chosen = self._chosen(group, shelf)
            except BrokenError as e:
                yield Trouble(tag or name, e)
                continue
            for part in (p for one in chosen for p in (one, *about.get(one.digest, ()))):
                if part.platform == _NOBODY and not shelf.has(part.digest):
                    continue
                try:
                    raw = shelf.manifest(part.digest)
                except TROUBLE as e:
                    yield Trouble(tag or name, e)
                    continue
                yield from self._document(raw, part.digest, shelf, name, tag, depth + 1)

    def _chosen(self, group: list[Part], shelf: Shelf) -> list[Part]:
        """Return the parts for the platform that is wanted; where none was named and there is no choice, what there is."""
        if self._platform == "all" or (not self._platform and (len(group) == 1 or not any(p.platform for p in group))):
            return group
        wanted = self._platform or here()
        fitting = [p for p in group if not p.platform or p.platform == wanted or p.platform.startswith(wanted + "/")]
        if not self._platform and not any(shelf.has(p.digest) for p in fitting):
            # an engine keeps one platform, and saves the index of all
            fitting = [p for p in group if shelf.has(p.digest)] if any(shelf.has(p.digest) for p in group) else fitting
        if not fitting:
            there = ", ".join(sorted({p.platform for p in group if p.platform}))
            msg = f"no image for {wanted}; choose with --platform: {there}, or all"
            raise BrokenError(msg)
        return fitting if not self._platform or len(fitting) == 1 else _exact(fitting, wanted)

    def _image(self, manifest: Manifest, digest: str, shelf: Shelf, name: str) -> Image:
        raw = shelf.document(manifest.config.digest, LARGEST_CONFIG)
        try:
            told = config(raw)
        except BrokenError:
            told = Config("", (), (), {})  # an artefact's may be of any kind
        ids = told.diff_ids if len(told.diff_ids) == len(manifest.layers) else ("",) * len(manifest.layers)
        layers = tuple(_layer(part, diff_id, shelf) for part, diff_id in zip(manifest.layers, ids, strict=True))
        return Image(self._root, self._path, name, manifest.config.digest, digest, told, layers, manifest.annotations)


def here() -> str:
    """Return the platform of images that this machine runs."""
    name = machine.machine().lower()
    return f"linux/{_ARCHITECTURES.get(name, name)}"


def _exact(parts: list[Part], platform: str) -> list[Part]:
    return [p for p in parts if p.platform == platform] or parts


def _layer(part: Part, diff_id: str, shelf: Shelf) -> Layer:
    name, size = shelf.place(part)
    single, left_out = "", ("", "")
    if part.media and "tar" not in part.media and "diff" not in part.media:
        single = next(filter(None, map(part.noted, _TITLES)), "content")
    if part.foreign:
        left_out = ("elsewhere", "a layer that its vendor gives out at an address of its own")
    elif "encrypted" in part.media:
        left_out = ("encrypted", "")
    return Layer(name, part.digest, "" if single else diff_id, size, single, left_out)


def _saved_layer(parts: Parts, path: str, diff_id: str) -> Layer:
    return Layer(normal(path), addressed(path), diff_id, parts.size(path))
