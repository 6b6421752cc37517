"""Make repositories with a history, and scan them both ways."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from leakguard.config import Config
from leakguard.engine.sieve import Sieve
from leakguard.gitio.repository import open_repository
from leakguard.model.blob import GitProvenance
from leakguard.model.finding import Report
from leakguard.pipeline import Setup, scan
from leakguard.pipeline.setup import build_engine, today
from leakguard.sources.history import HistorySource, Scope
from leakguard.suppress.identity import IdKey

_ENGINES: dict[str, object] = {}


def git(repo: Path, *args: str, feed: bytes | None = None, **env: str) -> str:
    """Run git; answer what it printed."""
    done = subprocess.run(["git", *args], cwd=repo, input=feed, capture_output=True, env={**os.environ, **env}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def repository(path: Path, *options: str) -> Path:
    """Make an empty repository."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main", *options)
    return path


def commit(repo: Path, message: str = "change", /, **files: str | bytes | None) -> str:
    """Commit files (`a__py` is `a.py`; None deletes); answer the commit's id."""
    for name, content in files.items():
        path = repo / name.replace("__", ".")
        if content is None:
            git(repo, "rm", "-q", path.name)
            continue
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        git(repo, "add", path.name)
    git(repo, "commit", "-q", "--allow-empty", "-m", message)
    return git(repo, "rev-parse", "HEAD")


def versions(repo: Path, contents: Sequence[dict[str, bytes]]) -> None:
    """Commit many versions of files at once."""
    stream = [b"feature done\n"]
    for n, files in enumerate(contents, 1):
        stream.append(
            b"commit refs/heads/main\nmark :%d\ncommitter Ada <ada@acme.example> %d +0000\ndata 1\nc\n" % (n, 1_600_000_000 + n)
        )
        if n > 1:
            stream.append(b"from :%d\n" % (n - 1))
        stream += [b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(data), data) for name, data in files.items()]
    stream.append(b"done\n")
    git(repo, "fast-import", "--quiet", feed=b"".join(stream))


def repack(repo: Path, depth: int = 50) -> None:
    """Store everything in one pack, as deltas where git can."""
    git(repo, "repack", "-qadf", f"--depth={depth}", "--window=50")


def deltas(repo: Path) -> tuple[int, int, int]:
    """Return how many contents there are, how many of them are deltas, and the longest chain."""
    index = next((repo / ".git" / "objects" / "pack").glob("*.idx"))
    rows = [line.split() for line in git(repo, "verify-pack", "-v", str(index)).splitlines()]
    blobs = [row for row in rows if len(row) > 2 and row[1] == "blob"]
    chains = [int(row[5]) for row in blobs if len(row) > 5]
    return len(blobs), len(chains), max(chains, default=0)


def look(repo: Path, *, fast: bool = True, level: str = "balanced", scope: Scope | None = None) -> Report:
    """Scan a history in this process."""
    config = Config(level=level, baseline="")
    engine = build_engine(config, os.environ)
    source = HistorySource(open_repository(str(repo)), scope or Scope(), make_sieve=(lambda: Sieve(engine)) if fast else None)
    try:
        return scan(source, Setup(engine, config, IdKey(b"k" * 32, "run"), today()), clock=time.monotonic, keep=source.is_new)
    finally:
        source.close()


def places(report: Report) -> set[tuple[object, ...]]:
    """Return all that is told of every place."""
    return {
        (f.rule.id, f.id, p.part, p.provenance, p.start_line, p.start_column, p.end_line, p.end_column)
        for f in report.findings
        for p in f.places
    }


def where(report: Report) -> list[tuple[str, str, int]]:
    """Return kind, path and line of every place."""
    found: Iterable[GitProvenance] = [p.provenance for f in report.findings for p in f.places]  # type: ignore[misc]
    lines = [p.start_line for f in report.findings for p in f.places]
    return sorted((p.kind, p.path, line) for p, line in zip(found, lines, strict=True))


def same(repo: Path, scope: Scope | None = None) -> Report:
    """Scan both ways at two levels, compare, and answer the fast one's report."""
    for level in ("all", "balanced"):
        fast = look(repo, level=level, scope=scope)
        assert places(fast) == places(look(repo, fast=False, level=level, scope=scope)), level
    return fast
