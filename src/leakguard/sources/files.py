"""Files and folders.

Invariants: links are read as links (their target is text), devices, FIFOs and sockets are never opened, a file that can't
be read is told and the rest goes on, no file is held in memory beyond a chunk.
Rejected: `pathlib` in the loop (a third of the time of reading small files) and mapping files (see `_chunks`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from leakguard.errors import UsageError
from leakguard.model.blob import Blob, FileProvenance, Gone, Skipped
from leakguard.model.finding import Place
from leakguard.sources._chunks import WHOLE, chunks
from leakguard.sources._text import HEAD, cut, sniff
from leakguard.sources._walk import Entry, walk

SHARD_BYTES = 1 << 20
SHARD_FILES = 96
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


@dataclass(frozen=True, slots=True)
class FileShard:
    """Some files of one root: a picklable source."""

    root: str
    entries: tuple[Entry, ...]
    max_size: int | None
    size: int

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield the blobs of its files, in order."""
        for entry in self.entries:
            yield from _read(self.root, entry, self.max_size)

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again."""
        return reopen(place)


class FilesSource:
    """The files that were named and those below the folders that were named.

    `exclude(root)` gives a predicate (or None) that returns words where path settings leave a relative path out. Each path is a root of its own; a file
    that is named has its folder as root.

    Raises:
        UsageError: a path does not exist.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        ignore: bool = True,
        max_size: int | None = None,
        exclude: Callable[[str], Callable[[str], str] | None] | None = None,
    ) -> None:
        self._targets = [_target(path) for path in paths]
        self._ignore = ignore
        self._max_size = max_size
        self._exclude = exclude

    def shards(self) -> Iterator[FileShard | Skipped]:
        """Yield shards of about `SHARD_BYTES` or `SHARD_FILES`, and what the walk could not take."""
        for root, name in self._targets:
            pending: list[Entry] = []
            size = 0
            for item in self._entries(root, name):
                if isinstance(item, Skipped):
                    yield item
                    continue
                pending.append(item)
                size += item.size
                if size >= SHARD_BYTES or len(pending) >= SHARD_FILES:
                    yield FileShard(root, tuple(pending), self._max_size, size)
                    pending, size = [], 0
            if pending:
                yield FileShard(root, tuple(pending), self._max_size, size)

    def _entries(self, root: str, name: str) -> Iterator[Entry | Skipped]:
        if name:
            status = os.lstat(os.path.join(root, name))
            yield Entry(name, status.st_size, stat.S_ISLNK(status.st_mode))
        else:
            yield from walk(root, ignore=self._ignore, exclude=self._exclude(root) if self._exclude else None)

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield every blob, in order."""
        for shard in self.shards():
            if isinstance(shard, Skipped):
                yield shard
            else:
                yield from shard.blobs()

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again."""
        return reopen(place)


def _target(path: str) -> tuple[str, str]:
    """Return root and name of a path that was named; the name is empty for a folder."""
    absolute = os.path.abspath(path)
    try:
        mode = os.stat(absolute).st_mode
    except FileNotFoundError:
        if not os.path.islink(absolute):
            msg = f"there is no {_shown(path)}"
            raise UsageError(msg, hint="check the path") from None
        mode = stat.S_IFREG  # a dangling link is scanned as a link
    except OSError as e:
        msg = f"{_shown(path)} can't be looked at: {e.strerror}"
        raise UsageError(msg, hint="check the path and its permissions") from None
    if stat.S_ISDIR(mode):
        return absolute, ""
    folder, name = os.path.split(absolute)
    return folder, name


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def _read(root: str, entry: Entry, max_size: int | None) -> Iterator[Blob | Skipped]:
    path = root + os.sep + entry.path
    provenance = FileProvenance(root, entry.path if os.sep == "/" else entry.path.replace(os.sep, "/"))
    try:
        if entry.link:
            target = os.readlink(path).encode("utf-8", "surrogateescape")
            yield Blob(target, FileProvenance(root, provenance.path, "link"))
            return
        fd = os.open(path, _FLAGS)
    except OSError as e:
        yield _failed(provenance, e)
        return
    try:
        yield from _read_open(fd, provenance, max_size)
    except OSError as e:
        yield _failed(provenance, e)
    finally:
        os.close(fd)


def _read_open(fd: int, provenance: FileProvenance, max_size: int | None) -> Iterator[Blob | Skipped]:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        yield Skipped(provenance, "device", by_choice=True)
        return
    size = status.st_size
    if max_size and size > max_size:
        yield Skipped(provenance, "max-size", by_choice=True, detail=f"{size} bytes")
        return
    if size <= WHOLE:
        # the usual case: one read; a file in /proc says 0 and has more
        data = os.read(fd, size + 1) if size else b""
        if len(data) == size and size:
            encoding = sniff(data, whole=True)
            if encoding == "binary":
                yield Skipped(provenance, "binary", by_choice=True)
            elif not encoding:
                yield Blob(data, provenance)
            else:
                yield from chunks(_after(data, fd), provenance, encoding)
            return
    else:
        data = b""
    yield from _stream(fd, provenance, data, size)


def _stream(fd: int, provenance: FileProvenance, data: bytes, size: int) -> Iterator[Blob | Skipped]:
    """Read on from what is at hand, in chunks; told where the file ends before the size it had."""
    while len(data) <= HEAD and (more := os.read(fd, 1 << 16)):
        data += more
    encoding = sniff(data, whole=len(data) <= HEAD)
    if encoding == "binary":
        yield Skipped(provenance, "binary", by_choice=True)
        return
    read = _after(data, fd)
    yield from chunks(read, provenance, encoding)
    got = os.lseek(fd, 0, os.SEEK_CUR)
    if got < size:
        yield Skipped(provenance, "truncated", by_choice=False, detail=f"{got} of {size} bytes")


def _after(head: bytes, fd: int) -> Callable[[int], bytes]:
    """Return a `read(n)` that gives `head` first."""
    pending = head

    def read(size: int) -> bytes:
        nonlocal pending
        if pending:
            piece, pending = pending[:size], pending[size:]
            return piece
        return os.read(fd, size)

    return read


def _failed(provenance: FileProvenance, error: OSError) -> Skipped:
    reason = "vanished" if isinstance(error, FileNotFoundError) else "unreadable"
    return Skipped(provenance, reason, by_choice=False, detail=error.strerror or type(error).__name__)


def reopen(place: Place) -> bytes | Gone:
    """Return the bytes of a place in a file again, decoded as then."""
    provenance = place.provenance
    if not isinstance(provenance, FileProvenance):
        return Gone("it was no file")
    path = os.path.join(provenance.root, provenance.path)
    try:
        if provenance.kind == "link":
            raw = os.readlink(path).encode("utf-8", "surrogateescape")
            return raw[place.offset : place.offset + place.length]
        fd = os.open(path, _FLAGS)
    except OSError as e:
        return Gone(e.strerror or type(e).__name__)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return Gone("it is no regular file any more")
        if not place.encoding:
            os.lseek(fd, place.offset, os.SEEK_SET)
            value = os.read(fd, place.length)
            return value if len(value) == place.length else Gone("the file is shorter now")
        found = cut(_after(b"", fd), place.encoding, place.offset, place.length)
        return Gone("the file is shorter now") if found is None else found
    except OSError as e:
        return Gone(e.strerror or type(e).__name__)
    finally:
        os.close(fd)
