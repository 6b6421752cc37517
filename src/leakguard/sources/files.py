"""Files and folders.

Invariants: links are read as links (their target is text), devices, FIFOs and sockets are never opened, a file that can't
be read is told and the rest goes on, no file is held in memory beyond a chunk.
Rejected: `pathlib` in the loop (a third of the time of reading small files) and mapping files (see `_chunks`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from errno import ELOOP, ENXIO
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from typing import IO, TYPE_CHECKING, NamedTuple

from leakguard.config import ARCHIVE_DEPTH
from leakguard.errors import SourceError, UsageError
from leakguard.model.blob import Blob, FileProvenance, Gone, MemberProvenance, Outer, Skipped
from leakguard.model.finding import Place
from leakguard.sources._chunks import WHOLE, chunks
from leakguard.sources._logs import text_of
from leakguard.sources._magic import begins_program, kind_in, kind_of
from leakguard.sources._pieces import GROWTH, LEAST, Piece, pieces
from leakguard.sources._text import HEAD, cut, reader, sniff
from leakguard.sources._walk import Entry, failed, walk

if TYPE_CHECKING:
    from leakguard.sources.unpack.again import Reopener

SHARD_BYTES = 1 << 20
SHARD_FILES = 96
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class FileShard(NamedTuple):
    """Some files of one root: a picklable source."""

    root: str
    entries: tuple[Entry, ...]
    max_size: int | None
    depth: int
    """How deep containers are looked into."""
    size: int

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield the blobs of its files, in order."""
        for entry in self.entries:
            yield from _read(self.root, entry, self.max_size, self.depth)

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again."""
        return reopen(place)


class FilesSource:
    """The files that were named and those below the folders that were named.

    Each folder is a root of its own; a file that is named has its folder as root, and a link that is named is followed
    (its target was meant). `exclude(root)` gives a predicate (or None) that takes a path relative to that root, a folder with
    `/` at its end, and returns words where path settings leave it out; a named file is asked about too, since hooks name
    every file. `.gitignore` does not hide what is named. `depth` is how deep containers are looked into, 0 for not at all.

    Raises:
        UsageError: a path does not exist.
        SourceError: a path can't be looked at.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        ignore: bool = True,
        max_size: int | None = None,
        depth: int = ARCHIVE_DEPTH,
        exclude: Callable[[str], Callable[[str], str] | None] | None = None,
    ) -> None:
        self.notes: list[str] = []
        """Filled by the walk: what people should know and no single place tells."""
        self._targets = list(dict.fromkeys(_target(path) for path in paths))
        self._ignore = ignore
        self._max_size = max_size
        self._depth = depth
        self._exclude = exclude
        self._inside: Reopener | None = None

    def shards(self) -> Iterator[FileShard | Piece | Skipped]:
        """Yield shards of about `SHARD_BYTES` or `SHARD_FILES`, pieces of big files, and what the walk could not take."""
        return self._shards(cut=True)

    def _shards(self, *, cut: bool) -> Iterator[FileShard | Piece | Skipped]:
        for root, named in groupby(self._targets, itemgetter(0)):
            exclude = self._exclude(root) if self._exclude else None
            pending: list[Entry] = []
            size = 0
            for item in chain.from_iterable(self._entries(root, name, exclude, device=device) for _, name, device in named):
                if isinstance(item, Skipped):
                    yield item
                    continue
                if cut and item.size >= LEAST and not item.link:
                    of_it = [*pieces(root, item.path, item.size, self._max_size)]
                    yield from of_it
                    if of_it:
                        continue
                if pending and size + item.size > 2 * SHARD_BYTES:
                    yield FileShard(root, tuple(pending), self._max_size, self._depth, size)
                    pending, size = [], 0
                pending.append(item)
                size += item.size
                if size >= SHARD_BYTES or len(pending) >= SHARD_FILES:
                    yield FileShard(root, tuple(pending), self._max_size, self._depth, size)
                    pending, size = [], 0
            if pending:
                yield FileShard(root, tuple(pending), self._max_size, self._depth, size)

    def _entries(self, root: str, name: str, exclude: Callable[[str], str] | None, *, device: bool) -> Iterator[Entry | Skipped]:
        if not name:
            yield from walk(root, ignore=self._ignore, exclude=exclude, notes=self.notes)
            return
        provenance = FileProvenance(root, name)
        if exclude is not None and (detail := exclude(name)):
            yield Skipped(provenance, "excluded", by_choice=True, detail=detail)
            return
        if device:
            # asked for by name and not read: the scan saw nothing that it should have seen
            yield Skipped(provenance, "device", by_choice=False, detail="pipe it into `leakguard scan -` instead")
            return
        try:
            status = os.lstat(os.path.join(root, name))
        except OSError as e:
            yield failed(provenance, e)
            return
        yield Entry(name, status.st_size, stat.S_ISLNK(status.st_mode))

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield every blob, in order."""
        for shard in self._shards(cut=False):
            if isinstance(shard, Skipped):
                yield shard
            elif isinstance(shard, FileShard):
                yield from shard.blobs()

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again."""
        if not isinstance(place.provenance, MemberProvenance):
            return reopen(place)
        if self._inside is None:
            from leakguard.sources.unpack.again import Reopener
            from leakguard.sources.unpack.budget import Limits

            self._inside = Reopener(opened, Limits(depth=self._depth))
        return self._inside.cut(place)


def _target(path: str) -> tuple[str, str, bool]:
    """Return root and name (empty for a folder) of a path that was named, and whether it is a device, FIFO or socket."""
    if not path or "\0" in path:
        raise UsageError("a path is empty or holds a NUL", hint="name a file or folder, or `-` for standard input")
    absolute = os.path.abspath(path)
    try:
        mode = os.stat(absolute).st_mode
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.islink(absolute):
            msg = f"there is no {_shown(path)}"
            raise UsageError(msg, hint="check the path") from None
        return *os.path.split(absolute), False  # a dangling link is scanned as a link
    except OSError as e:
        msg = f"{_shown(path)} can't be looked at: {e.strerror}"
        raise SourceError(msg, hint="check the path and its permissions") from None
    if stat.S_ISDIR(mode):
        return absolute, "", False
    if not stat.S_ISREG(mode):
        return *os.path.split(absolute), True
    return *os.path.split(os.path.realpath(absolute) if os.path.islink(absolute) else absolute), False


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def _read(root: str, entry: Entry, max_size: int | None, depth: int) -> Iterator[Blob | Skipped]:
    path = root + os.sep + entry.path
    provenance = FileProvenance(root, entry.path)
    try:
        if entry.link:
            target = os.fsencode(os.readlink(path))
            yield Blob(target, FileProvenance(root, entry.path, "link"))
            return
        fd = os.open(path, _FLAGS)
    except OSError as e:
        if e.errno == ELOOP and not entry.link:
            yield Skipped(provenance, "changed", by_choice=False, detail="became a symbolic link")
        elif e.errno == ENXIO:
            yield Skipped(provenance, "device", by_choice=True)
        else:
            yield failed(provenance, e)
        return
    try:
        yield from _read_open(fd, provenance, max_size, depth)
    except OSError as e:
        yield failed(provenance, e)
    finally:
        os.close(fd)


def _read_open(fd: int, provenance: FileProvenance, max_size: int | None, depth: int) -> Iterator[Blob | Skipped]:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        if stat.S_ISDIR(status.st_mode):
            yield Skipped(provenance, "changed", by_choice=False, detail="became a folder")
        else:
            yield Skipped(provenance, "device", by_choice=True)
        return
    size = status.st_size
    if max_size and size > max_size:
        yield Skipped(provenance, "max-size", by_choice=True, detail=f"{size} bytes")
        return
    if size <= WHOLE:
        # the usual case: one read; a file in /proc says 0 and has more
        data = os.read(fd, size + 1) if size else b""
        if depth and (kind := kind_of(data, provenance.path, whole=len(data) == size)):
            yield from _inside(fd, provenance, kind, depth, len(data))
            return
        if len(data) == size and size:
            encoding = sniff(data, whole=True)
            if encoding == "binary":
                yield Skipped(provenance, "binary", by_choice=True)
            elif not encoding:
                yield text_of(Blob(data, provenance))
            else:
                yield from chunks(reader(data), provenance, encoding)
            return
    else:
        data = b""
    yield from _stream(fd, provenance, data, status, depth)


def _stream(fd: int, provenance: FileProvenance, data: bytes, status: os.stat_result, depth: int) -> Iterator[Blob | Skipped]:
    """Read on from what is at hand, in chunks; told where the file ends before the size it had, or grows without end."""
    size = status.st_size
    limit = 2 * size + GROWTH
    while len(data) <= HEAD and (more := os.read(fd, 1 << 16)):
        data += more
    if depth and (kind := _kind(fd, data, provenance.path)):
        yield from _inside(fd, provenance, kind, depth, size)
        return
    encoding = sniff(data, whole=len(data) <= HEAD)
    if encoding == "binary":
        yield Skipped(provenance, "binary", by_choice=True)
        return
    yield from chunks(_after(data, fd, limit), provenance, encoding)
    got = os.lseek(fd, 0, os.SEEK_CUR)
    if got >= limit:
        yield Skipped(provenance, "changed", by_choice=False, detail=f"kept growing, the first {got} bytes were scanned")
    elif got < size and not _nominal(fd, status):
        yield Skipped(provenance, "truncated", by_choice=False, detail=f"{got} of {size} bytes")


def _kind(fd: int, head: bytes, path: str) -> str:
    """Return the container that a file is, whose beginning was read."""
    if not begins_program(head):
        return kind_of(head, path)
    with os.fdopen(fd, "rb", closefd=False) as file:
        kind = kind_in(file, path)
    os.lseek(fd, len(head), os.SEEK_SET)
    return kind


def _inside(fd: int, provenance: FileProvenance, kind: str, depth: int, size: int) -> Iterator[Blob | Skipped]:
    from leakguard.sources.unpack import inside
    from leakguard.sources.unpack.budget import Budget, Limits

    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, "rb", closefd=False) as file:
        yield from inside(file, provenance, kind, Budget(Limits(depth=depth), size))


def opened(outer: Outer) -> IO[bytes] | Gone:
    """Open a file whose parts are read apart from each other."""
    if not isinstance(outer, FileProvenance):
        return Gone("it was no file")
    try:
        return os.fdopen(os.open(os.path.join(outer.root, outer.path), _FLAGS), "rb")
    except OSError as e:
        return Gone(e.strerror or type(e).__name__)


def _nominal(fd: int, status: os.stat_result) -> bool:
    """Whether the size says nothing: files in /sys claim 4,096 bytes, hold no block and still claim them when read."""
    return getattr(status, "st_blocks", 1) == 0 and os.fstat(fd).st_size == status.st_size


def _after(head: bytes, fd: int, limit: int) -> Callable[[int], bytes]:
    """Return a `read(n)` that gives `head` first and ends after about `limit` bytes."""
    pending = head
    given = len(head)

    def read(size: int) -> bytes:
        nonlocal pending, given
        if pending:
            piece, pending = pending[:size], pending[size:]
            return piece
        piece = os.read(fd, size) if given < limit else b""
        given += len(piece)
        return piece

    return read


def reopen(place: Place) -> bytes | Gone:
    """Return the bytes of a place in a file again, decoded as then."""
    provenance = place.provenance
    if not isinstance(provenance, FileProvenance):
        return Gone("it was no file")
    path = os.path.join(provenance.root, provenance.path)
    try:
        if provenance.kind == "link":
            value = os.fsencode(os.readlink(path))[place.offset : place.offset + place.length]
            return value if len(value) == place.length else Gone("the link is shorter now")
        fd = os.open(path, _FLAGS)
    except OSError as e:
        return Gone(e.strerror or type(e).__name__)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return Gone("it is no regular file any more")
        if not place.encoding:
            os.lseek(fd, place.offset, os.SEEK_SET)
            value = os.read(fd, place.length)  # never near the 2 GB that one read gives
            return value if len(value) == place.length else Gone("the file is shorter now")
        found = cut(partial(os.read, fd), place.encoding, place.offset, place.length)
        return Gone("the file is shorter now") if found is None else found
    except OSError as e:
        return Gone(e.strerror or type(e).__name__)
    finally:
        os.close(fd)
