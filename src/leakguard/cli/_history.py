"""What `scan --git` needs beside other scans: which part of history, and the source for it."""

from __future__ import annotations

import os
from typing import Any

from leakguard.errors import UsageError

RANGES = ("since_commit", "branch", "commits", "since", "git_paths", "unreachable", "new_since", "incremental")


def split(flags: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Take the flags about history out of all flags.

    Raises:
        UsageError: one of them is there without `--git`, or two contradict each other.
    """
    wanted = flags.pop("git")
    ranges = {name: flags.pop(name) for name in RANGES}
    typed = [name for name, value in ranges.items() if value]
    if typed and not wanted:
        option = "--" + {"git_paths": "path"}.get(typed[0], typed[0].replace("_", "-"))
        raise UsageError(f"{option} goes with --git", hint=f"leakguard scan --git {option} ...")
    if ranges["unreachable"] and len(typed) > 1 + bool(ranges["incremental"]):
        raise UsageError("--unreachable looks at everything, so it can't be limited", hint="leave out the range")
    if ranges["incremental"] and len(typed) > 1 + bool(ranges["unreachable"]):
        raise UsageError("--incremental reports the whole history, so it can't be limited", hint="leave out the range")
    if ranges["commits"] and (ranges["since_commit"] or ranges["branch"] or ranges["new_since"]):
        raise UsageError("--commits names the range already", hint="leave out --since-commit, --branch and --new-since")
    return wanted, ranges


def source(target: str, ranges: dict[str, Any], engine: Any, config: Any, *, forks: bool, exclude: Any, progress: Any) -> Any:
    """Return the source for one repository, and what its paths are relative to.

    Raises:
        SourceError: there is no repository.
        UsageError: a revision does not exist.
    """
    from leakguard.engine.sieve import Sieve
    from leakguard.gitio.repository import open_repository
    from leakguard.processes import cores
    from leakguard.ruleset import store
    from leakguard.sources._memory import open_memory
    from leakguard.sources.history import HistorySource, repository_root

    repository = open_repository(target)
    root = repository_root(repository)
    repository = repository._replace(path=root)
    scope = _scope(ranges, repository)

    def sieve() -> Sieve:
        store.join(engine.rules, os.environ)
        return Sieve(engine)

    return HistorySource(
        repository,
        scope,
        make_sieve=sieve,
        jobs=config.jobs or cores(),
        forks=forks,
        exclude=exclude(root) if exclude else None,
        max_size=config.max_size or None,
        depth=config.max_archive_depth,
        progress=progress,
        memory=open_memory(repository, engine, os.environ, unreachable=scope.unreachable) if ranges["incremental"] else None,
    )


def _scope(ranges: dict[str, Any], repository: Any) -> Any:
    from leakguard.sources.history import Scope

    if ranges.get("revisions"):
        return Scope(ranges["revisions"])
    revisions: list[str] = []
    if ranges["commits"]:
        first, dots, last = ranges["commits"].partition("..")
        if not dots or not first:
            raise UsageError("--commits wants a range", hint="--commits v1.0..HEAD")
        _known(repository, first)
        _known(repository, last or "HEAD")
        revisions = [f"{first}..{last or 'HEAD'}"]
    else:
        if ranges["branch"]:
            revisions = [_known(repository, ranges["branch"])]
        since = ranges["since_commit"] or ranges["new_since"]
        if since:
            revisions = [*(revisions or ["--all"]), "^" + _known(repository, since)]
    if ranges["since"]:
        revisions = [*(revisions or ["--all"]), f"--since={ranges['since']}"]
    paths = tuple(f":(top){path}" for path in ranges["git_paths"])
    return Scope(tuple(revisions) or ("--all",), paths, ranges["unreachable"])


def _known(repository: Any, revision: str) -> str:
    """Return the commit that a person named.

    Raises:
        UsageError: there is none; in a shallow clone SourceError, since it may be beyond the border.
    """
    from leakguard.errors import SourceError

    try:
        said: bytes = repository.git("rev-parse", "--verify", "--end-of-options", revision + "^{commit}")
    except SourceError:
        if repository.shallow:
            raise SourceError(
                f"{revision} is not in this shallow clone",
                hint="git fetch --unshallow, or check out with full depth, then scan again",
            ) from None
        raise UsageError(
            f"there is no commit {revision!r} in {os.path.basename(repository.path)}", hint="git log shows which there are"
        ) from None
    return said.decode("ascii").strip()
