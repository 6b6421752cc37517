"""trufflehog: custom detectors of its YAML configuration, and the file of `--exclude-paths`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leakguard.importers import Conversion, Entry, Look, _patterns, read, wrong
from leakguard.importers._yaml import load

FILES = ("trufflehog.yaml", "trufflehog.yml", ".trufflehog.yaml", "trufflehog-exclude.txt", ".trufflehogignore")


def convert(paths: Sequence[str], look: Look) -> Conversion:  # noqa: ARG001 - it keeps no findings
    """Convert detectors and excluded paths."""
    entries: list[Entry] = []
    rules: list[str] = []
    globs: list[tuple[str, str]] = []
    for path in paths:
        text = read(path)
        if path.endswith((".yaml", ".yml")):
            data = load(text, path)
            if not isinstance(data, dict):
                raise wrong(path, ValueError())
            for n, item in enumerate(data.get("detectors") or [], 1):
                _detector(item, f"{path}: detector {n}", entries, rules)
            entries.extend(
                Entry(f"setting {key}", path, converted=False, note="nothing here does the same")
                for key in data
                if key != "detectors"
            )
            continue
        for number, line in enumerate(text.splitlines(), 1):
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            found = _patterns.glob(pattern)
            if found:
                globs.append((found, "imported from trufflehog"))
            note = f"as {found}" if found else "no gitignore pattern says the same"
            entries.append(Entry(f"path {pattern}", f"{path}:{number}", converted=bool(found), note=note))
    return Conversion(tuple(entries), _patterns.rules("trufflehog", rules), tuple(globs))


def _detector(item: dict[str, Any], where: str, entries: list[Entry], rules: list[str]) -> None:
    name = _patterns.identifier(str(item.get("name", "detector")))
    keywords = [str(k) for k in item.get("keywords") or []]
    for label, pattern in (item.get("regex") or {}).items():
        what = f"detector {name}, {label}"
        try:
            translated = _patterns.translate(str(pattern))
            import regex

            group = 1 if regex.compile(translated.encode("latin-1")).groups else 0
            ours = _patterns.with_secret(translated, group)
        except Exception as e:  # noqa: BLE001 - whatever `regex` refuses is named
            entries.append(Entry(what, where, converted=False, note=f"its pattern does not fit: {type(e).__name__}"))
            continue
        given = _patterns.anchors(keywords, str(pattern))
        if not given:
            entries.append(Entry(what, where, converted=False, note="no keyword and no literal in its pattern"))
            continue
        rules.append(
            _patterns.rule(
                "trufflehog", f"{name}-{_patterns.identifier(str(label))}", f"{item.get('name', name)} {label}", ours, given
            )
        )
        entries.append(Entry(what, where, converted=True))
    if item.get("verify"):
        entries.append(Entry(f"verification of {name}", where, converted=False, note="verification is not built yet"))
    entries.extend(
        Entry(f"{key} of {name}", where, converted=False, note="the score judges instead")
        for key in ("exclude_words", "exclude_regexes_match", "exclude_regexes_capture", "entropy")
        if item.get(key)
    )
