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

from leakguard.model.blob import REASONS, GitProvenance, is_again, outermost
from leakguard.model.finding import Finding, FrameLine, Place, Report, Suppressed
from leakguard.ports import ReportOptions
from leakguard.reporters import _shape
from leakguard.reporters._escape import clean, plural, size
from leakguard.reporters._frame import frame_of, main_places, words
from leakguard.reporters._html_parts import SCRIPT, STYLE
from leakguard.reporters._paths import relative
from leakguard.reporters.text import STATES, roots_of

SUFFIX = ".html"
_CARDS = 250
"""Findings that get a card with a frame; the table and the data list all of them."""
_PLACES = 20
_SKIPS = 200
_ROWS = 500


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
    when = report.started.replace("T", " ").replace("Z", " UTC")
    about = [roots_of(report) or "standard input", when, f"level {report.level}", plural(report.coverage.rules, "rule")]
    c = report.coverage
    out.write(
        f'<header class="{kind}"><p class="brand">LeakGuard {escape(report.version)}</p><h1>{escape(verdict)}</h1>\n'
        f"<p>{escape(' · '.join(filter(None, about)))}</p>\n"
    )
    missed = sum(s.number for s in report.skipped if not s.by_choice)
    chosen = sum(s.number for s in report.skipped if s.by_choice)
    total = max(1, c.files + missed + chosen)
    told = f"{chosen:,} skipped by choice · {missed:,} could not be read"
    told = f'<a href="#skipped">{told}</a>' if report.skipped else told
    out.write(
        f'<div class="bar" role="img" aria-label="{c.files} scanned, {chosen} skipped by choice, {missed} not readable">'
        f'<i class="ok" style="width:{100 * c.files / total:.1f}%"></i><i class="chosen" style="width:{100 * chosen / total:.1f}%"></i>'
        f'<i class="missed" style="width:{100 * missed / total:.1f}%"></i></div>\n'
        f"<p>{plural(c.files, 'file')}, {size(c.bytes)} scanned in {c.seconds:.2f} s · {told}</p></header>\n"
    )


def _tiles(report: Report, out: TextIO) -> None:
    """Write the counts; the script makes filters of them."""
    counts = Counter(f.severity for f in report.findings)
    out.write('<section class="tiles" aria-label="Counts">')
    for name in ("critical", "high", "medium", "low"):
        none = "" if counts[name] else " none"
        out.write(
            f'<button type="button" disabled class="tile {name}{none}" data-s="{name}"><b>{counts[name]:,}</b><span>{name}</span></button>'
        )
    n = len(report.suppressed)
    inside = f"<b>{n:,}</b><span>suppressed</span>"
    out.write(f'<a class="tile" href="#suppressed">{inside}</a>' if n else f'<div class="tile none">{inside}</div>')
    out.write("</section>\n")


def _table(report: Report, options: ReportOptions, out: TextIO) -> None:
    if not report.findings:
        return
    out.write(
        '<section><h2>Credentials</h2>\n<p class="tools" hidden><label>Filter <input type="search" id="filter" placeholder="rule, path, id ( / )"></label>'
        ' <span id="shown" role="status"></span></p>\n<div class="wide"><table id="findings"><thead><tr>'
    )
    out.writelines(f'<th scope="col">{name}</th>' for name in ("Severity", "What", "Value", "Where", "Score", "Id"))
    out.write("</tr></thead><tbody>\n")
    for n, f in enumerate(report.findings):
        main = main_places(f)
        more = f" <small>+{len(main) - 1}</small>" if len(main) > 1 else ""
        where = f"{escape(relative(main[0].provenance, options))}:{main[0].start_line}"
        target = f'<a href="#f{n}">{escape(f.rule.name)}</a>' if n < _CARDS else escape(f.rule.name)
        rank = ("low", "medium", "high", "critical").index(f.severity)
        out.write(
            f'<tr data-n="{n}" data-s="{f.severity}"><td data-sort="{rank}"><span class="chip {f.severity}">{f.severity}</span></td>'
            f"<td>{target}<br><small>{escape(f.rule.id)}</small></td><td><code>{escape(f.preview)}</code></td>"
            f'<td class="path">{where}{more}</td><td>{f.score.value:.2f}</td><td><code>{f.id[:8]}</code></td></tr>\n'
        )
    out.write("</tbody></table></div></section>\n")


def _cards(report: Report, options: ReportOptions, out: TextIO) -> None:
    if not report.findings:
        return
    out.write("<section><h2>Places and evidence</h2>\n")
    for n, f in enumerate(report.findings[:_CARDS]):
        state = STATES.get(f.verdict.state, f.verdict.state).lower()
        reason = ""
        if f.verdict.state != "not_tried":
            from leakguard.reporters import _verdict

            reason = " · " + escape(" · ".join((*_verdict.told(f), *_verdict.evidence(f.verdict))))
        out.write(
            f'<article id="f{n}" class="{f.severity}"><h3>{escape(f.rule.name)} <code>{escape(f.preview)}</code></h3>'
            f'<p><span class="chip {f.severity}">{f.severity}</span> <span class="chip">{escape(state)}</span>'
            f" <small>id <code>{f.id}</code>{reason}</small></p>\n"
        )
        _places(f, options, out)
        reasons = "".join(f"<li><b>{r.weight:+.2f}</b> {escape(clean(r.detail))}</li>" for r in f.score.reasons)
        out.write(f'<details><summary>Why: score {f.score.value:.2f}</summary><ul class="reasons">{reasons}</ul></details>\n')
        _next(f, out)
        out.write("</article>\n")
    if len(report.findings) > _CARDS:
        out.write(
            f"<p>{len(report.findings) - _CARDS:,} more are in the table above; <code>-f json</code> tells all of each.</p>\n"
        )
    out.write("</section>\n")


def _next(f: Finding, out: TextIO) -> None:
    """Write the steps with boxes to tick; what came from a stream can't be read again to be explained or allowed."""
    steps = [f"Rotate it at the provider: <code>leakguard rules show {escape(f.rule.id)}</code>"]
    if any(is_again(p.provenance) for p in f.places):
        steps.append("Move the new one to the environment or a vault, then see that it is gone: <code>leakguard scan</code>")
    out.write('<ul class="next">')
    out.writelines(f'<li><label><input type="checkbox"> {step}</label></li>' for step in steps)
    if len(steps) > 1:
        allow = f'<code>leakguard allow {f.id[:8]} --reason "..."</code>'
        out.write(f"<li>In doubt: <code>leakguard explain {f.id[:8]}</code> · false alarm: {allow}</li>")
    out.write("</ul>")


def _places(f: Finding, options: ReportOptions, out: TextIO) -> None:
    first = main_places(f)[0]
    lines, shown = frame_of(f, first)
    out.write(f'<p class="path">{_at(first, f, options)}</p>\n')
    if lines:
        out.write('<pre tabindex="0">')
        last, digits = lines[0].number, len(str(lines[-1].number))
        for line in lines:
            if line.number > last + 1:
                out.write(f"<span>{'⋮':>{digits}}  {plural(line.number - last - 1, 'line')}</span>\n")
            out.write(_frame_line(line, digits) + "\n")
            last = line.number
        out.write("</pre>\n")
    rest = [p for p in f.places if p not in shown]
    if rest:
        items = "".join(f'<li class="path">{_at(p, f, options)}</li>' for p in rest[:_PLACES])
        more = f"<li>+{len(rest) - _PLACES:,} more</li>" if len(rest) > _PLACES else ""
        out.write(f"<details><summary>{plural(len(rest), 'further place')}</summary><ul>{items}{more}</ul></details>\n")


def _at(place: Place, f: Finding, options: ReportOptions) -> str:
    part = f" ({escape(words(place.part, f))})" if place.part != f.rule.part else ""
    p = outermost(place.provenance)
    commit = (
        f" in commit {p.commit[:12]}, {p.date[:10]}, {escape(clean(p.author))}" if isinstance(p, GitProvenance) and p.commit else ""
    )
    return f"{escape(relative(place.provenance, options))}:{place.start_line}:{place.start_column}{part}{commit}"


def _frame_line(line: FrameLine, digits: int) -> str:
    text, out, at = clean(line.text), [], 0
    for start, end, _label in line.marks:
        if start >= at:
            out += [escape(text[at:start]), f"<mark>{escape(text[start:end])}</mark>"]
            at = end
    labels = ", ".join(label for _s, _e, label in line.marks if label)
    told = f"  <em>← {escape(labels)}</em>" if labels else ""
    return f"<span>{line.number:{digits}}</span>  {''.join(out)}{escape(text[at:])}{told}"


def _appendix(report: Report, options: ReportOptions, out: TextIO) -> None:
    out.write('<section><h2 id="skipped">Appendix</h2>\n')
    groups: dict[tuple[bool, str], list[str]] = {}
    counts = Counter[tuple[bool, str]]()
    for s in report.skipped:
        detail = f" ({escape(clean(s.detail))})" if s.detail else ""
        groups.setdefault((s.by_choice, s.reason), []).append(escape(relative(s.provenance, options)) + detail)
        counts[s.by_choice, s.reason] += s.number
    for (by_choice, reason), paths in sorted(groups.items()):
        items = "".join(f'<li class="path">{p}</li>' for p in paths[:_SKIPS])
        items += f"<li>+{len(paths) - _SKIPS:,} more</li>" if len(paths) > _SKIPS else ""
        what = f"{'Skipped' if by_choice else 'Not scanned'}: {escape(REASONS.get(reason, reason))} ({counts[by_choice, reason]:,})"
        out.write(f"<details{'' if by_choice else ' open'}><summary>{what}</summary><ul>{items}</ul></details>\n")
    _suppressed(report.suppressed, options, out)
    out.writelines(f"<p>{escape(clean(note))}</p>\n" for note in report.notes)
    out.write(
        f"<p><small>Rules version {report.rules_version}, engine {escape(report.coverage.engine)}, ids of scope {escape(report.id_scope)}. "
        "Values are masked in this file; it holds no secret.</small></p>\n"
    )
    slim = [{k: v for k, v in _shape.finding(f).items() if k not in ("reasons", "name", "kind")} for f in report.findings[:_CARDS]]
    data = escape(json.dumps(slim, ensure_ascii=False, separators=(",", ":")))
    out.write(f'<details class="data"><summary>Data (JSON, redacted)</summary><pre>{data}</pre></details></section>\n')


def _suppressed(suppressed: tuple[Suppressed, ...], options: ReportOptions, out: TextIO) -> None:
    if not suppressed:
        return
    rows = "".join(
        f'<tr><td><code>{escape(s.finding.rule.id)}</code></td><td class="path">{_at(s.finding.places[0], s.finding, options)}</td>'
        f"<td>{escape(s.by)}</td><td>{escape(clean(s.reason))}</td><td>{escape(s.until)}</td></tr>"
        for s in suppressed[:_ROWS]
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Rule", "Where", "By", "Reason", "Until"))
    more = f"<p>+{len(suppressed) - _ROWS:,} more; <code>-f json</code> lists them all.</p>" if len(suppressed) > _ROWS else ""
    out.write(
        f'<details><summary>Suppressed ({len(suppressed):,})</summary><div id="suppressed" class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{more}</details>\n"
    )
