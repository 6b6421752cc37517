"""Paths and names that hold a secret are masked before anything is reported; the place then carries an id of its path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from leakguard.engine.scan import Engine
from leakguard.model.blob import GitProvenance, MemberProvenance, Provenance, outermost
from leakguard.model.finding import Finding, Place, Report, Verdict
from leakguard.secret import MASK

_NAMES = ("root", "path", "name", "author")
"""Fields of a provenance that come from outside."""
_RUN = 5
"""So many bytes of a value in a row are a leak."""
_WORDS = re.compile(rb"[a-z]{1,15}(?:[-_./ ][a-z]{1,15}){0,2}")
"""A value made of plain words also stands in names that have nothing to do with it (`secrets` in `secrets/app.yaml`)."""


def mask_places(report: Report, masker: Masker) -> Report:
    """Return the report with masked paths, notes and references; the same report where none holds a secret."""
    everywhere = [p.provenance for f in report.findings for p in f.places]
    everywhere += [p.provenance for s in report.suppressed for p in s.finding.places] + [s.provenance for s in report.skipped]
    report = report._replace(
        notes=tuple(map(masker.text, report.notes)),
        roots=tuple(map(masker.text, report.roots)),
        suppressed=tuple(s._replace(where=masker.text(s.where), reason=masker.text(s.reason)) for s in report.suppressed),
    )
    if any(f.verdict.state != "not_tried" for f in report.findings):
        report = report._replace(findings=tuple(f._replace(verdict=masker.verdict(f.verdict)) for f in report.findings))
    if not any(masker.of(provenance)[1] for provenance in everywhere) and not _facts(report):
        return report
    return report._replace(
        findings=tuple(map(masker.finding, report.findings)),
        suppressed=tuple(s._replace(finding=masker.finding(s.finding)) for s in report.suppressed),
        skipped=tuple(s._replace(provenance=masker.of(s.provenance)[0]) for s in report.skipped),
    )


def _facts(report: Report) -> bool:
    return any(p.facts for f in (*report.findings, *(s.finding for s in report.suppressed)) for p in f.places)


class Masker:
    """Masks the values of some findings, and what any rule matches, in paths and notes."""

    def __init__(self, engine: Engine, key: bytes, findings: Iterable[Finding]) -> None:
        self._engine = engine
        self._key = key
        self._texts: dict[str, str] = {}
        self._known: dict[Provenance, tuple[Provenance, str]] = {}
        self._values = {v for f in findings if len(v := f.secret.reveal()) >= _RUN and b"\n" not in v and not _WORDS.fullmatch(v)}
        self._heads = {value[:_RUN] for value in self._values}

    def of(self, provenance: Provenance) -> tuple[Provenance, str]:
        """Return the provenance as it may be shown, and an id of its path if that differs."""
        known = self._known.get(provenance)
        if known is None:
            known = self._known[provenance] = self._mask(provenance)
        return known

    def text(self, text: str) -> str:
        """Return a text that people or machines will read, masked."""
        known = self._texts.get(text)
        if known is None:
            raw = text.encode("utf-8", "surrogateescape")
            shown = self._engine.masked(raw)
            if any(shown[at : at + _RUN] in self._heads for at in range(len(shown) - _RUN + 1)):
                for value in self._values:
                    shown = shown.replace(value, MASK.encode())
            known = self._texts[text] = text if shown == raw else shown.decode("utf-8", "surrogateescape")
        return known

    def _mask(self, provenance: Provenance) -> tuple[Provenance, str]:
        if isinstance(provenance, MemberProvenance):
            facts = tuple((name, self.text(value)) for name, value in provenance.facts)
            inner = tuple(map(self.text, provenance.inner))
            shown_member = provenance._replace(outer=outermost(self.of(provenance.outer)[0]), inner=inner, facts=facts)
            return shown_member, "" if shown_member == provenance else self._hidden(provenance.root, provenance.path)
        names: dict[str, Any] = {name: self.text(getattr(provenance, name)) for name in _NAMES if name in provenance._fields}
        if isinstance(provenance, GitProvenance):
            names["heads"] = tuple(map(self.text, provenance.heads))
        shown = provenance._replace(**names)
        if shown == provenance:
            return provenance, ""
        return shown, self._hidden(*(getattr(provenance, name) for name in _NAMES if name in provenance._fields))

    def _hidden(self, *names: str) -> str:
        """Return what stands for names that can't be shown."""
        from hashlib import blake2b

        return blake2b("\0".join(names).encode("utf-8", "surrogateescape"), key=self._key[:64], digest_size=8).hexdigest()

    def verdict(self, verdict: Verdict) -> Verdict:
        """Return a verdict as it may be shown: what a provider says may hold another credential."""
        identity = verdict.identity
        if identity is not None:
            fields: dict[str, Any] = {
                n: tuple(map(self.text, v)) if isinstance(v, tuple) else self.text(v) for n, v in identity._asdict().items()
            }
            identity = identity._replace(**fields)
        return verdict._replace(detail=self.text(verdict.detail), identity=identity)

    def place(self, place: Place) -> Place:
        """Return a place as it may be shown."""
        if place.facts:
            place = place._replace(facts=tuple((name, self.text(value)) for name, value in place.facts))
        provenance, blob_id = self.of(place.provenance)
        return place._replace(provenance=provenance, blob_id=blob_id) if blob_id else place

    def finding(self, finding: Finding) -> Finding:
        """Return a finding as it may be shown."""
        return finding._replace(places=tuple(map(self.place, finding.places)))
