"""The engine: one blob in, its scored candidates out.

    prefilter -> match -> score -> overlap -> place

No state between blobs, so that any process may scan any blob and the answer is the same.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from typing import NamedTuple

from leakguard.engine import values
from leakguard.engine.compiled import CompiledRules
from leakguard.engine.frame import Span, frame
from leakguard.engine.marks import mark_for
from leakguard.engine.match import Matcher, RawMatch
from leakguard.engine.prefilter import HyperscanPrefilter, PortablePrefilter, Prefilter
from leakguard.engine.score import CONTEXT, companion, score
from leakguard.engine.seen import Content
from leakguard.engine.weights import LEVELS
from leakguard.engine.written import plain
from leakguard.model.blob import Blob, MemberProvenance, Part, path_in
from leakguard.model.finding import Candidate, Place, Score
from leakguard.model.rule import Rule
from leakguard.secret import MASK, Secret

FEW = 4
"""Values of a part, or secrets that lack it, that may wait for each other in one place; of more nothing tells which belong together."""
PLACES = 64
"""Places of one of them that are kept."""
_PARTNERS = 25
"""Parts near a value that a verifier may try with it."""
_AROUND = 1024
"""Bytes of a line on each side of a value that a verifier may read a host or a user from."""
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
    alone: Sequence[Candidate] = ()
    """What may count with something in another file of the folder: parts without a secret near them (their rule's shape is
    `part`), and secrets that count only with a part they lack. See `pair`."""


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
        path = path_in(blob.provenance)
        kind = values.file_kind(path)
        hits = self._prefilter.hits(data, config=kind not in values.CODE, windows=blob.focus)
        if not hits:
            return Scanned([], 0, set())
        matches, slow = self._matcher.confirm(data, hits, versions=blob.focus is not None)
        if not matches:
            return Scanned([], 0, slow)
        parts = [match for match in matches if match.rule >= len(self.rules)]
        if parts:
            matches = [match for match in matches if match.rule < len(self.rules)]
        kept, lacking = self._judge(data, matches, kind)
        spans = self._spans(data, matches)
        out: list[Candidate] = []
        alone: list[Candidate] = []
        below = 0
        own_end = len(data) if blob.own_end is None else blob.own_end
        for found in (*kept, *lacking):
            if not blob.own_start <= found[0].start < own_end:
                continue
            match, rule, scored, name = self._with_parts(data, found)
            whole = _whole(rule, match)
            if whole and scored.value >= self._floor:
                out.append(self._candidate(blob, match, rule, scored, name, spans))
            elif _whole(rule, match, elsewhere=True) and self._hopes(rule, match, scored):
                alone.append(self._candidate(blob, match, rule, scored, name, spans))
            else:
                below += whole
        out = _without_parts(out)
        if parts or alone:
            alone = _few(alone) + self._parts(blob, [m for m in parts if blob.own_start <= m.start < own_end], out)
        return Scanned(out, below, slow, alone)

    def _with_parts(self, data: bytes, found: _Scored) -> _Scored:
        """Look for further parts near a match, which lift its score."""
        match, rule, scored, name = found
        if not rule.parts:
            return found
        match = self._matcher.beside(data, match)
        return match, rule, companion(scored) if any(match.beside or ()) else scored, name

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
                place = _place(blob, match.start, match.end, rule.part, "", None)
                out.append(Candidate(rule, cut(rule, blob.data[match.start : match.end]), place, (), Score(0.0)))
        return _few(out)

    def _judge(self, data: bytes, matches: list[RawMatch], kind: str) -> tuple[list[_Scored], list[_Scored]]:
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
            if (
                match.rule < len(self.rules)
                and match.end > at
                and score(self.rules.rule(match.rule), match, text, "", "settings").value >= LEVELS["all"]
            ):
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
            # a further part may lift it, so its reasons are wanted
            known = self._scores[key] = score(rule, match, data, name, kind, 0.0 if rule.parts else self._floor)
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
        for part, found in zip(rule.parts, match.beside or (), strict=True):
            if found:
                value = Secret(data[found[0] : found[1]], public=found[1] - found[0] if part.public else 0)
                others.append(_place(blob, *found, part.name, "", sorted([*spans, (*found, value)], key=lambda s: s[:2])))
        partners = self._partners(blob, match, rule) if rule.id in self.pairs else []
        place = _place(blob, match.start, match.end, rule.part, name, spans)
        vendor = self.vendor(data, match, rule, name)
        secret = cut(rule, data[match.start : match.end])
        places, values = tuple(p for p, _ in partners), tuple(v for _, v in partners)
        return Candidate(rule, secret, place, tuple(others), scored, partners=places, values=values, vendor=vendor)

    def _partners(self, blob: Blob, match: RawMatch, rule: Rule) -> list[tuple[Place, Secret]]:
        """Return what a verifier may have to try with a value: every part near it, nearest first, and the line round it."""
        data = blob.data
        found = [
            (distance, start, end, part.name, part.public)
            for part in rule.parts
            for distance, start, end in sorted(self._matcher.all_near(data, part.pattern, match.start, match.end, part.within))[
                :_PARTNERS
            ]
        ]
        begin = max(data.rfind(b"\n", 0, match.start) + 1, match.start - _AROUND)
        end = data.find(b"\n", match.end, match.end + _AROUND)
        found.append((0, begin, end if end >= 0 else min(len(data), match.end + _AROUND), "around", False))
        return [(_bare(blob, s, e, name), Secret(data[s:e], public=(e - s) * public)) for _, s, e, name, public in found]


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


def _place(blob: Blob, start: int, end: int, part: str, name: str, spans: list[Span] | None) -> Place:
    """Return a place; without `spans` (what has to be masked there) no line of it is shown."""
    data = blob.data
    line, column = position(blob, start)
    value = data[start:end]
    if value.isascii() and b"\n" not in value:
        end_line, end_column = line, column + len(value)
    else:
        end_line, end_column = position(blob, end)
    shown = () if spans is None else frame(data, start, end, line, part, spans)
    provenance = blob.provenance
    if blob.parts and (first := _part(blob, start)) is not None and isinstance(provenance, MemberProvenance):
        above = line
        line, column = _within(blob, first, start, line, column)
        # what stands beside it in the made text stands elsewhere for people
        shown = tuple(
            row._replace(number=row.number + line - above)
            for row in shown
            if (row.number == above if first.flat else row.number >= first.text_line)
        )
        end_line, end_column = _within(blob, _part(blob, end - 1) or first, end, end_line, end_column)
        provenance = provenance._replace(facts=(*provenance.facts, *first.facts))
    return Place(
        provenance=provenance,
        start_line=line,
        end_line=end_line,
        start_column=column,
        end_column=end_column,
        offset=blob.offset + start,
        length=end - start,
        part=part,
        encoding=blob.encoding,
        name=_safe_name(name, spans or []),
        frame=shown,
        mark=mark_for(data, start, end, blob.first_line),
    )


def _bare(blob: Blob, start: int, end: int, part: str) -> Place:
    """Return a place that is only opened again, never shown."""
    return Place(blob.provenance, 0, 0, 0, 0, blob.offset + start, end - start, part, blob.encoding)


def _part(blob: Blob, at: int) -> Part | None:
    index = bisect_right(blob.parts, blob.offset + at, key=lambda part: part.offset)
    return blob.parts[index - 1] if index else None


def _within(blob: Blob, part: Part, at: int, line: int, column: int) -> tuple[int, int]:
    """Return line and column as the part counts them, given those of the made text."""
    if part.flat:
        ahead = blob.data[max(0, part.offset - blob.offset) : at]
        return part.line, part.column + len(ahead.decode("utf-8", "surrogateescape"))
    return part.line + line - part.text_line, column + (part.column - 1 if line == part.text_line else 0)


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
