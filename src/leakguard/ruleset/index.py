"""The rules of a wheel, parsed when it was built: a cold start reads one file instead of parsing every TOML table.

The index names each rule file with its size; where one differs (somebody edits rules in place) the files count, not the
index. A checkout has no index and parses; either way the compiled set is kept by `store` afterwards.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from leakguard.engine.compiled import CompiledRules, compile_rules, from_plain
from leakguard.ruleset.files import builtin_folder, rule_files

NAME = "index.json"


def make(folder: str) -> str:
    """Return the index of a folder of rule files, as JSON."""
    from leakguard.ruleset.load import load

    files = rule_files([folder])
    rows = compile_rules(load(files).rules, "built-in", hyperscan=False)
    return json.dumps({"files": _listing(files), "rules": rows.plain()}, separators=(",", ":"))


def read(files: Sequence[str]) -> CompiledRules | None:
    """Return the rules of the built-in folder, without Hyperscan sets, if its index was made of these very files."""
    try:
        with open(os.path.join(builtin_folder(), NAME), "rb") as f:
            data = json.load(f)
        if data["files"] != _listing(files):
            return None
        return from_plain(_tuples(data["rules"]), "built-in")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _listing(files: Sequence[str]) -> list[list[str | int]]:
    return [[os.path.basename(path), os.stat(path).st_size] for path in files]


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
