"""Images of containers for tests, written by hand, so that they can be wrong."""

from __future__ import annotations

import atexit
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from contextlib import redirect_stderr
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from leakguard.cli import main
from servers import Answer, Asked

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest(data: bytes) -> str:
    """Return the digest of some bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    """Return a layer: files by name and content, or members as tarfile has them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """Return a member without bytes: a folder, link or device."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


class Built(NamedTuple):
    """An image: its blobs by digest, and what stands in its documents."""

    config: bytes
    manifest: bytes
    blobs: dict[str, bytes]
    layers: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        """Digest of its manifest."""
        return digest(self.manifest)


def image(*layers: bytes, pack: Any = lambda data: data, suffix: str = "", **config: Any) -> Built:
    """Return an image of layers; `pack` compresses them, `suffix` is what the media type says of that."""
    settings = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest(x) for x in layers]}}
    told = json.dumps(settings | config).encode()
    packed = [pack(x) for x in layers]
    parts = [{"mediaType": LAYER + suffix, "digest": digest(x), "size": len(x)} for x in packed]
    about = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(told), "size": len(told)}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": about, "layers": parts}).encode()
    return Built(told, manifest, {digest(x): x for x in (told, manifest, *packed)}, layers)


def pointer(built: Built, *, tag: str = "", **more: Any) -> dict[str, Any]:
    """Return the descriptor of an image for an index."""
    noted = {"annotations": {"org.opencontainers.image.ref.name": tag}} if tag else {}
    return {"mediaType": MANIFEST, "digest": built.digest, "size": len(built.manifest), **noted, **more}


def index(*parts: dict[str, Any]) -> bytes:
    """Return an index."""
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(parts)}).encode()


def saved(path: Path, built: Built, *, tag: str = "app:1.4", last: bool = True, **replaced: bytes) -> Path:
    """Write what older `docker save` writes; `last`: manifest.json stands at the end, as there."""
    names = [f"{n}/layer.tar" for n in range(len(built.layers))]
    listed = json.dumps([{"Config": "config.json", "RepoTags": [tag], "Layers": names}]).encode()
    members = [*zip(names, built.layers, strict=True), ("config.json", built.config)]
    order = [*members, ("manifest.json", listed)] if last else [("manifest.json", listed), *members]
    data = layer(*((name, replaced.get(name.replace("/", "_").replace(".", "_"), content)) for name, content in order))
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
    return path


def layout(folder: Path, *images: Built, top: bytes | None = None, blobs: dict[str, bytes] | None = None) -> Path:
    """Write an OCI layout."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_bytes(top or index(*map(pointer, images)))
    for name, data in {k: v for one in images for k, v in one.blobs.items()}.items() | (blobs or {}).items():
        (folder / "blobs" / name.replace(":", "/")).write_bytes(data)
    return folder


@cache
def kept() -> str:
    """Return a folder for what all tests of a process may share."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def scan(*words: Path | str) -> tuple[int, dict[str, Any]]:
    """Scan images in this process, findings or not, and return the exit code and the report.

    The compiled rules are kept from one test to the next, which takes most of the time away.
    """
    compiled = mock.patch.dict(os.environ, XDG_CACHE_HOME=kept())
    with compiled, tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()) as said:
        out = Path(folder, "report.json")
        with pytest.raises(SystemExit) as end:
            main(["scan", "-j", "1", "-f", "json", "-o", str(out), "--fail-on", "none", "--image", *map(str, words)])
        raw = out.read_bytes() if out.exists() else b""
    return int(end.value.code or 0), json.loads(raw or b"{}") | {"said": said.getvalue()}


def places(report: dict[str, Any]) -> list[tuple[str, int, str, str]]:
    """Return path inside, line, layer and fate of every place."""
    found = (p for f in report["findings"] for p in f["locations"])
    return sorted(
        ("/".join(p["inside"]), p["start_line"], p["facts"].get("layer", ""), p["facts"].get("in the final image", ""))
        for p in found
    )


def skips(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return reason and detail of what was not scanned though it should have been."""
    return [(s["reason"], s["detail"]) for s in report["skipped"] if not s["by_choice"]]


class Registry:
    """Answers as the distribution specification wants; `allowed(headers)` says who comes in, `challenge` what the others hear."""

    def __init__(self, blobs: dict[str, bytes], tags: dict[str, bytes], *, name: str = "team/app") -> None:
        self.blobs = blobs
        self.tags = tags
        self.name = name
        self.challenge = ""
        self.wanted = ""
        self.redirect = ""

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request."""
        if self.wanted and asked.headers.get("authorization") != self.wanted:
            return Answer(401, b"{}", (("WWW-Authenticate", self.challenge),))
        start = f"/v2/{self.name}/"
        kind, _, which = asked.path.removeprefix(start).partition("/")
        found = self.blobs.get(which) or (self.tags.get(which) if kind == "manifests" else None)
        if not asked.path.startswith(start) or found is None:
            return Answer(404, b"{}")
        if kind == "blobs" and self.redirect:
            return Answer(307, b"", (("Location", f"{self.redirect}/{which}?signature=x"),))
        return Answer(200, found, (("Docker-Content-Digest", digest(found)),))
