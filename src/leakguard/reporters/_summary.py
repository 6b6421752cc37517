"""The last lines of a run: what was found, how much was read, what was not; under a text report, and beside machine formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TextIO

from leakguard.model.blob import REASONS
from leakguard.model.finding import Report
from leakguard.ports import ReportOptions
from leakguard.reporters._escape import ascii_only, clean, path_of, plural, size

_COLORS = {"critical": "1;31", "high": "31", "medium": "33", "low": "36", "dim": "2", "bold": "1", "good": "32"}
_MORE_SKIPS = 10


class Paint:
    """Colour and width of one report."""

    def __init__(self, options: ReportOptions) -> None:
        self.options = options
        # ASCII stand-ins are longer than what they stand for: two marks of a line by two characters each
        self.width = max(40, options.width) - (0 if options.unicode else 4)

    def __call__(self, text: str, color: str) -> str:
        """Colour a text, if this report has colours."""
        return f"\x1b[{_COLORS[color]}m{text}\x1b[0m" if self.options.color and text else text


def write(report: Report, out: TextIO, options: ReportOptions) -> None:
    """Write the summary alone, for the formats that can't hold it."""
    put(lines(report, Paint(options)), out, options)


def put(told: Iterable[str], out: TextIO, options: ReportOptions) -> None:
    """Write lines as this output can show them."""
    out.writelines((line if options.unicode else ascii_only(line)).rstrip() + "\n" for line in told)


def wrap(units: Iterable[str], width: int, *, first: str = "   ", rest: str = "      ", joint: str = " ") -> Iterator[str]:
    """Fill lines with units that are never broken; a unit wider than a line has one for itself."""
    line, empty = first, True
    for unit in units:
        if not empty and len(line) + len(joint) + len(unit) > width:
            yield line + joint.rstrip()
            line, empty = rest, True
        line += unit if empty else joint + unit
        empty = False
    if not empty:
        yield line


def lines(report: Report, paint: Paint) -> Iterator[str]:
    """Yield the verdict, the coverage, what was skipped, what could not be read, notes."""
    if report.findings:
        mark, said, color = "✖", [], "critical"
        counts = Counter(f.severity for f in report.findings)
        told = ", ".join(f"{counts[s]} {s}" for s in ("critical", "high", "medium", "low") if counts[s])
        live = sum(f.verdict.state in ("live", "live_restricted") for f in report.findings)
        said += [f"{live} live"] * (live > 0)
        said.append(f"{plural(len(report.findings), 'finding')} ({told})")
    elif report.incomplete:
        mark, said, color = "✖", ["no leaks found in what could be read"], "medium"
    else:
        mark, said, color = "✔", ["no leaks found"], "good"
    if report.suppressed:
        by = Counter(s.by for s in report.suppressed)
        said.append(f"{len(report.suppressed)} suppressed (" + ", ".join(f"{n} by {name}" for name, n in sorted(by.items())) + ")")
    width = paint.width
    yield from (paint(line, color) for line in wrap(said, width, first=f" {mark} ", rest="   ", joint=" · "))
    c = report.coverage
    read = f"{plural(c.files, 'file')}, {size(c.bytes)}, {plural(c.rules, 'rule')} in {c.seconds:.2f} s"
    if width < 60:
        yield from (paint(line, "dim") for line in wrap(read.split(" "), width, rest="   "))
        read = ""
    below = f"{c.below_level:,} candidates below level {report.level}" if c.below_level else ""
    yield from (paint(line, "dim") for line in wrap([said for said in (read, below) if said], width, rest="   ", joint=" · "))
    yield from _skips(report, paint)
    notes = [clean(note) for note in report.notes]
    if report.id_scope == "run" and report.findings:
        notes.append("the ids hold for this run only, no key could be kept (LEAKGUARD_ID_KEY sets one)")
    for note in notes:
        yield from wrap(note.split(" "), width, first="   note: ", rest="         ")


def _skips(report: Report, paint: Paint) -> Iterator[str]:
    chosen = Counter[str]()
    for skip in report.skipped:
        if skip.by_choice:
            chosen[skip.reason] += skip.number
    told = [f"{n:,} {REASONS.get(reason, reason)}" for reason, n in sorted(chosen.items())]
    told[:-1] = [f"{one}," for one in told[:-1]]
    yield from (paint(line, "dim") for line in wrap(told, paint.width, first="   skipped: ", rest="            "))
    missed = [s for s in report.skipped if not s.by_choice]
    if missed:
        said = f"not scanned: {plural(len(missed), 'input')}, so this scan is incomplete"
        yield from (paint(line, "high") for line in wrap(said.split(" "), paint.width, rest="   "))
        for skip in missed[:_MORE_SKIPS]:
            why = REASONS.get(skip.reason, skip.reason) + (f" ({clean(skip.detail)})" if skip.detail else "")
            yield from wrap([f"{path_of(skip.provenance)}:", *why.split(" ")], paint.width, first="     ", rest="       ")
        if len(missed) > _MORE_SKIPS:
            yield f"     +{len(missed) - _MORE_SKIPS:,} more; -f json lists them all"
