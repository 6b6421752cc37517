"""`leakguard scan`: the main job."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from leakguard._version import __version__
from leakguard.cli import _history, _image, _verifying
from leakguard.cli.output import Outputs, colors
from leakguard.errors import UsageError

_COLLECTED = 50_000
"""Objects between two searches for circles: a scan makes many that last to its end, and hardly a circle."""


@click.command(
    "scan", epilog="Examples: leakguard scan · leakguard scan -f sarif -o leaks.sarif src · journalctl | leakguard scan -"
)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "-f",
    "--format",
    "formats",
    multiple=True,
    metavar="FORMAT",
    help="text, json, jsonl, sarif, junit, gitlab, github, csv, markdown or html; repeatable.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Where the report goes, `-` for standard output; the n-th -o belongs to the n-th -f.",
)
@click.option("--git", is_flag=True, help="PATHs are repositories: scan their whole history.")
@click.option("--unreachable", is_flag=True, help="With --git: also what no ref leads to (reflogs, stashes, dangling, the index).")
@click.option("--incremental", is_flag=True, help="With --git: read only what is new since the last such scan; report everything.")
@click.option("--since-commit", metavar="REV", help="With --git: only what came after this commit.")
@click.option("--new-since", metavar="REV", help="With --git: only what this commit does not have yet.")
@click.option("--branch", metavar="NAME", help="With --git: only what leads to this branch.")
@click.option("--commits", metavar="A..B", help="With --git: only the commits of this range.")
@click.option("--since", metavar="DATE", help="With --git: only commits after this date.")
@click.option("--path", "git_paths", multiple=True, metavar="PATHSPEC", help="With --git: only these paths; repeatable.")
@click.option(
    "--image", is_flag=True, help="PATHs are images: files, folders, names in an engine or a registry (--allow-host, --ca-file)."
)
@click.option("--platform", metavar="OS/ARCH", help="With --image: which image of several (linux/arm64), or all.")
@click.option("--level", type=click.Choice(["strict", "balanced", "all"]), help="How sure a finding has to be (default balanced).")
@click.option("--no-ignore", is_flag=True, help="Scan what .gitignore hides, too.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out paths, written as in .gitignore; repeatable.")
@click.option("--max-size", metavar="SIZE", help="Skip larger files (10MB, 512k); there is no limit by default.")
@click.option(
    "--max-archive-depth",
    type=click.IntRange(min=0),
    metavar="N",
    help="Look into archives and other containers, N deep within each other (default 8); 0: not at all.",
)
@click.option("-j", "--jobs", type=int, help="Processes; 0, the default: as many as the input is worth.")
@click.option(
    "--fail-on",
    type=click.Choice(["any", "critical", "high", "medium", "low", "live", "none"]),
    help="What makes the exit code 1 (default any).",
)
@click.option("--verify", is_flag=True, help="Ask providers whether what was found is live (leakguard verify --help).")
@click.option("--plan", is_flag=True, help="With --verify: print what would be asked, and send nothing.")
@click.option(
    "--allow-unknown", is_flag=True, help="With --fail-on live: what could not be verified does not make the exit code 4."
)
@_verifying.options
@click.option("--fail-on-skip", is_flag=True, help="Exit 3 also for what was skipped by choice.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 even with findings; errors keep their codes.")
@click.option("--stdin-name", metavar="NAME", help="Name of what comes from standard input (build.log).")
@click.option("--baseline", metavar="FILE", help="Baseline to use (default .leakguard/baseline.jsonl).")
@click.option("--no-baseline", is_flag=True, help="Report what the baseline covers, too.")
@click.option("--config", metavar="FILE", help="Settings file to use in place of the one found.")
@click.option(
    "--trusted-config", metavar="FILE", help="Take settings from this file only; the scanned repository can't silence anything."
)
@click.option("--strict-inline", is_flag=True, help="Inline marks count only with a rule and a reason.")
@click.option("--rules", "rule_paths", multiple=True, metavar="PATH", help="Further rule files or folders; repeatable.")
@click.option("--rule", "only_rules", multiple=True, metavar="ID", help="Use only these rules; repeatable.")
@click.option("--disable", "disabled_rules", multiple=True, metavar="ID", help="Leave out a rule; repeatable.")
@click.option("--rules-version", type=int, metavar="N", help="Use the built-in rules as of version N.")
@click.option("--warn-new-rules", is_flag=True, help="With --rules-version: tell what newer rules find, without failing.")
@click.option("--engine", type=click.Choice(["auto", "hyperscan", "portable"]), help="Matcher; both find the same.")
@click.option(
    "--base-path",
    metavar="DIR",
    help="Folder that paths in SARIF, GitLab, GitHub and JUnit reports are relative to (default: the git top level).",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours on a terminal (default auto; NO_COLOR counts).",
)
@click.option("-v", "--verbose", is_flag=True, help="Show the score with its reasons.")
@click.option("-q", "--quiet", is_flag=True, help="One `path:line:column: rule id` a line.")
@click.option("--show-suppressed", is_flag=True, help="List what is suppressed, too.")
def command(paths: tuple[str, ...], **flags: Any) -> int:
    """Find leaked credentials in files, folders, streams, git history and images of containers.

    PATH is a file or folder (default: the current folder); `-` reads standard input; with --git it is a repository, with
    --image an image.
    """
    from leakguard.pipeline.outcome import exit_code

    targets = list(paths) or ["."]
    allow_unknown = flags.pop("allow_unknown")
    outputs = Outputs(flags.pop("formats"), flags.pop("outputs"))
    view = {
        name: flags.pop(name)
        for name in ("color", "verbose", "quiet", "show_suppressed", "base_path", "stdin_name", "exit_zero", "no_baseline")
    }
    view["image"] = _image.split(flags)
    asking = asking_of(flags)
    if "-" in targets and len(targets) > 1:
        raise UsageError("`-` can't be mixed with paths", hint="scan standard input on its own")
    if view["stdin_name"] and targets != ["-"]:
        raise UsageError("--stdin-name goes with `-`", hint="leakguard scan - --stdin-name build.log")
    git, ranges = _history.split(flags)
    if git and "-" in targets:
        raise UsageError("a repository can't come from standard input", hint="leakguard scan --git PATH")
    if view["image"] is not None and (git or not paths or "-" in targets):
        raise UsageError("--image takes names of images, files or folders", hint="leakguard scan --image app:1.4")
    view["at_once"] = targets == ["-"] and outputs.text_to_stdout and not view["quiet"]
    report, config = run(targets, _typed(flags), view, ranges if git else None, asking)
    if asking and asking.plan:
        asking.show(outputs)
        return 0
    code = exit_code(report, config, allow_unknown=allow_unknown, checked=asking.checked if asking else frozenset())
    report = report._replace(exit_code=code, version=__version__)
    base = _base(view["base_path"], ["-"] if view["image"] is not None else targets)
    outputs.write(report, view | {"color": colors(view["color"])}, base)
    return 0 if view["exit_zero"] and code == 1 else code


def asking_of(flags: dict[str, Any]) -> _verifying.Asking | None:
    """Take the options of verification out of the flags; None where nothing is to be asked."""
    typed = {name: flags.pop(name) for name in _verifying.NAMES}
    verify, plan = flags.pop("verify"), flags.pop("plan")
    if verify:
        return _verifying.Asking(typed, plan)
    used = [name for name, value in typed.items() if value]
    if plan or used:
        name = "plan" if plan else used[0]
        raise UsageError(
            f"--{_verifying.SPELLED.get(name, name).replace('_', '-')} goes with --verify",
            hint="leakguard scan --verify ...; --allow-host and --ca-file also with --image",
        )
    return None


def _typed(flags: dict[str, Any]) -> dict[str, object]:
    """Keep what was typed; the rest is for files and defaults to say."""
    typed = {name: value for name, value in flags.items() if value not in (None, ()) and value is not False}
    if typed.pop("no_ignore", False):
        typed["ignore"] = False
    return typed


def run(
    targets: list[str],
    typed: dict[str, object],
    view: dict[str, Any],
    ranges: dict[str, Any] | None,
    asking: _verifying.Asking | None = None,
) -> tuple[Any, Any]:
    """Scan; returns the report and the settings. `ranges`: the targets are repositories, and this part of them counts."""
    import gc
    import time

    from leakguard.cli.progress import Progress
    from leakguard.config import load
    from leakguard.pipeline import Setup, scan
    from leakguard.pipeline import setup as prepare
    from leakguard.suppress.identity import id_key

    stdin, image = targets == ["-"], view.get("image")
    config = load("." if stdin or image is not None else targets[0], typed, os.environ)
    if view["no_baseline"]:
        config = config._replace(baseline="")
    if asking:
        config = asking.narrow(config, targets, images=image is not None)
    engine = prepare.build_engine(config, os.environ)
    config = config._replace(notes=(*config.notes, *prepare.unknown_rules(config, engine)))
    baseline = prepare.load_baseline(config)
    setup = Setup(
        engine,
        config,
        id_key(os.environ, config.top or None, create=True),
        prepare.today(),
        baseline,
        whole=_whole(targets, config),
        forks=_may_fork(),
        rules_version=config.rules_version or prepare.rules_version(),
    )
    if config.fail_on == "live" and asking is None:
        raise UsageError("--fail-on live needs to know what is live", hint="add --verify")
    verify = asking.begin(engine, config, setup.key) if asking else None
    gc.set_threshold(_COLLECTED, 20, 100)
    with Progress() as progress:
        if image is not None:
            source = _image.source(targets, image, config.max_archive_depth)
        else:
            source = _source(targets, config, view["stdin_name"], setup, ranges, progress)
        report = scan(
            source,
            setup,
            roots=[] if stdin else targets if image is not None else [os.path.abspath(t) for t in targets],
            clock=time.monotonic,
            seen=_at_once(setup) if view["at_once"] else progress.seen,
            keep=None if ranges is None else source.is_new,
            verify=verify,
        )
    report = report._replace(started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    if config.warn_new_rules and config.rules_version is not None and not stdin and ranges is None and image is None:
        report = report._replace(notes=(*report.notes, *_newer(targets, config, setup)))
    if report.findings and not stdin:
        from leakguard.suppress import lastrun

        lastrun.save(report, os.getcwd(), os.environ)
    return report, config


def _at_once(setup: Any) -> Any:
    from leakguard.cli._at_once import AtOnce
    from leakguard.cli.output import shows_unicode

    return AtOnce(setup, unicode=shows_unicode(sys.stdout)).seen


def _newer(targets: list[str], config: Any, setup: Any) -> list[str]:
    """Say what rules that came after the pinned version find; they never fail a run."""
    import time

    from leakguard.pipeline import scan
    from leakguard.pipeline import setup as prepare

    engine = prepare.build_engine(config._replace(rules_version=None), os.environ)
    pinned = config.rules_version
    newer = [engine.rules.rule(i).id for i in range(len(engine.rules)) if engine.rules.rule(i).since > pinned]
    if not newer:
        return [f"no rules are newer than version {pinned}"]
    only = config._replace(rules_version=None, only_rules=tuple(newer), jobs=1)
    engine = prepare.build_engine(only, os.environ)
    report = scan(
        _source(targets, config, None, setup, None, None),
        setup._replace(engine=engine, config=only, forks=False),
        clock=time.monotonic,
    )
    told = [
        f"newer rules than version {pinned} find {len(report.findings)} more: take them with --rules-version {prepare.rules_version()}"
    ]
    return told + [f"newer rule {f.rule.id}: {f.preview} in {len(f.places)} places" for f in report.findings[:10]]


def _source(
    targets: list[str], config: Any, stdin_name: str | None, setup: Any, ranges: dict[str, Any] | None, progress: Any
) -> Any:
    if targets == ["-"]:
        from leakguard.sources.stream import StreamSource

        return StreamSource(sys.stdin.buffer, stdin_name or "stdin", depth=config.max_archive_depth)
    from leakguard.pipeline.setup import excluders

    exclude = excluders(config, setup.today)
    if ranges is not None:
        if len(targets) > 1:
            raise UsageError("--git takes one repository at a time", hint="run it once for each")
        return _history.source(
            targets[0], ranges, setup.engine, config, forks=setup.forks, exclude=exclude, progress=progress.share
        )
    from leakguard.sources.files import FilesSource

    return FilesSource(
        targets, ignore=config.ignore, max_size=config.max_size or None, depth=config.max_archive_depth, exclude=exclude
    )


def _whole(targets: list[str], config: Any) -> bool:
    """Whether the scan covers all that the baseline speaks of."""
    return len(targets) == 1 and os.path.abspath(targets[0]) == config.top


def _may_fork() -> bool:
    """Fork only a process of one thread; elsewhere workers are spawned."""
    import threading

    return sys.platform == "linux" and threading.active_count() == 1


def _base(typed: str | None, targets: list[str]) -> str:
    """Return the folder that machine formats make paths relative to."""
    if typed:
        return os.path.abspath(typed)
    if targets == ["-"]:
        return ""
    from leakguard.config import git_top

    start = os.path.abspath(targets[0])
    return git_top(start if os.path.isdir(start) else os.path.dirname(start))
