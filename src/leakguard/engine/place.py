"""Where a value stands, for people and machines: line, column, name, frame and mark, made while the bytes are at hand."""

from __future__ import annotations

from bisect import bisect_right

from leakguard.engine.frame import Span, frame
from leakguard.engine.marks import mark_for
from leakguard.model.blob import STRINGS, Blob, MemberProvenance, Part
from leakguard.model.finding import Place


def place_of(blob: Blob, start: int, end: int, part: str, name: str, spans: list[Span] | None) -> Place:
    """Return a place; without `spans` (what has to be masked there) no line of it is shown."""
    data = blob.data
    line, column = position(blob, start)
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


def bare_place(blob: Blob, start: int, end: int, part: str) -> Place:
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
    raw = name.encode()
    return "" if any(len(v) >= 5 and v in raw for v in (s.reveal() for _a, _b, s in spans)) else name


def position(blob: Blob, at: int) -> tuple[int, int]:
    """Return line and column, from 1, of an offset into a blob; columns count characters, a program's bytes (it has no lines)."""
    if blob.encoding == STRINGS:
        return 1, blob.offset + at + 1
    data = blob.data
    begin = data.rfind(b"\n", 0, at) + 1
    line = blob.first_line + (data.count(b"\n", 0, begin) if begin else 0)
    ahead = data[begin:at]
    width = len(ahead) if ahead.isascii() else len(ahead.decode("utf-8", "surrogateescape"))
    return line, width + (1 if begin else blob.first_column)
