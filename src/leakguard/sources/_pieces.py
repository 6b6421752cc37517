"""Share one big plain file out to several processes: each reads some of its chunks, the same that one process would make.

Lines and columns of a piece count from where it begins, since nobody counted those before it yet; what it yields last says
how far it counted, so that whoever joins the pieces can put them right (`pipeline/pieces.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from leakguard.model.blob import Blob, FileProvenance, Gone, Passed, Provenance, Skipped
from leakguard.model.finding import Place
from leakguard.sources._chunks import AHEAD, BEHIND, CHUNK, advance, character_start
from leakguard.sources._logs import Reader
from leakguard.sources._magic import kind_of
from leakguard.sources._text import HEAD, UTF8_BOM, sniff

GROWTH = 64 << 20
"""Bytes that a file may grow beyond twice its size while it is read; a log written faster than it is scanned must end."""
LEAST = 64 << 20
"""Bytes of a file from which on it is shared out."""
CHUNKS = 4
"""Chunks of a piece."""

Read = Callable[[int, int], bytes]
"""`read(offset, n)` gives the bytes there, fewer than `n` only at the end."""


class Piece(NamedTuple):
    """Some chunks of one file: a picklable source."""

    root: str
    path: str
    first: int
    """Number of its first chunk."""
    chunks: int | None
    """None: to the end, however far that is then."""
    whole: int
    """Bytes that the file had."""
    size: int

    @property
    def follows(self) -> bool:
        """Whether its lines count from where the piece before it ended."""
        return self.first > 0

    def blobs(self) -> Iterator[Blob | Skipped | Passed]:
        """Yield its chunks."""
        from leakguard.sources.files import opened

        provenance = FileProvenance(self.root, self.path)
        file = opened(provenance)
        if isinstance(file, Gone):
            yield Skipped(provenance, "unreadable", by_choice=False, detail=file.why)
            return
        with file:
            fd = file.fileno()
            try:
                head = os.pread(fd, HEAD, 0)
                bom = len(UTF8_BOM) if head.startswith(UTF8_BOM) else 0
                encoding = "utf-8-sig" if bom else ""
                limit = 2 * self.whole + GROWTH
                yield from cut(_reader(fd, bom, limit), provenance, encoding, self.first, self.chunks)
                if self.chunks is None and (size := os.fstat(fd).st_size) < self.whole:
                    yield Skipped(provenance, "truncated", by_choice=False, detail=f"{size} of {self.whole} bytes")
                elif self.chunks is None and size > limit:
                    detail = f"kept growing, the first {limit} bytes were scanned"
                    yield Skipped(provenance, "changed", by_choice=False, detail=detail)
            except OSError as e:
                yield Skipped(provenance, "unreadable", by_choice=False, detail=e.strerror or type(e).__name__)

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again."""
        from leakguard.sources.files import reopen

        return reopen(place)


def pieces(root: str, path: str, size: int, limit: int | None) -> Iterator[Piece]:
    """Yield the pieces of a file; none where it is small, a container, or has to be decoded."""
    from leakguard.sources.files import opened

    if size < LEAST or (limit and size > limit):
        return
    file = opened(FileProvenance(root, path))
    if isinstance(file, Gone):
        return
    with file:
        head = file.read(HEAD + 1)
    if kind_of(head, path) or sniff(head, whole=False) not in ("", "utf-8-sig"):
        return
    number = -(-(size - len(UTF8_BOM) * head.startswith(UTF8_BOM) - AHEAD) // CHUNK)
    for first in range(0, number, CHUNKS):
        last = first + CHUNKS >= number
        yield Piece(root, path, first, None if last else CHUNKS, size, min(CHUNKS * CHUNK, size - first * CHUNK))


def cut(
    read: Read,
    provenance: Provenance,
    encoding: str,
    first: int,
    count: int | None,
    *,
    chunk: int = CHUNK,
    ahead: int = AHEAD,
    behind: int = BEHIND,
) -> Iterator[Blob | Passed]:
    """Yield chunks from number `first` on as `chunks` would make them, and what the next piece has to know."""
    offset, own, column = 0, first * chunk, 1
    if first:
        begin = own - behind
        offset = begin - 4 + character_start(read(begin - 4, 5).ljust(5, b" "), 4)
        column = 1 if read(offset - 1, 1) == b"\n" else 2
    line, base = 1, column
    log = Reader(read(0, HEAD), provenance)
    while count is None or own < (first + count) * chunk:
        end = own + chunk
        data = read(offset, end + ahead - offset)
        last = offset + len(data) < end + ahead or not read(end + ahead, 1)
        yield log.read(Blob(data, provenance, offset, line, column, own - offset, None if last else end - offset, encoding))
        if last:
            return
        start = character_start(data, end - behind - offset)
        line, column = advance(data, start, line, column)
        offset += start
        own = end
    yield Passed(line - 1, column - (base if line == 1 else 1), log.step_at(offset))


def _reader(fd: int, skip: int, limit: int) -> Read:
    def read(offset: int, size: int) -> bytes:
        parts, have = [], 0
        size = min(size, limit - offset - skip)
        while have < size and (part := os.pread(fd, size - have, skip + offset + have)):
            parts.append(part)
            have += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    return read
