"""HTML: one file without network, for reading, printing and sending. Works without its small script.

The content security policy allows inline style, data images and this one script by its hash; nothing can be loaded.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html import escape
from typing import TextIO

from leakguard.model.blob import REASONS, GitProvenance
from leakguard.model.finding import Finding, FrameLine, Place, Report
from leakguard.ports import ReportOptions
from leakguard.reporters import _shape
from leakguard.reporters._escape import clean, plural, size
from leakguard.reporters._html_parts import SCRIPT, STYLE
from leakguard.reporters._paths import relative
from leakguard.reporters.text import roots_of

SUFFIX = ".html"
_CARDS = 400
"""Findings that get a card with a frame; the table and the data list all of them."""
_PLACES = 20


def write(report: Report, out: TextIO, options: ReportOptions) -> None:
    """Write the report."""
    digest = b64encode(sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    verdict = _verdict(report)
    out.write(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>LeakGuard: {escape(verdict)}</title>\n<style>{STYLE}</style></head><body>\n'
    )
    _header(report, verdict, out)
    out.write("<main>\n")
    _tiles(report, out)
    _table(report, options, out)
    _cards(report, options, out)
    _appendix(report, options, out)
    out.write(f"</main>\n<script>{SCRIPT}</script></body></html>\n")


def _verdict(report: Report) -> str:
    n = len(report.findings)
    if n:
        urgent = sum(f.severity == "critical" for f in report.findings)
        tail = f", {urgent} of them critical" if urgent else ""
        return f"{plural(n, 'leaked credential')} {'needs' if n == 1 else 'need'} rotation{tail}"
    return "No leaks found, but not everything could be read" if report.incomplete else "No leaks found"


def _header(report: Report, verdict: str, out: TextIO) -> None:
    kind = "bad" if report.findings else "warn" if report.incomplete else "good"
    started = f" · {escape(report.started)}" if report.started else ""
    c = report.coverage
    out.write(
        f'<header class="{kind}"><p class="brand">LeakGuard {escape(report.version)}</p><h1>{escape(verdict)}</h1>\n'
        f"<p>{escape(roots_of(report) or 'standard input')}{started} · level {escape(report.level)} · {plural(c.rules, 'rule')}</p>\n"
    )
    missed = sum(s.number for s in report.skipped if not s.by_choice)
    chosen = sum(s.number for s in report.skipped if s.by_choice)
    total = max(1, c.files + missed + chosen)
    out.write(
        f'<div class="bar" role="img" aria-label="{c.files} scanned, {chosen} skipped by choice, {missed} not readable">'
        f'<i class="ok" style="width:{100 * c.files / total:.1f}%"></i><i class="chosen" style="width:{100 * chosen / total:.1f}%"></i>'
        f'<i class="missed" style="width:{100 * missed / total:.1f}%"></i></div>\n'
        f"<p>{plural(c.files, 'file')}, {size(c.bytes)} scanned in {c.seconds:.2f} s · {chosen:,} skipped by choice · {missed:,} could not be read</p></header>\n"
    )


def _tiles(report: Report, out: TextIO) -> None:
    counts = Counter(f.severity for f in report.findings)
    tiles = [(name, counts[name]) for name in ("critical", "high", "medium", "low")] + [("suppressed", len(report.suppressed))]
    out.write('<section class="tiles" aria-label="Counts">')
    out.writelines(f'<div class="tile {name}{"" if n else " none"}"><b>{n:,}</b><span>{name}</span></div>' for name, n in tiles)
    out.write("</section>\n")


def _table(report: Report, options: ReportOptions, out: TextIO) -> None:
    if not report.findings:
        return
    out.write(
        '<section><h2>Credentials</h2>\n<p class="tools" hidden><label>Filter <input type="search" id="filter" placeholder="rule, path, severity"></label>'
        ' <span id="shown" role="status"></span></p>\n<div class="wide"><table id="findings"><thead><tr>'
    )
    out.writelines(
        f'<th scope="col" data-column="{i}">{name}</th>'
        for i, name in enumerate(("Severity", "What", "Value", "Where", "Score", "Id"))
    )
    out.write("</tr></thead><tbody>\n")
    for n, f in enumerate(report.findings):
        first = f.places[0]
        more = f' <span class="more">+{len(f.places) - 1}</span>' if len(f.places) > 1 else ""
        where = f"{escape(relative(first.provenance, options))}:{first.start_line}"
        target = f'<a href="#f{n}">{escape(f.rule.name)}</a>' if n < _CARDS else escape(f.rule.name)
        rank = ("low", "medium", "high", "critical").index(f.severity)
        out.write(
            f'<tr><td data-sort="{rank}"><span class="chip {f.severity}">{f.severity}</span></td><td>{target}<br><code>{escape(f.rule.id)}</code></td>'
            f'<td><code>{escape(f.preview)}</code></td><td class="path">{where}{more}</td><td data-sort="{f.score.value:.4f}">{f.score.value:.2f}</td>'
            f"<td><code>{f.id[:8]}</code></td></tr>\n"
        )
    out.write("</tbody></table></div></section>\n")


def _cards(report: Report, options: ReportOptions, out: TextIO) -> None:
    if not report.findings:
        return
    out.write("<section><h2>Places and evidence</h2>\n")
    for n, f in enumerate(report.findings[:_CARDS]):
        out.write(
            f'<article id="f{n}" class="{f.severity}"><h3>{escape(f.rule.name)} <code>{escape(f.preview)}</code></h3>'
            f'<p><span class="chip {f.severity}">{f.severity}</span> <span class="chip">◐ {escape(f.verdict.state.replace("_", " "))}</span>'
            f" id <code>{f.id}</code> · score {f.score.value:.2f}</p>\n"
        )
        _places(f, options, out)
        reasons = "".join(f"<li><b>{r.weight:+.2f}</b> {escape(clean(r.detail))}</li>" for r in f.score.reasons)
        out.write(f'<details><summary>Why it counts</summary><ul class="reasons">{reasons}</ul></details>\n')
        out.write(
            f"<p class=next><b>Next</b> rotate it: <code>leakguard rules show {escape(f.rule.id)}</code> · false alarm: "
            f'<code>leakguard allow {f.id[:8]} --reason "..."</code></p></article>\n'
        )
    if len(report.findings) > _CARDS:
        out.write(f"<p>{len(report.findings) - _CARDS:,} more are in the table and in the data below.</p>\n")
    out.write("</section>\n")


def _places(f: Finding, options: ReportOptions, out: TextIO) -> None:
    shown = f.places[0]
    out.write(f'<p class="path">{_at(shown, f, options)}</p>\n')
    if shown.frame:
        out.write("<pre>" + "\n".join(map(_frame_line, shown.frame)) + "</pre>\n")
    rest = f.places[1:]
    if rest:
        items = "".join(f'<li class="path">{_at(p, f, options)}</li>' for p in rest[:_PLACES])
        more = f"<li>+{len(rest) - _PLACES:,} more</li>" if len(rest) > _PLACES else ""
        out.write(f"<details><summary>{plural(len(rest), 'further place')}</summary><ul>{items}{more}</ul></details>\n")


def _at(place: Place, f: Finding, options: ReportOptions) -> str:
    part = f" ({escape(place.part.replace('_', ' '))})" if place.part != f.rule.part else ""
    p = place.provenance
    commit = (
        f" in commit {p.commit[:12]}, {p.date[:10]}, {escape(clean(p.author))}" if isinstance(p, GitProvenance) and p.commit else ""
    )
    return f"{escape(relative(p, options))}:{place.start_line}:{place.start_column}{part}{commit}"


def _frame_line(line: FrameLine) -> str:
    text, out, at = clean(line.text), [], 0
    for start, end, label in line.marks:
        if start >= at:
            out += [escape(text[at:start]), f'<mark title="{escape(label)}">{escape(text[start:end])}</mark>']
            at = end
    return f"<span>{line.number:6}</span>  {''.join(out)}{escape(text[at:])}"


def _appendix(report: Report, options: ReportOptions, out: TextIO) -> None:
    out.write("<section><h2>Appendix</h2>\n")
    groups: dict[str, list[str]] = {}
    for s in report.skipped:
        detail = f" ({escape(clean(s.detail))})" if s.detail else ""
        groups.setdefault(s.reason, []).append(escape(relative(s.provenance, options)) + detail)
    for reason, paths in sorted(groups.items()):
        items = "".join(f'<li class="path">{p}</li>' for p in paths[:200]) + (
            f"<li>+{len(paths) - 200:,} more</li>" if len(paths) > 200 else ""
        )
        out.write(
            f"<details><summary>Not scanned: {escape(REASONS.get(reason, reason))} ({len(paths):,})</summary><ul>{items}</ul></details>\n"
        )
    if report.suppressed:
        rows = "".join(
            f'<tr><td><code>{escape(s.finding.rule.id)}</code></td><td class="path">{_at(s.finding.places[0], s.finding, options)}</td><td>{escape(s.by)}</td>'
            f"<td>{escape(clean(s.reason))}</td><td>{escape(s.until)}</td></tr>"
            for s in report.suppressed[:500]
        )
        head = "<tr><th>Rule</th><th>Where</th><th>By</th><th>Reason</th><th>Until</th></tr>"
        out.write(
            f'<details><summary>Suppressed ({len(report.suppressed):,})</summary><div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div></details>\n'
        )
    out.writelines(f"<p>{escape(clean(note))}</p>\n" for note in report.notes)
    out.write(
        f"<p>Rules version {report.rules_version}, engine {escape(report.coverage.engine)}, ids of scope {escape(report.id_scope)}. "
        "Values are masked in this file; it holds no secret.</p>\n"
    )
    slim = [{k: v for k, v in _shape.finding(f).items() if k not in ("reasons", "name", "kind")} for f in report.findings[:_CARDS]]
    data = escape(json.dumps(slim, ensure_ascii=False, separators=(",", ":")))
    out.write(f"<details><summary>Data (JSON, redacted)</summary><pre>{data}</pre></details></section>\n")
