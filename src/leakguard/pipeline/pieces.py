"""Join what was found in the pieces of a big input: their lines count from where each begins, and some do not know their step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from leakguard.model.blob import Passed
from leakguard.model.finding import Candidate, Place
from leakguard.pipeline.workers import Item, Unpaired
from leakguard.ports import Shard

Facts = tuple[tuple[str, str], ...]


def joined(found: Mapping[int, Sequence[Item | Passed]], shards: Sequence[Shard]) -> Iterator[Item]:
    """Yield the items of pieces, by their number, with lines, columns and steps of the whole input."""
    line, column = 1, 1
    facts: Facts = ()
    for number in sorted(found):
        if not getattr(shards[number], "follows", False):
            line, column, facts = 1, 1, ()
        here = (line, column, facts)
        for item in found[number]:
            if isinstance(item, Passed):
                line, column = line + item.lines, item.columns + (1 if item.lines else column)
                facts = item.facts or facts
            elif isinstance(item, Candidate):
                yield _candidate(item, *here)
            elif isinstance(item, Unpaired):
                yield Unpaired(_candidate(item.candidate, *here))
            else:
                yield item


def _candidate(candidate: Candidate, line: int, column: int, facts: Facts) -> Candidate:
    others = tuple(_moved(place, line, column, facts) for place in candidate.others)
    return candidate._replace(place=_moved(candidate.place, line, column, facts), others=others)


def _moved(place: Place, line: int, column: int, facts: Facts) -> Place:
    down = line - 1
    aside = column - (1 if column == 1 else 2)
    if not any(name == "step" for name, _value in place.facts):
        place = place._replace(facts=(*place.facts, *facts))
    return place._replace(
        start_line=place.start_line + down,
        end_line=place.end_line + down,
        start_column=place.start_column + (aside if place.start_line == 1 else 0),
        end_column=place.end_column + (aside if place.end_line == 1 else 0),
        frame=tuple(shown._replace(number=shown.number + down) for shown in place.frame),
        mark=place.mark._replace(line=place.mark.line + down) if place.mark is not None and place.mark.line else place.mark,
    )
