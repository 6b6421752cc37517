"""Images in files: what `docker save`, `podman save` and `skopeo copy` write, OCI layouts, as folders, tars or streams.

A folder, and a tar that can be sought in, give any part when it is asked for. A compressed tar and what an engine sends are
read once: layers as they come, documents are kept until the end, when they tell which layers made which image.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Iterator
from functools import partial
from typing import IO, NamedTuple, Protocol

from leakguard.sources._magic import kind_of
from leakguard.sources.image.layers import Layer
from leakguard.sources.image.manifest import LARGEST_CONFIG, BrokenError
from leakguard.sources.unpack import DamagedError, Read, Untold, ahead
from leakguard.sources.unpack.budget import Budget, Limits
from leakguard.sources.unpack.layer import normal
from leakguard.sources.unpack.tar import Archive, members

_HOPS = 8
_BUFFER = 1 << 18
_DOCUMENTS = 64 << 20
"""Bytes of documents that are kept of a stream."""
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


_ADDRESSED = re.compile(r"(?:.*/)?blobs/(sha256|sha512)/([0-9a-f]+)")
_NAMED = re.compile(r"([0-9a-f]{64})\.tar")


def addressed(path: str) -> str:
    """Return the digest that a path is made of, empty for none."""
    found = _ADDRESSED.fullmatch(normal(path))
    return f"{found[1]}:{found[2]}" if found else ""


class Missing(BrokenError):  # noqa: N818 - a thing that is not there
    """Something that an image names is not there."""


class Parts(Protocol):
    """Where the parts of images in files are."""

    def has(self, name: str) -> bool:
        """Whether there is such a part."""

    def size(self, name: str, /) -> int:
        """Return the bytes of a part, 0 where that is not known."""

    def read(self, name: str, limit: int) -> bytes:
        """Return a document.

        Raises:
            BrokenError: it is not there, or longer than `limit`.
            OSError: it can't be read.
        """

    def open(self, name: str, /) -> tuple[IO[bytes], int]:
        """Return a file of the part, from its first byte, with its size. Raises as `read`."""


class Folder(NamedTuple):
    """A folder: an OCI layout, or an unpacked archive."""

    path: str

    def has(self, name: str) -> bool:
        return os.path.isfile(os.path.join(self.path, normal(name)))

    def size(self, name: str) -> int:
        return os.path.getsize(os.path.join(self.path, normal(name))) if self.has(name) else 0

    def read(self, name: str, limit: int) -> bytes:
        file, size = self.open(name)
        with file:
            return _short(file.read(limit + 1), size, limit)

    def open(self, name: str) -> tuple[IO[bytes], int]:
        path = os.path.realpath(os.path.join(self.path, normal(name)))
        if not path.startswith(os.path.join(os.path.realpath(self.path), "")):
            msg = "a part of the image lies outside of its folder"
            raise BrokenError(msg)
        try:
            fd = os.open(path, _FLAGS)
        except FileNotFoundError:
            raise _missing() from None
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            msg = "a part of the image is no file"
            raise BrokenError(msg)
        return os.fdopen(fd, "rb", _BUFFER), status.st_size


class Tar(NamedTuple):
    """A tar that can be sought in."""

    path: str
    where: dict[str, tuple[int, int]]
    """Where each part begins, and its size."""

    def has(self, name: str) -> bool:
        return normal(name) in self.where

    def size(self, name: str) -> int:
        return self.where.get(normal(name), (0, 0))[1]

    def read(self, name: str, limit: int) -> bytes:
        file, size = self.open(name)
        with file:
            return _short(file.read(limit + 1), size, limit)

    def open(self, name: str) -> tuple[IO[bytes], int]:
        try:
            start, size = self.where[normal(name)]
        except KeyError:
            raise _missing() from None
        return io.BufferedReader(_Window(self.path, start, size), _BUFFER), size


class Kept(NamedTuple):
    """The documents of a stream that has passed."""

    documents: dict[str, bytes]
    layers: set[str]
    """Names of what passed as a layer."""

    def has(self, name: str) -> bool:
        return normal(name) in self.documents or normal(name) in self.layers

    def size(self, _name: str) -> int:
        return 0

    def read(self, name: str, limit: int) -> bytes:
        try:
            data = self.documents[normal(name)]
        except KeyError:
            raise _missing() from None
        return _short(data, len(data), limit)

    def open(self, _name: str) -> tuple[IO[bytes], int]:
        raise _missing()

    def layer(self, name: str) -> Layer:
        """Return what a path tells of a layer that nobody has spoken of yet."""
        found = _NAMED.fullmatch(name.rpartition("/")[2])
        return Layer(name, addressed(name), f"sha256:{found[1]}" if found else "", 0)


class _Window(io.RawIOBase):
    """Some bytes of a file, read one after the other."""

    def __init__(self, path: str, start: int, size: int) -> None:
        self._fd = os.open(path, _FLAGS)
        self._at = start
        self._end = start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = os.pread(self._fd, min(len(buffer), self._end - self._at), self._at)
        self._at += len(piece)
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        super().close()


def _short(data: bytes, size: int, limit: int) -> bytes:
    if len(data) > limit or size > limit:
        msg = f"a document of more than {limit >> 20} MiB"
        raise BrokenError(msg)
    return data


def _missing() -> Missing:
    return Missing("a part that the image names is not there")


def tar(path: str) -> Tar:
    """Look through a tar for where its parts are.

    Raises:
        DamagedError: it is none, or cut within its headers.
        OSError: it can't be read.
    """
    index: dict[str, tuple[int, int]] = {}
    links: dict[str, str] = {}
    with open(path, "rb") as file:
        archive = Archive(file)
        try:
            while (header := archive.next()) is not None:
                if isinstance(header, Untold):
                    continue
                name = normal(header.name)
                if header.is_link:
                    links[name] = normal(os.path.join(os.path.dirname(name), os.fsdecode(header.target)))
                elif header.has_bytes:
                    index.setdefault(name, (file.tell(), header.size))
        except DamagedError:
            if not index:
                raise
    for name, target in links.items():
        for _ in range(_HOPS):
            if target in index:
                index.setdefault(name, index[target])
                break
            target = links.get(target, "")  # noqa: PLW2901 - one hop on
    return Tar(path, index)


def passing(file: IO[bytes], kept: Kept) -> Iterator[tuple[str, Read] | Untold]:
    """Yield the layers of a tar as they come, and keep its documents; a reader is good until the next is asked for.

    Raises:
        DamagedError: it breaks off.
        BrokenError: its documents are too long.
    """
    size = 0
    for member in members(file, "", Budget(Limits(), 1 << 50)):
        if isinstance(member, Untold):
            yield member
            continue
        name = normal(member.name)
        read, head = ahead(member.read)
        if kind_of(head, name) or len(head) > LARGEST_CONFIG or _zeros(head):
            kept.layers.add(name)
            yield name, read
            continue
        data = head if len(head) < _PEEKED else _some(read, LARGEST_CONFIG + 1)
        size += len(data)
        if size > _DOCUMENTS:
            msg = f"more than {_DOCUMENTS >> 20} MiB of documents"
            raise BrokenError(msg)
        kept.documents[name] = data


_PEEKED = 8193


def _zeros(head: bytes) -> bool:
    """Whether it may be an empty tar."""
    return len(head) >= 1024 and not head.strip(b"\0")


def _some(read: Read, limit: int) -> bytes:
    parts, size = [], 0
    for piece in iter(partial(read, 1 << 16), b""):
        parts.append(piece)
        size += len(piece)
        if size >= limit:
            break
    return b"".join(parts)
