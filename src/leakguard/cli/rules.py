"""`leakguard rules`: list, show, check, new."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from leakguard.cli import _check_list, _rule_list
from leakguard.errors import ExitCode, UsageError
from leakguard.model.finding import LEVELS

_paths = click.option("--rules", "paths", multiple=True, metavar="PATH", help="Further rule files or folders; repeatable.")


@click.group("rules")
def command() -> None:
    """List, show, prove and write rules."""


def _load(paths: tuple[str, ...]) -> Any:
    from leakguard.ruleset.load import load

    return load(_files(paths))


def _files(paths: tuple[str, ...]) -> list[str]:
    """List the built-in rule files and those at some paths, which take the place of built-in ones of the same name and provider."""
    from leakguard.ruleset.files import builtin_folder, rule_files
    from leakguard.ruleset.load import read_toml

    def provider(path: str) -> str:
        return str(read_toml(path)[0].get("provider", {}).get("id"))

    built_in = rule_files([builtin_folder()])
    added = rule_files(paths)
    known = {os.path.basename(path): path for path in built_in}
    for path in added:
        old = known.get(os.path.basename(path))
        if old and provider(old) == provider(path):
            built_in.remove(old)
    return [*built_in, *added]


@command.command("list")
@_paths
@click.option(
    "--format", "-f", "form", type=click.Choice(["text", "json", "markdown"]), default="text", help="How to write the list."
)
@click.option("--by", type=click.Choice(_rule_list.GROUPS), help="Group the text by this.")
@click.option("--provider", metavar="ID", help="Only this provider's.")
@click.option("--kind", metavar="KIND", help="Only this credential class (api_key, password, ...).")
@click.option("--severity", type=click.Choice(["critical", "high", "medium", "low"]), help="Only this severity.")
@click.option("--level", type=click.Choice(LEVELS), help="Only what this level reports.")
@click.option("--search", metavar="TEXT", help="Only where id, name or provider hold this.")
@click.option("--verify", is_flag=True, help="List how each is verified, where it can be.")
@click.option("--checks", is_flag=True, help="List the offline checks that rules may name.")
def list_(
    paths: tuple[str, ...],
    form: str,
    by: str | None,
    provider: str | None,
    kind: str | None,
    severity: str | None,
    level: str | None,
    search: str | None,
    *,
    verify: bool,
    checks: bool,
) -> None:
    """List every rule, families expanded."""
    if checks:
        from leakguard.engine.checks import CHECKS

        for name, function in sorted(CHECKS.items()):
            click.echo(f"{name:18} {(function.__doc__ or '').strip().splitlines()[0] if function.__doc__ else ''}")
        return
    loaded = _load(paths)
    reported = LEVELS[: LEVELS.index(level) + 1] if level else LEVELS
    rows = [
        (rule, doc)
        for rule, doc in zip(loaded.rules, loaded.docs, strict=True)
        if provider in (None, rule.provider)
        and kind in (None, rule.kind)
        and severity in (None, rule.severity)
        and rule.level in reported
        and (search or "").casefold() in f"{rule.id}\n{rule.name}\n{doc.provider_name}".casefold()
    ]
    verified = _checks(paths) if verify else {}
    if form == "json":
        import json

        from leakguard.ruleset.files import RULES_VERSION

        shown = [_row(rule, doc) | (_check_list.row(verified[rule.id]) if rule.id in verified else {}) for rule, doc in rows]
        json.dump(
            {"rules_version": RULES_VERSION, "rules": shown},
            sys.stdout,
            indent=1,
            ensure_ascii=False,
        )
        click.echo()
        return
    if verify:
        click.echo("\n".join((_check_list.markdown if form == "markdown" else _check_list.lines)(rows, verified)))
        return
    click.echo("\n".join(_rule_list.markdown(rows) if form == "markdown" else _rule_list.lines(rows, by or "")))


def _checks(paths: tuple[str, ...]) -> dict[str, Any]:
    """Read the verify tables of all rules by rule id."""
    from leakguard.ruleset.verify import load_checks

    return load_checks(_files(paths))


def _row(rule: Any, doc: Any) -> dict[str, Any]:
    return {
        "id": rule.id,
        "provider": rule.provider,
        "provider_name": doc.provider_name,
        "name": rule.name,
        "severity": rule.severity,
        "kind": rule.kind,
        "level": rule.level,
        "shape": rule.shape,
        "check": rule.check or None,
        "parts": [rule.part, *(p.name for p in rule.parts)],
        "since": rule.since,
        "aliases": list(rule.aliases),
        "references": list(doc.references),
        "lifetime": doc.lifetime,
        "rotate": doc.rotate,
        "description": doc.description,
    }


@command.command("show")
@_paths
@click.argument("rule_id")
def show(paths: tuple[str, ...], rule_id: str) -> None:
    """Show one rule: what it finds, how sure, where it is documented, how to rotate."""
    loaded = _load(paths)
    pairs = zip(loaded.rules, loaded.docs, strict=True)
    found = next(((rule, doc) for rule, doc in pairs if rule_id in (rule.id, *rule.aliases)), None)
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(rule_id, [rule.id for rule in loaded.rules], 3)
        raise UsageError(
            f"there is no rule {rule_id!r}",
            hint="did you mean " + ", ".join(near) + "?" if near else "leakguard rules list shows them all",
        )
    rule, doc = found
    click.echo(f"{rule.name}  ({rule.id})")
    rows = [
        ("provider", doc.provider_name),
        ("severity", rule.severity),
        ("class", rule.kind),
        ("lifetime", doc.lifetime.replace("_", " ")),
        ("level", rule.level),
        ("parts", ", ".join([rule.part, *(p.name + ("" if p.required else " (optional)") for p in rule.parts)])),
        ("check", rule.check or "none"),
        ("anchors", ", ".join(rule.anchors[:8])),
        ("pattern", rule.pattern if rule.shape == "pattern" else doc.template or "see the file"),
        ("file", f"rules/{doc.file}"),
        ("about", doc.description),
        ("see", "\n            ".join(doc.references)),
        ("rotate", doc.rotate),
    ]
    for label, text in rows:
        if text:
            click.echo(f"  {label:9} {text}")


@command.command("check")
@click.argument("paths", nargs=-1, type=click.Path(exists=True))
def check(paths: tuple[str, ...]) -> int:
    """Prove rules with the shipped engine: the built-in ones, and those at PATHS, also changed built-in ones.

    Examples hit with the right span, counter-examples miss, an anchor stands in each example, ids are unique, time on
    hostile input is bounded, both engines agree. Each verify table tells live from dead and both from bad weather.
    """
    from leakguard.pipeline.setup import has_hyperscan
    from leakguard.ruleset.check import check as prove

    loaded = _load(paths)
    failures = [(f.file, f.rule, f.what) for f in prove(loaded, hyperscan=has_hyperscan())]
    tables, wrong = _tables(loaded, paths)
    for file, rule, what in (*failures, *wrong):
        click.echo(f"{file}: {rule}: {what}", err=True)
    failures += wrong
    click.echo(
        f"{len(loaded.rules)} rules of {len({r.provider for r in loaded.rules})} providers, {tables} verify tables, {len(failures)} failures"
    )
    return ExitCode.USAGE if failures else ExitCode.CLEAN


def _tables(loaded: Any, paths: tuple[str, ...]) -> tuple[int, list[tuple[str, str, str]]]:
    """Prove the verify tables; return how many there are, and what they do not keep."""
    from leakguard.verifiers._prove import prove_all

    checks = _checks(paths)
    rules = {rule.id: (rule, doc) for rule, doc in zip(loaded.rules, loaded.docs, strict=True)}
    return len(checks), list(prove_all(checks, rules))


_NEW = """\
[provider]
id = "{id}"
name = "{name}"
references = ["https://TODO"]
rotate = "TODO: which page, which button, what breaks."

[[rule]]
id = "{id}-api-key"
name = "{name} API key"
severity = "high"
kind = "api_key"
format = "{prefix}_${{base62:40}}"
examples = ["{upper}_API_KEY=${{secret}}"]
counter_examples = ["{prefix}_${{base62:8}}"]
"""


@command.command("new")
@click.argument("provider")
@click.option("--into", metavar="DIR", default=".leakguard/rules", show_default=True, help="Folder to write to.")
def new(provider: str, into: str) -> None:
    """Write a first rule file for PROVIDER, ready for `leakguard rules check`."""
    identity = provider.strip().lower().replace(" ", "-").replace("_", "-")
    if not identity.replace("-", "").isalnum() or not identity.isascii():
        raise UsageError(f"{provider!r} gives no file name", hint="use letters, digits and dashes: leakguard rules new acme-cloud")
    path = os.path.join(into, identity + ".toml")
    word = identity.replace("-", "_")
    prefix = word if len(word) > 2 else word + "key"
    text = _NEW.format(id=identity, name=provider.strip().replace('"', ""), prefix=prefix, upper=word.upper())
    try:
        os.makedirs(into, exist_ok=True)
        with open(path, "x", encoding="utf-8") as f:
            f.write(text)
    except FileExistsError as e:
        raise UsageError(f"{path} is there already", hint="edit it, or choose another folder with --into") from e
    except OSError as e:
        raise UsageError(f"{path} can't be written: {e.strerror}", hint="choose another folder with --into") from e
    click.echo(
        f"wrote {path}\nedit it (docs/rules.md), prove it:  leakguard rules check {path}\nuse it:  leakguard scan --rules {path}"
    )
