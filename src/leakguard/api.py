"""What `import leakguard` offers: scan bytes, text, a path or any source, in this process and without side effects.

No writes to HOME, no signal handlers, no logging set-up, no global state. Ids are recomputable only under a key: the
team's (`LEAKGUARD_ID_KEY`), the repository's or the user's where there is one, else one of this run.

    >>> import leakguard
    >>> leakguard.scan_text("nothing to see here").findings
    ()
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from leakguard.config import Config
from leakguard.config import load as load_config
from leakguard.engine.scan import Engine
from leakguard.errors import UsageError
from leakguard.model.finding import Candidate, Finding, Report
from leakguard.pipeline import Setup
from leakguard.pipeline import scan as run
from leakguard.ports import Source
from leakguard.ruleset.store import compiled
from leakguard.suppress.identity import id_key

if TYPE_CHECKING:
    from leakguard.suppress.baseline import Baseline

_LIBRARY = Config(jobs=1, baseline="")


def scan_bytes(data: bytes, name: str = "bytes", config: Config | None = None) -> Report:
    """Scan bytes; `name` is shown as their place and its suffix tells the kind of file."""
    from leakguard.sources.memory import BytesSource

    return scan(BytesSource(data, name), config)


def scan_text(text: str, name: str = "text", config: Config | None = None) -> Report:
    """Scan text; columns and lines count as in `text`."""
    return scan_bytes(text.encode("utf-8", "surrogatepass"), name, config)


def scan_path(path: str | os.PathLike[str], config: Config | None = None) -> Report:
    """Scan a file or folder, honouring `.gitignore` for untracked files unless `config.ignore` is off.

    Raises:
        UsageError: there is no such path.
    """
    from leakguard.sources.files import FilesSource

    config = config or _LIBRARY
    source = FilesSource(
        [os.fspath(path)], ignore=config.ignore, max_size=config.max_size or None, exclude=excluders(config, today())
    )
    return scan(source, config, roots=[os.path.abspath(path)])


def scan(source: Source, config: Config | None = None, *, roots: Sequence[str] = ()) -> Report:
    """Scan any source; one process unless `config.jobs` says otherwise."""
    config = config or _LIBRARY
    engine = build_engine(config, os.environ)
    top = config.top or (roots[0] if roots else None)
    setup = Setup(engine, config, id_key(os.environ, top, create=False), today=today(), baseline=load_baseline(config))
    return run(source, setup, roots=roots, clock=time.monotonic)


def rules_version() -> int:
    """Return the number of the built-in rule set."""
    from leakguard.ruleset.files import RULES_VERSION

    return RULES_VERSION


def unknown_rules(config: Config, engine: Engine) -> tuple[str, ...]:
    """Return a line for each rule that a setting names and nobody knows.

    Raises:
        UsageError: one was typed on the command line.
    """
    if not (config.disabled_rules or config.only_rules or config.severity or config.paths):
        return ()
    known = frozenset(name for i in range(len(engine.rules)) for name in engine.rules.names(i))
    lines = config.unknown_rules(known)
    for line in lines:
        if line.startswith("command line"):
            raise UsageError(line.partition(": ")[2], hint="leakguard rules list shows them all")
    return lines


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


def build_engine(config: Config, environ: Mapping[str, str], *, level: str = "") -> Engine:
    """Build the engine that the settings ask for; the compiled rules come from the user's cache where that is safe.

    Raises:
        UsageError: Hyperscan is asked for and not installed.
    """
    if config.rules_version is not None and config.rules_version > rules_version():
        msg = f"rules version {config.rules_version} is not there yet: this LeakGuard has {rules_version()}"
        raise UsageError(msg, hint="upgrade LeakGuard, or pin a lower version")
    usable = config.engine != "portable" and has_hyperscan()
    if config.engine == "hyperscan" and not usable:
        raise UsageError("Hyperscan is not installed here", hint="use --engine portable, which finds the same")
    rules = compiled(
        (*config.rule_paths, *config.added_rule_paths), hyperscan=usable, environ=environ, rules_version=config.rules_version
    )
    if config.only_rules or config.disabled_rules:
        only, off = set(config.only_rules), set(config.disabled_rules)
        names = [rules.names(i) for i in range(len(rules))]
        skip = frozenset(n[0] for n in names if (only and not only & set(n)) or off & set(n))
    else:
        skip = frozenset()
    return Engine(rules, level=level or config.level, portable=not usable, skip=skip)


def has_hyperscan() -> bool:
    """Whether the Hyperscan wheel is there; without it the portable engine finds the same."""
    try:
        import hyperscan  # noqa: F401
    except ImportError:
        return False
    return True


__all__ = [
    "Candidate",
    "Config",
    "Finding",
    "Report",
    "Source",
    "build_engine",
    "excluders",
    "has_hyperscan",
    "load_baseline",
    "load_config",
    "rules_version",
    "scan",
    "scan_bytes",
    "scan_path",
    "scan_text",
    "today",
    "unknown_rules",
]
