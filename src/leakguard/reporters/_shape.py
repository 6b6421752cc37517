"""The machine shape of a finding, shared by JSON and JSON Lines: a contract of its own, not a dump of internals."""

from __future__ import annotations

from typing import Any

from leakguard.model.blob import GitProvenance, MemberProvenance, Provenance, Skipped, StreamProvenance, path_in
from leakguard.model.finding import Finding, Place, Suppressed
from leakguard.reporters._escape import clean

SCHEMA_VERSION = "1"


def finding(f: Finding) -> dict[str, Any]:
    """Return one finding; the first nine keys are the contract of `jsonl`."""
    return {
        "id": f.id,
        "rule": f.rule.id,
        "provider": f.provider,
        "severity": f.severity,
        "score": round(f.score.value, 4),
        "state": f.verdict.state,
        "preview": f.preview,
        "locations": [location(p) for p in f.places],
        "name": f.rule.name,
        "kind": f.rule.kind,
        "reasons": [{"term": r.term, "weight": r.weight, "detail": r.detail} for r in f.score.reasons],
        **({} if f.known is None else {"known": f.known}),
        **_verification(f),
    }


def _verification(f: Finding) -> dict[str, Any]:
    if f.verdict.state == "not_tried":
        return {}
    from leakguard.reporters._verdict import shape

    return {"verification": shape(f.verdict)}


def location(p: Place) -> dict[str, Any]:
    """Return one place; lines and columns from 1, in characters, end exclusive."""
    v = p.provenance
    out: dict[str, Any] = {
        "kind": v.kind,
        **_where(v),
        "start_line": p.start_line,
        "end_line": p.end_line,
        "start_column": p.start_column,
        "end_column": p.end_column,
        "part": p.part,
    }
    out |= {key: text for key, text in (("name", p.name), ("encoding", p.encoding), ("blob_id", p.blob_id)) if text}
    if p.via:
        out["decoded"] = [step.way for step in p.via]
    if p.told:
        out["facts"] = {clean(name): clean(value) for name, value in p.told}
    if isinstance(v, MemberProvenance):
        out |= {
            "container": clean(path_in(v.outer)),
            "inside": [clean(name) for name in v.inner],
        }
        v = v.outer
    if isinstance(v, GitProvenance):
        out |= {
            "blob": v.blob,
            "commit": v.commit,
            "author": clean(v.author),
            "date": v.date,
            "branches": [clean(h) for h in v.heads],
        }
    return out


def _where(v: Provenance) -> dict[str, str | None]:
    """Return path and root; a stream's root is its name."""
    if isinstance(v, StreamProvenance):
        return {"path": None, "root": clean(v.name)}
    return {"path": clean(v.path) or None, "root": clean(v.root)}


def suppressed(s: Suppressed) -> dict[str, Any]:
    """Return a suppressed finding with what suppresses it."""
    return finding(s.finding) | {"by": s.by, "reason": clean(s.reason), "until": s.until, "where": clean(s.where)}


def skipped(s: Skipped) -> dict[str, Any]:
    """Return something that was not scanned."""
    v = s.provenance
    return {
        **_where(v),
        "reason": s.reason,
        "by_choice": s.by_choice,
        "detail": clean(s.detail),
        "count": s.number,
    }
