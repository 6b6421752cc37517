"""GitLab's secret detection report (`artifacts:reports:secret_detection`), schema 15.2."""

from __future__ import annotations

import json
from typing import Any, TextIO
from uuid import UUID, uuid5

from leakguard.model.blob import REASONS, GitProvenance, outermost
from leakguard.model.finding import Finding, Place, Report
from leakguard.ports import ReportOptions
from leakguard.reporters._escape import clean
from leakguard.reporters._paths import message, relative

SUFFIX = ".json"
_NAMESPACE = UUID("6f1a5b1e-6b0c-5d55-9a3e-2f0f5f6c1d52")
"""Makes the id of a place the same in each run, so that GitLab recognises it."""


def write(report: Report, out: TextIO, options: ReportOptions) -> None:
    """Write the report."""
    tool = {"id": "leakguard", "name": "LeakGuard", "version": report.version or "0", "vendor": {"name": "LeakGuard"}}
    when = (report.started or "1970-01-01T00:00:00Z").rstrip("Z")
    told = [
        {"level": "warn", "value": f"{relative(s.provenance, options)}: {REASONS.get(s.reason, s.reason)}"}
        for s in report.skipped
        if not s.by_choice
    ]
    document = {
        "version": "15.2.1",
        "scan": {
            "analyzer": tool,
            "scanner": tool,
            "type": "secret_detection",
            "start_time": when,
            "end_time": when,
            "status": "failure" if report.incomplete else "success",
            "messages": told,
        },
        "vulnerabilities": [_vulnerability(f, p, options) for f in report.findings for p in f.places],
    }
    json.dump(document, out, ensure_ascii=False, indent=1)
    out.write("\n")


def _commit(place: Place) -> dict[str, str]:
    p = outermost(place.provenance)
    if not isinstance(p, GitProvenance) or not p.commit:
        return {"sha": "0" * 40}
    return {"sha": p.commit, "author": clean(p.author), "date": p.date}


def _vulnerability(finding: Finding, place: Place, options: ReportOptions) -> dict[str, Any]:
    path = relative(place.provenance, options)
    identity = f"{finding.id}:{path}:{place.part}:{place.offset}"
    return {
        "id": str(uuid5(_NAMESPACE, identity)),
        "name": finding.rule.name,
        "description": message(finding.rule.name, finding.preview, place.part, finding.rule.part),
        "severity": finding.severity.capitalize(),
        "location": {
            "file": path,
            "start_line": place.start_line,
            "end_line": place.end_line,
            "commit": _commit(place),
        },
        "identifiers": [{"type": "leakguard_rule_id", "name": f"LeakGuard {finding.rule.id}", "value": finding.rule.id}],
        "raw_source_code_extract": clean(
            next((line.text for line in place.frame if line.number == place.start_line), finding.preview)
        ),
    }
