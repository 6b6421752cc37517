"""JSON: one document with everything, `schema_version` first; docs/schemas/report-1.schema.json describes it."""

from __future__ import annotations

import json as encoder
from typing import TextIO

from leakguard.model.finding import Report
from leakguard.ports import ReportOptions
from leakguard.reporters import _shape
from leakguard.reporters._escape import clean

SUFFIX = ".json"


def write(report: Report, out: TextIO, options: ReportOptions) -> None:  # noqa: ARG001 - every format has this signature
    """Write the report."""
    document = {
        "schema_version": _shape.SCHEMA_VERSION,
        "tool": {
            "name": "leakguard",
            "version": report.version,
            "rules_version": report.rules_version,
            "engine": report.coverage.engine,
        },
        "started": report.started,
        "roots": [clean(root) for root in report.roots],
        "level": report.level,
        "id_scope": report.id_scope,
        "exit_code": report.exit_code,
        "complete": not report.incomplete,
        "findings": [_shape.finding(f) for f in report.findings],
        "suppressed": [_shape.suppressed(s) for s in report.suppressed],
        "skipped": [_shape.skipped(s) for s in report.skipped],
        "coverage": report.coverage._asdict(),
        "notes": [clean(note) for note in report.notes],
    }
    encoder.dump(document, out, ensure_ascii=False, indent=1)
    out.write("\n")
