"""kingfisher: rules of its YAML (1.x) and TOML (2.x), and its YAML baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leakguard.importers import Conversion, Entry, Look, _patterns, gitleaks, read, wrong
from leakguard.importers._yaml import load

FILES = ("kingfisher.yaml", "kingfisher.yml", "kingfisher.toml", "kingfisher-baseline.yaml", ".kingfisher-baseline.yaml")


def convert(paths: Sequence[str], look: Look) -> Conversion:
    """Convert rules and baseline."""
    entries: list[Entry] = []
    rules: list[str] = []
    for path in paths:
        if path.endswith(".toml"):
            done = gitleaks.convert([path], look)
            entries += done.entries
            rules += [
                "[[rule]]" + part for part in done.rules.replace('id = "gitleaks-', 'id = "kingfisher-').split("[[rule]]")[1:]
            ]
            continue
        data = load(read(path), path)
        if not isinstance(data, dict):
            raise wrong(path, ValueError())
        for n, item in enumerate(data.get("rules") or [], 1):
            entries.append(_rule(item, f"{path}: rule {n}", rules))
        known = data.get("ExactFindings") or data.get("exact_findings") or {}
        matches = known.get("matches", []) if isinstance(known, dict) else []
        for n, item in enumerate(matches, 1):
            file = str(item.get("filepath", "")) if isinstance(item, dict) else ""
            note = f"its fingerprint holds a position, not a value ({file}): scan, then leakguard allow"
            entries.append(Entry(f"baseline entry {n}", path, converted=False, note=note))
    return Conversion(tuple(entries), _patterns.rules("kingfisher", rules))


def _rule(item: dict[str, Any], where: str, rules: list[str]) -> Entry:
    name = _patterns.identifier(str(item.get("id", "rule")).removeprefix("kingfisher."))
    pattern = _patterns.translate(
        "".join(str(item.get("pattern", "")).split())
        if "(?x" in str(item.get("pattern", ""))
        else str(item.get("pattern", "")).strip()
    )
    pattern = pattern.replace("(?xi)", "(?i)").replace("(?x)", "")
    try:
        import regex

        compiled = regex.compile(pattern.encode("latin-1"))
        group = compiled.groupindex.get("TOKEN") or (1 if compiled.groups else 0)
        ours = _patterns.with_secret(pattern, group)
    except Exception as e:  # noqa: BLE001 - whatever `regex` refuses is named
        return Entry(f"rule {name}", where, converted=False, note=f"its pattern does not fit: {type(e).__name__}")
    given = _patterns.anchors([], pattern)
    if not given:
        return Entry(f"rule {name}", where, converted=False, note="no literal in its pattern: name one in anchors by hand")
    rules.append(_patterns.rule("kingfisher", name, str(item.get("name", name)), ours, given))
    left = [k for k in ("min_entropy", "validation", "revocation", "depends_on_rule") if item.get(k)]
    return Entry(f"rule {name}", where, converted=True, note=f"without its {', '.join(left)}" if left else "")
