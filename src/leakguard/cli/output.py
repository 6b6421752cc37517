"""Where reports go: the n-th `-o` belongs to the n-th `-f`; files are written whole, mode 0600, by rename.

Where standard output holds neither a text report nor the JSON one, the summary goes to standard error: what was skipped is
told in every run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from leakguard import plugins
from leakguard.errors import UsageError
from leakguard.model.finding import Report
from leakguard.ports import ReportOptions


class Outputs:
    """The reports that were asked for; unknown formats and targets that can't be written are errors before the scan."""

    def __init__(self, formats: Sequence[str], files: Sequence[str]) -> None:
        formats = list(formats) or ["text"]
        if len(files) > len(formats):
            raise UsageError(f"{len(files)} -o but {len(formats)} -f", hint="the n-th -o belongs to the n-th -f")
        targets = [*files, *["-"] * (len(formats) - len(files))]
        if targets.count("-") > 1:
            raise UsageError("two reports can't share standard output", hint="give each but one an -o FILE")
        known = plugins.names("leakguard.reporters")
        for name in formats:
            if name not in known:
                raise UsageError(f"there is no format {name!r}", hint="choose one of: " + ", ".join(known))
        for target in targets:
            folder = os.path.dirname(os.path.abspath(target))
            if target != "-" and (os.path.isdir(target) or not os.path.isdir(folder)):
                raise UsageError(f"the report can't be written to {target}", hint="name a file in a folder that exists")
        self._pairs = list(zip(formats, targets, strict=True))
        self.text_to_stdout = ("text", "-") in self._pairs

    def names(self, form: str) -> bool:
        """Whether this format was asked for."""
        return any(name == form for name, _ in self._pairs)

    def write(self, report: Report, view: Mapping[str, Any], base_path: str) -> None:
        """Write every report; standard output comes last, so that a closed pipe loses no file."""
        for name, target in sorted(self._pairs, key=lambda pair: pair[1] == "-"):
            reporter = plugins.load("leakguard.reporters", name)
            if target == "-":
                reporter.write(report, _stdout(), options(view, base_path, terminal=name == "text"))
            else:
                _write_file(target, reporter, report, options({**view, "color": False}, base_path, terminal=False))
        if not view.get("quiet") and not {("text", "-"), ("json", "-")} & set(self._pairs):
            self._summary(report, view, base_path)

    def _summary(self, report: Report, view: Mapping[str, Any], base_path: str) -> None:
        """Tell on standard error what the formats leave out."""
        from leakguard.reporters import _summary

        sys.stdout.flush()
        looks = options({**view, "color": False}, base_path, terminal=True)
        _summary.write(report, sys.stderr, looks._replace(unicode=shows_unicode(sys.stderr), width=_width(sys.stderr)))


def options(view: Mapping[str, Any], base_path: str, *, terminal: bool) -> ReportOptions:
    """Return how a report looks here."""
    return ReportOptions(
        color=bool(view.get("color")) and terminal,
        unicode=not terminal or shows_unicode(sys.stdout),
        width=_width(sys.stdout) if terminal else 100,
        verbose=bool(view.get("verbose")),
        quiet=bool(view.get("quiet")),
        base_path=base_path,
        show_suppressed=bool(view.get("show_suppressed")),
    )


def colors(choice: str) -> bool:
    """Whether to colour: the flag, else NO_COLOR, FORCE_COLOR, else a terminal that is not dumb."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def shows_unicode(stream: TextIO) -> bool:
    """Whether a stream can show more than ASCII."""
    return (stream.encoding or "ascii").lower().replace("-", "").startswith(("utf", "cp65001"))


def _width(stream: TextIO) -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 100
    except (OSError, ValueError):
        return 100


def _stdout() -> Any:
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # a path or name that the terminal can't show must not stop a report
        reconfigure(errors="backslashreplace")
    return sys.stdout


def _write_file(target: str, reporter: Any, report: Report, view: ReportOptions) -> None:
    # a device or FIFO (/dev/null, /dev/stderr) is written to, never replaced by a file
    straight = os.path.exists(target) and not os.path.isfile(target)
    part = target if straight else f"{target}.{os.getpid()}.part"
    try:
        fd = os.open(part, os.O_WRONLY if straight else os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(fd, "w", encoding="utf-8", errors="backslashreplace", newline="") as out:
                reporter.write(report, out, view)
            if not straight:
                os.replace(part, target)
        except BaseException:
            if not straight:
                os.unlink(part)
            raise
    except OSError as e:
        raise UsageError(f"the report can't be written to {target}: {e.strerror}", hint="choose another -o") from e
