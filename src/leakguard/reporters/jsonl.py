"""One finding a line."""

from __future__ import annotations

import json
from typing import Any, TextIO

from leakguard.model.blob import FileProvenance
from leakguard.model.finding import Finding, Place, Report
from leakguard.ports import ReportOptions

SUFFIX = ".jsonl"


def write(report: Report, out: TextIO, options: ReportOptions) -> None:
    """Write the report."""
    out.writelines(json.dumps(finding(f)) + "\n" for f in report.findings)


def finding(f: Finding) -> dict[str, Any]:
    return {
        "id": f.id,
        "rule": f.rule.id,
        "provider": f.rule.provider,
        "severity": f.severity,
        "score": round(f.score.value, 4),
        "state": f.verdict.state,
        "preview": f.preview,
        "locations": [location(p) for p in f.places],
    }


def location(p: Place) -> dict[str, Any]:
    v = p.provenance
    file = isinstance(v, FileProvenance)
    return {
        "kind": v.kind,
        "path": v.path if file else None,
        "root": v.root if file else v.name,
        "start_line": p.start_line,
        "end_line": p.end_line,
        "start_column": p.start_column,
        "end_column": p.end_column,
        "part": p.part,
    }
