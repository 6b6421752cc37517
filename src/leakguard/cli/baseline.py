"""`leakguard baseline`: create, update, prune, audit."""

from __future__ import annotations

import os
from typing import Any

import click

from leakguard.errors import ExitCode, UsageError

_file = click.option("--baseline", "file", metavar="FILE", help="Baseline to write (default .leakguard/baseline.jsonl).")
_path = click.argument("path", default=".", type=click.Path(exists=True))
_level = click.option(
    "--level", type=click.Choice(["strict", "balanced", "all"]), help="How sure a finding has to be (default balanced)."
)


@click.group("baseline")
def command() -> None:
    """Accept what is there today; report what is new.

    The file holds salted hashes, no values and no line numbers; commit it. Put
    `.leakguard/baseline.jsonl merge=union` into .gitattributes and branches merge without conflicts.
    """


def _scan(path: str, file: str | None, level: str | None) -> tuple[Any, Any, str]:
    """Scan without a baseline; return report, settings and the baseline's path."""
    from leakguard import api
    from leakguard.config import load
    from leakguard.pipeline import setup as prepare
    from leakguard.sources.files import FilesSource
    from leakguard.suppress.identity import id_key

    config = load(path, {"baseline": file, "level": level}, os.environ)
    if not config.baseline:
        raise UsageError("no baseline applies here (--trusted-config)", hint="name one with --baseline")
    id_key(os.environ, config.top or None, create=True)
    source = FilesSource(
        [path],
        ignore=config.ignore,
        max_size=config.max_size or None,
        depth=config.max_archive_depth,
        exclude=prepare.excluders(config, prepare.today()),
    )
    return api.scan(source, config._replace(baseline=""), roots=[os.path.abspath(path)]), config, config.baseline


def _stored(path: str) -> Any:
    from leakguard.suppress.baseline import Baseline

    if not os.path.lexists(path):
        raise UsageError(f"there is no {os.path.relpath(path)}", hint="leakguard baseline create makes one")
    return Baseline.load(path)


def _warn(report: Any) -> int:
    """Say what could not be read: it can't have been accepted."""
    missing = [s for s in report.skipped if not s.by_choice]
    if missing:
        click.echo(f"{len(missing)} files could not be read and are not covered; leakguard scan names them", err=True)
    return ExitCode.INCOMPLETE if missing else ExitCode.CLEAN


@command.command("create")
@_path
@_file
@_level
@click.option("--reason", default="", help="Written to every line.")
@click.option("--force", is_flag=True, help="Replace a baseline that is there.")
def create(path: str, file: str | None, level: str | None, reason: str, *, force: bool) -> int:
    """Write a baseline of all that is found below PATH now."""
    from leakguard.suppress import baseline

    report, _config, target = _scan(path, file, level)
    if os.path.lexists(target) and not force:
        raise UsageError(
            f"{os.path.relpath(target)} is there already", hint="leakguard baseline update adds what is new; --force replaces it"
        )
    lines = baseline.create(report.findings, reason=reason)
    baseline.write(target, lines)
    click.echo(
        f"{len(lines)} lines for {len(report.findings)} findings in {os.path.relpath(target)}; rotate them all the same: a baseline only stops the noise"
    )
    return _warn(report)


@command.command("update")
@_path
@_file
@_level
@click.option("--reason", default="", help="Written to every new line.")
def update(path: str, file: str | None, level: str | None, reason: str) -> int:
    """Add what is found now and not covered yet; every other line stays as it is."""
    from leakguard.pipeline import setup as prepare
    from leakguard.suppress import baseline

    report, _config, target = _scan(path, file, level)
    old = _stored(target)
    lines = baseline.update(old, report.findings, prepare.today(), reason=reason)
    baseline.write(target, lines)
    click.echo(f"{len(lines) - len({line.text for line in old.lines})} lines added, {len(lines)} in {os.path.relpath(target)}")
    return _warn(report)


@command.command("prune")
@_path
@_file
def prune(path: str, file: str | None) -> int:
    """Remove lines that ended or cover nothing any more; refused while something could not be read."""
    from leakguard.pipeline import setup as prepare
    from leakguard.suppress import baseline

    report, _config, target = _scan(path, file, "all")
    if code := _warn(report):
        click.echo("nothing was removed: what could not be read may still be covered", err=True)
        return code
    lines, gone = baseline.prune(_stored(target), report.findings, prepare.today())
    baseline.write(target, lines)
    click.echo(f"{gone} lines removed, {len(lines)} left in {os.path.relpath(target)}")
    return ExitCode.CLEAN


@command.command("audit")
@_path
@_file
def audit(path: str, file: str | None) -> int:
    """Ask about each finding that the baseline covers without a reason: a leak, a false alarm, or later?

    A leak loses its line, so that it is reported again; a false alarm gets its reason.
    """
    from leakguard.pipeline import setup as prepare
    from leakguard.suppress import baseline

    report, _config, target = _scan(path, file, "all")
    stored = _stored(target)
    today = prepare.today()
    texts = {line.text for line in stored.lines}
    asked = answered = 0
    for finding in report.findings:
        lines = [line for line in stored.lines if not line.reason and not line.expired(today) and line.covers(finding)]
        if not lines:
            continue
        asked += 1
        place = finding.places[0]
        click.echo(f"\n{finding.rule.name}  {finding.preview}  score {finding.score.value:.2f}  ({len(finding.places)} places)")
        for row in place.frame:
            click.echo(f"  {row.number:6} | {row.text}")
        answer = click.prompt(
            "[l]eak, [f]alse alarm, [s]kip, [q]uit", type=click.Choice(["l", "f", "s", "q"]), default="s", show_choices=False
        )
        if answer == "q":
            break
        if answer == "l":
            texts -= {line.text for line in lines}
            answered += 1
        elif answer == "f":
            reason = click.prompt("why", default="false alarm")
            texts = (texts - {line.text for line in lines}) | {
                baseline.with_answer(line, reason=reason, until="") for line in lines
            }
            answered += 1
    if answered:
        baseline.write(target, sorted(texts))
    click.echo(f"{answered} of {asked} answered" + ("" if asked else ": every covered finding has its reason"))
    return ExitCode.CLEAN
