"""What a peer was told, in our words: custom rules, allowlists, ignore files, baselines. One file a tool.

Each has `FILES`, the names it usually lives under, and `convert(paths, look) -> Conversion`. Every entry is converted or
named with its reason; nothing is dropped in silence, and no value that stands in a peer's file is ever shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from leakguard.errors import ConfigError
from leakguard.model.finding import Finding

Look = Callable[[str], Sequence[Finding]]
"""Scans a file (a path relative to the working directory) at level `all` and returns what is there; empty if it is gone."""


class Entry(NamedTuple):
    """One thing that the peer's file says."""

    what: str
    where: str
    converted: bool
    note: str = ""


class Conversion(NamedTuple):
    """What came of a peer's files."""

    entries: tuple[Entry, ...]
    rules: str = ""
    """TOML for `.leakguard/rules/imported-<tool>.toml`; empty where there are no rules."""
    paths: tuple[tuple[str, str], ...] = ()
    """`(gitignore-style pattern, reason)` for `[[path]]`."""
    baseline: tuple[str, ...] = ()
    """Lines for `.leakguard/baseline.jsonl`."""


def read(path: str) -> str:
    """Read a peer's file.

    Raises:
        ConfigError: it can't be read.
    """
    try:
        with open(path, "rb") as f:
            return f.read().decode("utf-8", "replace")
    except OSError as e:
        msg = f"{path}: {e.strerror}"
        raise ConfigError(msg, hint="name the file: leakguard import TOOL FILE") from None


def wrong(path: str, error: Exception) -> ConfigError:
    """Return the error for a file that is not what its tool writes; the parser's message may quote the file, so it is left out."""
    line = getattr(error, "lineno", None) or getattr(getattr(error, "problem_mark", None), "line", None)
    at = f" (line {line})" if line else ""
    return ConfigError(f"{path}: not a file of this tool{at}", hint="check that it is the right file and whole")
