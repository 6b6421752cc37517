"""Paths and names that hold a secret are masked before anything is reported; the place then carries an id of its path."""

from __future__ import annotations

import re
from collections.abc import Iterable

from leakguard.engine.scan import Engine
from leakguard.model.blob import FileProvenance, Provenance
from leakguard.model.finding import Finding, Place, Report
from leakguard.secret import MASK

_RUN = 5
"""So many bytes of a value in a row are a leak."""
_WORDS = re.compile(rb"[a-z]{1,15}(?:[-_./ ][a-z]{1,15}){0,2}")
"""A value made of plain words also stands in names that have nothing to do with it (`secrets` in `secrets/app.yaml`)."""


def mask_places(report: Report, engine: Engine, key: bytes) -> Report:
    """Return the report with masked paths; the same report where none holds a secret."""
    findings = [*report.findings, *(s.finding for s in report.suppressed)]
    masker = _Masker(engine, key, findings)
    everywhere = [p.provenance for f in findings for p in f.places] + [s.provenance for s in report.skipped]
    if not any(masker.of(provenance)[1] for provenance in everywhere):
        return report
    return report._replace(
        findings=tuple(map(masker.finding, report.findings)),
        suppressed=tuple(s._replace(finding=masker.finding(s.finding)) for s in report.suppressed),
        skipped=tuple(s._replace(provenance=masker.of(s.provenance)[0]) for s in report.skipped),
    )


class _Masker:
    def __init__(self, engine: Engine, key: bytes, findings: Iterable[Finding]) -> None:
        self._engine = engine
        self._key = key
        self._known: dict[Provenance, tuple[Provenance, str]] = {}
        self._values = {v for f in findings if len(v := f.secret.reveal()) >= _RUN and b"\n" not in v and not _WORDS.fullmatch(v)}

    def of(self, provenance: Provenance) -> tuple[Provenance, str]:
        """Return the provenance as it may be shown, and an id of its path if that differs."""
        known = self._known.get(provenance)
        if known is None:
            known = self._known[provenance] = self._mask(provenance)
        return known

    def _mask(self, provenance: Provenance) -> tuple[Provenance, str]:
        path = provenance.path if isinstance(provenance, FileProvenance) else provenance.name
        raw = path.encode("utf-8", "surrogateescape")
        shown = self._engine.masked(raw)
        for value in self._values:
            shown = shown.replace(value, MASK.encode())
        if shown == raw:
            return provenance, ""
        from hashlib import blake2b

        text = shown.decode("utf-8", "surrogateescape")
        blob_id = blake2b(raw, key=self._key[:64], digest_size=8).hexdigest()
        return (
            provenance._replace(path=text) if isinstance(provenance, FileProvenance) else provenance._replace(name=text)
        ), blob_id

    def place(self, place: Place) -> Place:
        provenance, blob_id = self.of(place.provenance)
        return place._replace(provenance=provenance, blob_id=blob_id) if blob_id else place

    def finding(self, finding: Finding) -> Finding:
        return finding._replace(places=tuple(map(self.place, finding.places)))
