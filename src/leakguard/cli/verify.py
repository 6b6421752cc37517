"""`leakguard verify`: ask providers whether what the last run found, or what comes from standard input, is live."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from leakguard._version import __version__
from leakguard.cli import _verifying
from leakguard.cli.output import Outputs, colors
from leakguard.errors import UsageError


@click.command(
    "verify",
    epilog='Examples: leakguard verify · leakguard verify 7f3a91c2 --plan · printf %s "$TOKEN" | leakguard verify --stdin --rule github-pat-classic',
)
@click.argument("findings", nargs=-1, metavar="[ID]...")
@click.option("--stdin", is_flag=True, help="Verify what comes from standard input: a text, or with --rule one value alone.")
@click.option("--rule", "rule", metavar="ID", help="Only credentials of this rule.")
@click.option(
    "--path", "paths", multiple=True, type=click.Path(exists=True), help="Look here instead of where the last run did; repeatable."
)
@click.option("--plan", is_flag=True, help="Print what would be asked, and send nothing.")
@click.option("--hosts", is_flag=True, help="List every host that rules may ask, for a firewall.")
@click.option("-f", "--format", "formats", multiple=True, metavar="FORMAT", help="As in `leakguard scan`; repeatable.")
@click.option("-o", "--output", "outputs", multiple=True, metavar="FILE", help="The n-th -o belongs to the n-th -f.")
@click.option(
    "--fail-on", type=click.Choice(["live", "any", "none"]), default="live", show_default=True, help="What makes the exit code 1."
)
@click.option("--allow-unknown", is_flag=True, help="What could not be verified does not make the exit code 4.")
@click.option("--config", metavar="FILE", help="Settings file to use in place of the one found.")
@click.option("--trusted-config", metavar="FILE", help="Take settings from this file only.")
@click.option("-v", "--verbose", is_flag=True, help="Show the evidence of each check.")
@_verifying.options
def command(findings: tuple[str, ...], **flags: Any) -> int:
    """Ask providers whether credentials are live: once each, by requests that only read, at hosts that rules name.

    ID is the id of a finding, or the beginning of one; without any, all of the last run here are verified.
    """
    from leakguard.pipeline.outcome import exit_code

    if flags["hosts"]:
        for host in _hosts():
            click.echo(host)
        return 0
    outputs = Outputs(flags["formats"], flags["outputs"])
    asking = _verifying.Asking({name: flags[name] for name in _verifying.NAMES}, flags["plan"])
    if flags["stdin"] and (findings or flags["paths"]):
        raise UsageError("--stdin goes without ids and paths", hint="leakguard verify --stdin --rule ID")
    report, config = _run(findings, flags, asking)
    if asking.plan:
        asking.show(outputs)
        return 0
    code = exit_code(report, config, allow_unknown=flags["allow_unknown"], checked=asking.checked)
    view = {"color": colors("auto"), "verbose": flags["verbose"]}
    outputs.write(report._replace(exit_code=code, version=__version__), view, os.getcwd())
    return code


def _run(findings: Sequence[str], flags: dict[str, Any], asking: _verifying.Asking) -> tuple[Any, Any]:
    """Scan the places again, at level `all` and with nothing suppressed, and verify what was meant."""
    import time

    from leakguard.config import load
    from leakguard.pipeline import Setup, scan
    from leakguard.pipeline import setup as prepare
    from leakguard.suppress.identity import id_key

    source, roots = _source(findings, flags)
    typed = {name: flags[name] for name in ("config", "trusted_config", "fail_on") if flags[name]}
    config = load(roots[0] if roots else ".", typed, os.environ)
    only = (flags["rule"],) if flags["rule"] else ()
    config = config._replace(level="all", baseline="", paths=(), inline_marks=False, only_rules=only)
    config = asking.narrow(config, ["-"] if flags["stdin"] else roots or [source.repository.path])
    engine = prepare.build_engine(config, os.environ)
    if flags["rule"]:
        prepare.unknown_rules(config, engine)
        if not any(flags["rule"] in engine.rules.names(i) for i in range(len(engine.rules))):
            raise UsageError(f"there is no rule {flags['rule']!r}", hint="leakguard rules list shows them all")
    key = id_key(os.environ, config.top or None, create=True)
    wanted = tuple(f.lower().replace("-", "") for f in findings or last_ids(flags))
    ask = asking.begin(engine, config, key)

    def verify(found: Any, candidates: Any, source: Any) -> Any:
        if wanted:
            found = [f for f in found if f.id.startswith(wanted)]
        return ask(found, candidates, source)

    setup = Setup(engine, config, key, prepare.today())
    report = scan(source, setup, roots=roots, clock=time.monotonic, verify=verify)
    if not report.findings:
        raise UsageError("nothing to verify is there any more", hint="scan again; or name where: leakguard verify --path PATH")
    return report, config


def last_ids(flags: dict[str, Any]) -> list[str]:
    """Return the ids of the last run here, where that is what is verified."""
    from leakguard.suppress import lastrun

    kept = None if flags["stdin"] or flags["paths"] or flags["rule"] else lastrun.load(os.getcwd(), os.environ)
    return [entry["id"] for entry in kept["findings"]] if kept else []


def _source(findings: Sequence[str], flags: dict[str, Any]) -> tuple[Any, list[str]]:
    from leakguard.cli.explain import last_places
    from leakguard.sources.files import FilesSource

    if flags["stdin"]:
        return _stdin(flags["rule"]), []
    if flags["paths"]:
        return FilesSource(list(flags["paths"]), ignore=False), [os.path.abspath(p) for p in flags["paths"]]
    source, targets = last_places(findings)
    if source is None and not targets:
        raise UsageError("the last run here left nothing to verify", hint="scan first; or name where: leakguard verify --path PATH")
    return source or FilesSource(targets, ignore=False), [os.path.abspath(t) for t in targets]


def _stdin(rule: str | None) -> Any:
    """Return standard input; a value alone is put where its rule looks for it."""
    import sys

    from leakguard.sources.memory import BytesSource

    data = sys.stdin.buffer.read()
    if rule and b"\n" not in data.strip():
        from leakguard.ruleset.files import builtin_folder
        from leakguard.ruleset.load import load

        doc = next((d for d in load([builtin_folder()]).docs if d.id == rule), None)
        example = next((e for e in doc.examples if e.count("${") == 1 and "${secret}" in e), "") if doc else ""
        if example and len(data.strip().split()) == 1:
            data = example.replace("$$", "$").encode().replace(b"${secret}", data.strip())
    return BytesSource(data, "standard input")


def _hosts() -> list[str]:
    """Return every host that a check may ask, `*.` before what only ends so."""
    from importlib import import_module

    from leakguard import plugins
    from leakguard.net.message import authority_and_path
    from leakguard.ruleset.files import builtin_folder, rule_files

    out: set[str] = set()
    for check in _verifying.load_all(rule_files([builtin_folder()])).values():
        out.update(check.hosts)
        out.update(f"*{suffix}" for suffix in check.suffixes)
        out.update(authority_and_path(step.url)[0] for step in check.steps if "${" not in step.url[: step.url.find("/", 8)])
    for name in plugins.names("leakguard.verifiers"):
        module = import_module(f"leakguard.verifiers.{name.replace('-', '_')}")
        out.update(getattr(module, "HOSTS", ()))
        out.update(f"*{suffix}" for suffix in getattr(module, "SUFFIXES", ()))
    return sorted(out, key=lambda host: (host.lstrip("*.").split(".")[::-1], host))
