"""Candidates in encoded text: the layers that `decode` makes, looked through as any text, and what they mean beside the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from leakguard.engine import values
from leakguard.engine.decode import HEAD, TAIL, Layer, Segment, layers, trace
from leakguard.engine.scan import NO_SCORE, Found
from leakguard.engine.written import ESCAPES
from leakguard.model.finding import Step

if TYPE_CHECKING:
    from leakguard.engine.frame import Span
    from leakguard.engine.scan import Engine

_QUOTES = (b'"', b"'", b"`")
_PAIR = re.compile(rb"[\w.@+\-]{1,80}:")


class Inside(NamedTuple):
    """What stands encoded in an input."""

    found: list[Found]
    spans: list[Span]
    """Of every match of any score: what a frame must not show."""
    slow: set[str]
    cut: str

    def beside(self, plain: list[Found], floor: float) -> list[Found]:
        """Return what counts of both, by position: of two in one place one tells of the other, or both are credentials."""
        kept = [(one, *one.span()[:2]) for one in plain]
        for one in self.found:
            start, end, _via = one.span()
            near = [other for other in kept if other[1] < end and other[2] > start]
            if one.score.value < floor:
                # as it stands it may be told; encoded it is not
                if not near:
                    kept.append((one, start, end))
                continue
            if any(_tells(other[0], one) for other in near):
                continue
            kept = [other for other in kept if other not in near or not _gives_way(other[0], one)]
            kept.append((one, start, end))
        return [one for one, _start, _end in sorted(kept, key=lambda k: k[1:])]


def _gives_way(known: Found, one: Found) -> bool:
    """Whether another look at the same bytes says what it really is: a key, not a text that begins as keys in base64 do."""
    return known.rule.shape == "generic" or known.rule.kind == one.rule.kind == "private_key"


def _tells(known: Found, one: Found) -> bool:
    """Whether what is known already says all that another look at the same bytes found."""
    if known.secret() == one.secret():
        return known.rule.rank >= one.rule.rank
    if known.rule.kind == one.rule.kind == "private_key":
        return False
    if known.rule.shape == "generic":
        # of a URL each part is decoded by itself, once it is taken apart
        whole = known.text[known.match.whole_start : known.match.end]
        return b"://" in whole and all(step.way == "percent" for step in one.span()[2])
    return one.rule.shape == "generic" or one.rule.id == known.rule.id


def places(engine: Engine, data: bytes, rows: bytes) -> list[tuple[int, int]]:
    """Return the bytes of runs, with what stands round them, in which some rule matches."""
    out: list[tuple[int, int]] = []
    made, left = layers(data, rows)
    for number, layer in enumerate(made):
        for segment, hits in _segments(engine, layer):
            text = layer.text[segment.head : segment.tail]
            matches, slow = engine.confirm(text, hits)
            if slow or any(segment.body - segment.head <= match.start for match in matches):
                first = trace(made[: number + 1], segment.body, segment.stop)
                out.append((max(0, first[0] - HEAD), min(len(data), first[1] + TAIL)))
    if left:
        # not looked through here: the plain way has to say so
        out.append((0, len(data)))
    return out


def _segments(engine: Engine, layer: Layer) -> Iterator[tuple[Segment, list[tuple[int, int]]]]:
    """Yield the segments of a layer that have hits, and these with positions in the segment."""
    hits = sorted(engine.hits(layer.text, (0, len(layer.text))), key=lambda hit: hit[1])
    for segment, group in groupby(hits, key=lambda hit: layer.at(hit[1])):
        yield segment, [(index, at - segment.head) for index, at in group if at <= segment.tail]


def look(engine: Engine, data: bytes, rows: bytes, kind: str) -> Inside:
    """Look into the runs of an input; `kind` is that of its file, which what stands in escapes has too."""
    made, left = layers(data, rows)
    out = Inside([], [], set(), left)
    for number, layer in enumerate(made):
        for segment, hits in _segments(engine, layer):
            escaped = segment.ways[0] in ESCAPES
            bare = not (escaped and kind in values.CODE)
            wanted = [hit for hit in hits if bare or engine.rules.rule(hit[0]).scope != "config"]
            _segment(engine, made[: number + 1], segment, wanted, kind if escaped else "other", out)
    return out


def _segment(engine: Engine, below: Sequence[Layer], segment: Segment, hits: list[tuple[int, int]], kind: str, out: Inside) -> None:
    """Look into one segment, as a text of its own."""
    text = below[-1].text[segment.head : segment.tail]
    body, stop = segment.body - segment.head, segment.stop - segment.head
    matches, slow = engine.confirm(text, hits)
    out.slow.update(slow)
    matches = [
        match
        for match in matches
        if match.rule < len(engine.rules)
        and body <= match.start
        and match.end <= stop
        # `auth = <login:password>`: that credential is sent as it stands
        and not (match.whole_start < body and _PAIR.match(text, match.start, match.end))
    ]
    if not matches:
        return
    back = partial(_back, below, segment.head)
    data, counted = below[0].below, []
    for match in matches:
        one = Found(text, match, engine.rules.rule(match.rule), NO_SCORE, "", back)
        start, end, _via = one.span()
        out.spans.append((start, end, one.secret()))
        # what a program has as `'a%2Fb'` it sends so; in a query it is one value with `a/b`
        quoted = segment.ways == ("percent",) and data[start - 1 : start] in _QUOTES and b"%" in data[start:end]
        if not (quoted and one.rule.shape == "generic"):
            counted.append(match)
    out.found.extend(Found(text, *scored, back) for scored in engine.judge(text, counted, kind)[0])


def _back(below: Sequence[Layer], head: int, start: int, end: int) -> tuple[int, int, tuple[Step, ...]]:
    return trace(below, start + head, end + head)
