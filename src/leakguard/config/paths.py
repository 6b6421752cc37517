"""Path settings as predicates, with the semantics of `.gitignore` by `pathspec` (imported only where a setting needs it).

Invariant: each setting is judged alone (a `!pattern` takes back only what its own setting matched), the first that
matches is the one that is named, and a setting past its end matches nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from leakguard.config import Config, PathSetting
from leakguard.errors import ConfigError


def excluder(config: Config, root: str, today: date) -> Callable[[str], str] | None:
    """Return a predicate for a source that scans `root`, or None where no setting excludes whole paths.

    It takes a path relative to `root` with `/` between parts, a folder with a trailing `/` (so that it need not be
    entered), and answers why the path is excluded, or an empty string.
    """
    whole = [setting for setting in config.paths if not setting.rules and not expired(setting.until, today)]
    if not whole:
        return None
    match = PathMatcher(whole, config.base)

    def exclude(path: str) -> str:
        setting = match.first(root, path)
        return (setting.reason or f"excluded by {setting.where}") if setting else ""

    return exclude


class PathMatcher:
    """Path settings compiled for one scan."""

    def __init__(self, settings: Sequence[PathSetting], base: str) -> None:
        self._specs = [(setting, _spec(setting)) for setting in settings]
        self._base = base

    def first(self, root: str, path: str, rules: Sequence[str] = ()) -> PathSetting | None:
        """Return the first setting that covers a path: one without rules, or one that names one of `rules`."""
        name = relative(self._base, root, path)
        for setting, spec in self._specs:
            if (not setting.rules or any(rule in setting.rules for rule in rules)) and spec.match_file(name):
                return setting
        return None


def expired(until: str, today: date) -> bool:
    """Whether an exception is past its last day. What is no date (a mark's end is free text) counts as past."""
    if not until:
        return False
    try:
        return len(until) != 10 or date.fromisoformat(until) < today
    except ValueError:
        return True


def relative(base: str, root: str, path: str) -> str:
    """Return `path` (relative to `root`) as seen from `base`; where it lies outside, as it is."""
    if not base or not root or root == base:
        return path
    full = os.path.normpath(os.path.join(root, path))
    if not full.startswith(base.rstrip(os.sep) + os.sep):
        return path
    name = full[len(base.rstrip(os.sep)) + 1 :].replace(os.sep, "/")
    return name + "/" if path.endswith("/") else name


def _spec(setting: PathSetting) -> Any:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(setting.patterns, backend="simple")
    except ValueError as error:
        raise ConfigError(f"{setting.where}: a path pattern is not valid: {error}") from None
