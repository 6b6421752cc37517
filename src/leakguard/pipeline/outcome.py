"""What a report means for the exit code."""

from __future__ import annotations

from leakguard.config import Config
from leakguard.errors import ExitCode
from leakguard.model.finding import Report
from leakguard.model.rule import SEVERITIES


def exit_code(report: Report, config: Config, *, allow_unknown: bool = False, checked: frozenset[str] = frozenset()) -> int:
    """Return 1 for findings at or above `fail_on`, 4 for verdicts that are missing, 3 for an incomplete scan, else 0.

    `checked` names the rules that have a check: with `fail_on` `live`, what is unknown of them might be live, and so might
    what was not asked as it is not ours or a fork's.
    """
    if config.fail_on == "live":
        if any(f.verdict.state in ("live", "live_restricted") for f in report.findings):
            return ExitCode.FINDINGS
        missing = (
            f
            for f in report.findings
            if f.verdict.state == "unknown"
            or (f.verdict.state == "not_tried" and f.rule.id in checked)
            or (f.verdict.state == "skipped_by_policy" and f.verdict.reason)
        )
        if not allow_unknown and next(missing, None) is not None:
            return ExitCode.UNVERIFIED
    elif config.fail_on != "none":
        least = 0 if config.fail_on == "any" else SEVERITIES.index(config.fail_on)
        counted = (f for f in report.findings if f.verdict.state != "canary")
        if any(SEVERITIES.index(f.severity) >= least for f in counted):
            return ExitCode.FINDINGS
    if report.incomplete or (config.fail_on_skip and report.skipped):
        return ExitCode.INCOMPLETE
    return ExitCode.CLEAN
