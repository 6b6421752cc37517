"""Open places inside containers again.

Places of one container come mostly in the order in which it was read, so a cursor that goes on from the last place reads
each container once, however much was found in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

from leakguard.model.blob import Gone, MemberProvenance, Outer, Skipped, path_in
from leakguard.model.finding import Place
from leakguard.sources._magic import kind_in, kind_of
from leakguard.sources._text import decoder
from leakguard.sources.unpack import TROUBLE, Leaf, Read, ahead, leaves, opened
from leakguard.sources.unpack.budget import Budget, Limits

_SHORTER = "it is shorter now"
_ANY_SIZE = 1 << 50
"""What was scanned once is read again, however much it grows."""


class Reopener:
    """Cuts bytes out of what lies in containers; `open_outer` opens the outermost one, or says why it can't.

    What it gives need not be seekable; where it is, it was so when the container was scanned. `kind`: what it gives, where
    its first bytes don't tell.
    """

    def __init__(self, open_outer: Callable[[Outer], IO[bytes] | Gone], limits: Limits, kind: str = "") -> None:
        self._open = open_outer
        self._limits = limits
        self._kind = kind
        self._outer: Outer | None = None
        self._files: list[IO[bytes]] = []
        self._leaves: Iterator[Leaf] = iter(())
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
        self._outer, self._at, self._leaves = None, None, iter(())
        while self._files:
            self._files.pop().close()

    def _restart(self, outer: Outer) -> Gone | None:
        self.close()
        file = self._open(outer)
        if isinstance(file, Gone):
            return file
        self._files.append(file)
        self._outer = outer
        self._leaves = _leaves(file, outer, self._limits, self._files, self._kind)
        return None

    def _forward(self, inner: tuple[str, ...], encoding: str) -> _At | None:
        return next((_At(inner, encoding, leaf.read) for leaf in self._leaves if leaf.names == inner), None)


def member(file: IO[bytes], outer: Outer, inner: tuple[str, ...], limits: Limits) -> Read | None:
    """Return a reader of one member, by its names; None where the container has none of those names.

    Raises:
        TROUBLE: it can't be looked into.
    """
    return next((leaf.read for leaf in _leaves(file, outer, limits, []) if leaf.names == inner), None)


def _leaves(file: IO[bytes], outer: Outer, limits: Limits, files: list[IO[bytes]], kind: str = "") -> Iterator[Leaf]:
    """Yield every member that is no container, in the order of the scan."""
    budget = Budget(limits, _ANY_SIZE)
    if kind:
        pass
    elif file.seekable():
        kind = kind_in(file, path_in(outer))
    else:
        read, head = ahead(file.read)
        kind = kind_of(head, path_in(outer))
        if kind:
            file = opened(read, kind, budget)
            files.append(file)
    if kind:
        yield from (leaf for leaf in leaves(file, kind, outer, (), (), budget) if not isinstance(leaf, Skipped))


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
