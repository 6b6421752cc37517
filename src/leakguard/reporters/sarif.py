"""SARIF 2.1.0 (OASIS), as GitHub code scanning reads it: one result a place, grouped by `leakguard/v1`.

`primaryLocationLineHash` is left out: it is GitHub's hash of the source line, which holds the value, and an unkeyed hash of
a short value can be guessed. GitHub computes it from its own copy of the file.
"""

from __future__ import annotations

import json
from typing import Any, TextIO
from urllib.parse import quote

from leakguard.model.blob import REASONS, GitProvenance, outermost
from leakguard.model.finding import Finding, Place, Report, Suppressed
from leakguard.model.rule import Rule
from leakguard.ports import ReportOptions
from leakguard.reporters._escape import clean
from leakguard.reporters._paths import level, message, relative

SUFFIX = ".sarif"
RESULTS = 25000
"""Most results that GitHub takes in one run; the rest go into further runs."""
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0"}
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def write(report: Report, out: TextIO, options: ReportOptions) -> None:
    """Write the report."""
    rules: dict[str, Rule] = {}
    for finding in (*report.findings, *(s.finding for s in report.suppressed)):
        rules.setdefault(finding.rule.id, finding.rule)
    index = {rule_id: i for i, rule_id in enumerate(rules)}
    results = [_result(f, p, index, options, None) for f in report.findings for p in f.places]
    results += [_result(s.finding, p, index, options, s) for s in report.suppressed for p in s.finding.places]
    pieces = [results[i : i + RESULTS] for i in range(0, len(results), RESULTS)] or [[]]
    runs = [_run(report, rules, piece, number, len(pieces), options) for number, piece in enumerate(pieces)]
    json.dump({"version": "2.1.0", "$schema": _SCHEMA, "runs": runs}, out, ensure_ascii=False, indent=1)
    out.write("\n")


def _run(
    report: Report, rules: dict[str, Rule], results: list[Any], number: int, of: int, options: ReportOptions
) -> dict[str, Any]:
    name = "leakguard" if of == 1 else f"leakguard/{number + 1}-of-{of}"
    notes = [_notification(s, options) for s in report.skipped] if number == 0 else []
    invocation: dict[str, Any] = {
        "executionSuccessful": not report.incomplete,
        "exitCode": report.exit_code,
        "toolExecutionNotifications": notes,
    }
    if report.started:
        invocation["startTimeUtc"] = report.started
    return {
        "tool": {
            "driver": {
                "name": "LeakGuard",
                "semanticVersion": report.version or "0.0.0",
                "informationUri": "https://leakguard.example",
                "rules": [_rule(rule) for rule in rules.values()],
            }
        },
        "automationDetails": {"id": f"{name}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": results,
    }


def _rule(rule: Rule) -> dict[str, Any]:
    help_text = f"Rotate the credential at its provider, then remove it. `leakguard rules show {rule.id}` says how."
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.split("-")),
        "shortDescription": {"text": rule.name},
        "fullDescription": {"text": f"{rule.name} in scanned content."},
        "help": {"text": help_text, "markdown": help_text},
        "defaultConfiguration": {"level": level(rule.severity)},
        "properties": {
            "tags": ["security", "secret", rule.provider],
            "precision": "high",
            "security-severity": _SCORES[rule.severity],
        },
    }


def _result(
    finding: Finding, place: Place, index: dict[str, int], options: ReportOptions, suppressed: Suppressed | None
) -> dict[str, Any]:
    frame = next((line.text for line in place.frame if line.number == place.start_line), "")
    region: dict[str, Any] = {
        "startLine": place.start_line,
        "startColumn": place.start_column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }
    if frame:
        region["snippet"] = {"text": clean(frame)}
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": index[finding.rule.id],
        "level": level(finding.severity),
        "message": {"text": message(finding.rule.name, finding.preview, place.part, finding.rule.part)},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": quote(relative(place.provenance, options))}, "region": region}}
        ],
        "partialFingerprints": {"leakguard/v1": finding.id},
        "rank": round(finding.score.value * 100, 1),
        "properties": {"security-severity": _SCORES[finding.severity], "state": finding.verdict.state, "part": place.part},
    }
    if finding.verdict.state != "not_tried":
        from leakguard.reporters._verdict import shape

        result["properties"]["verification"] = shape(finding.verdict)
    p = outermost(place.provenance)
    if isinstance(p, GitProvenance):
        result["properties"] |= {"commit": p.commit, "author": clean(p.author), "date": p.date, "blob": p.blob}
    if finding.known is not None:
        result["baselineState"] = "unchanged" if finding.known else "new"
    if suppressed is not None:
        kind = "inSource" if suppressed.by == "mark" else "external"
        result["suppressions"] = [{"kind": kind, "justification": clean(suppressed.reason) or suppressed.by}]
    return result


def _notification(skip: Any, options: ReportOptions) -> dict[str, Any]:
    path = relative(skip.provenance, options)
    text = REASONS.get(skip.reason, skip.reason) + (f": {clean(skip.detail)}" if skip.detail else "")
    return {
        "level": "note" if skip.by_choice else "error",
        "message": {"text": f"{path}: {text}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": quote(path)}}}],
    }
