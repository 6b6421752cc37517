"""Walk a pack's delta trees: every content is rebuilt from its base once, and only what changed is asked about.

Answers which objects may hold a candidate; the plain way then reads those. What can't be decided here (a damaged delta, a
base elsewhere, a content too big to keep) is answered with yes, so that the plain way decides and tells.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import reduce
from itertools import compress
from operator import or_
from typing import NamedTuple

from leakguard.engine.seen import Content
from leakguard.engine.sieve import IN_CODE, Sieve, Span
from leakguard.gitio.delta import Rebuilt, carried
from leakguard.gitio.pack import BLOB, Pack
from leakguard.sources._magic import kind_of
from leakguard.sources._text import HEAD, decoder, read_all, reader, sniff

LIMIT = 32 << 20
"""Bytes; a larger content goes the plain way, which streams, and so do all that build on it."""
_NOTHING: list[Span] = []
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
        pack, weights = self._pack, self._pack.trees[2]
        of_kind = pack.kinds.translate(bytes(kind == self._kind for kind in range(256)))
        roots = [*compress(range(len(pack)), of_kind)]
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
        known: dict[int, list[Span] | None] = {}
        sieve, skip = self._sieve, self._skip
        for some in self._pack.rebuilt(roots, self._wanted, sieve.before, sieve.after, LIMIT):
            asked: list[Rebuilt] = []
            contents: list[Content] = []
            for rebuilt in some:
                number, base, data, windows, _delta = rebuilt
                if number not in skip:
                    walked += 1
                    size += len(data or b"")
                    if data is None or kind_of(data):
                        out.held.append(number)  # what a container holds is not where its bytes changed
                    elif not (encoding := sniff(data, whole=len(data) <= HEAD)):
                        asked.append(rebuilt)
                        contents.append((data, windows if known.get(base, _NOTHING) is not None else None))
                        continue
                    elif encoding == "binary":
                        out.binary.append(number)
                    elif any(span.held for span in sieve.spans(read_all(decoder(reader(data), encoding)))):
                        out.held.append(number)
                elif data is None:
                    out.held.append(number)
                known[number] = None
            for rebuilt, content, spans in zip(asked, contents, sieve.spans_of(contents), strict=True):
                self._add(rebuilt, content, spans, known, out)
        return out._replace(walked=walked, bytes=size)

    def _add(self, rebuilt: Rebuilt, content: Content, spans: list[Span], known: dict[int, list[Span] | None], out: Sifted) -> None:
        """Add what a content holds by itself, and what it has from its base."""
        number, base, _data, _windows, delta = rebuilt
        if content[1] is not None and (before := known.get(base)):
            assert delta is not None
            carried = _carried(before, delta)
            spans = self._sieve.spans(content[0]) if carried is None else [*carried, *spans]
        if not spans:
            return
        known[number] = spans = [*dict.fromkeys(spans)]
        if held := reduce(or_, (span.held for span in spans), 0):
            out.held.append(number)
            if not held & IN_CODE:
                out.bare.append(number)
            out.spans[number] = tuple(edge for span in spans for edge in span[:2])


def _carried(spans: Sequence[Span], delta: bytes) -> list[Span] | None:
    """Return where a base's spans stand in the content that a delta makes of it; None where one was touched."""
    flat = array("q", [edge for span in spans for edge in (span.start, span.end)])
    raw = carried(delta, flat.tobytes())
    if raw is None:
        return None
    places = array("q", raw)
    out = []
    for i in range(0, len(places), 2):
        span, start = spans[places[i]], places[i + 1]
        out.append(Span(start, start + span.end - span.start, span.held))
    return out
