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
from collections.abc import Sequence

from leakguard.config import Config
from leakguard.config import load as load_config
from leakguard.model.finding import Candidate, Finding, Report
from leakguard.pipeline import Setup
from leakguard.pipeline import scan as run
from leakguard.pipeline.setup import (
    build_engine,
    excluders,
    has_hyperscan,
    load_baseline,
    rules_version,
    today,
    unknown_rules,
)
from leakguard.ports import Source
from leakguard.suppress.identity import id_key

_LIBRARY = Config(jobs=1, baseline="")


def scan_bytes(data: bytes, name: str = "bytes", config: Config | None = None) -> Report:
    """Scan bytes; `name` is shown as their place and its suffix tells the kind of file."""
    from leakguard.sources.memory import BytesSource

    return scan(BytesSource(data, name, depth=(config or _LIBRARY).max_archive_depth), config)


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
        [os.fspath(path)],
        ignore=config.ignore,
        max_size=config.max_size or None,
        depth=config.max_archive_depth,
        exclude=excluders(config, today()),
    )
    return scan(source, config, roots=[os.path.abspath(path)])


def scan(source: Source, config: Config | None = None, *, roots: Sequence[str] = ()) -> Report:
    """Scan any source; one process unless `config.jobs` says otherwise."""
    config = config or _LIBRARY
    config = config._replace(jobs=config.jobs or 1)
    engine = build_engine(config, os.environ, keep=False)
    top = config.top or (roots[0] if roots else None)
    setup = Setup(engine, config, id_key(os.environ, top, create=False), today=today(), baseline=load_baseline(config))
    return run(source, setup, roots=roots, clock=time.monotonic)


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
