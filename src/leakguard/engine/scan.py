"""The engine: one blob in, its scored candidates out.

    prefilter -> match -> score -> overlap -> place

No state between blobs, so that any process may scan any blob and the answer is the same.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import NamedTuple

from leakguard.engine import values
from leakguard.engine.compiled import CompiledRules
from leakguard.engine.frame import Span, frame
from leakguard.engine.marks import mark_for
from leakguard.engine.match import Matcher, RawMatch
from leakguard.engine.prefilter import HyperscanPrefilter, PortablePrefilter, Prefilter
from leakguard.engine.score import CONTEXT, score
from leakguard.engine.seen import Content
from leakguard.engine.weights import LEVELS, WEIGHTS
from leakguard.engine.written import plain
from leakguard.model.blob import Blob, path_in
from leakguard.model.finding import Candidate, Place, Reason, Score
from leakguard.model.rule import Rule
from leakguard.secret import MASK, Secret

_TAKES = 0.1
"""Score from which a match of a vendor's rule takes the place of a generic one."""
_LEVEL = {"strict": 0, "balanced": 1, "all": 2}
_REMEMBERED = 8192
"""Scores that are kept."""
_NAME_BEFORE, _NAME_AFTER = 65, 96
"""Bytes of a name before and after the beginning of a match."""
_NAME_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_HEADERS = "http"
"""Provider of the rules for headers."""


class Scanned(NamedTuple):
    """What came of one blob."""

    candidates: list[Candidate]
    below: int
    """Candidates under the level."""
    slow: set[str]
    """Rules that ran out of time; the blob counts as not wholly scanned."""


class Engine:
    """Scans blobs with one rule set at one level.

    `name` of the prefilter is told in reports; `portable` forces the one without Hyperscan.
    """

    def __init__(
        self, rules: CompiledRules, *, level: str = "balanced", portable: bool = False, skip: frozenset[str] = frozenset()
    ) -> None:
        self.rules = rules
        self.settings = (level, portable, skip)
        """What a worker needs, with the rules, to build the same engine."""
        self.notes: tuple[str, ...] = ()
        """What of the rules could not be used, for people."""
        self._level = level
        self._floor = LEVELS[level]
        self._skip = skip
        self._prefilter: Prefilter = PortablePrefilter(rules) if portable or not rules.databases else HyperscanPrefilter(rules)
        self._matcher = Matcher(rules)
        self._scores: dict[tuple[int, str, int, int, int, bytes], Score] = {}
        """The same lines come in many versions of a file; a score depends on these bytes alone."""

    @property
    def name(self) -> str:
        """Name of the prefilter."""
        return self._prefilter.name

    def scan(self, blob: Blob) -> Scanned:
        """Return the candidates of a blob, by position."""
        data = blob.data
        path = path_in(blob.provenance)
        kind = values.file_kind(path)
        hits = self._prefilter.hits(data, config=kind not in values.CODE, windows=blob.focus)
        if not hits:
            return Scanned([], 0, set())
        matches, slow = self._matcher.confirm(data, hits, versions=blob.focus is not None)
        if not matches:
            return Scanned([], 0, slow)
        kept = self._judge(data, matches, kind)
        spans = self._spans(data, matches)
        out: list[Candidate] = []
        below = 0
        own_end = len(data) if blob.own_end is None else blob.own_end
        for match, rule, scored_value, name in kept:
            if not blob.own_start <= match.start < own_end:
                continue
            if scored_value.value < self._floor:
                below += 1
            else:
                out.append(self._candidate(blob, match, rule, scored_value, name, spans))
        return Scanned(_without_parts(out), below, slow)

    def _judge(self, data: bytes, matches: list[RawMatch], kind: str) -> list[_Scored]:
        """Score matches and keep one where several overlap; a rule that may not report takes nothing from one that may.

        What a vendor's rule has taken is not scored for a generic one, which would lose: those terms cost most.
        """
        rules = self.rules
        counted = [m for m in matches if self.asks(rules.rule(m.rule)) and self._whole(data, m)]
        specific = [self._score(data, m, kind) for m in counted if rules.rule(m.rule).shape != "generic"]
        taken = _resolve([s for s in specific if s[2].value >= _TAKES])
        left = [m for m in counted if rules.rule(m.rule).shape == "generic" and _slot(taken, m) is not None]
        if not left:
            return _resolve(specific)
        return _resolve([*specific, *(self._score(data, m, kind) for m in left)])

    def _whole(self, data: bytes, match: RawMatch) -> bool:
        """Whether all parts that the rule requires stand near."""
        parts = [part for part in self.rules.rule(match.rule).parts if part.required]
        return all(self._matcher.near(data, part.pattern, match.start, match.end, part.within) for part in parts)

    def _spans(self, data: bytes, matches: list[RawMatch]) -> list[Span]:
        rules = self.rules
        return sorted(((m.start, m.end, cut(rules.rule(m.rule), data[m.start : m.end])) for m in matches), key=lambda s: s[:2])

    def expect_much(self) -> None:
        """Prepare for gigabytes of input."""
        self._prefilter.join()

    def hits(self, data: bytes, windows: Sequence[int]) -> Collection[tuple[int, int]]:
        """Return where rules may match in these windows of any kind of file."""
        return self._prefilter.hits(data, config=True, windows=windows)

    def hits_in(self, contents: list[Content], text: bytes, runs: array[int]) -> array[int]:
        """Return where rules may match in runs of some contents; see `Prefilter.hits_in`."""
        return self._prefilter.hits_in(contents, text, runs)

    def confirm(self, data: bytes, hits: Collection[tuple[int, int]]) -> tuple[list[RawMatch], set[str]]:
        """Return the matches at some hits, and the rules that ran out of time."""
        return self._matcher.confirm(data, hits)

    def asks(self, rule: Rule) -> bool:
        """Whether this level and these settings report the rule at all."""
        return rule.id not in self._skip and _LEVEL[rule.level] <= _LEVEL[self._level]

    def masked(self, text: bytes) -> bytes:
        """Return a short text (a path, a name) with every span that any rule matches masked, of any score."""
        matches, _slow = self._matcher.confirm(text, self._prefilter.hits(text, config=True))
        out, at = [], 0
        for match in matches:
            if match.end > at and score(self.rules.rule(match.rule), match, text, "", "settings").value >= LEVELS["all"]:
                out += [text[at : max(at, match.start)], MASK.encode()]
                at = match.end
        return b"".join((*out, text[at:])) if out else text

    def _score(self, data: bytes, match: RawMatch, kind: str) -> _Scored:
        rule = self.rules.rule(match.rule)
        name = ""
        if match.whole_start < match.start:
            name = key_name(data, match)
        begin = match.whole_start - CONTEXT if match.whole_start > CONTEXT else 0
        key = (
            match.rule,
            kind,
            match.start - begin,
            match.whole_start - begin,
            match.end - begin,
            data[begin : match.end + CONTEXT],
        )
        known = self._scores.get(key)
        if known is None:
            if len(self._scores) > _REMEMBERED:
                self._scores.clear()
            known = self._scores[key] = score(rule, match, data, name, kind, self._floor)
        return match, rule, known, name

    def vendor(self, data: bytes, match: RawMatch, rule: Rule, name: str) -> str:
        """Return whose credential a generic match is told as, as far as what stands round it tells; else nothing."""
        if rule.shape != "generic":
            return ""
        from leakguard.engine.vendors import vendor_near

        return vendor_near(data, match, name, self.rules.vendors(), header=rule.provider == _HEADERS)

    def _candidate(self, blob: Blob, match: RawMatch, rule: Rule, scored: Score, name: str, spans: list[Span]) -> Candidate:
        data = blob.data
        others = []
        for part in rule.parts:
            found = self._matcher.near(data, part.pattern, match.start, match.end, part.within)
            if found:
                value = Secret(data[found[0] : found[1]], public=found[1] - found[0] if part.public else 0)
                others.append(_place(blob, *found, part.name, "", sorted([*spans, (*found, value)], key=lambda s: s[:2])))
        if others:
            scored = _raise(scored, "companion", WEIGHTS["companion"], "its other part stands beside it")
        place = _place(blob, match.start, match.end, rule.part, name, spans)
        vendor = self.vendor(data, match, rule, name)
        return Candidate(rule, cut(rule, data[match.start : match.end]), place, tuple(others), scored, vendor=vendor)


_Scored = tuple[RawMatch, Rule, Score, str]


def cut(rule: Rule, value: bytes) -> Secret:
    """Wrap the value that stands in bytes which matched a rule."""
    value = plain(rule.written, value) or value
    return Secret(value, public=rule.public, password=rule.kind == "password")


def key_name(data: bytes, match: RawMatch) -> str:
    """Return the identifier at the beginning of the match, with what stands before the anchor (`db_` of `db_password`).

    A pattern whose name stands elsewhere has it in the group `key`. A `$` before it stays: `$PWD:/src` reads a variable, it does not set one.
    """
    if key := match.groups.get("key"):
        return key.decode("latin-1")
    before = data[max(0, match.whole_start - _NAME_BEFORE) : match.whole_start]
    at = len(before.rstrip(_NAME_CHARACTERS))
    if at and before[at - 1 : at] == b"$":
        at -= 1
    after = data[match.whole_start : min(match.start, match.whole_start + _NAME_AFTER)]
    rest = after.lstrip(_NAME_CHARACTERS)
    return (before[at:] + after[: len(after) - len(rest)]).decode("ascii")


def _raise(scored: Score, term: str, weight: float, detail: str) -> Score:
    from math import exp, log

    logit = log(max(scored.value, 1e-9) / max(1 - scored.value, 1e-9)) + weight
    return Score(1 / (1 + exp(-logit)), (*scored.reasons, Reason(term, weight, detail)))


def _resolve(scored: list[_Scored]) -> list[_Scored]:
    """Keep one match where several overlap: the more specific shape, then the better score, then the longer."""
    order = sorted(scored, key=lambda s: (s[2].value < _TAKES, -s[1].rank, -s[2].value, s[0].start - s[0].end, s[1].id))
    kept: list[_Scored] = []
    for item in order:
        if (at := _slot(kept, item[0])) is not None:
            kept.insert(at, item)
    return kept


def _slot(kept: list[_Scored], match: RawMatch) -> int | None:
    """Return where a match goes among those that were kept, which stand in order and apart; None where it overlaps one."""
    at = bisect_left(kept, match.start, key=lambda s: s[0].start)
    free = (at == len(kept) or match.end <= kept[at][0].start) and (at == 0 or kept[at - 1][0].end <= match.start)
    return at if free else None


def _without_parts(candidates: list[Candidate]) -> list[Candidate]:
    """Drop a candidate that is a further part of another one: a key id beside its secret is told there."""
    parts = {(p.offset, p.length) for c in candidates for p in c.others}
    return [c for c in candidates if (c.place.offset, c.place.length) not in parts] if parts else candidates


def _place(blob: Blob, start: int, end: int, part: str, name: str, spans: list[Span]) -> Place:
    data = blob.data
    line, column = position(blob, start)
    value = data[start:end]
    if value.isascii() and b"\n" not in value:
        end_line, end_column = line, column + len(value)
    else:
        end_line, end_column = position(blob, end)
    return Place(
        provenance=blob.provenance,
        start_line=line,
        end_line=end_line,
        start_column=column,
        end_column=end_column,
        offset=blob.offset + start,
        length=end - start,
        part=part,
        encoding=blob.encoding,
        name=_safe_name(name, spans),
        frame=frame(data, start, end, line, part, spans),
        mark=mark_for(data, start, end, blob.first_line),
    )


def _safe_name(name: str, spans: list[Span]) -> str:
    """Drop a name that holds a candidate's value (a token used as a key)."""
    name = name.removeprefix("$")
    if len(name) < 5:
        return name
    raw = name.encode()
    return "" if any(len(v) >= 5 and v in raw for v in (s.reveal() for _a, _b, s in spans)) else name


def position(blob: Blob, at: int) -> tuple[int, int]:
    """Return line and column, from 1, of an offset into a blob; columns count characters."""
    data = blob.data
    begin = data.rfind(b"\n", 0, at) + 1
    line = blob.first_line + (data.count(b"\n", 0, begin) if begin else 0)
    ahead = data[begin:at]
    width = len(ahead) if ahead.isascii() else len(ahead.decode("utf-8", "surrogateescape"))
    return line, width + (1 if begin else blob.first_column)
