"""detect-secrets: `.secrets.baseline` with its SHA-1 of each value, audit answers, and filters."""

from __future__ import annotations

import json
from collections.abc import Sequence

from leakguard.importers import Conversion, Entry, Look, _patterns, read, wrong
from leakguard.importers._match import value_matches
from leakguard.suppress.baseline import create

FILES = (".secrets.baseline",)


def convert(paths: Sequence[str], look: Look) -> Conversion:
    """Convert a baseline: each entry whose value still stands in its file becomes a line of ours."""
    entries: list[Entry] = []
    lines: list[str] = []
    globs: list[tuple[str, str]] = []
    for path in paths:
        try:
            data = json.loads(read(path))
            results = {str(file): list(items) for file, items in data.get("results", {}).items()}
            filters = list(data.get("filters_used", []))
        except (ValueError, TypeError, AttributeError) as e:
            raise wrong(path, e) from None
        for file, items in sorted(results.items()):
            found = look(file)
            for n, item in enumerate(items, 1):
                where = f"{path}: {file} {n}"
                if item.get("is_secret") is True:
                    entries.append(
                        Entry("entry audited as a real secret", where, converted=False, note="rotate it; it stays reported")
                    )
                    continue
                reason = (
                    "audited as no secret in detect-secrets" if item.get("is_secret") is False else "imported from detect-secrets"
                )
                fitting = [f for f in found if value_matches(f, "sha1", str(item.get("hashed_secret", "")))]
                if fitting:
                    lines += create(fitting, reason=reason)
                    entries.append(Entry("entry", where, converted=True))
                else:
                    lines.append(_waiting(file, str(item.get("hashed_secret", "")), reason))
                    entries.append(Entry("entry", where, converted=True, note="waits: its value is not found in the file now"))
        for item in filters:
            _filter(item, path, entries, globs)
    return Conversion(tuple(entries), "", tuple(globs), tuple(line for line in lines if line))


def _waiting(file: str, digest: str, reason: str) -> str:
    entry = {"v": 1, "rule": "", "path": file, "foreign": f"foreign:detect-secrets:{digest}", "reason": reason}
    return json.dumps(entry, ensure_ascii=False)


def _filter(item: dict[str, object], path: str, entries: list[Entry], globs: list[tuple[str, str]]) -> None:
    name = str(item.get("path", "")).rpartition(".")[2]
    patterns = item.get("pattern", [])
    for pattern in [patterns] if isinstance(patterns, str) else list(patterns) if isinstance(patterns, list) else []:
        found = _patterns.glob(str(pattern)) if name == "should_exclude_file" else ""
        if found:
            globs.append((found, "imported from detect-secrets"))
            entries.append(Entry(f"excluded files {pattern}", path, converted=True, note=f"as {found}"))
        else:
            why = (
                "no gitignore pattern says the same"
                if name == "should_exclude_file"
                else "values and lines are allowed one by one: leakguard allow"
            )
            entries.append(Entry(f"filter {name}", path, converted=False, note=why))
    if not patterns:
        entries.append(Entry(f"filter {name}", path, converted=True, note="the score does the same"))
