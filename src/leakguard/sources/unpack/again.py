"""Open places inside containers again.

Places of one container come mostly in the order in which it was read, so a cursor that goes on from the last place reads
each container once, however much was found in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

from leakguard.model.blob import Gone, MemberProvenance, Outer
from leakguard.model.finding import Place
from leakguard.sources._magic import kind_of
from leakguard.sources._text import decoder
from leakguard.sources.unpack import TROUBLE, Member, Read, Sound, Untold, ahead, listed, opened
from leakguard.sources.unpack.budget import Budget, Limits

_SHORTER = "it is shorter now"


class Reopener:
    """Cuts bytes out of what lies in containers; `open_outer` opens the outermost one, or says why it can't."""

    def __init__(self, open_outer: Callable[[Outer], IO[bytes] | Gone], limits: Limits) -> None:
        self._open = open_outer
        self._limits = limits
        self._outer: Outer | None = None
        self._file: IO[bytes] | None = None
        self._walk: Iterator[tuple[tuple[str, ...], Member]] = iter(())
        self._at: _At | None = None

    def cut(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place, decoded as then."""
        provenance = place.provenance
        if not isinstance(provenance, MemberProvenance):
            return Gone("it lies in no container")
        try:
            if self._outer == provenance.outer and self._at is not None and self._at.holds(provenance.inner, place):
                return self._at.cut(place.offset, place.length)
            if self._outer != provenance.outer or (at := self._forward(provenance.inner, place.encoding)) is None:
                if gone := self._restart(provenance.outer):
                    return gone
                at = self._forward(provenance.inner, place.encoding)
            self._at = at
            return Gone("the container does not hold it any more") if at is None else at.cut(place.offset, place.length)
        except TROUBLE as e:
            self.close()
            return Gone(str(e) or type(e).__name__)

    def close(self) -> None:
        """Let go of the container."""
        if self._file is not None:
            self._file.close()
        self._file, self._outer, self._at, self._walk = None, None, None, iter(())

    def _restart(self, outer: Outer) -> Gone | None:
        self.close()
        file = self._open(outer)
        if isinstance(file, Gone):
            return file
        self._file, self._outer = file, outer
        head = file.read(1 << 13)
        file.seek(0)
        self._walk = _members(file, kind_of(head), outer, (), Budget(self._limits, 1 << 50))
        return None

    def _forward(self, inner: tuple[str, ...], encoding: str) -> _At | None:
        return next((_At(names, encoding, member.read) for names, member in self._walk if names == inner), None)


class _At:
    """Where the cursor stands in a member; a little of what was read stays, since places overlap."""

    _KEPT = 1 << 17

    def __init__(self, inner: tuple[str, ...], encoding: str, read: Read) -> None:
        self._inner = inner
        self._encoding = encoding
        self._read = decoder(read, encoding)
        self._start = 0
        self._data = b""

    def holds(self, inner: tuple[str, ...], place: Place) -> bool:
        """Whether the place still lies ahead, or in what was kept."""
        return (self._inner, self._encoding) == (inner, place.encoding) and place.offset >= self._start

    def cut(self, offset: int, length: int) -> bytes | Gone:
        while self._start + len(self._data) < offset + length:
            piece = self._read(1 << 16)
            if not piece:
                return Gone(_SHORTER)
            self._data += piece
            spare = min(offset - self._start, len(self._data) - self._KEPT)
            if spare > 0:
                self._data, self._start = self._data[spare:], self._start + spare
        at = offset - self._start
        return self._data[at : at + length]


def _members(
    file: IO[bytes], kind: str, outer: Outer, inner: tuple[str, ...], budget: Budget
) -> Iterator[tuple[tuple[str, ...], Member]]:
    """Yield every member that is no container itself, in the order of the scan."""
    for member, names, _facts in listed(file, kind, outer, inner, (), budget):
        if isinstance(member, Untold):
            continue
        try:
            read, head = ahead(Sound(member.read).read)
            found = "" if member.text else kind_of(head)
            if not found:
                yield names, member._replace(read=read)
                continue
            budget.enter(len(names))
            nested = opened(read, found)
        except TROUBLE:
            continue
        yield from _members(nested, found, outer, names, budget)
