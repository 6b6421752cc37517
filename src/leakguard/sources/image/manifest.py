"""Read what images say of themselves: indexes, manifests, configurations, `manifest.json` of `docker save`.

All of it is hostile: every field is checked for its type, and what is wrong raises `BrokenError`, whose text holds nothing
that was read. Facts: the OCI image specification 1.1 and docker's image manifest version 2, schema 2.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from leakguard.sources.image.reference import DIGEST

LARGEST = 4 << 20
"""Bytes of an index or manifest; registries take no larger ones."""
LARGEST_CONFIG = 16 << 20
LAYERS = 4096
MANIFESTS = 4096

INDEX_TYPES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFEST_TYPES = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
NAME = "org.opencontainers.image.ref.name"
_FULL_NAMES = ("io.containerd.image.name", "org.containerd.image.name")


class BrokenError(Exception):
    """A document is not what it should be."""


class Part(NamedTuple):
    """What a document points to (a descriptor)."""

    digest: str
    size: int
    media: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    platform: str = ""
    """`linux/arm64/v8`; empty where none is told."""
    foreign: bool = False
    """It lies at a URL outside of the registry, as base layers of Windows do."""

    def noted(self, name: str) -> str:
        """Return an annotation, empty for none."""
        return dict(self.annotations).get(name, "")

    @property
    def tag(self) -> str:
        """The name that an index gives it, with the repository where that is told."""
        return next(filter(None, map(self.noted, _FULL_NAMES)), "") or self.noted(NAME)


class Index(NamedTuple):
    """Several manifests, mostly one a platform."""

    parts: tuple[Part, ...]


class Manifest(NamedTuple):
    """One image."""

    config: Part
    layers: tuple[Part, ...]
    annotations: tuple[tuple[str, str], ...]


class Step(NamedTuple):
    """One line of an image's history."""

    instruction: str
    """As it stands in a Dockerfile."""
    raw: str
    empty: bool
    """It made no layer."""


class Config(NamedTuple):
    """How an image was made and is run."""

    platform: str
    diff_ids: tuple[str, ...]
    steps: tuple[Step, ...]
    all: dict[str, Any]

    def instructions(self, layers: int) -> tuple[str, ...]:
        """Return the instruction that made each layer; empty where the history does not tell."""
        made = [step.instruction for step in self.steps if not step.empty]
        return tuple(made) if len(made) == layers else ("",) * layers


class Saved(NamedTuple):
    """One image in an archive of `docker save`: paths in the archive."""

    config: str
    tags: tuple[str, ...]
    layers: tuple[str, ...]


def document(raw: bytes) -> Index | Manifest:
    """Read an index or a manifest.

    Raises:
        BrokenError: it is neither.
    """
    data = _object(raw)
    if isinstance(data.get("manifests"), list):
        if len(data["manifests"]) > MANIFESTS:
            msg = f"an index of more than {MANIFESTS} manifests"
            raise BrokenError(msg)
        return Index(tuple(map(_part, data["manifests"])))
    if isinstance(data.get("layers"), list) and isinstance(data.get("config"), dict):
        if len(data["layers"]) > LAYERS:
            msg = f"a manifest of more than {LAYERS} layers"
            raise BrokenError(msg)
        return Manifest(_part(data["config"]), tuple(map(_part, data["layers"])), _texts(data.get("annotations")))
    if data.get("schemaVersion") == 1:
        msg = "a manifest of schema 1, which docker gave up in 2017: pull and push the image once with a newer client"
        raise BrokenError(msg)
    msg = "a manifest without layers"
    raise BrokenError(msg)


def config(raw: bytes) -> Config:
    """Read an image's configuration.

    Raises:
        BrokenError: it is none.
    """
    data = _object(raw)
    rootfs = data.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    steps = data.get("history")
    return Config(
        _platform(data),
        tuple(d if isinstance(d, str) and DIGEST.fullmatch(d) else "" for d in diff_ids) if isinstance(diff_ids, list) else (),
        tuple(map(_step, steps)) if isinstance(steps, list) else (),
        data,
    )


def saved(raw: bytes) -> tuple[Saved, ...]:
    """Read `manifest.json` of an archive.

    Raises:
        BrokenError: it is none.
    """
    data = _json(raw)
    if not isinstance(data, list) or not data or len(data) > MANIFESTS:
        msg = "manifest.json lists no images"
        raise BrokenError(msg)
    out = []
    for one in data:
        layers = one.get("Layers") if isinstance(one, dict) else None
        path = one.get("Config") if isinstance(one, dict) else None
        tags = (one.get("RepoTags") if isinstance(one, dict) else None) or []
        if not isinstance(path, str) or not isinstance(layers, list) or len(layers) > LAYERS:
            msg = "manifest.json lists an image without layers"
            raise BrokenError(msg)
        out.append(Saved(path, tuple(_strings(tags)), tuple(name if isinstance(name, str) else "" for name in layers)))
    return tuple(out)


def _object(raw: bytes) -> dict[str, Any]:
    data = _json(raw)
    if not isinstance(data, dict):
        msg = "a document that is no JSON object"
        raise BrokenError(msg)
    return data


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        msg = "a document that is no JSON"
        raise BrokenError(msg) from None


def _part(data: object) -> Part:
    if not isinstance(data, dict):
        msg = "a descriptor that is no object"
        raise BrokenError(msg)
    digest, size, media = data.get("digest"), data.get("size"), data.get("mediaType")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        msg = "a descriptor without a digest that can be checked"
        raise BrokenError(msg)
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        msg = "a descriptor without a size"
        raise BrokenError(msg)
    media = media if isinstance(media, str) else ""
    platform = data.get("platform")
    return Part(
        digest,
        size,
        media,
        _texts(data.get("annotations")),
        _platform(platform) if isinstance(platform, dict) else "",
        bool(data.get("urls")) and (".foreign." in media or "nondistributable" in media),
    )


def _platform(data: dict[str, Any]) -> str:
    parts = [data.get("os"), data.get("architecture"), data.get("variant")]
    return "/".join(_strings(parts))


def _step(data: object) -> Step:
    if not isinstance(data, dict):
        return Step("", "", empty=False)
    raw = data.get("created_by")
    raw = raw if isinstance(raw, str) else ""
    return Step(_instruction(raw), raw, data.get("empty_layer") is True)


def _instruction(raw: str) -> str:
    """Return a step as its Dockerfile has it: builders write the shell that runs it before it, and their name behind."""
    text = raw.strip().removesuffix("# buildkit").strip()
    if "#(nop)" in text:
        return text.partition("#(nop)")[2].strip()
    for shell in ("/bin/sh -c ", "RUN /bin/sh -c "):
        if text.startswith(shell):
            return "RUN " + text.removeprefix(shell).strip()
    return f"RUN {text}" if text.startswith("|") else text


def _strings(values: object) -> Iterator[str]:
    return (v for v in values if isinstance(v, str) and v) if isinstance(values, list) else iter(())


def _texts(values: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(values, dict):
        return ()
    return tuple((k, v) for k, v in values.items() if isinstance(v, str))
