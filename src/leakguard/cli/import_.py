"""`leakguard import`: convert what another scanner was told."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from leakguard import plugins
from leakguard.errors import UsageError
from leakguard.model.finding import Finding


@click.command("import", epilog="Example: leakguard import gitleaks --write")
@click.argument("tool", type=click.Choice(["gitleaks", "detect-secrets", "ggshield", "trufflehog", "kingfisher"]))
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False))
@click.option("--write", is_flag=True, help="Write rules, settings and baseline lines; without it they are only shown.")
def command(tool: str, files: tuple[str, ...], *, write: bool) -> None:
    """Convert a peer's rules, allowlists, ignore files and baselines; each entry is converted or named.

    Without FILES, the tool's usual files in the current folder are taken. Nothing is overwritten.
    """
    module = plugins.load("leakguard.importers", tool)
    paths = list(files) or [name for name in module.FILES if os.path.isfile(name)]
    if not paths:
        raise UsageError(
            f"no file of {tool} is here ({', '.join(module.FILES[:3])}, ...)", hint=f"name it: leakguard import {tool} FILE"
        )
    seen: list[Finding] = []

    def look(path: str) -> Sequence[Finding]:
        found = _look(path)
        seen.extend(found)
        return found

    done = module.convert(paths, look)
    for entry in done.entries:
        mark = "converted" if entry.converted else "left     "
        click.echo(f"{mark}  {entry.where}: {entry.what}" + (f" ({entry.note})" if entry.note else ""))
    converted = sum(e.converted for e in done.entries)
    click.echo(f"{converted} converted, {len(done.entries) - converted} left, each named above")
    pieces = _pieces(tool, done)
    for target, text in pieces:
        if write:
            _write(target, text, seen)
        else:
            click.echo(f"\n--- {target}\n{text}", nl=False)
    if pieces and not write:
        click.echo("\nnothing was written: add --write")


def _pieces(tool: str, done: object) -> list[tuple[str, str]]:
    """Return what goes where."""
    from leakguard.importers import Conversion
    from leakguard.importers._patterns import string

    assert isinstance(done, Conversion)
    out = []
    settings = []
    if done.rules:
        path = f".leakguard/rules/imported-{tool}.toml"
        out.append((path, done.rules))
        settings.append(f'rule_paths = ["{path}"]\n')
    settings += [
        f"\n[[path]]\npatterns = [{string(pattern)}]\nreason = {string(reason)}\n" for pattern, reason in dict.fromkeys(done.paths)
    ]
    if settings:
        out.append((".leakguard.toml", "".join(settings)))
    if done.baseline:
        out.append((".leakguard/baseline.jsonl", "".join(line + "\n" for line in sorted(set(done.baseline)))))
    return out


def _write(target: str, text: str, seen: Sequence[Finding]) -> None:
    """Write a new file; add to a baseline what it does not cover yet; never touch settings or rules that are there."""
    from leakguard.suppress.baseline import Baseline, write

    if target.endswith("baseline.jsonl"):
        old = Baseline.load(target).lines if os.path.lexists(target) else ()
        covered = [f for f in seen if any(line.covers(f) for line in old)]
        new = Baseline.parse(text.encode("utf-8", "surrogateescape"), target).lines
        added = [line.text for line in new if line.foreign or not any(line.covers(f) for f in covered)]
        write(target, sorted({*(line.text for line in old), *added}))
    elif os.path.lexists(target):
        click.echo(f"\n{target} is there already: add this by hand\n{text}")
        return
    else:
        write(target, text.splitlines())
    click.echo(f"wrote {target}")


def _look(path: str) -> Sequence[Finding]:
    """Scan one file at level `all`, nothing suppressed."""
    from leakguard import api
    from leakguard.config import Config

    if not os.path.isfile(path):
        return ()
    return api.scan_path(path, Config(jobs=1, level="all", ignore=False, inline_marks=False)).findings
