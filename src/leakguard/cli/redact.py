"""`leakguard redact`: a file, a stream or a command's output with its secrets masked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any

import click

from leakguard.errors import ExitCode, SourceError, UsageError


class _Redact(click.Command):
    """Takes what stands behind `--` for a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta["command"] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command(
    "redact",
    cls=_Redact,
    epilog="Examples: leakguard redact build.log · make 2>&1 | leakguard redact - · leakguard redact -- ./deploy.sh",
    options_metavar="[OPTIONS]",
)
@click.argument("file", required=False, type=click.Path(), metavar="[FILE | - | -- COMMAND]")
@click.option("-o", "--output", metavar="PATH", help="Where the redacted file goes (default: in its place).")
@click.option("--config", metavar="FILE", help="Settings file to use in place of the one found.")
@click.option("--rules", "rule_paths", multiple=True, metavar="PATH", help="Further rule files or folders; repeatable.")
@click.option("--engine", type=click.Choice(["auto", "hyperscan", "portable"]), help="Matcher; both find the same.")
@click.pass_context
def command(ctx: click.Context, /, file: str | None, output: str | None, **flags: Any) -> int:
    """Rewrite a log, a stream or a command's output with each secret masked.

    Every other byte stays as it is. A FILE is rewritten whole or not at all, and scanned again. A COMMAND keeps its exit code and gets the signals that
    come; the values of variables whose names say secret are masked, too. What could not be scanned is withheld, and the exit code is 3
    (of a command that failed by itself: its own).
    """
    run = ctx.meta.get("command")
    if (run is None) == (file is None) or run == []:
        raise UsageError("name a file, `-` for standard input, or a command behind `--`", hint="leakguard redact -- make test")
    if output is not None and (file in (None, "-")):
        raise UsageError("-o goes with a file", hint="redirect standard output instead")
    engine = _engine({name: value for name, value in flags.items() if value})
    if run is not None:
        from leakguard.cli._redact_run import run as run_command

        return run_command(run, engine)
    return _stream(engine) if file == "-" else _file(str(file), output, engine)


def _engine(typed: dict[str, object]) -> Any:
    from leakguard.config import load
    from leakguard.pipeline import setup

    config = load(".", typed, os.environ)
    return setup.build_engine(config._replace(only_rules=()), os.environ, level="all")


def _stream(engine: Any) -> int:
    from leakguard.cli._redact_run import pump
    from leakguard.pipeline.redacting import Known, Redactor

    redactor = Redactor(engine, Known())
    pump([(sys.stdin.buffer, redactor, sys.stdout.fileno())])
    return _told(redactor.trouble)


def _told(trouble: str) -> int:
    if not trouble:
        return ExitCode.CLEAN
    click.echo(f"leakguard: something was withheld: {trouble}", err=True)
    return ExitCode.INCOMPLETE


def _file(path: str, output: str | None, engine: Any) -> int:
    """Redact a file: once to know its values, once to mask them; then look again."""
    from leakguard.model.blob import FileProvenance
    from leakguard.pipeline.redacting import Known, Redactor

    path = os.path.realpath(path)
    target = os.path.realpath(output) if output else path
    if os.path.exists(target) and not os.path.isfile(target):
        raise UsageError(f"{target} is no file", hint="redact into a file, or pipe: leakguard redact - < build.log")
    provenance = FileProvenance(*os.path.split(path))
    known = Known()
    part = f"{target}.{os.getpid()}.part"
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            _refuse(path, file)
            for _ in _redacted(file, Redactor(engine, known, provenance)):
                pass
            redactor = Redactor(engine, known, provenance)
            try:
                with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                    out.writelines(_redacted(file, redactor))
                    out.flush()
                    os.fsync(out.fileno())
                left = _left(part, provenance, engine)
                _unchanged(path, status)
                os.chmod(part, status.st_mode & 0o7777)
                os.replace(part, target)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(part)
    except OSError as e:
        raise SourceError(f"{path} can't be redacted: {e.strerror}", hint="check the path and its permissions") from e
    count = f"{redactor.places} place{'s' * (redactor.places != 1)} redacted"
    again = f"{left} possible secret{'s' * (left != 1)} left, see leakguard scan --level all" if left else "nothing left"
    click.echo(f"{target}: {count}; scanned again: {again}", err=True)
    return ExitCode.INCOMPLETE if left else ExitCode.CLEAN


def _unchanged(path: str, status: os.stat_result) -> None:
    after = os.stat(path)
    if (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
        raise SourceError(f"{path} changed meanwhile and stays as it is", hint="run it once nobody writes to it")


def _refuse(path: str, file: IO[bytes]) -> None:
    from leakguard.sources._magic import kind_of
    from leakguard.sources._text import HEAD, sniff

    head = file.read(HEAD + 1)
    if kind_of(head):
        raise UsageError(f"{path} is a container", hint="unpack it, and redact what is inside")
    encoding = sniff(head, whole=len(head) <= HEAD)
    if encoding not in ("", "utf-8-sig"):
        what = "is binary" if encoding == "binary" else f"is written in {encoding}"
        raise UsageError(f"{path} {what}, and stays as it is", hint="convert it to UTF-8 text first")


def _redacted(file: IO[bytes], redactor: Any) -> Iterator[bytes]:
    file.seek(0)
    while data := file.read(1 << 18):
        yield redactor.feed(data)
        _sound(redactor)
    yield redactor.close()
    _sound(redactor)


def _sound(redactor: Any) -> None:
    """Rather no redacted file than one that lacks something."""
    if redactor.trouble:
        raise SourceError(f"not all could be scanned ({redactor.trouble}), so the file stays as it is", hint="please report it")


def _left(path: str, provenance: Any, engine: Any) -> int:
    """Count what a scan of the result still finds."""
    from leakguard.model.blob import Blob
    from leakguard.sources._chunks import chunks

    with open(path, "rb") as file:
        read: Callable[[int], bytes] = file.read
        return sum(len(engine.scan(blob).candidates) for blob in chunks(read, provenance, "") if isinstance(blob, Blob))
