"""`leakguard ci`: what this CI job's change brings, in the form that its provider shows."""

from __future__ import annotations

import io
import os
from typing import Any

import click

from leakguard._version import __version__
from leakguard.cli import _history, _verifying, scan
from leakguard.cli.output import Outputs, colors, options
from leakguard.errors import UsageError

_REPORTS = {"github": [("github", "-")], "gitlab": [("gitlab", "gl-secret-detection-report.json"), ("text", "-")]}
"""What a provider gets where no format is asked for."""


@click.command("ci", epilog="Examples: leakguard ci · leakguard ci --new-since origin/main -f sarif -o leaks.sarif")
@click.option("--new-since", metavar="REV", help="Compare with this commit, whatever the provider says.")
@click.option(
    "-f", "--format", "formats", multiple=True, metavar="FORMAT", help="As in `leakguard scan`; default: what the provider shows."
)
@click.option("-o", "--output", "outputs", multiple=True, metavar="FILE", help="The n-th -o belongs to the n-th -f.")
@click.option("--level", type=click.Choice(["strict", "balanced", "all"]), help="How sure a finding has to be (default balanced).")
@click.option(
    "--fail-on",
    type=click.Choice(["any", "critical", "high", "medium", "low", "live", "none"]),
    help="What makes the exit code 1 (default any).",
)
@click.option(
    "--verify", is_flag=True, help="Ask providers whether what was found is live, where trusted settings say it is yours."
)
@click.option("--plan", is_flag=True, help="With --verify: print what would be asked, and send nothing.")
@click.option(
    "--allow-unknown", is_flag=True, help="With --fail-on live: what could not be verified does not make the exit code 4."
)
@_verifying.options
@click.option("--exit-zero", is_flag=True, help="Exit 0 even with findings; errors keep their codes.")
@click.option("--baseline", metavar="FILE", help="Baseline to use (default .leakguard/baseline.jsonl).")
@click.option("--no-baseline", is_flag=True, help="Report what the baseline covers, too.")
@click.option("--config", metavar="FILE", help="Settings file to use in place of the one found.")
@click.option("--trusted-config", metavar="FILE", help="Take settings from this file only; the repository can't silence anything.")
@click.option("-q", "--quiet", is_flag=True, help="One `path:line:column: rule id` a line.")
def command(new_since: str | None, formats: tuple[str, ...], outputs: tuple[str, ...], **flags: Any) -> int:
    """Scan what this CI job's change brings: every commit of it, messages too, and only the lines that are new.

    Knows GitHub, GitLab, Jenkins, Azure Pipelines, Bitbucket and CircleCI by their variables. A clone that is too shallow
    for the range exits 3 and says how to deepen it. With --verify, a change that comes from a fork is scanned and never verified.
    """
    from leakguard.gitio import ci
    from leakguard.gitio.repository import open_repository
    from leakguard.pipeline.outcome import exit_code

    allow_unknown = flags.pop("allow_unknown")
    asking = scan.asking_of(flags)
    repository = open_repository(".")
    if new_since:
        base = ci.commit(repository, new_since)
        if base is None:
            raise UsageError(f"there is no commit {new_since!r} here", hint="fetch it first; git log shows what there is")
        found = ci.Range("", ("HEAD", f"^{base}"), f"what HEAD has and {new_since} has not")
    else:
        found = ci.find_range(os.environ, repository)
    click.echo(f"leakguard: {found.words}" + (f" ({found.provider})" if found.provider else ""), err=True)
    usual = _REPORTS.get(found.provider, []) if not formats else []
    reports = Outputs([form for form, _ in usual] or formats, [target for _, target in usual] or outputs)
    exit_zero = flags.pop("exit_zero")
    view = {"color": "auto", "verbose": False, "quiet": flags.pop("quiet"), "show_suppressed": False, "base_path": None}
    view |= {"stdin_name": None, "no_baseline": flags.pop("no_baseline"), "at_once": False}
    ranges = dict.fromkeys(_history.RANGES) | {"git_paths": (), "revisions": found.revisions}
    typed = {name: value for name, value in flags.items() if value}
    report, config = scan.run(["."], typed, view, ranges, asking)
    if asking and asking.plan:
        asking.show(reports)
        return 0
    code = exit_code(report, config, allow_unknown=allow_unknown, checked=asking.checked if asking else frozenset())
    report = report._replace(exit_code=code, version=__version__)
    reports.write(report, view | {"color": colors("auto")}, repository.path)
    _summary(report, repository.path)
    return 0 if exit_zero and code == 1 else code


def _summary(report: Any, base: str) -> None:
    """Append the report to the page that GitHub shows for a job."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path or not os.environ.get("GITHUB_ACTIONS"):
        return
    from leakguard.reporters import markdown

    text = io.StringIO()
    markdown.write(report, text, options({}, base, terminal=False))
    with open(path, "a", encoding="utf-8", errors="backslashreplace") as f:
        f.write(text.getvalue())
