"""Which rule files there are; apart from `load`, because every scan asks this and few scans parse a rule."""

from __future__ import annotations

import os
from collections.abc import Iterable

from leakguard.errors import RuleError

RULES_VERSION = 1
"""Number of the built-in set; a rule says in `since` which one brought it."""


def builtin_folder() -> str:
    """Return the folder of the built-in rules: inside the wheel, else the checkout's `rules/`."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    packaged = os.path.join(package, "rules")
    if os.path.isdir(packaged):
        return packaged
    return os.path.join(os.path.dirname(os.path.dirname(package)), "rules")


def rule_files(paths: Iterable[str]) -> list[str]:
    """List the rule files under folders and files, sorted.

    Raises:
        RuleError: a path is not there or holds no rule file.
    """
    out: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            found = sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith(".toml"))
        else:
            found = [path] if os.path.isfile(path) else []
        if not found:
            msg = f"no rule files at {path}"
            raise RuleError(msg, hint="name a .toml file or a folder that holds some")
        out += found
    return out
