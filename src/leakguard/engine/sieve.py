"""Whether bytes may hold a candidate, whatever their path: never no where `Engine.scan` would answer with one.

History has thousands of versions of a file, and most of what stands in one stood in the version before. So a walk over
versions asks only about the windows round a change, carries what it knows through what was copied, and gives the few
contents that may hold something to the engine, whole and with their path.

The answer depends on the bytes of a span alone (`Span`): terms that read further can only lower a score, the kind of file
that scores highest is assumed, and that a further part stands near. So an answer holds in every content that has those
bytes, and equal bytes are asked about once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from leakguard.engine import values
from leakguard.engine.match import RawMatch
from leakguard.engine.scan import Engine, key_name
from leakguard.engine.score import score
from leakguard.engine.weights import LEVELS, WEIGHTS

LOOK_BACK = 72
"""Bytes before a match that decide: its name, what must not stand to its left."""
LOOK_AHEAD = 72
"""Bytes after the longest match that a look-ahead may see."""
LONGEST = 560
"""A rule that reaches further past its anchor is `long`: its anchors are watched, whether they match or not."""
_REMEMBERED = 1 << 20
_KINDS = tuple(term[5:] for term in WEIGHTS if term.startswith("file:"))


class Span(NamedTuple):
    """Bytes that decide an answer."""

    start: int
    end: int
    held: bool
    """They may hold a candidate; else they begin what could become one (a key's first line)."""


class Sieve:
    """Asks an engine's rules without the file's path."""

    def __init__(self, engine: Engine) -> None:
        engine.expect_much()
        self._engine = engine
        self._floor = LEVELS[engine.settings[0]]
        self._kind = max(_KINDS, key=lambda kind: WEIGHTS["file:" + kind])
        rules = [engine.rules.rule(i) for i in range(len(engine.rules))]
        self._reach = [(rule.before + LOOK_BACK, rule.after + LOOK_AHEAD) for rule in rules]
        short = [rule for rule in rules if rule.after <= LONGEST]
        self.before = max(rule.after for rule in short) + LOOK_AHEAD
        """Bytes before a change that have to be asked about again ..."""
        self.after = max(max(rule.before + LOOK_BACK, rule.reach) for rule in short) + max(
            len(a) for rule in short for a in rule.anchors
        )
        """... and behind it: all anchors of matches that the change may concern, with their gates."""
        self._known: dict[int, bool] = {}
        self._scores: dict[tuple[int, str, int, bytes], float] = {}

    def spans(self, data: bytes, windows: Sequence[int] | None = None) -> list[Span]:
        """Return what the content may hold; with `windows` (start and end in turn), what is anchored in them."""
        if windows is None:
            hits = self._engine.hits(data)
        else:
            hits = self._in_windows(data, windows)
        return self._ask(data, hits) if hits else []

    def _in_windows(self, data: bytes, windows: Sequence[int]) -> Iterable[tuple[int, int]]:
        if len(windows) == 2 and windows[1] - windows[0] == len(data):
            return self._engine.hits(data)
        joined = b"\n".join([data[windows[i] : windows[i + 1]] for i in range(0, len(windows), 2)])
        hits = self._engine.hits(joined)
        if not hits:
            return hits
        begins, at = [], 0
        for i in range(0, len(windows), 2):
            begins.append(at)
            at += windows[i + 1] - windows[i] + 1
        out = set()
        for rule, start in hits:
            i = bisect_right(begins, start) - 1
            out.add((rule, windows[2 * i] + start - begins[i]))
        return out

    def _ask(self, data: bytes, hits: Iterable[tuple[int, int]]) -> list[Span]:
        out: list[Span] = []
        known = self._known
        unknown: dict[tuple[int, int], int] = {}
        for hit in hits:
            index, at = hit
            back, ahead = self._reach[index]
            start = at - back if at > back else 0
            key = hash((index, at - start, data[start : at + ahead]))
            held = known.get(key)
            if held is None:
                unknown[hit] = key
            elif held or ahead > LONGEST + LOOK_AHEAD:
                out.append(Span(start, min(len(data), at + ahead), held))
        if unknown:
            self._learn(data, unknown, out)
        return out

    def _learn(self, data: bytes, unknown: dict[tuple[int, int], int], out: list[Span]) -> None:
        if len(self._known) > _REMEMBERED:
            self._known.clear()
            self._scores.clear()
        for hit, key in unknown.items():
            index, at = hit
            back, ahead = self._reach[index]
            held = any(map(self._may_count, *self._matches(data, hit)))
            self._known[key] = held
            if held or ahead > LONGEST + LOOK_AHEAD:
                out.append(Span(max(0, at - back), min(len(data), at + ahead), held))

    def _matches(self, data: bytes, hit: tuple[int, int]) -> tuple[list[bytes], list[RawMatch]]:
        matches, slow = self._engine.confirm(data, (hit,))
        if slow:
            # given up here: the plain way has to say so
            matches = [*matches, RawMatch(hit[0], hit[1], hit[1], hit[1], {})]
        return [data] * len(matches), matches

    def _may_count(self, data: bytes, match: RawMatch) -> bool:
        rule = self._engine.rules.rule(match.rule)
        if match.end == match.start:
            return True
        if not self._engine.asks(rule):
            return False
        name = key_name(data, match) if match.whole_start < match.start else ""
        begin = match.whole_start
        if match.groups.get("q") and values.LISTED(data[begin : match.start]):
            # the call before its name is the one thing further away that lifts a score
            begin = max(0, begin - LOOK_BACK)
        whole = data[begin : match.end]
        key = (match.rule, name, match.start - begin, whole)
        value = self._scores.get(key)
        if value is None:
            seen = RawMatch(match.rule, match.start - begin, match.end - begin, match.whole_start - begin, match.groups)
            value = self._scores[key] = score(rule, seen, whole, name, self._kind, self._floor).value
        if rule.parts:
            from math import exp, log

            value = min(max(value, 1e-12), 1 - 1e-12)
            value = 1 / (1 + exp(-log(value / (1 - value)) - WEIGHTS["companion"]))
        return value >= self._floor
