"""Candidates to findings: one credential, all its places, in stable order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from leakguard.engine import values
from leakguard.model.blob import GitProvenance, ImageProvenance, Provenance, StreamProvenance, is_file, outermost, path_in
from leakguard.model.finding import Candidate, Finding, Place
from leakguard.model.rule import SEVERITIES
from leakguard.secret import Secret


def fold(
    candidates: Iterable[Candidate], id_of: Callable[[Secret], str], severity_of: Callable[[str, str, tuple[str, ...]], str]
) -> list[Finding]:
    """Group candidates by the id of their value; the most specific rule names the finding, its best place scores it.

    `severity_of(rule id, default, aliases)` applies settings. Candidates carry their secret.
    """
    groups: dict[str, list[Candidate]] = {}
    ids: dict[Secret, str] = {}
    for candidate in candidates:
        secret = candidate.secret
        if secret is None:
            msg = "fold needs candidates with their secret"
            raise TypeError(msg)
        if secret not in ids:
            ids[secret] = id_of(secret)
        groups.setdefault(ids[secret], []).append(candidate)
    findings = [_finding(key, group, severity_of) for key, group in groups.items()]
    return sorted(findings, key=order)


def order(finding: Finding) -> tuple[object, ...]:
    """Sort key: severity, score, first place, id; the same on every machine."""
    first = finding.places[0]
    return (-SEVERITIES.index(finding.severity), -round(finding.score.value, 3), place_key(first), finding.id)


def place_key(place: Place) -> tuple[str, str, int, str, int, int, str]:
    """Sort key of places: root, path, in history the oldest first, position."""
    p = place.provenance
    outer = outermost(p)
    root = "" if isinstance(outer, StreamProvenance) else outer.root
    time, blob = (outer.time, outer.blob) if isinstance(outer, GitProvenance) else (0, "")
    if isinstance(outer, ImageProvenance):
        blob = outer.layer  # the same path may stand in several
    return (root, path_in(p), time, blob, place.offset, place.length, place.part)


def _finding(key: str, group: list[Candidate], severity_of: Callable[[str, str, tuple[str, ...]], str]) -> Finding:
    best = min(group, key=lambda c: (-c.rule.rank, -c.score.value, c.rule.id))
    score = max((c.score for c in group if c.rule.id == best.rule.id), key=lambda s: s.value)
    places = {place_key(place): place for c in group for place in (c.place, *c.others)}
    ordered = tuple(places[k] for k in sorted(places))
    severity = severity_of(best.rule.id, best.rule.severity, best.rule.aliases)
    if severity == best.rule.severity and all(is_test(p.provenance) for p in ordered):
        severity = SEVERITIES[max(0, SEVERITIES.index(severity) - 1)]
    secret = best.secret
    if secret is None:
        msg = "fold needs candidates with their secret"
        raise TypeError(msg)
    told = sorted((c for c in group if c.vendor), key=lambda c: place_key(c.place)) if best.rule.shape == "generic" else []
    return Finding(key, best.rule, secret, ordered, score, severity, vendor=told[0].vendor if told else "")


def is_test(provenance: Provenance) -> bool:
    """Whether a place is a test or an example; that lowers severity one step, never the score."""
    return is_file(provenance) and bool(values.TEST_PLACE(path_in(provenance)))
