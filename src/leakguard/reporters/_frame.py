"""The lines round a place, those of its neighbouring parts joined in, with what is pointed at named for people."""

from __future__ import annotations

from typing import NamedTuple

from leakguard.model.finding import Finding, FrameLine, Place

_APART = 12
"""Lines between two parts of a credential that are still shown in one frame."""


class Frame(NamedTuple):
    """What is shown of one place: lines in order, labels written out, and the places that stand in them."""

    lines: tuple[FrameLine, ...]
    places: tuple[Place, ...]


def main_places(finding: Finding) -> tuple[Place, ...]:
    """Return the places of the part that a credential is told by; an access key's id alone opens nothing."""
    return tuple(p for p in finding.places if p.part == finding.rule.part) or finding.places


def words(part: str, finding: Finding) -> str:
    """Name a part; the only part of a credential is named by its kind (`personal token`)."""
    return (finding.rule.kind or part if part == "secret" else part).replace("_", " ")


def frame_of(finding: Finding, place: Place) -> Frame:
    """Return the frame of a place with the parts that stand near it; a line that two frames show differently stays as it is."""
    rows = {line.number: line for line in _named(place, finding)}
    places = [place]
    for other in finding.places if rows else ():
        if other.part == place.part or other.provenance != place.provenance or not other.frame:
            continue
        near = {line.number: line for line in _named(other, finding)}
        if any(n in rows and rows[n].text != line.text for n, line in near.items()):
            continue
        if min(abs(a - b) for a in near for b in rows) <= _APART:
            for n, line in near.items():
                marks = {*line.marks, *(rows[n].marks if n in rows else ())}
                rows[n] = line._replace(marks=tuple(sorted(marks)))
            places.append(other)
    return Frame(tuple(rows[n] for n in sorted(rows)), tuple(places))


def _named(place: Place, finding: Finding) -> tuple[FrameLine, ...]:
    """Write labels out: a value of several lines says how many at its first line and nothing at its last."""
    label, count, out = words(place.part, finding), place.end_line - place.start_line + 1, []
    for line in place.frame:
        said = label if line.number == place.start_line else ""
        if said and count > 1 and not finding.secret.password:
            said += f", {count} lines"
        out.append(line._replace(marks=tuple((start, end, said) for start, end, _part in line.marks)))
    return tuple(out)
