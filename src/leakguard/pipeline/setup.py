"""What a scan needs before it starts, worked out from the settings: engine, baseline, the day, what is left out.

Shared by the library, the command line and the hook, which don't import each other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from leakguard.config import Config
from leakguard.engine.compiled import CompiledRules
from leakguard.engine.scan import Engine
from leakguard.errors import RuleError, UsageError
from leakguard.ruleset.store import compiled

if TYPE_CHECKING:
    from leakguard.suppress.baseline import Baseline


def rules_version() -> int:
    """Return the number of the built-in rule set."""
    from leakguard.ruleset.files import RULES_VERSION

    return RULES_VERSION


def unknown_rules(config: Config, engine: Engine) -> tuple[str, ...]:
    """Return a line for each rule that a setting names and nobody knows, after what the engine has to say.

    Raises:
        UsageError: one was typed on the command line.
    """
    if not (config.disabled_rules or config.only_rules or config.severity or config.paths):
        return engine.notes
    known = frozenset(name for i in range(len(engine.rules)) for name in engine.rules.names(i))
    lines = config.unknown_rules(known)
    for line in lines:
        if line.startswith("command line"):
            raise UsageError(line.partition(": ")[2], hint="leakguard rules list shows them all")
    return (*engine.notes, *lines)


def today() -> str:
    """Return the day (UTC, ISO) that decides what has expired."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def excluders(config: Config, on: str) -> Callable[[str], Callable[[str], str] | None] | None:
    """Return what `FilesSource` asks about paths that settings leave out; None where no setting does."""
    if not any(not setting.rules for setting in config.paths):
        return None
    from datetime import date

    from leakguard.config.paths import excluder

    return lambda root: excluder(config, root, date.fromisoformat(on))


def load_baseline(config: Config) -> Baseline | None:
    """Load the baseline that the settings name, where there is one."""
    if not config.baseline or not os.path.lexists(config.baseline):
        return None
    from leakguard.suppress.baseline import Baseline

    return Baseline.load(config.baseline)


def build_engine(config: Config, environ: Mapping[str, str], *, level: str = "", keep: bool = True) -> Engine:
    """Build the engine that the settings ask for; the compiled rules come from the user's cache where that is safe.

    `keep` off (the library) writes nothing to that cache.

    Raises:
        UsageError: Hyperscan is asked for and not installed.
    """
    if config.rules_version is not None and config.rules_version > rules_version():
        msg = f"rules version {config.rules_version} is not there yet: this LeakGuard has {rules_version()}"
        raise UsageError(msg, hint="upgrade LeakGuard, or pin a lower version")
    usable = config.engine != "portable" and has_hyperscan()
    if config.engine == "hyperscan" and not usable:
        raise UsageError("Hyperscan is not installed here", hint="use --engine portable, which finds the same")
    rules, left_out = _rules(config, environ, hyperscan=usable, keep=keep)
    if config.only_rules or config.disabled_rules:
        only, off = set(config.only_rules), set(config.disabled_rules)
        names = [rules.names(i) for i in range(len(rules))]
        skip = frozenset(n[0] for n in names if (only and not only & set(n)) or off & set(n))
    else:
        skip = frozenset()
    engine = Engine(rules, level=level or config.level, portable=not usable, skip=skip)
    engine.notes = left_out
    return engine


def _rules(config: Config, environ: Mapping[str, str], *, hyperscan: bool, keep: bool) -> tuple[CompiledRules, tuple[str, ...]]:
    """Return the rules, and a note where a scanned repository's own ones can't be used: they must not stop the run."""
    load = partial(compiled, hyperscan=hyperscan, environ=environ, rules_version=config.rules_version, keep=keep)
    if not config.added_rule_paths:
        return load(config.rule_paths), ()
    try:
        return load((*config.rule_paths, *config.added_rule_paths)), ()
    except RuleError as e:
        return load(config.rule_paths), (f"the repository's own rules are not used: {e.message}",)


def has_hyperscan() -> bool:
    """Whether the Hyperscan wheel is there; without it the portable engine finds the same."""
    try:
        import hyperscan  # noqa: F401
    except ImportError:
        return False
    return True
