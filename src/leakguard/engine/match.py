"""Confirm hits: run a rule's pattern at its anchor, on a bounded window, with a timeout.

The window reaches past the longest match, so that a look-ahead at its end sees the bytes that really follow.
Rejected: the pattern over the whole input (2 MB/s where this does hundreds).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from leakguard.engine.compiled import CompiledRules

TIMEOUT = 0.5
"""Seconds that one pattern may take on one window before it is given up and told."""
_SLACK = 64


class RawMatch(NamedTuple):
    """A confirmed match; offsets into the scanned bytes."""

    rule: int
    start: int
    end: int
    """Span of the value."""
    whole_start: int
    """Where the whole match (with its key name) begins."""
    groups: dict[str, bytes]


class Matcher:
    """Runs patterns, each compiled at its first hit."""

    def __init__(self, rules: CompiledRules, timeout: float = TIMEOUT) -> None:
        self._rules = rules
        self._timeout = timeout
        self._patterns: dict[int, tuple[Any, Any, int, int]] = {}
        self._parts: dict[str, Any] = {}

    def confirm(self, data: bytes, hits: Collection[tuple[int, int]]) -> tuple[list[RawMatch], set[str]]:
        """Return the matches, by position, and the ids of rules that ran out of time."""
        out: dict[tuple[int, int, int], RawMatch] = {}
        slow: set[str] = set()
        patterns, timeout, size = self._patterns, self._timeout, len(data)
        for index, start in sorted(hits) if len(hits) > 1 else hits:
            pattern, value, before, after = patterns.get(index) or self._compile(index)
            stop = start + after + _SLACK
            if value is not None and value(data, start, stop) is None:
                continue
            try:
                if before:
                    found = pattern.finditer(data, max(0, start - before), min(stop, size), timeout=timeout)
                    matches = [m for m in found if m.start() <= start < m.end()]
                else:
                    one = pattern.match(data, start, min(size, stop), timeout=timeout)
                    if one is None:
                        continue
                    matches = [one]
            except TimeoutError:
                slow.add(self._rules.rule(index).id)
                continue
            for m in matches:
                spans = m.spans("secret")
                for which, span in enumerate(spans):
                    key = (index, *span)
                    # of two anchors before a value the nearer says more, where the other only stands somewhere before it
                    if key not in out or out[key].groups.get("far"):
                        alone = len(spans) == 1
                        out[key] = (
                            RawMatch(index, span[0], span[1], m.start(), m.groupdict(b"")) if alone else _entry(index, m, which)
                        )
        if len(out) < 2:
            return [*out.values()], slow
        return sorted(out.values(), key=lambda m: (m.start, m.end, m.rule)), slow

    def _compile(self, index: int) -> tuple[Any, Any, int, int]:
        import re

        import regex

        rule = self._rules.rule(index)
        # near most vendors' names stands no value at all; `re` tells that in a tenth of the time
        value = re.compile(rule.value.encode("latin-1")).search if rule.value else None
        compiled = (regex.compile(rule.pattern.encode("latin-1"), regex.VERSION0), value, rule.before, rule.after)
        self._patterns[index] = compiled
        return compiled

    def near(self, data: bytes, pattern: str, start: int, end: int, within: int) -> tuple[int, int] | None:
        """Return the span of the part that stands nearest to `start:end`, at most `within` bytes away."""
        import regex

        compiled = self._parts.get(pattern)
        if compiled is None:
            compiled = self._parts[pattern] = regex.compile(pattern.encode("latin-1"))
        best: tuple[int, int, int] | None = None
        for m in compiled.finditer(data, max(0, start - within), min(len(data), end + within), timeout=self._timeout):
            s, e = m.span("secret") if "secret" in compiled.groupindex else m.span()
            if s < end and e > start:
                continue
            distance = start - e if e <= start else s - end
            if best is None or distance < best[0]:
                best = (distance, s, e)
        return best[1:] if best else None


def _entry(index: int, match: Any, which: int) -> RawMatch:
    """Return one of several values of a match, each with a name of its own (`key`): the entries of a Secret."""
    start, end = match.spans("secret")[which]
    return RawMatch(index, start, end, match.starts("key")[which], {"key": match.captures("key")[which]})
