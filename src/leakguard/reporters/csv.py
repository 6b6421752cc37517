"""CSV for spreadsheets: one place a row, cells that a spreadsheet would run as a formula are disarmed."""

from __future__ import annotations

import csv as writer
from typing import TextIO

from leakguard.model.finding import Report
from leakguard.ports import ReportOptions
from leakguard.reporters._escape import clean
from leakguard.reporters._paths import relative

SUFFIX = ".csv"
COLUMNS = ("id", "rule", "provider", "name", "severity", "score", "state", "preview", "path", "start_line", "start_column", "end_line", "end_column", "part", "suppressed_by", "reason", "until")  # fmt: skip


def write(report: Report, out: TextIO, options: ReportOptions) -> None:
    """Write the report; suppressed findings are rows with `suppressed_by`."""
    table = writer.writer(out, lineterminator="\r\n")
    table.writerow(COLUMNS)
    every = [(f, "", "", "") for f in report.findings] + [(s.finding, s.by, s.reason, s.until) for s in report.suppressed]
    for f, by, reason, until in every:
        for p in f.places:
            row = (
                f.id, f.rule.id, f.provider, f.rule.name, f.severity, f"{f.score.value:.4f}", f.verdict.state, f.preview, relative(p.provenance, options),
                p.start_line, p.start_column, p.end_line, p.end_column, p.part, by, clean(reason), until,
            )  # fmt: skip
            table.writerow([_disarmed(str(cell)) for cell in row])


def _disarmed(cell: str) -> str:
    return "'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
