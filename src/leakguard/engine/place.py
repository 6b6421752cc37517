"""Where a span of a blob stands: place, line and column, and how its bytes come of those that were read."""

from __future__ import annotations

from bisect import bisect_right

from leakguard.engine.frame import Span, frame
from leakguard.engine.marks import mark_for
from leakguard.engine.native import newlines
from leakguard.engine.written import DECODERS
from leakguard.model.blob import STRINGS, Blob, MemberProvenance, Origin, Part
from leakguard.model.finding import Place, Step


def place_of(blob: Blob, start: int, end: int, part: str, name: str, spans: list[Span] | None, via: tuple[Step, ...] = ()) -> Place:
    """Return a place; without `spans` (what has to be masked there) no line of it is shown."""
    data, origin = blob.data, blob.origin
    source, low, high, steps = _stood(blob, start, end)
    line, column = position(source, low)
    if b"\n" in source.data[low:high]:
        end_line, end_column = position(source, high)
    else:
        end_line, end_column = line, column + _characters(source.data[low:high])
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
        offset=source.offset + low,
        length=high - low,
        part=part,
        encoding=blob.encoding,
        name=_safe_name(name, spans or []),
        frame=shown,
        # a line of a log says nothing about what may be in it
        mark=mark_for(data, start, end, blob.first_line) if origin is None else None,
        via=(*steps, *via),
        facts=origin.facts(low) if origin is not None else (),
    )


def _stood(blob: Blob, start: int, end: int) -> tuple[Blob, int, int, tuple[Step, ...]]:
    """Return where a span of a blob stood in what was read, and how its bytes come of those."""
    origin = blob.origin
    if origin is None:
        return blob, start, end, ()
    low, high = origin.span(start, end)
    return origin.source, low, high, _via(origin, origin.source.data[low:high], blob.data[start:end])


def _via(origin: Origin, raw: bytes, value: bytes) -> tuple[Step, ...]:
    """Return how a value comes of the bytes that stood there."""
    if raw == value:
        return ()
    made = [(way, DECODERS[way](raw)) for way in origin.ways]
    way, found = next((m for m in made if m[1] == value), made[0])
    return (Step(way, 0, len(found)),)


def raw_of(blob: Blob, place: Place) -> bytes:
    """Return the bytes of a place as they were read."""
    source = blob if blob.origin is None else blob.origin.source
    return source.data[place.offset - source.offset :][: place.length]


def bare(blob: Blob, start: int, end: int, via: tuple[Step, ...], part: str) -> Place:
    """Return a place that is only opened again, never shown."""
    source, low, high, steps = _stood(blob, start, end)
    return Place(blob.provenance, 0, 0, 0, 0, source.offset + low, high - low, part, blob.encoding, via=(*steps, *via))


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
    """Return line and column, from 1, of an offset into a blob; columns count characters, a program's bytes (it has no lines)."""
    if blob.encoding == STRINGS:
        return 1, blob.offset + at + 1
    data = blob.data
    begin = data.rfind(b"\n", 0, at) + 1
    line = blob.first_line + (newlines(data, 0, begin) if begin else 0)
    return line, _characters(data[begin:at]) + (1 if begin else blob.first_column)


def _characters(raw: bytes) -> int:
    return len(raw) if raw.isascii() else len(raw.decode("utf-8", "surrogateescape"))
