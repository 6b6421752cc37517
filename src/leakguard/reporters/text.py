"""Text for people: grouped by credential, worst first, a frame that shows the place and never the value.

Quiet when clean. Every next step that is printed is a command that exists; a test runs them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TextIO

from leakguard.model.blob import REASONS, GitProvenance
from leakguard.model.finding import Finding, FrameLine, Place, Report
from leakguard.ports import ReportOptions
from leakguard.reporters._escape import ascii_only, at, clean, path_of, plural, size

SUFFIX = ".txt"
_COLORS = {"critical": "1;31", "high": "31", "medium": "33", "low": "36", "dim": "2", "bold": "1", "good": "32"}
_STATES = {"not_tried": "◐ UNVERIFIED", "unknown": "◐ UNVERIFIED", "live": "● LIVE", "live_restricted": "● LIVE", "dead": "○ DEAD"}
_MORE_PLACES = 6
_MORE_SKIPS = 10


def write(report: Report, out: TextIO, options: ReportOptions) -> None:
    """Write the report."""
    lines = _quiet(report) if options.quiet else _lines(report, _Paint(options))
    out.writelines((line if options.unicode else ascii_only(line)).rstrip() + "\n" for line in lines)


class _Paint:
    def __init__(self, options: ReportOptions) -> None:
        self.options = options
        self.width = max(40, options.width)

    def __call__(self, text: str, color: str) -> str:
        return f"\x1b[{_COLORS[color]}m{text}\x1b[0m" if self.options.color and text else text

    def fit(self, text: str, less: int = 0) -> str:
        room = self.width - less
        return text if len(text) <= room else text[: max(1, room - 1)] + "…"


def _quiet(report: Report) -> Iterator[str]:
    for finding in report.findings:
        for place in finding.places:
            yield f"{at(place)}: {finding.rule.id} {finding.id[:8]}"
    for skip in report.skipped:
        if not skip.by_choice:
            yield f"{path_of(skip.provenance)}: {REASONS.get(skip.reason, skip.reason)}"


def _lines(report: Report, paint: _Paint) -> Iterator[str]:
    for finding in report.findings:
        yield from _finding(finding, paint)
        yield ""
    if paint.options.show_suppressed:
        for s in report.suppressed:
            why = f": {clean(s.reason)}" if s.reason else ""
            until = f" until {s.until}" if s.until else ""
            yield paint(paint.fit(f"◌ {at(s.finding.places[0])}  {s.finding.rule.id}  by {s.by}{why}{until}"), "dim")
    yield from _summary(report, paint)


def _finding(f: Finding, paint: _Paint) -> Iterator[str]:
    state = _STATES.get(f.verdict.state, f.verdict.state.upper())
    first = f" {state}  {clean(f.rule.name)}"
    tail = f"{f.rule.id} · {f.severity}"
    gap = paint.width - len(first) - len(tail)
    if gap >= 2:
        yield paint(first, f.severity) + " " * gap + paint(tail, "dim")
    else:
        yield paint(paint.fit(first), f.severity)
        yield "   " + paint(paint.fit(tail, 3), "dim")
    main = [p for p in f.places if p.part == f.rule.part] or list(f.places)
    files = len({path_of(p.provenance) for p in main})
    yield paint.fit(f"   {f.preview}  (id {f.id[:8]})   score {f.score.value:.2f}, found {len(main)}× in {plural(files, 'file')}")
    yield ""
    place = main[0]
    yield "   " + paint(paint.fit(at(place), 3), "bold") + (f"  decoded from {place.encoding}" if place.encoding else "")
    if isinstance(place.provenance, GitProvenance):
        yield from (f"   {paint.fit(line, 3)}" for line in _history(main))
    yield from _frame(place, paint)
    others = main[1:]
    if others:
        shown = [at(p) for p in others[:_MORE_PLACES]]
        more = f" · +{len(others) - _MORE_PLACES} more" if len(others) > _MORE_PLACES else ""
        for line in _wrap("also: " + " · ".join(shown) + more, paint.width - 3):
            yield "   " + line
    for part in (p for p in f.places if p.part != f.rule.part):
        yield paint.fit(f"   with its {part.part.replace('_', ' ')} at {at(part)}")
    if paint.options.verbose:
        for reason in f.score.reasons:
            yield paint(paint.fit(f"   {reason.weight:+6.2f}  {clean(reason.detail)}"), "dim")
    yield ""
    # a command is never cut: what is printed runs as it is pasted
    yield f"   next   rotate it:    leakguard rules show {f.rule.id}"
    yield f"          why:          leakguard explain {f.id[:8]}"
    yield f'          false alarm:  leakguard allow {f.id[:8]} --reason "..."'


def _history(places: list[Place]) -> Iterator[str]:
    """Say who brought it, when, and where it still is."""
    all_of_them = [p.provenance for p in places if isinstance(p.provenance, GitProvenance)]
    first = min((p for p in all_of_them if p.commit), key=lambda p: p.time, default=None)
    if first is None:
        yield "no commit leads to it (a reflog, the index, or dangling)"
        return
    yield f"since {first.date[:10]}  commit {first.commit[:12]}  {clean(first.author)}"
    heads = list(dict.fromkeys(clean(head) for p in all_of_them for head in p.heads))
    more = f" and {len(heads) - 3} more" if len(heads) > 3 else ""
    yield "still at the end of " + ", ".join(heads[:3]) + more if heads else "at the end of no branch; the history still holds it"


def _frame(place: Place, paint: _Paint) -> Iterator[str]:
    if not place.frame:
        return
    digits = len(str(place.frame[-1].number))
    room = paint.width - digits - 6
    last = None
    for line in place.frame:
        if last is not None and line.number > last + 1:
            hidden = line.number - last - 1
            yield paint(f"   {' ' * digits} │ … {plural(hidden, 'line')}", "dim")
        last = line.number
        text, marks = _window(line, room)
        yield f"   {paint(f'{line.number:{digits}} │', 'dim')} {text}"
        for start, end, label in marks:
            caret = "─" * max(0, end - start - 2)
            yield (
                f"   {' ' * digits} {paint('│', 'dim')} "
                + " " * start
                + paint(f"╰{caret}╯ {label.replace('_', ' ')}"[: max(4, room - start)], "critical")
            )


def _window(line: FrameLine, room: int) -> tuple[str, list[tuple[int, int, str]]]:
    """Cut a frame line to the width of the terminal, its marks kept in sight."""
    text, marks = clean(line.text), list(line.marks)
    if len(text) <= room:
        return text, marks
    begin = max(0, min((marks[0][0] if marks else 0) - room // 3, len(text) - room + 1))
    cut = ("…" if begin else "") + text[begin + (1 if begin else 0) : begin + room - 1] + "…"
    return cut, [(max(0, s - begin), min(room, e - begin), label) for s, e, label in marks if begin <= s < begin + room - 2]


def _wrap(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = "      " + word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _summary(report: Report, paint: _Paint) -> Iterator[str]:
    c = report.coverage
    bits = []
    if report.findings:
        counts = Counter(f.severity for f in report.findings)
        told = ", ".join(f"{counts[s]} {s}" for s in ("critical", "high", "medium", "low") if counts[s])
        bits.append(f"{plural(len(report.findings), 'finding')} ({told})")
    if report.suppressed:
        by = Counter(s.by for s in report.suppressed)
        bits.append(f"{len(report.suppressed)} suppressed (" + ", ".join(f"{n} by {name}" for name, n in sorted(by.items())) + ")")
    if report.findings:
        yield paint(paint.fit(" ✖ " + " · ".join(bits)), "critical")
    elif report.incomplete:
        yield paint(paint.fit(" ✖ " + " · ".join(["no leaks found in what could be read", *bits])), "medium")
    else:
        yield paint(paint.fit(" ✔ " + " · ".join(["no leaks found", *bits])), "good")
    speed = f"   {plural(c.files, 'file')}, {size(c.bytes)}, {plural(c.rules, 'rule')} in {c.seconds:.2f} s"
    if c.below_level:
        speed += f" · {c.below_level:,} candidates below level {report.level}"
    yield paint(paint.fit(speed), "dim")
    yield from _skips(report, paint)
    for note in report.notes:
        for line in _wrap(clean(note), paint.width - 9):
            yield f"   note: {line}"
    if report.id_scope == "run" and report.findings:
        yield paint(paint.fit("   note: the ids hold for this run only, no key could be kept (LEAKGUARD_ID_KEY sets one)"), "dim")


def _skips(report: Report, paint: _Paint) -> Iterator[str]:
    chosen = Counter[str]()
    for skip in report.skipped:
        if skip.by_choice:
            chosen[skip.reason] += skip.number
    if chosen:
        told = ", ".join(f"{n:,} {REASONS.get(reason, reason)}" for reason, n in sorted(chosen.items()))
        for line in _wrap("skipped: " + told, paint.width - 3):
            yield paint("   " + line, "dim")
    missed = [s for s in report.skipped if not s.by_choice]
    if missed:
        yield paint(paint.fit(f"   not scanned: {plural(len(missed), 'input')}, so this scan is incomplete"), "high")
        for skip in missed[:_MORE_SKIPS]:
            detail = f" ({clean(skip.detail)})" if skip.detail else ""
            yield paint.fit(f"     {path_of(skip.provenance)}: {REASONS.get(skip.reason, skip.reason)}{detail}")
        if len(missed) > _MORE_SKIPS:
            yield f"     +{len(missed) - _MORE_SKIPS} more; -f json lists them all"


def roots_of(report: Report) -> str:
    """Return what was scanned, for headings of other formats."""
    return ", ".join(clean(root) for root in report.roots) or ", ".join(
        sorted({path_of(p.provenance) for f in report.findings for p in f.places})
    )
