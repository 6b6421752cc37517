"""The engine: one blob in, its scored candidates out.

    prefilter -> match -> score -> (the same in what stands encoded) -> overlap -> place

No state between blobs, so that any process may scan any blob and the answer is the same.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from leakguard.engine import values
from leakguard.engine.compiled import CompiledRules
from leakguard.engine.frame import Span
from leakguard.engine.match import Matcher, RawMatch
from leakguard.engine.native import runs
from leakguard.engine.place import bare, place_of, raw_of
from leakguard.engine.prefilter import HyperscanPrefilter, PortablePrefilter, Prefilter
from leakguard.engine.score import CONTEXT, companion, score
from leakguard.engine.seen import Content
from leakguard.engine.weights import LEVELS
from leakguard.engine.written import decoded, plain, unwrap
from leakguard.model.blob import STRINGS, Blob, path_in
from leakguard.model.finding import Candidate, Place, Score, Step
from leakguard.model.rule import Rule
from leakguard.secret import MASK, Secret

FEW = 4
"""Values of a part, or secrets that lack it, that may wait for each other in one place; of more nothing tells which belong together."""
PLACES = 64
"""Places of one of them that are kept."""
_PARTNERS = 25
"""Parts near a value that a verifier may try with it."""
_AROUND = 1024
"""Bytes on each side of a value that a verifier may read a host or a user from."""
_LINES = 3
"""Lines of those before it, with its own: in a file of Docker's the registry stands in one before the login."""
_TAKES = 0.1
"""Score from which a match of a vendor's rule takes the place of a generic one."""
NO_SCORE = Score(0.0)
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
    alone: Sequence[Candidate] = ()
    """What may count with something in another file of the folder: parts without a secret near them (their rule's shape is
    `part`), and secrets that count only with a part they lack. See `pair`."""
    cut: str = ""
    """What encoded text was not looked into, in words for people."""


class Engine:
    """Scans blobs with one rule set at one level.

    `name` of the prefilter is told in reports; `portable` forces the one without Hyperscan.
    """

    def __init__(
        self, rules: CompiledRules, *, level: str = "balanced", portable: bool = False, skip: frozenset[str] = frozenset()
    ) -> None:
        self.rules = rules
        self.notes: tuple[str, ...] = ()
        """What of the rules could not be used, for people."""
        self.pairs: frozenset[str] = frozenset()
        """Rules whose candidates carry what a verifier may have to try with them."""
        self._level = level
        self._floor = LEVELS[level]
        self._skip = skip
        self._portable = portable
        self._prefilter: Prefilter = PortablePrefilter(rules) if portable or not rules.databases else HyperscanPrefilter(rules)
        self._matcher = Matcher(rules)
        self._scores: dict[tuple[int, str, int, int, int, bytes], Score] = {}
        """The same lines come in many versions of a file; a score depends on these bytes alone."""

    @property
    def name(self) -> str:
        """Name of the prefilter."""
        return self._prefilter.name

    @property
    def settings(self) -> tuple[str, bool, frozenset[str], frozenset[str]]:
        """What a worker needs, with the rules, to build the same engine."""
        return self._level, self._portable, self._skip, self.pairs

    def scan(self, blob: Blob) -> Scanned:
        """Return the candidates of a blob, by position."""
        data = blob.data
        # a program's strings are quoted, so to speak: what stands bare behind a name is another one
        kind = "typed" if blob.encoding == STRINGS else values.file_kind(path_in(blob.provenance))
        hits = self._prefilter.hits(data, config=kind not in values.CODE, windows=blob.focus)
        rows = runs(data, _windows(data, blob.focus), True, blob.offset > 0)
        if not hits and not rows:
            return Scanned([], 0, set())
        matches, slow = self._matcher.confirm(data, hits, versions=blob.focus is not None) if hits else ([], set())
        parts = [match for match in matches if match.rule >= len(self.rules)]
        if parts:
            matches = [match for match in matches if match.rule < len(self.rules)]
        kept, lacking = self.judge(data, matches, kind) if matches else ([], [])
        found = [Found(data, *scored) for scored in kept]
        spans, cut_short = self._spans(data, matches), ""
        if rows:
            from leakguard.engine.inside import look

            inside = look(self, data, rows, kind)
            found = inside.beside(found, self._floor)
            spans = sorted([*spans, *inside.spans], key=lambda s: s[:2])
            slow |= inside.slow
            cut_short = inside.cut
        out: list[Candidate] = []
        alone: list[Candidate] = []
        below = 0
        own_end = len(data) if blob.own_end is None else blob.own_end
        for one in (*found, *(Found(data, *scored) for scored in lacking)):
            if not blob.own_start <= one.span()[0] < own_end:
                continue
            whole_one = self._with_parts(one)
            _text, match, rule, scored = whole_one[:4]
            whole = _whole(rule, match)
            if whole and scored.value >= self._floor:
                out.append(self._candidate(blob, whole_one, spans))
            elif one.trace is None and _whole(rule, match, elsewhere=True) and self._hopes(rule, match, scored):
                alone.append(self._candidate(blob, whole_one, spans))
            else:
                below += whole
        out = _without_parts(out)
        if parts or alone:
            alone = _few(alone) + self._parts(blob, [m for m in parts if blob.own_start <= m.start < own_end], out)
        return Scanned(out, below, slow, alone, cut_short)

    def _with_parts(self, found: Found) -> Found:
        """Look for further parts near a match, which lift its score."""
        if not found.rule.parts:
            return found
        match = self._matcher.beside(found.text, found.match)
        return found._replace(match=match, score=companion(found.score) if any(match.beside or ()) else found.score)

    def _hopes(self, rule: Rule, match: RawMatch, scored: Score) -> bool:
        """Whether a further part elsewhere could make the match count."""
        found = match.beside or ()
        if all(place or not part.anchors for part, place in zip(rule.parts, found, strict=True)):
            return False
        return (scored if any(found) else companion(scored, "companion:apart")).value >= self._floor

    def _parts(self, blob: Blob, matches: list[RawMatch], candidates: list[Candidate]) -> list[Candidate]:
        """Return the parts that belong to no candidate here."""
        taken = {(place.offset, place.length) for c in candidates for place in c.others}
        out = []
        for match in matches:
            if (blob.offset + match.start, match.end - match.start) not in taken:
                rule = self.rules.rule(match.rule)
                place = place_of(blob, match.start, match.end, rule.part, "", None)
                out.append(Candidate(rule, cut(rule, blob.data[match.start : match.end]), place, (), Score(0.0)))
        return _few(out)

    def judge(self, data: bytes, matches: list[RawMatch], kind: str) -> tuple[list[_Scored], list[_Scored]]:
        """Score matches and keep one where several overlap; a rule that may not report takes nothing from one that may.

        Also those that lack a required part which may stand elsewhere. What a vendor's rule has taken is not scored for a
        generic one, which would lose: those terms cost most.
        """
        rules = self.rules
        counted: list[RawMatch] = []
        lacking: list[_Scored] = []
        for found in matches:
            rule = rules.rule(found.rule)
            if not self.asks(rule):
                continue
            match = self._matcher.beside(data, found) if any(part.required for part in rule.parts) else found
            if _whole(rule, match):
                counted.append(match)
            elif _whole(rule, match, elsewhere=True):
                lacking.append(self._score(data, match, kind))
        specific = [self._score(data, m, kind) for m in counted if rules.rule(m.rule).shape != "generic"]
        taken = _resolve([s for s in specific if s[2].value >= _TAKES])
        left = [m for m in counted if rules.rule(m.rule).shape == "generic" and _slot(taken, m) is not None]
        return _resolve([*specific, *(self._score(data, m, kind) for m in left)]), lacking

    def _spans(self, data: bytes, matches: list[RawMatch]) -> list[Span]:
        found = (Found(data, m, self.rules.rule(m.rule), NO_SCORE, "") for m in matches)
        return sorted(((one.match.start, one.match.end, one.secret()) for one in found), key=lambda s: s[:2])

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
        """Return a short text (a path, a name) with every span that any rule matches masked, of any score, encoded or not."""
        matches, _slow = self._matcher.confirm(text, self._prefilter.hits(text, config=True))
        spans = [
            (match.start, match.end)
            for match in matches
            if match.rule < len(self.rules)
            and score(self.rules.rule(match.rule), match, text, "", "settings").value >= LEVELS["all"]
        ]
        if rows := runs(text, _windows(text, None), True, False):
            from leakguard.engine.inside import look

            inner = look(self, text, rows, "settings").found
            spans = sorted(spans + [found.span()[:2] for found in inner if found.score.value >= LEVELS["all"]])
        out, at = [], 0
        for start, end in spans:
            if end > at:
                out += [text[at : max(at, start)], MASK.encode()]
                at = end
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
            # a further part may lift it, so its reasons are wanted
            known = self._scores[key] = score(rule, match, data, name, kind, 0.0 if rule.parts else self._floor)
        return match, rule, known, name

    def vendor(self, data: bytes, match: RawMatch, rule: Rule, name: str) -> str:
        """Return whose credential a generic match is told as, as far as what stands round it tells; else nothing."""
        if rule.shape != "generic":
            return ""
        from leakguard.engine.vendors import vendor_near

        return vendor_near(data, match, name, self.rules.vendors(), header=rule.provider == _HEADERS)

    def _candidate(self, blob: Blob, found: Found, spans: list[Span]) -> Candidate:
        text, match, rule, scored, name = found[:5]
        others = []
        for part, near in zip(rule.parts, match.beside or (), strict=True):
            if near:
                value = Secret(text[near[0] : near[1]], public=near[1] - near[0] if part.public else 0)
                start, end, via = found.source(*near)
                shown = sorted([*spans, (start, end, value)], key=lambda s: s[:2])
                others.append(place_of(blob, start, end, part.name, "", shown, via))
        start, end, via = found.span()
        place = place_of(blob, start, end, rule.part, name, spans, via)
        secret = found.secret() if blob.origin is None else cut(rule, unwrap(raw_of(blob, place), place.via))
        partners = self._partners(blob, found) if rule.id in self.pairs else []
        places, values = tuple(p for p, _ in partners), tuple(v for _, v in partners)
        vendor = self.vendor(text, match, rule, name)
        return Candidate(rule, secret, place, tuple(others), scored, partners=places, values=values, vendor=vendor)

    def _partners(self, blob: Blob, one: Found) -> list[tuple[Place, Secret]]:
        """Return what a verifier may have to try with a value: every part near it, nearest first, and the lines round it."""
        data, match = one.text, one.match
        found = [
            (distance, start, end, part.name, part.public)
            for part in one.rule.parts
            for distance, start, end in sorted(self._matcher.all_near(data, part.pattern, match.start, match.end, part.within))[
                :_PARTNERS
            ]
        ]
        low = max(0, match.start - _AROUND)
        begin = match.start
        for _ in range(_LINES):
            begin = max(data.rfind(b"\n", low, max(begin - 1, low)) + 1, low)
        end = data.find(b"\n", match.end, match.end + _AROUND)
        found.append((0, begin, end if end >= 0 else min(len(data), match.end + _AROUND), "around", False))
        out = []
        for _distance, start, end, name, public in found:
            place = bare(blob, *one.source(start, end), name)
            # of a line that is encoded in part, only that part
            value = data[start:end] if one.trace is None else unwrap(raw_of(blob, place), place.via)
            out.append((place, Secret(value, public=len(value) * public)))
        return out


_Scored = tuple[RawMatch, Rule, Score, str]


class Found(NamedTuple):
    """A scored match, in the input or in a text that stands encoded in it."""

    text: bytes
    match: RawMatch
    rule: Rule
    score: Score
    name: str
    trace: Callable[[int, int], tuple[int, int, tuple[Step, ...]]] | None = None
    """Start and end in the input of a span of `text`, and the steps from there; None: `text` is the input."""

    def source(self, start: int, end: int) -> tuple[int, int, tuple[Step, ...]]:
        """Return where in the input a span of the text stands, and the steps from there."""
        return (start, end, ()) if self.trace is None else self.trace(start, end)

    def span(self) -> tuple[int, int, tuple[Step, ...]]:
        """Return where in the input the value stands, and the steps from there."""
        start, end, via = self.source(self.match.start, self.match.end)
        value = decoded(self._raw()) if self.rule.written == "base64" else None
        return start, end, via if value is None else (*via, Step("base64", 0, len(value)))

    def _raw(self) -> bytes:
        return self.text[self.match.start : self.match.end]

    def secret(self) -> Secret:
        """Return the value."""
        raw = self._raw()
        return cut(self.rule, (decoded(raw) or raw) if self.rule.written == "base64" else raw)


def cut(rule: Rule, value: bytes) -> Secret:
    """Wrap the value that stands in bytes which matched a rule; what is encoded was decoded before."""
    value = plain(rule.written, value) or value if rule.written == "joined" else value
    return Secret(value, public=rule.public, password=rule.kind == "password")


def _windows(data: bytes, focus: Sequence[int] | None) -> array[int]:
    return array("q", (0, len(data)) if focus is None else focus)


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


def _whole(rule: Rule, match: RawMatch, *, elsewhere: bool = False) -> bool:
    """Whether all parts that the rule requires stand near, or (`elsewhere`) may stand in another file."""
    if not rule.parts or match.beside is None:
        return True
    found = zip(rule.parts, match.beside, strict=True)
    return all(place or not part.required or (elsewhere and part.anchors) for part, place in found)


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


def _few(alone: list[Candidate]) -> list[Candidate]:
    """Keep of each rule so many values that it shows whether there are too many, and some places of each."""
    kept: dict[str, dict[Secret | None, int]] = {}
    out = []
    for candidate in alone:
        values = kept.setdefault(candidate.rule.pattern, {})
        number = values.get(candidate.secret, 0)
        if (number or len(values) <= FEW) and number < PLACES:
            values[candidate.secret] = number + 1
            out.append(candidate)
    return out
