"""Join the parts of a credential that stand apart: a key id in one file and its secret in the next, or each in its own version.

The engine sees one content at a time. What it finds alone there waits here until all is read: further parts that no secret
near them needs, and secrets that count only with a part they lack. They are joined nearest first: in one content, in
versions of one path, in files of one folder; and only where few of each stand, since of many nothing tells which belong
together. A pair names one more place and may lift a score; it takes no candidate away, and the id is that of the secret.
The answer depends on what waits, not on the order in which it came. Rejected: reading the files of a folder again for every
secret that lacks a part. In history those are all versions of all of its files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leakguard.engine.fold import place_key
from leakguard.engine.scan import FEW, PLACES
from leakguard.engine.score import companion
from leakguard.model.blob import GitProvenance, is_file, outermost, path_in
from leakguard.model.finding import Candidate, Place
from leakguard.model.rule import Part
from leakguard.secret import Secret

_VALUES = 64
"""Values of a folder that are kept; of one with more none is."""

_Key = tuple[str, str, str]
"""Root, folder, pattern of the part."""
_At = tuple[str, str]
"""Path, and in history the content."""
_CONTENT, _PATH, _FOLDER = range(3)


class Pairs:
    """What waits for another part; `floor` is the score that counts."""

    def __init__(self, floor: float) -> None:
        self._floor = floor
        self._parts = _Table()
        self._waiting: list[Candidate] = []

    def add(self, candidate: Candidate) -> None:
        """Take a part that stands alone, or a secret that counts only with the parts it lacks."""
        if candidate.rule.shape == "part":
            self._parts.add(candidate.rule.pattern, candidate)
        else:
            self._waiting.append(candidate)

    def join(self, candidates: Sequence[Candidate]) -> tuple[list[Candidate], int]:
        """Return the candidates, paired where their parts wait here, with those that count now; and how many stay below it."""
        lacking = _Table()
        for candidate in (*candidates, *self._waiting):
            for part in _lacks(candidate):
                lacking.add(part.pattern, candidate)
        joined = [self._joined(candidate, lacking) for candidate in candidates]
        waited = [self._joined(candidate, lacking) for candidate in self._waiting]
        below = sum(candidate.score.value < self._floor for candidate in waited)
        return [*joined, *filter(self._counts, waited)], below

    def _counts(self, candidate: Candidate) -> bool:
        there = {place.part for place in candidate.others}
        needed = {part.name for part in candidate.rule.parts if part.required}
        return candidate.score.value >= self._floor and needed <= there

    def _joined(self, candidate: Candidate, lacking: _Table) -> Candidate:
        found = []
        for part in _lacks(candidate):
            place = self._nearest(part, candidate.place, lacking)
            if place is not None:
                found.append(place._replace(part=part.name))
        if not found:
            return candidate
        score = candidate.score if candidate.others else companion(candidate.score, "companion:apart")
        return candidate._replace(others=(*candidate.others, *found), score=score)

    def _nearest(self, part: Part, place: Place, lacking: _Table) -> Place | None:
        for how in (_CONTENT, _PATH, _FOLDER):
            values = self._parts.among(part.pattern, place, how)
            if values:
                if max(len(values), len(lacking.among(part.pattern, place, how))) > FEW:
                    return None
                return min((p for places in values for p in places), key=lambda p: _distance(place, p))
        return None


class _Table:
    """Values with their places, by folder; bounded, and the same in whatever order it was filled."""

    def __init__(self) -> None:
        self._values: dict[_Key, dict[Secret, list[Place]]] = {}
        self._crowded: set[_Key] = set()
        self._kept: dict[_Key, list[list[tuple[_At, Place]]]] = {}
        """What `among` has put in order."""

    def add(self, pattern: str, candidate: Candidate) -> None:
        key, secret = _key(candidate.place, pattern), candidate.secret
        if key is None or secret is None or key in self._crowded:
            return
        self._kept.pop(key, None)
        values = self._values.setdefault(key, {})
        places = values.setdefault(secret, [])
        places.append(candidate.place)
        if len(places) > 2 * PLACES:
            places[:] = sorted(places, key=place_key)[:PLACES]
        if len(values) > _VALUES:
            self._crowded.add(key)
            del self._values[key]

    def among(self, pattern: str, place: Place, how: int) -> list[list[Place]]:
        """Return the places of each value that has some so near."""
        key = _key(place, pattern)
        if key is None or key not in self._values:
            return []
        kept = self._kept.get(key)
        if kept is None:
            values = self._values[key].values()
            kept = self._kept[key] = [[(_at(p), p) for p in sorted(places, key=place_key)[:PLACES]] for places in values]
        here = _at(place)
        return [near for places in kept if (near := [p for there, p in places if _apart(here, there) <= how])]


def _lacks(candidate: Candidate) -> Iterator[Part]:
    """Yield the parts that stand nowhere near it and may stand in another file."""
    there = {place.part for place in candidate.others}
    return (part for part in candidate.rule.parts if part.anchors and part.name not in there)


def _key(place: Place, pattern: str) -> _Key | None:
    """Return the folder that a place is in; a message, a name and a stream have none."""
    v = place.provenance
    if not is_file(v) or not path_in(v):
        return None
    return v.root, path_in(v).rpartition("/")[0], pattern  # type: ignore[union-attr]  # a file has a root


def _at(place: Place) -> _At:
    v, outer = place.provenance, outermost(place.provenance)
    return path_in(v), outer.blob if isinstance(outer, GitProvenance) else ""


def _apart(a: _At, b: _At) -> int:
    """Return what two places of a folder share."""
    return _CONTENT if a == b else _PATH if a[0] == b[0] else _FOLDER


def _distance(a: Place, b: Place) -> tuple[object, ...]:
    """Sort key of places `b` by how far they are from `a`: bytes in one content, else time."""
    v, w, apart = outermost(a.provenance), outermost(b.provenance), _apart(_at(a), _at(b))
    time = abs(v.time - w.time) if isinstance(v, GitProvenance) and isinstance(w, GitProvenance) else 0
    return (apart, time, abs(a.offset - b.offset) if apart == _CONTENT else 0, place_key(b))
