"""GitHub Actions workflow commands: an annotation for each place, as the runner reads them from the log."""

from __future__ import annotations

from typing import TextIO

from leakguard.model.blob import REASONS
from leakguard.model.finding import Report
from leakguard.ports import ReportOptions
from leakguard.reporters._escape import clean, plural
from leakguard.reporters._paths import level, message, relative

SUFFIX = ".txt"
_WORDS = {"error": "error", "warning": "warning", "note": "notice"}


def write(report: Report, out: TextIO, options: ReportOptions) -> None:
    """Write the report. GitHub shows ten annotations of a kind and step; the log keeps them all."""
    for finding in report.findings:
        for place in finding.places:
            said = message(finding.rule.name, finding.preview, place.part, finding.rule.part)
            attributes = {
                "file": relative(place.provenance, options),
                "line": str(place.start_line),
                "endLine": str(place.end_line),
                "col": str(place.start_column),
                "endColumn": str(max(place.start_column, place.end_column - 1)),
                "title": f"{finding.rule.name} ({finding.severity})",
            }
            listed = ",".join(
                f"{k}={_property(v)}"
                for k, v in attributes.items()
                if not (k == "endColumn" and place.end_line != place.start_line)
            )
            out.write(f"::{_WORDS[level(finding.severity)]} {listed}::{_data(said)}\n")
    for skip in report.skipped:
        if not skip.by_choice:
            path = relative(skip.provenance, options)
            said = "not scanned: " + REASONS.get(skip.reason, skip.reason) + (f" ({clean(skip.detail)})" if skip.detail else "")
            out.write(f"::warning file={_property(path)}::{_data(said)}\n")
    out.write(
        f"{plural(len(report.findings), 'finding')}, {len(report.suppressed)} suppressed, {plural(report.coverage.files, 'file')} scanned\n"
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
