"""A pipe: read once, in bounded memory, never again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from leakguard.config import ARCHIVE_DEPTH
from leakguard.errors import SourceError
from leakguard.model.blob import Blob, Gone, Skipped, StreamProvenance
from leakguard.model.finding import Place
from leakguard.sources._chunks import chunks
from leakguard.sources._magic import kind_of
from leakguard.sources._text import HEAD, sniff

_MOMENT = 0.1
"""Seconds."""


class Readable(Protocol):
    """What is read: `sys.stdin.buffer`, a socket's file, an open pipe."""

    def read(self, size: int, /) -> bytes | None:
        """Return at most `size` bytes, `b""` at the end; None: nothing there yet (a stream set to non-blocking)."""


class StreamSource:
    """Standard input or another stream; `name` is shown as its place and tells the kind of file."""

    def __init__(self, stream: Readable, name: str, *, depth: int = ARCHIVE_DEPTH) -> None:
        self._stream = stream
        self._depth = depth
        self._provenance = StreamProvenance(name)
        self._taken = False

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield its blobs as they fill; a stream that breaks is told.

        Raises:
            SourceError: it was read before, and a second look would see nothing.
        """
        if self._taken:
            msg = f"the stream {self._provenance.name!r} was read before"
            raise SourceError(msg, hint="save it to a file to scan it twice")
        self._taken = True
        head = b""
        try:
            while len(head) <= HEAD and not (head and self._idle()) and (piece := self._read(1 << 16)):
                head += piece

            def read_on(size: int) -> bytes:
                nonlocal head
                if head:
                    first, head = head[:size], head[size:]
                    return first
                return self._read(size)

            if self._depth and (kind := kind_of(head, self._provenance.name)):
                yield from self._inside(read_on, kind)
                return
            encoding = sniff(head, whole=len(head) <= HEAD)
            if encoding == "binary":
                yield Skipped(self._provenance, "binary", by_choice=True)
            else:
                yield from chunks(read_on, self._provenance, encoding, idle=self._idle)
        except OSError as e:
            yield Skipped(self._provenance, "unreadable", by_choice=False, detail=e.strerror or type(e).__name__)

    def _inside(self, read: Callable[[int], bytes], kind: str) -> Iterator[Blob | Skipped]:
        from leakguard.sources.unpack import within
        from leakguard.sources.unpack.budget import Budget, Limits

        budget = Budget(Limits(depth=self._depth), 0)
        yield from within(budget.fed(read), self._provenance, kind, budget)

    def _idle(self) -> bool:
        """Whether nothing comes for a moment; a stream without a descriptor never pauses."""
        from select import select

        try:
            return not select([self._stream], [], [], _MOMENT)[0]  # type: ignore[type-var]  # what has no `fileno` raises
        except (TypeError, ValueError, OSError):
            return False

    def _read(self, size: int) -> bytes:
        """Read what is there, at most `size` bytes; wait where nothing is."""
        read = getattr(self._stream, "read1", self._stream.read)
        while (piece := read(size)) is None:
            from select import select

            select([self._stream], [], [])  # type: ignore[type-var]  # what answers None has a descriptor
        return bytes(piece)

    def reopen(self, place: Place) -> bytes | Gone:
        """Say that it is gone."""
        return Gone(f"{self._provenance.name} was a stream at {place.start_line}:{place.start_column}")
