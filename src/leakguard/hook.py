"""The hook's own small entry: what is staged, and paths that are named, scanned in milliseconds.

    leakguard-hook [options] [FILE...]

Without FILE everything that is staged is scanned, out of the index; a FILE that is staged comes out of the index, too,
any other one from disk, whole. Settings and baseline come out of the index, so that what is not committed silences
nothing. No click, no GitPython: what is imported here is counted by a test.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from leakguard.errors import ExitCode, LeakguardError, UsageError

DEADLINE = 10.0
"""Seconds; what is left then is told, and the exit code is 3."""

HELP = """\
Usage: leakguard-hook [OPTIONS] [FILE]...

  Scan what is staged for leaked credentials; a FILE that is not staged is
  scanned from disk.

Options:
  --whole-file          Report old lines of changed files, too.
  --deadline SECONDS    Stop after so long and exit 3 (default 10;
                        LEAKGUARD_HOOK_DEADLINE).
  --level LEVEL         strict, balanced or all (default balanced).
  --fail-on WHAT        any, critical, high, medium, low or none.
  --config FILE         Settings file to use in place of the one found.
  --trusted-config FILE Take settings from this file only.
  --baseline FILE       Baseline to use.
  --no-baseline         Report what the baseline covers, too.
  -q, --quiet           One `path:line:column: rule id` a line.
  -v, --verbose         Show scores, and a summary when clean.
  -V, --version         Show the version and exit.
  -h, --help            Show this message and exit.

Exit codes: 0 clean, 1 findings, 2 usage or settings, 3 something could not
be read in time or at all.
"""
_VALUES = {
    "--deadline": "deadline",
    "--level": "level",
    "--fail-on": "fail_on",
    "--config": "config",
    "--trusted-config": "trusted_config",
    "--baseline": "baseline",
}
_SWITCHES = {
    "--whole-file": "whole_file",
    "--no-baseline": "no_baseline",
    "--quiet": "quiet",
    "-q": "quiet",
    "--verbose": "verbose",
    "-v": "verbose",
    "--help": "help",
    "-h": "help",
    "--version": "version",
    "-V": "version",
}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the hook and exit as `--help` says."""
    try:
        code = run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except LeakguardError as e:
        sys.stderr.write(f"leakguard: {e.message}\n" + (f"  {e.hint}\n" if e.hint else ""))
        code = e.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = ExitCode.INCOMPLETE
    except Exception as e:  # noqa: BLE001 - the last boundary: a traceback may hold scanned bytes
        sys.stderr.write(bug(e))
        code = ExitCode.BUG
    sys.exit(code)


def bug(error: Exception) -> str:
    """Return what is told of a bug of ours: type and places only, since messages and variables may hold scanned bytes."""
    from traceback import extract_tb

    lines = "".join(f"    {frame.filename}:{frame.lineno} in {frame.name}\n" for frame in extract_tb(error.__traceback__)[-8:])
    return f"leakguard: a bug of ours ({type(error).__name__}), nothing was checked\n{lines}  please report it with these lines\n"


def run(argv: Sequence[str]) -> int:
    """Scan and return the exit code.

    Raises:
        LeakguardError: the arguments don't fit, or git could not be asked.
    """
    typed, files = parse(argv)
    if typed.get("help"):
        sys.stdout.write(HELP)
        return 0
    if typed.get("version"):
        from leakguard._version import __version__

        sys.stdout.write(f"leakguard-hook {__version__}\n")
        return 0
    started = time.monotonic()
    seconds = deadline(typed.get("deadline") or os.environ.get("LEAKGUARD_HOOK_DEADLINE", ""))
    return scan_staged(typed, files, lambda: time.monotonic() - started > seconds)


def parse(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Read the command line.

    Raises:
        UsageError: an option is unknown or lacks its value.
    """
    typed: dict[str, str] = {}
    files: list[str] = []
    rest = iter(argv)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--":
            files += rest
        elif name in _VALUES:
            given = value if equals else next(rest, None)
            if given is None:
                raise UsageError(f"{name} needs a value", hint="leakguard-hook --help lists the options")
            typed[_VALUES[name]] = given
        elif word in _SWITCHES:
            typed[_SWITCHES[word]] = "1"
        elif word.startswith("-") and word != "-":
            raise UsageError(f"there is no option {name}", hint="leakguard-hook --help lists the options")
        else:
            files.append(word)
    return typed, files


def deadline(text: str) -> float:
    """Return the seconds that a run may take.

    Raises:
        UsageError: it is no number above zero.
    """
    try:
        seconds = float(text or DEADLINE)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError("the deadline has to be a number of seconds above zero", hint="--deadline 10")
    return seconds


def scan_staged(typed: dict[str, str], files: Sequence[str], expired: Callable[[], bool]) -> int:
    """Scan what is staged and what is named; print what blocks; return the exit code."""
    from leakguard.gitio.objects import Objects
    from leakguard.gitio.staged import staged, top_level

    cwd = os.getcwd()
    top = top_level(cwd)
    found = staged(cwd)
    named = {os.path.relpath(os.path.abspath(f), top).replace(os.sep, "/") for f in files}
    changes = [c for c in found.changes if c.path in named] if files else found.changes
    disk = sorted(named - {c.path for c in found.changes})
    if not changes and not disk:
        return ExitCode.CLEAN
    with Objects(cwd, hook=True) as objects:
        return _scan(typed, top, changes, found.gone, disk, objects, expired)


def _scan(
    typed: dict[str, str],
    top: str,
    changes: Sequence[Any],
    gone: Sequence[str],
    disk: Sequence[str],
    objects: Any,
    expired: Callable[[], bool],
) -> int:
    from leakguard.pipeline import Setup, scan
    from leakguard.pipeline import setup as prepare
    from leakguard.sources.staged import StagedSource
    from leakguard.suppress.identity import id_key

    config, baseline = settings(typed, top, objects)
    engine = prepare.build_engine(config, os.environ)
    config = config._replace(notes=(*config.notes, *prepare.unknown_rules(config, engine)))
    exclude = prepare.excluders(config, prepare.today())
    leaves_out = exclude(top) if exclude else None
    source = StagedSource(top, changes, gone, objects, expired=expired, exclude=leaves_out, max_size=config.max_size or None)
    setup = Setup(engine, config, id_key(os.environ, top, create=True), prepare.today(), baseline, whole=False)
    report = scan(
        _Both(source, _Disk(top, disk, leaves_out, config.max_size or None, expired)),
        setup,
        roots=[top],
        clock=time.monotonic,
        keep=None if "whole_file" in typed else source.is_new,
    )
    return tell(report, config, typed)


def settings(typed: dict[str, str], top: str, index: Any) -> tuple[Any, Any]:
    """Return configuration and baseline; inside the work tree they are read from the index."""
    from leakguard.config import MAX_FILE, load, read_file

    flags: dict[str, object] = {
        name: typed[name] for name in ("level", "fail_on", "config", "trusted_config", "baseline") if name in typed
    }
    named = {os.path.abspath(typed[name]) for name in ("config", "trusted_config", "baseline") if name in typed}

    def staged(path: str, limit: int | None) -> bytes | None:
        content: bytes | None = index.read(":" + path[len(top) + 1 :].replace(os.sep, "/"), limit=limit)
        return content

    def inside(path: str) -> bool:
        return path.startswith(top + os.sep) and path not in named

    config = load(top, flags, os.environ, read=lambda path: staged(path, MAX_FILE) if inside(path) else read_file(path))
    if "no_baseline" in typed:
        config = config._replace(baseline="")
    if not inside(config.baseline):
        from leakguard.pipeline.setup import load_baseline

        return config, load_baseline(config)
    data = staged(config.baseline, None)
    if data is None:
        return config, None
    from leakguard.suppress.baseline import Baseline

    return config, Baseline.parse(data, os.path.relpath(config.baseline, top) + " (staged)")


class _Disk:
    """Paths that were named and are not staged: read from disk, shown relative to the top level."""

    def __init__(
        self,
        top: str,
        paths: Sequence[str],
        exclude: Callable[[str], str] | None,
        max_size: int | None,
        expired: Callable[[], bool],
    ) -> None:
        self._top, self._paths, self._exclude, self._max_size, self._expired = top, paths, exclude, max_size, expired

    def blobs(self) -> Iterator[Any]:
        """Yield the blobs of each path."""
        if not self._paths:
            return
        import stat

        from leakguard.model.blob import FileProvenance, Skipped
        from leakguard.sources._walk import Entry, failed
        from leakguard.sources.files import FileShard

        for path in self._paths:
            provenance = FileProvenance(self._top, path)
            if self._exclude is not None and (why := self._exclude(path)):
                yield Skipped(provenance, "excluded", by_choice=True, detail=why)
                continue
            if self._expired():
                yield Skipped(provenance, "timeout", by_choice=False, detail="the deadline came first")
                continue
            try:
                status = os.lstat(os.path.join(self._top, path))
            except OSError as e:
                yield failed(provenance, e)
                continue
            if stat.S_ISDIR(status.st_mode):
                yield Skipped(provenance, "submodule", by_choice=True, detail="a folder; leakguard scan reads folders")
                continue
            entry = Entry(path, status.st_size, stat.S_ISLNK(status.st_mode))
            yield from FileShard(self._top, (entry,), self._max_size, status.st_size).blobs()

    def reopen(self, place: Any) -> Any:
        """Return the bytes of a place again."""
        from leakguard.sources.files import reopen

        return reopen(place)


class _Both:
    """What is staged, then what was named."""

    def __init__(self, index: Any, disk: _Disk) -> None:
        self._index, self._disk = index, disk

    def blobs(self) -> Iterator[Any]:
        """Yield the blobs of both."""
        yield from self._index.blobs()
        yield from self._disk.blobs()

    def reopen(self, place: Any) -> Any:
        """Return the bytes of a place again."""
        return (self._index if place.provenance.kind == "staged" else self._disk).reopen(place)


def tell(report: Any, config: Any, typed: dict[str, str]) -> int:
    """Print what blocks or could not be looked at; nothing when clean."""
    from leakguard.pipeline.outcome import exit_code

    code = exit_code(report, config)
    if report.findings:
        from leakguard.suppress import lastrun

        lastrun.save(report, os.getcwd(), os.environ)
    if report.findings or code or report.notes or "verbose" in typed:
        from leakguard.ports import ReportOptions
        from leakguard.reporters import text

        stdout = sys.stdout
        stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a stream that was replaced has it, too
        encoding = (stdout.encoding or "ascii").lower().replace("-", "")
        width = int(os.environ.get("COLUMNS", "")) if os.environ.get("COLUMNS", "").isdigit() else 100
        color = stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        text.write(
            report,
            stdout,
            ReportOptions(
                color=color, unicode=encoding.startswith("utf"), width=width, verbose="verbose" in typed, quiet="quiet" in typed
            ),
        )
    return code
