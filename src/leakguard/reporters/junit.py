"""JUnit XML: a failing test case for each place, an error for each input that could not be read."""

from __future__ import annotations

from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

from leakguard.model.blob import REASONS
from leakguard.model.finding import Report
from leakguard.ports import ReportOptions
from leakguard.reporters._escape import clean
from leakguard.reporters._paths import message, relative

SUFFIX = ".xml"


def write(report: Report, out: TextIO, options: ReportOptions) -> None:
    """Write the report."""
    places = [(f, p) for f in report.findings for p in f.places]
    missed = [s for s in report.skipped if not s.by_choice]
    tests = len(places) + len(missed)
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    counts = f'tests="{max(tests, 1)}" failures="{len(places)}" errors="{len(missed)}" time="{report.coverage.seconds:.3f}"'
    out.write(f'<testsuites name="leakguard" {counts}>\n <testsuite name="leakguard" {counts}>\n')
    for finding, place in places:
        path = relative(place.provenance, options)
        said = message(finding.rule.name, finding.preview, place.part, finding.rule.part)
        where = f"{path}:{place.start_line}:{place.start_column}"
        out.write(
            f'  <testcase classname={quoteattr(path)} name={quoteattr(f"{finding.rule.id} {where}")} file={quoteattr(path)} line="{place.start_line}">\n'
        )
        out.write(f"   <failure type={quoteattr(finding.severity)} message={quoteattr(said)}>")
        frame = "\n".join(f"{line.number:6} | {clean(line.text)}" for line in place.frame)
        out.write(escape(f"{where} id {finding.id[:8]}\n{frame}") + "</failure>\n  </testcase>\n")
    for skip in missed:
        path = relative(skip.provenance, options)
        said = REASONS.get(skip.reason, skip.reason) + (f": {clean(skip.detail)}" if skip.detail else "")
        out.write(
            f'  <testcase classname={quoteattr(path)} name="not scanned"><error type="incomplete" message={quoteattr(said)}/></testcase>\n'
        )
    if not tests:
        out.write('  <testcase classname="leakguard" name="no leaks found"/>\n')
    out.write(" </testsuite>\n</testsuites>\n")
