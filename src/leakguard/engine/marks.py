"""Inline marks: comments that ask not to report a line, ours and the peers'.

Invariant: pure and linear; a mark inside the value itself never counts, nor does one that can't be read (an unclosed
bracket must not silence every rule). Whether a mark that is found also counts is decided in `suppress/decide.py`.
Rejected: parsing comments by language. Marks stand in files of every kind, and the words occur nowhere else by chance.
Runs for each candidate, so it first looks for two words in the lines at hand and compiles nothing before.
"""

from __future__ import annotations

import re
from functools import cache

from leakguard.model.finding import Mark
from leakguard.secret import printable

LONG_LINE = 4096
"""Bytes; on a longer (minified) line a mark counts only near the value."""
NEAR = 512
_TAIL = 1024
"""Bytes after its beginning that a mark may reach."""
NO_DATE = b"no date"
"""In place of an end that can't be read; such a mark doesn't count."""
_RUN = 5
"""So many bytes of a value in a row are a leak (DESIGN.md)."""

_PEERS = (
    ("gitleaks", rb"gitleaks:allow(?![\w-])"),
    ("betterleaks", rb"betterleaks:allow(?![\w-])"),
    ("detect-secrets", rb"pragma: ?(?:allow|white)list[ -]secret(?!\w)"),
    ("trufflehog", rb"trufflehog:ignore(?![\w-])"),
    ("kingfisher", rb"kingfisher:(?:ignore|allow)(?![\w-])"),
    ("ggshield", rb"(?<![\w.-])ggignore(?![\w-])"),
)
_PEERS_NEXT = (("detect-secrets", rb"pragma: ?(?:allow|white)list[ -]nextline[ -]secret(?!\w)"),)


@cache
def _pattern(source: bytes) -> re.Pattern[bytes]:
    return re.compile(source)


def mark_for(data: bytes, start: int, end: int, first_line: int = 1) -> Mark | None:
    """Return the mark that covers the value `data[start:end]`, or None.

    Looked at: the line of the value (of a value over several lines the first and the last) and the line before it for
    next-line marks. An own mark goes before a peer's, the value's own line before the line above.
    `first_line` is the number of the line in which `data` begins.
    """
    regions, above = _regions(data, start, end)
    found = _search(data, regions, b"", _PEERS) or (_search(data, [above], b"-next-line", _PEERS_NEXT) if above else None)
    if found is None:
        return None
    tool, at, rules, reason, until = found
    if reason and _shares_run(data[start:end], reason):
        reason = b"(withheld: it holds part of the value)"
    line = first_line + data.count(b"\n", 0, at)
    return Mark(tool, tuple(printable(rule) for rule in rules), printable(reason), printable(until), line)


def _regions(data: bytes, start: int, end: int) -> tuple[list[tuple[int, int]], tuple[int, int] | None]:
    """Return the spans in which a mark may begin: on the value's own lines, and on the line above."""
    left = data.rfind(b"\n", max(0, start - LONG_LINE), start)
    left = left + 1 if left >= 0 or start <= LONG_LINE else -1
    right = data.find(b"\n", end, end + LONG_LINE)
    if right < 0:
        right = len(data) if len(data) <= end + LONG_LINE else -1
    first = data.find(b"\n", start, end)
    if first < 0:
        long = left < 0 or right < 0 or right - left > LONG_LINE
        regions = [(start - NEAR, start), (end, end + NEAR)] if long else [(left, start), (end, right)]
        if left >= 0:
            regions[0] = (max(left, regions[0][0]), start)
        if right >= 0:
            regions[1] = (end, min(right, regions[1][1]))
    else:
        last = data.rfind(b"\n", start, end) + 1
        long = left < 0 or first - left > LONG_LINE
        regions = [(max(left, start - NEAR), min(first, start + NEAR)) if long else (left, first)]
        far = right < 0 or right - last > LONG_LINE
        regions.append((max(last, end - NEAR), min(end + NEAR, right if right >= 0 else len(data))) if far else (last, right))
    above = None
    if left > 0 and (not long or start - left <= NEAR):
        upper = data.rfind(b"\n", max(0, left - 1 - LONG_LINE), left - 1)
        if upper >= 0 or left - 1 <= LONG_LINE:
            above = (upper + 1, left - 1)
        else:
            above = (left - 1 - NEAR, left - 1)
    return [(max(0, low), min(len(data), high)) for low, high in regions], above


_Found = tuple[str, int, tuple[bytes, ...], bytes, bytes]


def _search(data: bytes, regions: list[tuple[int, int]], suffix: bytes, peers: tuple[tuple[str, bytes], ...]) -> _Found | None:
    texts = []
    for low, high in regions:
        text = data[low:high].lower()
        if b"allow" in text or b"ignore" in text or b"whitelist" in text:
            texts.append((low, high, text))
    for low, high, text in texts:
        if b"leakguard" in text:
            for match in _pattern(rb"leakguard: ?allow" + suffix + rb"(?![\w-])").finditer(text):
                stop = data.find(b"\n", low + match.end(), low + match.end() + _TAIL)
                # a mark that begins near the value may reach past the region, but neither past its line nor into the value
                stop = stop if stop >= 0 else low + match.end() + _TAIL
                if high < stop and data[high : high + 1] not in (b"", b"\n") and low + match.end() <= regions[0][1] == high:
                    stop = high
                parsed = _parse(data[low + match.end() : stop])
                if parsed is not None:
                    return "leakguard", low + match.start(), *parsed
    for low, _, text in texts:
        for tool, source in peers:
            match_ = _pattern(source).search(text)
            if match_:
                return tool, low + match_.start(), (), b"", b""
    return None


def _parse(rest: bytes) -> tuple[tuple[bytes, ...], bytes, bytes] | None:
    """Read `[rule, rule] reason="..." until=DATE` after the word; None where the bracket can't be read."""
    rules: tuple[bytes, ...] = ()
    if rest.startswith(b"["):
        inside, bracket, rest = rest[1:].partition(b"]")
        rules = tuple(rule.strip().lower() for rule in inside.split(b","))
        if not bracket or not all(_pattern(rb"[a-z0-9][a-z0-9._-]{0,127}").fullmatch(rule) for rule in rules):
            return None
    reason = until = b""
    # \\? : inside a JSON or source string the quotes are escaped
    for match in _pattern(rb"""\s+(reason|until)=(?:\\?"([^"\\]*)\\?"|\\?'([^'\\]*)\\?'|([^\s"'\\*<>]+))""").finditer(rest):
        value = (match[2] if match[2] is not None else match[3] if match[3] is not None else match[4]).strip()
        if match[1] == b"reason":
            reason = reason or value
        else:
            # only a date is kept: the end is shown, and free text may repeat a value
            until = until or (value if _pattern(rb"\d{4}-\d\d-\d\d").fullmatch(value) else NO_DATE)
    return rules, reason, until


def _shares_run(value: bytes, text: bytes) -> bool:
    """Whether `text` repeats 5 bytes in a row of the value."""
    if len(value) < _RUN:
        return value in text
    return any(text[i : i + _RUN] in value for i in range(len(text) - _RUN + 1))
