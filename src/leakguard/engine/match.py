"""Confirm hits: run a rule's pattern at its anchor, on a bounded window, with a timeout.

The window reaches past the longest match, so that a look-ahead at its end sees the bytes that really follow.
Rejected: the pattern over the whole input (2 MB/s where this does hundreds).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from leakguard.engine.compiled import CompiledRules
from leakguard.engine.values import late

TIMEOUT = 0.5
"""Seconds that one pattern may take on one window before it is given up and told."""
_SLACK = 64
LOOK_BACK = 80
"""Bytes before a match that decide: its name, the call it stands in, what must not stand to its left."""
LOOK_AHEAD = 72
"""Bytes after the longest match that a look-ahead may see."""
_REMEMBERED, _SHORT = 4096, 1024
"""Hits whose matches are kept, and the most bytes that may decide about one."""


class RawMatch(NamedTuple):
    """A confirmed match; offsets into the scanned bytes."""

    rule: int
    start: int
    end: int
    """Span of the value."""
    whole_start: int
    """Where the whole match (with its key name) begins."""
    groups: dict[str, bytes]
    beside: tuple[tuple[int, int] | None, ...] | None = None
    """Where the rule's further parts stand near it, in their order (None: nowhere near); None: nobody looked yet."""


LEFT = r"(?<![0-9A-Za-z](?<!\\[nrtbf])(?<!%[0-9A-Fa-f]{2})(?<!\\u[0-9A-Fa-f]{4}))"
"""No letter or digit to the left of a value, unless it ends an escape (`\\n`, `%3D`, `\\u0022`)."""
_BEGINS = late("match", LEFT.encode())
_BREAK = late("search", rb"[^0-9A-Za-z]")
_PINS = late("search", rb"(?:[@#]|sha(?:1|256|512)[:-]|commit/)\Z")
"""What stands before a value that pins a version: no secret, however near a vendor's name."""


class _Keyword(NamedTuple):
    """A keyword's rule made ready; all of them share what may stand between name and value."""

    names: tuple[bytes, ...]
    """Longest first."""
    value: re.Pattern[bytes]
    gap: Any
    after: int


class Matcher:
    """Runs patterns, each compiled at its first hit."""

    def __init__(self, rules: CompiledRules, timeout: float = TIMEOUT) -> None:
        self._rules = rules
        self._timeout = timeout
        self._patterns: dict[int, tuple[Any, int, int] | _Keyword] = {}
        self._gaps: dict[str, Any] = {}
        self._parts: dict[str, Any] = {}
        self._known: dict[tuple[int, int, bytes], Sequence[RawMatch]] = {}

    def confirm(self, data: bytes, hits: Collection[tuple[int, int]], *, versions: bool = False) -> tuple[list[RawMatch], set[str]]:
        """Return the matches, by position, and the ids of rules that ran out of time.

        `versions`: most of the text comes again soon, so what was found at equal bytes is worth to be kept.
        """
        out: dict[tuple[int, int, int], RawMatch] = {}
        slow: set[str] = set()
        patterns = self._patterns
        for index, start in sorted(hits) if len(hits) > 1 else hits:
            known = patterns.get(index) or self._compile(index)
            try:
                found = self._again(data, index, start, known) if versions else self._found(data, index, start, known)
            except TimeoutError:
                slow.add(self._rules.rule(index).id)
                continue
            for match in found:
                key = (index, match.start, match.end)
                # of two anchors before a value the nearer says more, where the other only stands somewhere before it
                if key not in out or out[key].groups.get("far"):
                    out[key] = match
        if len(out) < 2:
            return [*out.values()], slow
        return sorted(out.values(), key=lambda m: (m.start, m.end, m.rule)), slow

    def _found(self, data: bytes, index: int, start: int, known: tuple[Any, int, int] | _Keyword) -> Sequence[RawMatch]:
        if isinstance(known, _Keyword):
            return _beside(data, index, start, known)
        return self._matches(data, index, start, *known)

    def _again(self, data: bytes, index: int, start: int, known: tuple[Any, int, int] | _Keyword) -> Sequence[RawMatch]:
        """Return what was found at an anchor with the same bytes round it, or look."""
        before, after = (0, known.after) if isinstance(known, _Keyword) else known[1:]
        if before + after > _SHORT:
            return self._found(data, index, start, known)
        begin = max(0, start - before - LOOK_BACK)
        key = index, start - begin, data[begin : start + after + LOOK_AHEAD]
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            matches = self._found(data, index, start, known)
            self._known[key] = [RawMatch(index, m.start - begin, m.end - begin, m.whole_start - begin, m.groups) for m in matches]
            return matches
        return [RawMatch(index, m.start + begin, m.end + begin, m.whole_start + begin, m.groups) for m in found]

    def _matches(self, data: bytes, index: int, start: int, pattern: Any, before: int, after: int) -> list[RawMatch]:
        stop = min(len(data), start + after + _SLACK)
        if before:
            found = pattern.finditer(data, max(0, start - before), stop, timeout=self._timeout)
            matches = [m for m in found if m.start() <= start < m.end()]
        else:
            one = pattern.match(data, start, stop, timeout=self._timeout)
            matches = [one] if one is not None else []
        out: list[RawMatch] = []
        for m in matches:
            spans = m.spans("secret")
            if len(spans) == 1:
                out.append(RawMatch(index, spans[0][0], spans[0][1], m.start(), m.groupdict(b"")))
            else:
                out += [_entry(index, m, which) for which in range(len(spans))]
        return out

    def _compile(self, index: int) -> tuple[Any, int, int] | _Keyword:
        import regex

        rule = self._rules.rule(index)
        compiled: tuple[Any, int, int] | _Keyword
        if rule.shape == "keyword":
            gap = self._gaps.get(rule.pattern) or self._gaps.setdefault(rule.pattern, re.compile(rule.pattern.encode("latin-1")))
            names = tuple(sorted((a.encode("latin-1") for a in rule.anchors), key=len, reverse=True))
            compiled = _Keyword(names, re.compile(rule.value.encode("latin-1")), gap, rule.after)
        else:
            compiled = (regex.compile(rule.pattern.encode("latin-1"), regex.VERSION0), rule.before, rule.after)
        self._patterns[index] = compiled
        return compiled

    def beside(self, data: bytes, match: RawMatch) -> RawMatch:
        """Return the match with the places of its rule's further parts that stand near it."""
        if match.beside is not None:
            return match
        parts = self._rules.rule(match.rule).parts
        found = (self.near(data, part.pattern, match.start, match.end, part.within) for part in parts)
        return match._replace(beside=tuple(found))

    def near(self, data: bytes, pattern: str, start: int, end: int, within: int) -> tuple[int, int] | None:
        """Return the span of the part that stands nearest to `start:end`, at most `within` bytes away."""
        found = self.all_near(data, pattern, start, end, within)
        return min(found)[1:] if found else None

    def all_near(self, data: bytes, pattern: str, start: int, end: int, within: int) -> list[tuple[int, int, int]]:
        """Return distance, start and end of every such part."""
        import regex

        compiled = self._parts.get(pattern)
        if compiled is None:
            compiled = self._parts[pattern] = regex.compile(pattern.encode("latin-1"))
        out: list[tuple[int, int, int]] = []
        for m in compiled.finditer(data, max(0, start - within), min(len(data), end + within), timeout=self._timeout):
            s, e = m.span("secret") if "secret" in compiled.groupindex else m.span()
            if s >= end or e <= start:
                out.append((start - e if e <= start else s - end, s, e))
        return out


def _entry(index: int, match: Any, which: int) -> RawMatch:
    """Return one of several values of a match: each with a name of its own (`key`: the entries of a Secret), or under one heading."""
    start, end = match.spans("secret")[which]
    if "key" not in match.re.groupindex:
        return RawMatch(index, start, end, match.start(), {})
    return RawMatch(index, start, end, match.starts("key")[which], {"key": match.captures("key")[which]})


def _beside(data: bytes, index: int, start: int, rule: _Keyword) -> tuple[RawMatch, ...]:
    """Return the value that belongs to the vendor's name at `start`, if there is one.

    The value is looked for first, since most names have none near; only then what stands between. One that is assigned to
    the name goes before one that only stands near.
    """
    head = data[start : start + len(rule.names[0])].lower()
    stop = start + rule.after + _SLACK
    for name in rule.names:
        if not head.startswith(name):
            continue
        begin = at = start + len(name)
        near: RawMatch | None = None
        while value := rule.value.search(data, at, stop):
            place = value.start()
            if not _BEGINS(data, place):
                # it begins inside a word: none can begin before that ends
                step = _BREAK(data, place, stop)
                if step is None:
                    break
                at = step.end()
                continue
            at = place + 1
            gap = rule.gap.fullmatch(data, begin, place)
            if gap is None:
                continue
            if gap["far"] is None:
                return (RawMatch(index, place, value.end(), start, value.groupdict(b"")),)
            if near is None and not _PINS(data, max(0, place - 8), place):
                near = RawMatch(index, place, value.end(), start, {**value.groupdict(b""), "far": gap["far"]})
        if near is not None:
            return (near,)
    return ()
