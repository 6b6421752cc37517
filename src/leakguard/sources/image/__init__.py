"""Images of containers: every layer as it was made, also what a later layer hides, and the configuration.

    what was named -> where it is (file, folder, engine, registry) -> images -> layers, each content once -> blobs

Layers of files and folders are shards of their own, so that cores share them. What comes over a connection or can be read
only once is scanned by the process that reads it, as it passes: nothing is unpacked to disk, nothing fetched twice.
What image a layer belongs to, and whether a later layer hides a file, is told by `settle`, once it is known which count.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from typing import IO, TYPE_CHECKING

from leakguard.engine.fold import place_key
from leakguard.errors import MissingExtraError, NetError, SourceError
from leakguard.model.blob import Blob, Gone, ImageProvenance, MemberProvenance, Outer, Skipped
from leakguard.model.finding import Finding, Place
from leakguard.sources._magic import kind_of
from leakguard.sources.image.archive import Folder, Kept, Parts, passing, tar
from leakguard.sources.image.config import sections
from leakguard.sources.image.layers import Layer, LayerFile, Raw, scan
from leakguard.sources.image.ledger import Ledger
from leakguard.sources.image.manifest import BrokenError
from leakguard.sources.image.reference import Reference, Wanted, reference
from leakguard.sources.image.resolve import Image, Resolver, Trouble
from leakguard.sources.image.shards import CONFIG, UNREAD, ConfigShard, Flow, LayerShard, Open, PartsOpen, told
from leakguard.sources.unpack import Untold, format_of
from leakguard.sources.unpack.again import Reopener
from leakguard.sources.unpack.budget import Budget, Limits
from leakguard.sources.unpack.layer import Listing, listed

if TYPE_CHECKING:
    from leakguard.sources.image.engine import Engine
    from leakguard.sources.image.registry import Registry

ENGINES = ("docker-daemon", "podman")
"""In this order a name without prefix is looked for, then in its registry."""
_NO_IMAGE = "name what docker save, podman save or skopeo copy wrote, or an OCI layout"

Shard = ConfigShard | LayerShard
Work = Shard | Flow | Skipped
Where = tuple[str, str]
_Stream = Callable[[], AbstractContextManager[IO[bytes]]]


class ImageSource:
    """Images that were named. `platform`: which of several, `all`, or empty for this machine's.

    `registry(reference)` makes a client for a repository; it is called only when one is asked.
    """

    def __init__(
        self,
        wanted: Sequence[Wanted],
        *,
        platform: str = "",
        depth: int = 8,
        environ: Mapping[str, str],
        registry: Callable[[Reference], Registry],
    ) -> None:
        self.notes: list[str] = []
        self.walked = (0, 0)
        self._wanted = list(dict.fromkeys(wanted))
        self._platform = platform
        self._depth = depth
        self._environ = environ
        self._registry = registry
        self._ledger = Ledger(self._relisted)
        self._opens: dict[Where, Open] = {}
        self._again: Reopener | None = None

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield what lies in every layer and configuration, each content once."""
        for item in self._work():
            if isinstance(item, Skipped):
                yield item
            else:
                yield from item.blobs()

    def settle(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings with every image that holds them, and what became of the file there."""
        return self._ledger.settle(findings, place_key)

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again."""
        provenance = place.provenance
        if not isinstance(provenance, MemberProvenance) or not isinstance(provenance.outer, ImageProvenance):
            return Gone("it was no image")
        image = self._ledger.images.get(provenance.outer)
        if image is not None and provenance.inner[0] == CONFIG:
            return self._config(image, provenance.outer).reopen(place)
        if self._again is None:
            self._again = Reopener(self._layer_file, Limits(depth=self._depth), "layer")
        return self._again.cut(place)

    def _work(self) -> Iterator[Work]:
        """Yield what there is to read.

        Raises:
            SourceError: the only image that was named can't be had; of several it is told.
        """
        for one in self._wanted:
            try:
                yield from self._one(one)
            except (SourceError, NetError, MissingExtraError) as e:
                if len(self._wanted) == 1:
                    raise
                yield told(ImageProvenance("", one.word), e)

    def _one(self, one: Wanted) -> Iterator[Work]:
        if one.where == "archive":
            yield from self._file(one)
            return
        if one.where != "registry" and (found := self._engine(one)) is not None:
            kind, engine = found
            yield Flow(partial(self._passed, (kind, one.name), "", partial(engine.saved, one.name)))
            return
        named = reference(one.name)
        registry = self._registry(named)
        raw = registry.manifest(named.version)
        digest = named.digest or "sha256:" + hashlib.sha256(raw).hexdigest()
        where = (named.host, one.name)
        self._opens[where] = registry.open
        yield from self._images(Resolver(*where, self._platform).manifest(raw, digest, registry, one.name), where)

    def _engine(self, one: Wanted) -> tuple[str, Engine] | None:
        """Return the engine that has the image; None where none has, and a registry is to be asked.

        Raises:
            SourceError: an engine was asked for by name, and has it not.
        """
        from leakguard.sources.image.engine import Engine, hosts

        for kind in (one.where,) if one.where else ENGINES:
            there = hosts(kind, self._environ)
            for host in there:
                try:
                    engine = Engine(host, self._environ)
                    if engine.has(one.name):
                        return kind, engine
                except (SourceError, MissingExtraError) as e:
                    if one.where:
                        raise
                    self.notes.append(f"{kind} was not asked for {one.name}: {e.message}; {e.hint}")
            if one.where and there:
                raise SourceError(f"{kind} has no image {one.name}", hint="pull it, or name it as the engine lists it")
            if one.where:
                raise SourceError(
                    f"no engine listens for {kind}", hint="start it, or name its host with DOCKER_HOST or CONTAINER_HOST"
                )
        return None

    def _file(self, one: Wanted) -> Iterator[Work]:
        absolute = os.path.abspath(one.name)
        root, name = os.path.split(absolute)
        try:
            if os.path.isdir(absolute):
                parts: Parts = Folder(absolute)
            else:
                with open(absolute, "rb") as file:
                    kind = kind_of(file.read(1 << 13), absolute)
                if kind and getattr(format_of(kind), "WRAPS", False):
                    yield Flow(partial(self._passed, (root, name), one.part, partial(_inflated, absolute, kind)))
                    return
                parts = tar(absolute)
        except OSError as e:
            raise SourceError(f"{one.name} can't be read: {e.strerror}", hint="check the path and its permissions") from None
        except UNREAD as e:
            raise SourceError(f"{one.name} is no image: {e}", hint=_NO_IMAGE) from None
        if not parts.has("manifest.json") and not parts.has("index.json"):
            raise SourceError(f"{one.name} is no image: it holds no manifest.json or index.json", hint=_NO_IMAGE)
        self._opens[root, name] = PartsOpen(parts)
        yield from self._images(Resolver(root, name, self._platform).archive(parts, one.part), (root, name))

    def _images(self, found: Iterable[Image | Trouble], where: Where) -> Iterator[Shard | Skipped]:
        for image in found:
            if isinstance(image, Trouble):
                yield self._troubled(image, where)
                continue
            if provenance := self._ledger.config(image):
                yield self._config(image, provenance)
            for layer, at, known in self._ledger.take(image):
                if layer.left_out[0]:
                    yield Skipped(at, layer.left_out[0], by_choice=True, detail=layer.left_out[1])
                elif not known or isinstance(self._opens[where], PartsOpen):
                    # what a registry has under a digest that was read elsewhere is not fetched to look whether it lies
                    yield LayerShard(self._opens[where], layer, at, self._depth, self._ledger.listings, only_check=known)

    def _config(self, image: Image, provenance: ImageProvenance) -> ConfigShard:
        return ConfigShard(provenance, tuple(sections(image.config, image.annotations)))

    def _troubled(self, trouble: Trouble, where: Where) -> Skipped:
        skip = told(ImageProvenance(*where), trouble.error)
        return skip._replace(detail=f"{trouble.name}: {skip.detail}" if trouble.name and trouble.name != where[1] else skip.detail)

    def _passed(self, where: Where, part: str, stream: _Stream) -> Iterator[Blob | Skipped]:
        """Scan an archive that is read once: its layers as they come, what they make up at the end."""
        kept = Kept({}, set())
        digests: dict[ImageProvenance, str] = {}
        self._opens[where] = partial(_found, stream)
        try:
            with stream() as file:
                for item in passing(file, kept):
                    if isinstance(item, Untold):
                        yield Skipped(ImageProvenance(*where), item.reason, item.by_choice, item.detail)
                        continue
                    name, read = item
                    layer = kept.layer(name)
                    provenance = ImageProvenance(*where, layer=name)
                    self._ledger.passed(provenance)
                    known = self._ledger.known(layer.key)
                    yield from scan(read, layer, provenance, self._depth, self._ledger.listings, only_check=known, digests=digests)
        except UNREAD as e:
            yield told(ImageProvenance(*where), e)
        if not kept.has("manifest.json") and not kept.has("index.json"):
            yield told(ImageProvenance(*where), BrokenError(f"no image: it holds no manifest.json or index.json; {_NO_IMAGE}"))
            return
        for work in self._images(Resolver(*where, self._platform).archive(kept, part), where):
            if isinstance(work, LayerShard):
                yield told(work.provenance, BrokenError("a layer that the image names is not there"))
            elif isinstance(work, Skipped):
                yield work
            else:
                yield from work.blobs()
        for provenance, digest in digests.items():
            layer = self._ledger.layers.get(provenance, Layer("", "", digest, 0))
            if layer.diff_id not in {"", digest}:
                yield told(provenance, BrokenError("its bytes do not have the digest that the image names"))

    def _layer_file(self, outer: Outer) -> IO[bytes] | Gone:
        """Open a layer again."""
        layer = self._ledger.layers.get(outer) if isinstance(outer, ImageProvenance) else None
        open_layer = self._opens.get((outer.root, outer.path)) if isinstance(outer, ImageProvenance) else None
        if layer is None or open_layer is None:
            return Gone("no layer of an image that was named")
        stack = ExitStack()
        try:
            read = stack.enter_context(open_layer(layer.name))
            return LayerFile(read, layer, Budget(Limits(depth=self._depth), 1 << 50), stack.close)
        except UNREAD as e:
            stack.close()
            return Gone(str(e) or type(e).__name__)

    def _relisted(self, provenance: ImageProvenance, layer: Layer) -> Listing | None:
        """List a layer that another process has read."""
        if not isinstance(self._opens.get((provenance.root, provenance.path)), PartsOpen):
            return None
        file = self._layer_file(provenance)
        if isinstance(file, Gone) or layer.single:
            return None
        assert isinstance(file, LayerFile)
        with file, suppress(*UNREAD):
            listed(file, file.listing)
        return file.listing


class LocalImages(ImageSource):
    """Images in files and folders whose layers can be read apart, so that processes share them."""

    def shards(self) -> Iterator[Shard | Skipped]:
        """Yield layers and configurations, the biggest first, so that none of them is waited for at the end."""
        work = list(self._work())
        yield from (item for item in work if isinstance(item, Skipped))
        yield from sorted((item for item in work if isinstance(item, Shard)), key=lambda s: -s.size)


def images(wanted: Sequence[Wanted], **options: object) -> ImageSource:
    """Return the source for what was named; its options are those of `ImageSource`."""
    return (LocalImages if all(_apart(one) for one in wanted) else ImageSource)(wanted, **options)  # type: ignore[arg-type]


def _apart(one: Wanted) -> bool:
    """Whether the layers of an image can be read apart."""
    if one.where != "archive":
        return False
    try:
        with open(one.name, "rb") as file:
            kind = kind_of(file.read(1 << 13), one.name)
    except IsADirectoryError:
        return True
    except OSError:
        return False
    return not (kind and getattr(format_of(kind), "WRAPS", False))


@contextmanager
def _inflated(path: str, kind: str) -> Iterator[IO[bytes]]:
    """Give the tar in a compressed file."""
    with open(path, "rb", 1 << 18) as file:
        member = next(iter(format_of(kind).members(file, path, Budget(Limits(), 1 << 50))))
        assert not isinstance(member, Untold), "what only compresses holds one member"
        yield io.BufferedReader(Raw(member.read), 1 << 18)


@contextmanager
def _found(stream: _Stream, name: str) -> Iterator[Callable[[int], bytes]]:
    """Give a layer of an archive that is read from its beginning.

    Raises:
        BrokenError: it is not there.
    """
    with stream() as file:
        for item in passing(file, Kept({}, set())):
            if not isinstance(item, Untold) and item[0] == name:
                yield item[1]
                return
    msg = "a layer that the image names is not there"
    raise BrokenError(msg)
