"""A verdict for people and for machines; imported only where something was verified."""

from __future__ import annotations

from typing import Any

from leakguard.model.finding import Finding, Verdict
from leakguard.model.verdict import Evidence, words
from leakguard.reporters._escape import clean


def told(finding: Finding) -> list[str]:
    """Return what was learned, in lines: the reason, whose it is, what it may do, until when."""
    verdict = finding.verdict
    out = []
    why = words(verdict)
    state = verdict.state.replace("_", " ")
    out.append(clean(f"{state}: {why}" if why else state))
    identity = verdict.identity
    if identity is None:
        return out
    if identity.shown:
        out.append(f"is {clean(identity.shown)}")
    scopes = [clean(s) for s in identity.scopes]
    if scopes:
        out.append("may " + ", ".join(scopes[:8]) + (f" and {len(scopes) - 8} more" if len(scopes) > 8 else ""))
    times = [f"{label} {clean(text)}" for label, text in (("ends", identity.expires), ("last used", identity.last_used)) if text]
    if times:
        out.append(", ".join(times))
    return out


def evidence(verdict: Verdict) -> list[str]:
    """Return each check in a line: when, what was asked, what decided."""
    return [clean(_line(e)) for e in verdict.evidence]


def _line(e: Evidence) -> str:
    asked = f"{e.method} {e.host}{e.template}" if e.host else e.verifier
    return f"{e.time}  {asked}  {e.decided}" + (f"  (request {e.request_id})" if e.request_id else "")


def shape(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict for machines; what is empty is left out."""
    out: dict[str, Any] = {"state": verdict.state, "reason": verdict.reason, "words": clean(words(verdict))}
    if verdict.identity is not None:
        fields = verdict.identity._asdict().items()
        out["identity"] = {k: [clean(s) for s in v] if isinstance(v, tuple) else clean(v) for k, v in fields if v}
    out["evidence"] = [{k: clean(v) if isinstance(v, str) else v for k, v in e._asdict().items() if v} for e in verdict.evidence]
    return out
