"""Markdown for a pull request comment or a step summary."""

from __future__ import annotations

from typing import TextIO

from leakguard.model.blob import REASONS
from leakguard.model.finding import Report
from leakguard.ports import ReportOptions
from leakguard.reporters._escape import clean, plural, size
from leakguard.reporters._paths import relative

SUFFIX = ".md"
_PLACES = 5
_ESCAPED = str.maketrans({c: "\\" + c for c in "\\`*_{}[]()#+-!|~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "@\u200b"})


def write(report: Report, out: TextIO, options: ReportOptions) -> None:
    """Write the report."""
    n = len(report.findings)
    out.write(f"## LeakGuard: {plural(n, 'leaked credential') if n else 'no leaks found'}\n\n")
    if n:
        out.write("| severity | what | value | where | id |\n|---|---|---|---|---|\n")
        for f in report.findings:
            places = [f"{relative(p.provenance, options)}:{p.start_line}" for p in f.places]
            where = "<br>".join(_cell(p) for p in places[:_PLACES]) + (
                f"<br>+{len(places) - _PLACES} more" if len(places) > _PLACES else ""
            )
            live = "" if f.verdict.state == "not_tried" else f"<br>**{f.verdict.state.replace('_', ' ')}**"
            out.write(
                f"| {f.severity}{live} | {_cell(f.rule.name)}<br>`{f.rule.id}` | {_cell(f.preview)} | {where} | `{f.id[:8]}` |\n"
            )
        out.write(
            "\nRotate each at its provider first: removing a line does not revoke what it held. `leakguard rules show RULE` says how.\n"
        )
    c = report.coverage
    out.write(f"\n{plural(c.files, 'file')}, {size(c.bytes)}, {plural(c.rules, 'rule')}")
    out.write(f", {len(report.suppressed)} suppressed\n" if report.suppressed else "\n")
    missed = [s for s in report.skipped if not s.by_choice]
    if missed:
        out.write(f"\n**Incomplete**: {plural(len(missed), 'input')} could not be read.\n\n")
        out.writelines(f"- {_cell(relative(s.provenance, options))}: {REASONS.get(s.reason, s.reason)}\n" for s in missed[:20])
    out.writelines(f"\n> {_cell(note)}\n" for note in report.notes)


def _cell(text: str) -> str:
    return clean(text).translate(_ESCAPED)
