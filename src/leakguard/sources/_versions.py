"""Walk a pack's delta trees: every content is rebuilt from its base once, and only what changed is asked about.

Answers which objects may hold a candidate; the plain way then reads those. What can't be decided here (a damaged delta, a
base elsewhere, a content too big to keep) is answered with yes, so that the plain way decides and tells.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

from leakguard.engine.sieve import IN_CODE, Sieve, Span
from leakguard.gitio.delta import apply, carried
from leakguard.gitio.pack import BLOB, DamagedPackError, Pack
from leakguard.sources._magic import kind_of
from leakguard.sources._text import HEAD, decoder, read_all, reader, sniff

LIMIT = 32 << 20
"""Bytes; a larger content goes the plain way, which streams, and so do all that build on it."""
_SHARD = 1 << 20
"""Packed bytes of a shard."""


class Sifted(NamedTuple):
    """What a walk over some trees found; numbers are the pack's."""

    held: list[int]
    spans: dict[int, tuple[int, ...]]
    """Where these may hold something (start and end in turn), if that is known."""
    bare: list[int]
    """Those of them that hold nothing if they are code."""
    binary: list[int]
    walked: int
    bytes: int


class Walk:
    """The walk over one pack; `skip` holds numbers of objects that were or will be looked at elsewhere."""

    def __init__(self, pack: Pack, sieve: Sieve, kind: int = BLOB, skip: frozenset[int] = frozenset()) -> None:
        self._pack = pack
        self._sieve = sieve
        self._kind = kind
        self._skip = skip
        self._first, self._next = pack.children
        self._wanted = self._lead() if skip else None

    def _lead(self) -> bytearray:
        """Mark what has to be looked at and all that it builds on; other trees and branches are left alone."""
        out, rows, skip = bytearray(len(self._pack)), self._pack.rows, self._skip
        for number in range(len(out)):
            at = number
            while at >= 0 and not out[at] and (at != number or number not in skip):
                out[at] = 1
                at = rows[3 * at + 2]
        return out

    def shards(self) -> list[list[int]]:
        """Return the roots of all delta trees in runs of about equal work, the heaviest trees first."""
        pack, weights = self._pack, self._pack.weights
        roots = [number for number in range(len(pack)) if pack.kinds[number] == self._kind]
        if self._wanted is not None:
            roots = [number for number in roots if self._wanted[number]]
        roots.sort(key=weights.__getitem__, reverse=True)
        out: list[list[int]] = []
        size = _SHARD
        for root in roots:
            if size >= _SHARD:
                out.append([])
                size = 0
            out[-1].append(root)
            size += weights[root]
        return out

    def sift(self, roots: Sequence[int]) -> Sifted:
        """Walk the trees of some roots, depth first."""
        out = Sifted([], {}, [], [], 0, 0)
        walked = size = 0
        for root in roots:
            stack: list[tuple[int, bytes | None, list[Span] | None]] = [(root, b"", None)]
            while stack:
                number, base, known = stack.pop()
                data, spans = self._content(number, base, known, out, root=number == root)
                if number not in self._skip:
                    walked += 1
                    size += len(data or b"")
                stack.extend((child, data, spans) for child in self._children(number))
        return out._replace(walked=walked, bytes=size)

    def _children(self, number: int) -> Iterator[int]:
        child = self._first[number]
        while child >= 0:
            if self._wanted is None or self._wanted[child]:
                yield child
            child = self._next[child]

    def _content(
        self, number: int, base: bytes | None, known: list[Span] | None, out: Sifted, *, root: bool
    ) -> tuple[bytes | None, list[Span] | None]:
        """Return an object's content and what it may hold; None: not known."""
        pack, sieve = self._pack, self._sieve
        windows: array[int] | None = None
        delta = b""
        if base is None or pack.rows[3 * number + 1] > LIMIT:
            out.held.append(number)
            return None, None
        try:
            delta = pack.inflated(number)
            data: bytes | None = delta
            if not root:
                data, raw = apply(base, delta, sieve.before, sieve.after)
                windows = array("q", raw)
        except (DamagedPackError, ValueError, MemoryError):
            data = None
        if data is None or len(data) > LIMIT:
            out.held.append(number)
            return None, None
        if number in self._skip:
            return data, None
        if kind_of(data):
            out.held.append(number)  # what it holds is not where its bytes changed
            return data, None
        encoding = sniff(data, whole=len(data) <= HEAD)
        if encoding == "binary":
            out.binary.append(number)
            return data, None
        if encoding:
            if any(span.held for span in sieve.spans(read_all(decoder(reader(data), encoding)))):
                out.held.append(number)
            return data, None
        spans = None
        if known is not None and windows is not None:
            spans = _carried(known, len(base), delta) if known else []
        spans = sieve.spans(data) if spans is None else [*dict.fromkeys((*spans, *sieve.spans(data, windows)))]
        if held := reduce(or_, (span.held for span in spans), 0):
            out.held.append(number)
            if not held & IN_CODE:
                out.bare.append(number)
            out.spans[number] = tuple(edge for span in spans for edge in span[:2])
        return data, spans


def _carried(spans: Sequence[Span], base_size: int, delta: bytes) -> list[Span] | None:
    """Return where a base's spans stand in the content that a delta makes of it; None where one was touched."""
    flat = array("q", [edge for span in spans for edge in (span.start, span.end)])
    raw = carried(delta, base_size, flat.tobytes())
    if raw is None:
        return None
    places = array("q", raw)
    out = []
    for i in range(0, len(places), 2):
        span, start = spans[places[i]], places[i + 1]
        out.append(Span(start, start + span.end - span.start, span.held))
    return out
