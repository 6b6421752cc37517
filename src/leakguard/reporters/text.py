"""Text for people: grouped by credential, worst first, a frame that shows the place and never the value.

Quiet when clean. Every next step that is printed is a command that exists; a test runs them. Lines fit the terminal, but
for paths and commands: what is printed can be opened and pasted, so these are never cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from leakguard.model.blob import REASONS, GitProvenance, is_again, outermost
from leakguard.model.finding import Finding, FrameLine, Place, Report
from leakguard.ports import ReportOptions
from leakguard.reporters import _summary
from leakguard.reporters._escape import at, clean, path_of, plural
from leakguard.reporters._frame import frame_of, main_places, words
from leakguard.reporters._summary import Paint, wrap

SUFFIX = ".txt"
STATES = {
    "not_tried": "◐ UNVERIFIED",
    "unknown": "◐ UNVERIFIED",
    "unverifiable": "◐ UNVERIFIED",
    "skipped_by_policy": "◐ UNVERIFIED",
    "live": "● LIVE",
    "live_restricted": "● LIVE",
    "dead": "○ DEAD",
    "canary": "○ CANARY",
}
"""What a verdict is called: shape and word, so that it reads without colour."""
_MORE_PLACES = 6


def write(report: Report, out: TextIO, options: ReportOptions) -> None:
    """Write the report."""
    _summary.put(_quiet(report) if options.quiet else _lines(report, Paint(options)), out, options)


def _quiet(report: Report) -> Iterator[str]:
    for finding in report.findings:
        for place in finding.places:
            yield f"{at(place)}: {finding.rule.id} {finding.id[:8]}"
    for skip in report.skipped:
        if not skip.by_choice:
            yield f"{path_of(skip.provenance)}: {REASONS.get(skip.reason, skip.reason)}"


def _lines(report: Report, paint: Paint) -> Iterator[str]:
    for finding in report.findings:
        yield from _finding(finding, paint)
        yield ""
    if paint.options.show_suppressed and report.suppressed:
        for s in report.suppressed:
            why = f": {clean(s.reason)}" if s.reason else ""
            until = f" until {s.until}" if s.until else ""
            told = [at(s.finding.places[0]), f" {s.finding.rule.id} ", *f"by {s.by}{why}{until}".split(" ")]
            yield from (paint(line, "dim") for line in wrap(told, paint.width, first=" ◌ ", rest="   "))
        yield ""
    yield from _summary.lines(report, paint)


def _finding(f: Finding, paint: Paint) -> Iterator[str]:
    yield from _heading(f, paint)
    main = main_places(f)
    files = len({path_of(p.provenance) for p in main})
    commits = len({v.commit for p in main if isinstance(v := outermost(p.provenance), GitProvenance) and v.commit})
    found = f"found {len(main)}× in {plural(files, 'file')}" + (f", {plural(commits, 'commit')}" if commits else "")
    facts = [f"{f.preview}  (id {f.id[:8]})", f"score {f.score.value:.2f}, {found}"]
    if f.known is not None:
        facts.append("known from the scan before" if f.known else "new since the scan before")
    yield from wrap(facts, paint.width, rest="   ", joint="   ")
    if f.verdict.state != "not_tried":
        from leakguard.reporters import _verdict

        for n, said in enumerate(_verdict.told(f)):
            yield from wrap(said.split(" "), paint.width, first=" " * 12 if n else "   checked  ", rest=" " * 12)
        if paint.options.verbose:
            for said in _verdict.evidence(f.verdict):
                yield from (paint(line, "dim") for line in wrap(said.split(" "), paint.width, first="   evidence ", rest=" " * 12))
    yield ""
    place = main[0]
    frame = frame_of(f, place)
    yield (
        "   "
        + paint(at(place), "bold")
        + (
            f"  decoded from {', '.join(ways)}"
            if (ways := [*filter(None, [place.encoding]), *(step.way for step in place.via)])
            else ""
        )
    )
    if place.told:
        facts = [f"{clean(name)} {clean(value)}" for name, value in place.told]
        yield from wrap(facts, paint.width, rest="   ", joint=" · ")
    if isinstance(outermost(place.provenance), GitProvenance):
        for told in _history(main):
            yield from wrap(told.split(" "), paint.width)
    yield from _frame(frame.lines, f.severity, paint)
    yield from _others(f, main, frame.places, paint)
    if paint.options.verbose:
        for reason in f.score.reasons:
            lines = wrap(clean(reason.detail).split(" "), paint.width, first=f"   {reason.weight:+6.2f}  ", rest=" " * 11)
            yield from (paint(line, "dim") for line in lines)
    yield ""
    # a command is never cut: what is printed runs as it is pasted
    yield f"   next   rotate it:    leakguard rules show {f.rule.id}"
    if any(is_again(p.provenance) for p in f.places):
        # what came from a stream can't be read again, so neither would run
        yield f"          why:          leakguard explain {f.id[:8]}"
        yield f'          false alarm:  leakguard allow {f.id[:8]} --reason "..."'


def _heading(f: Finding, paint: Paint) -> Iterator[str]:
    """State and name to the left; rule and severity to the right, or below where there is no room."""
    first = f" {STATES.get(f.verdict.state, f.verdict.state.upper())}  {clean(f.rule.name)}"
    tail = f"{f.rule.id} · {f.severity}"
    gap = paint.width - len(first) - len(tail)
    if gap >= 2:
        yield paint(first, f.severity) + " " * gap + paint(tail, "dim")
        return
    yield from (paint(line, f.severity) for line in wrap(first[1:].split(" "), paint.width, first=" ", rest="   "))
    yield from (paint(line, "dim") for line in wrap([f.rule.id, f.severity], paint.width, rest="   ", joint=" · "))


def _others(f: Finding, main: tuple[Place, ...], shown: tuple[Place, ...], paint: Paint) -> Iterator[str]:
    """Name the places that the frame does not show."""
    groups = {"also": [p for p in main[1:] if p not in shown]}
    for p in f.places:
        if p.part != main[0].part and p not in shown:
            groups.setdefault(f"with its {words(p.part, f)} at", []).append(p)
    for label, places in groups.items():
        told = [at(p) for p in places[:_MORE_PLACES]]
        if len(places) > _MORE_PLACES:
            told.append(f"+{len(places) - _MORE_PLACES:,} more")
        first = f"   {label}: " if label == "also" else f"   {label} "
        yield from wrap(told, paint.width, first=first, rest="         ", joint=" · ")


def _history(places: tuple[Place, ...]) -> Iterator[str]:
    """Say who brought it, when, and where it still is."""
    all_of_them = [v for p in places if isinstance(v := outermost(p.provenance), GitProvenance)]
    first = min((p for p in all_of_them if p.commit), key=lambda p: p.time, default=None)
    if first is None:
        yield "no commit leads to it (a reflog, the index, or dangling)"
        return
    yield f"since {first.date[:10]}  commit {first.commit[:12]}  {clean(first.author)}"
    heads = list(dict.fromkeys(clean(head) for p in all_of_them for head in p.heads))
    more = f" and {len(heads) - 3} more" if len(heads) > 3 else ""
    yield "still at the end of " + ", ".join(heads[:3]) + more if heads else "at the end of no branch; the history still holds it"


def _frame(lines: tuple[FrameLine, ...], color: str, paint: Paint) -> Iterator[str]:
    if not lines:
        return
    digits = len(str(lines[-1].number))
    edge = f"   {' ' * digits} " + paint("│", "dim") + " "
    room = paint.width - digits - 6
    last = None
    for line in lines:
        if last is not None and line.number > last + 1:
            yield edge + paint(f"… {plural(line.number - last - 1, 'line')}", "dim")
        last = line.number
        text, marks = _window(line, room)
        yield f"   {paint(f'{line.number:{digits}} │', 'dim')} {text}"
        for start, end, label in marks:
            yield edge + _pointer(_columns(text[:start]), _columns(text[:end]), label, room, color, paint)


def _pointer(start: int, end: int, label: str, room: int, color: str, paint: Paint) -> str:
    """Draw a brace under a mark; its label stands to the right, or to the left where there is no room."""
    brace = f"╰{'─' * max(0, min(end, room) - start - 2)}╯"
    if not label or start + len(brace) + 1 + len(label) <= room:
        return " " * start + paint(f"{brace} {label}".rstrip(), color)
    if len(label) < start:
        return " " * (start - len(label) - 1) + paint(f"{label} {brace}", color)
    return " " * start + paint(brace, color)


def _columns(text: str) -> int:
    """Return how wide a text stands in a terminal; East Asian characters take two columns."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _window(line: FrameLine, room: int) -> tuple[str, list[tuple[int, int, str]]]:
    """Cut a frame line to the width of the terminal, its marks kept in sight."""
    text, marks = clean(line.text), list(line.marks)
    if len(text) <= room:
        return text, marks
    begin = max(0, min((marks[0][0] if marks else 0) - room // 3, len(text) - room + 1))
    cut = ("…" if begin else "") + text[begin + (1 if begin else 0) : begin + room - 1] + "…"
    return cut, [(max(0, s - begin), min(room, e - begin), label) for s, e, label in marks if begin <= s < begin + room - 2]


def roots_of(report: Report) -> str:
    """Return what was scanned, for headings of other formats."""
    return ", ".join(clean(root) for root in report.roots) or ", ".join(
        sorted({path_of(p.provenance) for f in report.findings for p in f.places})
    )
