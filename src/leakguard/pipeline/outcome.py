"""What a report means for the exit code."""

from __future__ import annotations

from leakguard.config import Config
from leakguard.errors import ExitCode
from leakguard.model.finding import Report
from leakguard.model.rule import SEVERITIES


def exit_code(report: Report, config: Config) -> int:
    """Return 1 for findings at or above `fail_on`, else 3 for an incomplete scan, else 0."""
    if config.fail_on != "none":
        least = 0 if config.fail_on == "any" else SEVERITIES.index(config.fail_on)
        counted = (f for f in report.findings if f.verdict.state != "canary")
        if any(SEVERITIES.index(f.severity) >= least for f in counted):
            return ExitCode.FINDINGS
    if report.incomplete or (config.fail_on_skip and report.skipped):
        return ExitCode.INCOMPLETE
    return ExitCode.CLEAN
