"""What is staged: contents from the index, never from the work tree, each scanned whole; only what is new counts.

A finding is new where one of its lines stands in no committed version of the path (in a merge: of no parent), so that
old lines give context and moved ones are not reported again. Line ends and trailing blanks don't make a line new.
Rejected: scanning the hunks of a diff. The key name or the mark may stand outside of a hunk, and most commits hold no
candidate at all, so that no old version has to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice

from leakguard.config import ARCHIVE_DEPTH
from leakguard.gitio.objects import Objects
from leakguard.gitio.staged import GITLINK, SYMLINK, Change
from leakguard.model.blob import STRINGS, Blob, FileProvenance, Gone, MemberProvenance, Outer, Provenance, Skipped, outermost
from leakguard.model.finding import Candidate, Place
from leakguard.sources._chunks import chunks
from leakguard.sources._magic import kind_of
from leakguard.sources._text import HEAD, cut, decoder, read_all, reader, sniff

COMPARED = 64 << 20
"""Bytes; a larger version is not compared, every line of the new one counts."""
_MOVED_FROM = 200
"""So many deleted files are looked at for lines that moved."""


class StagedSource:
    """The staged contents of some changes; `expired()` says that the time is up."""

    def __init__(
        self,
        top: str,
        changes: Sequence[Change],
        gone: Sequence[str],
        objects: Objects,
        *,
        expired: Callable[[], bool],
        exclude: Callable[[str], str] | None = None,
        max_size: int | None = None,
        depth: int = ARCHIVE_DEPTH,
    ) -> None:
        self._top = top
        self._changes = {change.path: change for change in changes}
        self._gone = gone[:_MOVED_FROM]
        self._objects = objects
        self._expired = expired
        self._exclude = exclude
        self._max_size = max_size
        self._depth = depth
        self._lines: dict[tuple[str, tuple[str, ...]], list[bytes] | None] = {}

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield each staged content in the order of its path."""
        wanted: list[Change] = []
        for change in self._changes.values():
            provenance = FileProvenance(self._top, change.path, "staged")
            if change.mode == GITLINK:
                yield Skipped(provenance, "submodule", by_choice=True)
            elif self._exclude is not None and (why := self._exclude(change.path)):
                yield Skipped(provenance, "excluded", by_choice=True, detail=why)
            else:
                wanted.append(change)
        for at, (_oid, kind, size, read) in enumerate(self._objects.each([change.blob for change in wanted])):
            if self._expired():
                self._objects.restart()
                for late in wanted[at:]:
                    provenance = FileProvenance(self._top, late.path, "staged")
                    yield Skipped(provenance, "timeout", by_choice=False, detail="the deadline came first")
                return
            yield from self._blob(wanted[at], kind, size, read)

    def _blob(self, change: Change, kind: str, size: int, read: Callable[[int], bytes]) -> Iterator[Blob | Skipped]:
        provenance = FileProvenance(self._top, change.path, "staged")
        if kind != "blob":
            yield Skipped(provenance, "unreadable", by_choice=False, detail=f"git has no blob {change.blob[:12]}")
        elif self._max_size and size > self._max_size:
            yield Skipped(provenance, "max-size", by_choice=True, detail=f"{size} bytes")
        elif change.mode == SYMLINK:
            yield Blob(read_all(read), provenance)
        else:
            yield from blobs_of(read, provenance, self._depth, name=change.path, size=size, expired=self._expired)

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again, out of the object that was staged."""
        outer = outermost(place.provenance)
        change = self._changes.get(outer.path) if isinstance(outer, FileProvenance) else None
        if change is None:
            return Gone("it is not staged")
        data = self._objects.read(change.blob)
        if data is not None and isinstance(place.provenance, MemberProvenance):
            return cut_member(data, place, self._depth)
        found = None if data is None else cut(reader(data), place.encoding, place.offset, place.length)
        return Gone("git has no such content any more") if found is None else found

    def is_new(self, candidate: Candidate) -> bool:
        """Whether one of a candidate's lines was committed in no version of its path."""
        places = (candidate.place, *candidate.others)
        paths = dict.fromkeys(place.provenance for place in places)
        return any(self._new_lines(path, [place for place in places if place.provenance == path]) for path in paths)

    def _new_lines(self, provenance: Provenance, places: Sequence[Place]) -> bool:
        outer = outermost(provenance)
        change = self._changes.get(outer.path) if isinstance(outer, FileProvenance) else None
        if change is None or not (change.old or self._gone):
            return True
        inner = provenance.inner if isinstance(provenance, MemberProvenance) else ()
        now = self._content(change.blob, outer, inner)
        if now is None:
            return True
        spans = [(p.start_line, p.end_line) for p in places]
        touched = {now[n - 1] for first, last in spans for n in range(first, last + 1) if n <= len(now)}
        if change.old:
            before = [self._content(oid, outer, inner) for oid in change.old]
            return all(lines is None or not touched.issubset(lines) for lines in before)
        gone = (self._content(oid, outer, inner) for oid in self._gone)
        return not any(lines is not None and touched.issubset(lines) for lines in gone)

    def _content(self, oid: str, outer: Outer, inner: tuple[str, ...]) -> list[bytes] | None:
        """Return the decoded lines of a version, or of a member in it; None where it can't be compared."""
        if (oid, inner) not in self._lines:
            data = self._objects.read(oid, limit=COMPARED)
            if data is not None and inner:
                data = member_of(data, outer, inner, self._depth)
            self._lines[oid, inner] = None if data is None else lines_of(data)
        return self._lines[oid, inner]


def lines_of(data: bytes) -> list[bytes] | None:
    """Return the lines of a content as the engine counts them, without trailing blanks; None for what has none."""
    encoding = sniff(data[: HEAD + 1], whole=len(data) <= HEAD)
    if encoding in {"binary", STRINGS}:
        return None
    text = read_all(decoder(reader(data), encoding)) if encoding else data
    return [line.rstrip() for line in text.split(b"\n")]


def member_of(data: bytes, outer: Outer, inner: tuple[str, ...], depth: int) -> bytes | None:
    """Return the bytes of a member of a container; None where there is no such member, or too much of it."""
    from leakguard.sources.unpack import TROUBLE, forward
    from leakguard.sources.unpack.again import member
    from leakguard.sources.unpack.budget import Limits

    try:
        read = member(forward(reader(data)), outer, inner, Limits(depth=depth))
        content = b"" if read is None else b"".join(islice(iter(partial(read, 1 << 20), b""), COMPARED >> 20))
    except TROUBLE:
        return None
    return None if read is None or len(content) >= COMPARED else content


def cut_member(data: bytes, place: Place, depth: int) -> bytes | Gone:
    """Return the bytes of a place in a container that is held."""
    from leakguard.sources.unpack import forward
    from leakguard.sources.unpack.again import Reopener
    from leakguard.sources.unpack.budget import Limits

    return Reopener(lambda _outer: forward(reader(data)), Limits(depth=depth)).cut(place)


def blobs_of(
    read: Callable[[int], bytes],
    provenance: Outer,
    depth: int,
    *,
    name: str = "",
    size: int = 0,
    expired: Callable[[], bool] | None = None,
) -> Iterator[Blob | Skipped]:
    """Yield the blobs of a content that can be read once; `name` where it may tell what it is."""
    head = b""
    while len(head) <= HEAD and (piece := read(1 << 16)):
        head += piece

    def read_on(size: int) -> bytes:
        nonlocal head
        if head:
            first, head = head[:size], head[size:]
            return first
        return read(size)

    if depth and (kind := kind_of(head, name)):
        from leakguard.sources.unpack import within
        from leakguard.sources.unpack.budget import Budget, Limits

        yield from within(read_on, provenance, kind, Budget(Limits(depth=depth), size, expired=expired))
        return
    encoding = sniff(head, whole=len(head) <= HEAD)
    if encoding == "binary":
        yield Skipped(provenance, "binary", by_choice=True)
    else:
        yield from chunks(read_on, provenance, encoding)
