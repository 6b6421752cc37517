"""Code frames: the lines round a value with every candidate masked, made while the bytes are at hand.

Nobody keeps the value, so a frame has to be safe when it is made: each span that any rule matched, of any score, is
masked, and so is every further copy of those values on the lines shown.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from leakguard.model.finding import FrameLine
from leakguard.secret import MASK, Secret

WIDTH = 160
"""Characters of a line that are kept; longer lines are windowed round the value."""
_READ = 4096
_LEAST = 5
"""Bytes of a value whose further copies are hidden; shorter ones stand everywhere."""
_NEAR = 24 * 1024
"""A span that begins further before the value can't reach its lines: longer than the longest match."""

Span = tuple[int, int, Secret]


def _start(span: Span) -> int:
    return span[0]


def frame(data: bytes, start: int, end: int, line: int, part: str, spans: Sequence[Span]) -> tuple[FrameLine, ...]:
    """Return one line before the value, its first and last line, and one after; `spans` are all candidates by position."""
    out: list[FrameLine] = []
    near = bisect_left(spans, start - _NEAR, key=_start), bisect_left(spans, end + _READ, key=_start)
    spans = spans[near[0] : near[1]]
    values = _values(spans)
    begin = data.rfind(b"\n", max(0, start - _READ), start) + 1 or max(0, start - _READ)
    if begin > 1 and data[begin - 1 : begin] == b"\n":
        before = data.rfind(b"\n", max(0, begin - 1 - _READ), begin - 1) + 1 or max(0, begin - 1 - _READ)
        out.append(_line(data, before, begin - 1, line - 1, (), spans, values))
    stop = _end(data, start)
    out.append(_line(data, begin, stop, line, ((start, min(end, stop), part),), spans, values))
    if end > stop:
        last = line + data.count(b"\n", stop, end)
        begin = data.rfind(b"\n", max(0, end - _READ), end) + 1
        stop = _end(data, end)
        out.append(_line(data, begin, stop, last, ((begin, end, part),), spans, values))
        line = last
    if stop < len(data) and data[stop : stop + 1] == b"\n" and stop + 1 < len(data):
        out.append(_line(data, stop + 1, _end(data, stop + 1), line + 1, (), spans, values))
    return tuple(out)


def _end(data: bytes, start: int) -> int:
    found = data.find(b"\n", start, start + _READ)
    return found if found >= 0 else min(len(data), start + _READ)


def _values(spans: Sequence[Span]) -> set[str]:
    """Return what must not stand on a line: the values as they would be shown."""
    return {plain(value) for value in {secret.reveal() for _start, _end, secret in spans} if len(value) >= _LEAST}


def _line(
    data: bytes,
    begin: int,
    stop: int,
    number: int,
    wanted: Sequence[tuple[int, int, str]],
    spans: Sequence[Span],
    values: set[str],
) -> FrameLine:
    pieces: list[str] = []
    marks: list[tuple[int, int, str]] = []
    length, at = 0, begin
    for start, end, secret in _merged(spans, begin, stop):
        text = plain(data[at : max(at, start)])
        shown = secret.redacted() if start >= begin else MASK
        pieces += [text, shown]
        length += len(text)
        label = next((part for s, e, part in wanted if s < end and e > start), "")
        if label:
            marks.append((length, length + len(shown), label))
        length += len(shown)
        at = max(at, min(end, stop))
    pieces.append(plain(data[at:stop]))
    text = _hide_copies("".join(pieces), values)
    return _window(text.rstrip(), number, marks)


def _merged(spans: Sequence[Span], begin: int, stop: int) -> list[Span]:
    """Spans that touch `begin:stop`, overlapping ones as one (masked whole)."""
    out: list[Span] = []
    for start, end, secret in spans:
        if start >= stop or end <= begin:
            continue
        if out and start < out[-1][1]:
            s, e, _secret = out[-1]
            if end > e:
                out[-1] = (s, end, Secret(b"", password=True) if start > s else secret)
            continue
        out.append((start, end, secret))
    return out


def _hide_copies(text: str, values: set[str]) -> str:
    found = [value for value in values if value in text]
    for value in sorted(found, key=lambda value: (-len(value), value)):
        text = text.replace(value, MASK)
    return text


def plain(raw: bytes) -> str:
    """Decode for display: tabs as four blanks, control and format characters (ANSI, bidi marks) dropped."""
    text = raw.decode("utf-8", "replace").replace("\t", "    ")
    return text if text.isprintable() else "".join(c for c in text if c.isprintable())


def _window(text: str, number: int, marks: list[tuple[int, int, str]]) -> FrameLine:
    if len(text) <= WIDTH:
        return FrameLine(number, text, tuple(marks))
    centre = marks[0][0] if marks else 0
    begin = max(0, min(centre - WIDTH // 3, len(text) - WIDTH))
    cut = text[begin : begin + WIDTH]
    head, tail = ("…" if begin else ""), ("…" if begin + WIDTH < len(text) else "")
    moved = [
        (max(0, s - begin) + len(head), min(WIDTH, e - begin) + len(head), p)
        for s, e, p in marks
        if s < begin + WIDTH and e > begin
    ]
    return FrameLine(number, head + cut + tail, tuple(moved))
