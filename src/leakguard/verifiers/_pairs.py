"""Which parts may belong together: every candidate of a credential with what stands near it, nearest first.

A value is tried with several partners, since a file may hold many; a refusal then says nothing about the value itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from leakguard.model.blob import Gone
from leakguard.model.check import Check
from leakguard.model.finding import Candidate, Finding
from leakguard.ports import Source
from leakguard.secret import Secret
from leakguard.verifiers._contract import Credential

PAIRS = 12
"""Combinations that are tried of one value, unless a setting says otherwise; a login is tried with one."""


def credentials(
    finding: Finding, candidates: Iterable[Candidate], check: Check, source: Source, most: int, *, lines: bool = False
) -> list[Credential]:
    """Return the combinations of a finding's value with its parts, the likeliest first; the value alone where it has none.

    With `lines` each place makes one of its own, since a login is read from the lines round it.
    """
    out: dict[tuple[tuple[str, bytes], ...], tuple[int, Credential]] = {}
    for candidate in candidates:
        if candidate.rule.id != finding.rule.id:
            continue
        for distance, parts in _combined(_partners(candidate, source)):
            key = tuple((name, part.reveal()) for name, part in parts if lines or name != "around")
            if key not in out or distance < out[key][0]:
                out[key] = distance, Credential(finding.rule, check, finding.secret, parts)
    ordered = [credential for _, credential in sorted(out.values(), key=lambda one: one[0])]
    # what stands alone is asked only where no part stands near any place of it
    whole = [c for c in ordered if len(c.parts) == max(len(c.parts) for c in ordered)]
    return whole[:most] or [Credential(finding.rule, check, finding.secret)]


def _partners(candidate: Candidate, source: Source) -> dict[str, list[tuple[int, Secret]]]:
    """Return what stands near a candidate by the name of the part; opened again where a worker found it."""
    public = {part.name: part.public for part in candidate.rule.parts}
    out: dict[str, list[tuple[int, Secret]]] = {}
    for i, place in enumerate(candidate.partners):
        if candidate.values:
            secret = candidate.values[i]
        else:
            raw = source.reopen(place)
            if isinstance(raw, Gone):
                continue
            secret = Secret(raw, public=len(raw) if public.get(place.part) else 0)
        at = candidate.place
        gap = max(place.offset - at.offset - at.length, at.offset - place.offset - place.length, 0)
        out.setdefault(place.part, []).append((gap, secret))
    for place in candidate.others:
        # what a scan joined from another file or version
        if place.part not in out and not isinstance(raw := source.reopen(place), Gone):
            out[place.part] = [(0, Secret(raw, public=len(raw) if public.get(place.part) else 0))]
    return out


def _combined(partners: Mapping[str, list[tuple[int, Secret]]]) -> Iterator[tuple[int, tuple[tuple[str, Secret], ...]]]:
    names = list(partners)
    for chosen in product(*(partners[name][:25] for name in names)):
        yield sum(gap for gap, _ in chosen), tuple(zip(names, (secret for _, secret in chosen), strict=True))
