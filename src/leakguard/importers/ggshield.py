"""ggshield: `.gitguardian.yaml` with ignored paths, detectors and matches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from leakguard.importers import Conversion, Entry, Look, read, wrong
from leakguard.importers._yaml import load

FILES = (".gitguardian.yaml", ".gitguardian.yml")


def convert(paths: Sequence[str], look: Look) -> Conversion:  # noqa: ARG001 - it keeps hashes without places
    """Convert the settings; a match that stands there as a value is never shown."""
    entries: list[Entry] = []
    globs: list[tuple[str, str]] = []
    lines: list[str] = []
    for path in paths:
        data = load(read(path), path)
        if not isinstance(data, dict):
            raise wrong(path, ValueError())
        secret: dict[str, Any] = data.get("secret") or {}
        for pattern in [*(data.get("paths-ignore") or []), *(secret.get("ignored_paths") or secret.get("ignored-paths") or [])]:
            globs.append((str(pattern), "imported from ggshield"))
            entries.append(Entry(f"path {pattern}", path, converted=True))
        for name in secret.get("ignored_detectors") or secret.get("ignored-detectors") or []:
            entries.append(
                Entry(f"detector {name}", path, converted=False, note="our ids differ: leakguard rules list, then disabled_rules")
            )
        matches = [*(data.get("matches-ignore") or []), *(secret.get("ignored_matches") or secret.get("ignored-matches") or [])]
        for n, item in enumerate(matches, 1):
            value = str(item.get("match", "")) if isinstance(item, dict) else str(item)
            name = str(item.get("name", "")) if isinstance(item, dict) else ""
            if len(value) == 64 and all(c in "0123456789abcdef" for c in value.lower()):
                entry = {
                    "v": 1,
                    "rule": "",
                    "path": "",
                    "foreign": f"foreign:ggshield:{value.lower()}",
                    "reason": name or "imported from ggshield",
                }
                lines.append(json.dumps(entry, ensure_ascii=False))
                entries.append(Entry(f"match {n}", path, converted=True, note="waits until its value is seen"))
            else:
                entries.append(
                    Entry(
                        f"match {n}",
                        path,
                        converted=False,
                        note="a value in clear: scan, then leakguard allow; and take it out of that file",
                    )
                )
        known = {"secret", "paths-ignore", "matches-ignore", "version", "paths_ignore"}
        entries.extend(
            Entry(f"setting {key}", path, converted=False, note="nothing here does the same") for key in data if key not in known
        )
    return Conversion(tuple(entries), "", tuple(globs), tuple(lines))
