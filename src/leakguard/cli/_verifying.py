"""What commands that verify share: their options, and what is built of them and of trusted settings."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from leakguard._version import __version__
from leakguard.cli._scopes import Refused, refusal
from leakguard.errors import NetError, UsageError
from leakguard.model.finding import Candidate, Finding, Verdict
from leakguard.ports import Source

if TYPE_CHECKING:
    from threading import Event

AGENT = f"LeakGuard/{__version__} (+https://leakguard.example; credential verification)"
NAMES = ("allow_hosts", "allow", "endpoints", "max_requests", "max_pairs", "refresh", "no_control", "ca_file")
"""Options that `options` adds."""


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(
        [
            click.option(
                "--allow-host",
                "allow_hosts",
                multiple=True,
                metavar="HOST",
                help="A host that may be asked though no rule names it (beside a credential, a registry's): host, host:port, http://host:port; repeatable.",
            ),
            click.option(
                "--allow",
                type=click.Choice(["mint", "write", "billable", "notify"]),
                multiple=True,
                help="Run checks that do this, too; only reading ones are run without; repeatable.",
            ),
            click.option(
                "--endpoint",
                "endpoints",
                multiple=True,
                metavar="PROVIDER=URL",
                help="Ask here in place of the provider's own host (an installation of yours); repeatable.",
            ),
            click.option("--max-requests", type=int, metavar="N", help="Send no more than this in all."),
            click.option(
                "--max-pairs", type=click.IntRange(1, 25), metavar="N", help="Partners tried with one value (default 12)."
            ),
            click.option("--refresh", is_flag=True, help="Ask again what is known from earlier runs."),
            click.option("--no-control", is_flag=True, help="Ask no provider about a made-up credential first."),
            click.option("--ca-file", metavar="FILE", help="Authorities to trust beside the system's (PEM)."),
        ]
    ):
        command = option(command)
    return command


SPELLED = {"allow_hosts": "allow_host", "endpoints": "endpoint"}
"""Options whose flag is called otherwise."""


class Asking:
    """What a command was asked to verify; `begin` builds it once the settings are known."""

    def __init__(self, typed: Mapping[str, Any], plan: bool) -> None:
        self.plan = plan
        self._typed = typed
        self._verifying: Verifying | None = None
        self._refused: Refused | None = None
        self._checked: frozenset[str] = frozenset()

    def narrow(self, config: Any, targets: Sequence[str], *, images: bool = False) -> Any:
        """Work out whether these targets (paths, images or `-`) may be verified; return the settings with a note if not."""
        scopes = config.verify.scopes if config.verify else ()
        self._refused = refusal(targets, scopes, os.environ, images=images)
        return config._replace(notes=(*config.notes, f"not verified: {self._refused.words}")) if self._refused else config

    def begin(self, engine: Any, config: Any, key: Any) -> Any:
        """Return what `pipeline.scan` calls, and let the engine note what stands near each value."""
        if self._refused:
            self._checked = _verifiable(load_all(_files(config)))
            return self._skip
        self._verifying = build(config, key, self._typed)
        self._checked = _verifiable(self._verifying.checks)
        engine.pairs = self._checked
        return self._verifying.plan if self.plan else self._verifying.verify

    def _skip(self, findings: Sequence[Finding], *_: object) -> Sequence[Finding]:
        """Say of each that could have been asked why it was not; neither the cache nor anybody is asked."""
        assert self._refused
        verdict = Verdict("skipped_by_policy", *self._refused)
        return [f._replace(verdict=verdict) if f.rule.id in self._checked else f for f in findings]

    @property
    def checked(self) -> frozenset[str]:
        """Rules that have a check."""
        return self._checked

    def show(self, outputs: Any) -> None:
        """Print the plan, as JSON where that is the report's format."""
        planned = self._verifying.planned if self._verifying else []
        if outputs.names("json"):
            import json

            why = {"refused": self._refused.words} if self._refused else {}
            click.echo(json.dumps({"requests": plan_json(planned)} | why, indent=1))
        else:
            if self._refused:
                click.echo(f"not verified: {self._refused.words}")
            click.echo("\n".join(plan_lines(planned)))


def _verifiable(checks: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(rule for rule, check in checks.items() if not check.unverifiable)


class Verifying(NamedTuple):
    """A run's verification."""

    runner: Any
    client: Any
    planned: list[Any]
    """What would be sent, once `plan` has run."""
    checks: Mapping[str, Any]

    def plan(self, findings: Sequence[Finding], candidates: Sequence[Candidate], source: Source) -> Sequence[Finding]:
        """Note what would be sent; nothing is."""
        self.planned.extend(self.runner.plan(findings, candidates, source))
        return findings

    def verify(self, findings: Sequence[Finding], candidates: Sequence[Candidate], source: Source) -> Sequence[Finding]:
        """Ask."""
        done: Sequence[Finding] = self.runner.verify(findings, candidates, source)
        return done


def build(config: Any, key: Any, typed: Mapping[str, Any]) -> Verifying:
    """Return the verification that settings and flags ask for."""
    from random import SystemRandom
    from threading import Event

    from leakguard.config.verification import VerifySettings
    from leakguard.net.client import Client, Settings
    from leakguard.net.limits import Rates
    from leakguard.net.policy import allow
    from leakguard.verifiers._cache import Cache
    from leakguard.verifiers._contract import Tools
    from leakguard.verifiers._pairs import PAIRS
    from leakguard.verifiers._run import Runner
    from leakguard.verifiers._run import Settings as RunSettings

    told = config.verify or VerifySettings()
    endpoints: dict[str, tuple[str, ...]] = dict(told.endpoints)
    for word in typed.get("endpoints", ()):
        provider, equals, url = word.partition("=")
        if not equals or not url.startswith(("https://", "http://")):
            raise UsageError(
                "--endpoint is written PROVIDER=URL", hint="leakguard verify --endpoint gitlab=https://gitlab.acme.example"
            )
        endpoints[provider] = (*endpoints.get(provider, ()), url)
    files = _files(config)
    checks = load_all(files)
    stopped = Event()
    rates = Rates(budget=typed.get("max_requests") or told.max_requests or None, hosts=_rates(checks))
    ca_file = typed.get("ca_file") or told.ca_file
    client = Client(
        Settings(AGENT, os.environ, ca_file, rates),
        clock=time.monotonic,
        wall=time.time,
        sleep=_pause(stopped),
        rng=SystemRandom(),
    )
    tools = Tools(
        client.ask,
        client.address,
        time.time,
        frozenset({"read", *told.allow, *typed.get("allow", ())}),
        tuple(map(allow, (*told.allow_hosts, *typed.get("allow_hosts", ())))),
        endpoints,
        ca_file,
    )
    settings = RunSettings(
        typed.get("max_pairs") or told.max_pairs or PAIRS,
        told.canary_accounts,
        told.canary_hosts,
        bool(typed.get("refresh")),
        not typed.get("no_control"),
    )
    cache = Cache("" if key.scope == "run" else _cache_file(), key.key, time.time)
    runner = Runner(checks, _documents(files, checks), tools, cache, settings, SystemRandom(), stopped)
    return Verifying(runner, client, [], checks)


def _pause(stopped: Event) -> Callable[[float], None]:
    """Return a sleep that a stopped run wakes from, without sending what waited."""

    def pause(seconds: float) -> None:
        if stopped.wait(seconds):
            raise NetError("the run was stopped", cause="interrupted")

    return pause


def _files(config: Any) -> list[str]:
    """Return the rule files whose checks count: a scanned repository's own may add rules, and name no host."""
    from leakguard.ruleset.files import builtin_folder, rule_files

    trusted = config.rule_paths if config.trusted_config or config.origin("rule_paths") == "command line" else ()
    return rule_files([builtin_folder(), *trusted])


def load_all(files: Sequence[str]) -> Mapping[str, Any]:
    """Return every check of these files by rule."""
    from leakguard.ruleset.verify import load_checks

    return load_checks(files)


def _rates(checks: Mapping[str, Any]) -> dict[str, float]:
    """Return what hosts take that take less than usual."""
    from leakguard.net.message import authority_and_path

    out: dict[str, float] = {}
    for check in checks.values():
        if check.rate:
            for host in check.hosts or {
                authority_and_path(s.url)[0] for s in check.steps if "${" not in s.url[: s.url.find("/", 8)]
            }:
                out[host] = min(check.rate, out.get(host, check.rate))
    return out


def _documents(files: Sequence[str], checks: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return a look-up of a rule's document, which reads the rule's file at its first call; used from many threads."""
    from threading import Lock

    from leakguard.ruleset.load import load

    known: dict[str, dict[str, Any]] = {}
    lock = Lock()

    def of(rule: str) -> Any:
        name = checks[rule].file
        with lock:
            if name not in known:
                known[name] = {doc.id: doc for doc in load([f for f in files if os.path.basename(f) == name]).docs}
        return known[name].get(rule)

    return of


def _cache_file() -> str:
    from leakguard.config import user_folder

    folder = user_folder(os.environ, "XDG_CACHE_HOME", ".cache")
    return os.path.join(folder, "verdicts.sqlite") if folder else ""


def plan_lines(planned: Sequence[Any]) -> list[str]:
    """Return a plan for people: each request once, with how often it would be sent."""
    from collections import Counter

    counts = Counter((p.sent, p.verifier, p.control) for p in planned)
    rows = [
        (
            sent.host,
            f"{sent.method} {sent.template}",
            sent.kind,
            f"{n}×",
            verifier + (" (made up)" if control else ""),
            ", ".join(sent.headers),
        )
        for (sent, verifier, control), n in sorted(counts.items(), key=lambda item: (item[0][0].host, item[0][1], item[0][2]))
    ]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)).rstrip() for row in rows]
    hosts = len({row[0] for row in rows})
    return [*lines, f"{len(planned)} requests to {hosts} hosts at most; nothing was sent"]


def plan_json(planned: Sequence[Any]) -> list[dict[str, Any]]:
    """Return a plan for machines."""
    return [
        {
            "host": p.sent.host,
            "method": p.sent.method,
            "path": p.sent.template,
            "headers": list(p.sent.headers),
            "class": p.sent.kind,
            "verifier": p.verifier,
            "made_up": p.control,
        }
        for p in planned
    ]
