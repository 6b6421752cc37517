"""JSON Lines: one finding a line, for tools that read as they go."""

from __future__ import annotations

import json
from typing import TextIO

from leakguard.model.finding import Report
from leakguard.ports import ReportOptions
from leakguard.reporters._shape import finding

SUFFIX = ".jsonl"


def write(report: Report, out: TextIO, options: ReportOptions) -> None:  # noqa: ARG001 - every format has this signature
    """Write the findings; what was skipped or suppressed is in `json` and on standard error."""
    out.writelines(json.dumps(finding(f), ensure_ascii=False) + "\n" for f in report.findings)
