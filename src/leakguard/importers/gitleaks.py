"""gitleaks and betterleaks: `.gitleaks.toml`, `.gitleaksignore`, a JSON report used as baseline."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from leakguard.importers import Conversion, Entry, Look, _patterns, read, wrong
from leakguard.suppress.baseline import create

FILES = (".gitleaks.toml", ".betterleaks.toml", ".gitleaksignore", ".betterleaksignore", "gitleaks-report.json")


def convert(paths: Sequence[str], look: Look) -> Conversion:
    """Convert gitleaks' files."""
    entries: list[Entry] = []
    rules: list[str] = []
    globs: list[tuple[str, str]] = []
    lines: list[str] = []
    for path in paths:
        text = read(path)
        if path.endswith(".toml"):
            _config(path, text, entries, rules, globs)
        elif path.endswith(".json"):
            _report(path, text, entries, lines, look)
        else:
            for number, line in enumerate(text.splitlines(), 1):
                if line.strip() and not line.lstrip().startswith("#"):
                    _fingerprint(line.strip(), f"{path}:{number}", entries, lines, look)
    return Conversion(tuple(entries), _patterns.rules("gitleaks", rules), tuple(globs), tuple(lines))


def _config(path: str, text: str, entries: list[Entry], rules: list[str], globs: list[tuple[str, str]]) -> None:
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise wrong(path, e) from None
    for n, item in enumerate(data.get("rules", []), 1):
        name = _patterns.identifier(str(item.get("id", f"rule-{n}")))
        where = f"{path}: rule {n}"
        entries.append(_rule(item, name, where, rules))
        for key in ("allowlist", "allowlists"):
            for allow in item[key] if isinstance(item.get(key), list) else [item[key]] if item.get(key) else []:
                _allowlist(allow, f"{where}, its allowlist", entries, globs, rule=name)
    for key in ("allowlist", "allowlists"):
        for allow in data[key] if isinstance(data.get(key), list) else [data[key]] if data.get(key) else []:
            _allowlist(allow, f"{path}: {key}", entries, globs)
    extend = data.get("extend", {})
    for name in extend.get("disabledRules", []):
        entries.append(
            Entry(
                f"disabled rule {name}",
                f"{path}: extend",
                converted=False,
                note="our ids differ: leakguard rules list, then disabled_rules",
            )
        )
    if extend.get("path") or extend.get("url"):
        entries.append(Entry("extended configuration", f"{path}: extend", converted=False, note="import that file, too"))
    if extend.get("useDefault"):
        entries.append(
            Entry("gitleaks' own rules", f"{path}: extend", converted=True, note="LeakGuard's built-in rules stand in for them")
        )


def _rule(item: dict[str, Any], name: str, where: str, rules: list[str]) -> Entry:
    pattern = str(item.get("regex", ""))
    if not pattern:
        why = "it looks at paths only: use an exclude or a policy for such files" if item.get("path") else "it has no regex"
        return Entry(f"rule {name}", where, converted=False, note=why)
    try:
        ours = _patterns.with_secret(_patterns.translate(pattern), int(item.get("secretGroup", 0)))
    except Exception as e:  # noqa: BLE001 - whatever `regex` refuses is named, with its own words about the pattern
        return Entry(f"rule {name}", where, converted=False, note=f"its pattern does not fit: {type(e).__name__}")
    given = _patterns.anchors([str(k) for k in item.get("keywords", [])], pattern)
    if not given:
        return Entry(
            f"rule {name}", where, converted=False, note="no keyword and no literal in its pattern: name one in anchors by hand"
        )
    rules.append(_patterns.rule("gitleaks", name, str(item.get("description", name)), ours, given))
    left = [k for k in ("entropy", "path", "required") if item.get(k)]
    return Entry(
        f"rule {name}", where, converted=True, note=f"without its {', '.join(left)}: the score judges instead" if left else ""
    )


def _allowlist(allow: dict[str, Any], where: str, entries: list[Entry], globs: list[tuple[str, str]], rule: str = "") -> None:
    reason = str(allow.get("description", "imported from gitleaks"))
    for pattern in allow.get("paths", []):
        found = _patterns.glob(str(pattern))
        if found and not rule:
            globs.append((found, reason))
            entries.append(Entry(f"path {pattern}", where, converted=True, note=f"as {found}"))
        else:
            note = "it holds for one rule only: write [[path]] with rules" if found else "no gitignore pattern says the same"
            entries.append(Entry(f"path {pattern}", where, converted=False, note=note))
    for kind, why in (
        ("regexes", "values are allowed one by one: leakguard allow"),
        ("stopwords", "the score knows placeholders; values are allowed one by one"),
        ("commits", "findings don't hang on commits: leakguard allow"),
    ):
        entries.extend(
            Entry(f"{kind.rstrip('es') if kind == 'regexes' else kind[:-1]} {n}", where, converted=False, note=why)
            for n, _ in enumerate(allow.get(kind, []), 1)
        )


def _fingerprint(line: str, where: str, entries: list[Entry], lines: list[str], look: Look) -> None:
    parts = line.split(":")
    if len(parts) < 3 or not parts[-1].isdigit():
        entries.append(Entry("fingerprint", where, converted=False, note="not of the form [commit:]file:rule:line"))
        return
    path = ":".join(parts[1:-2] if len(parts) > 3 else parts[:-2])
    _at(path, int(parts[-1]), "fingerprint", where, entries, lines, look)


def _report(path: str, text: str, entries: list[Entry], lines: list[str], look: Look) -> None:
    try:
        items = json.loads(text)
        places = [(str(i["File"]), int(i["StartLine"])) for i in items]
    except (ValueError, TypeError, KeyError) as e:
        raise wrong(path, e) from None
    for n, (file, line) in enumerate(places, 1):
        _at(file, line, "finding", f"{path}: {n}", entries, lines, look)


def _at(path: str, number: int, what: str, where: str, entries: list[Entry], lines: list[str], look: Look) -> None:
    """Make baseline lines of what stands in a place now: the peer kept a position, we need the value."""
    if os.path.isabs(path) or ".." in path.split("/"):
        entries.append(Entry(what, where, converted=False, note="its path lies outside"))
        return
    here = [f for f in look(path) if any(p.start_line <= number <= p.end_line for p in f.places)]
    if here:
        lines.extend(create(here, reason="imported from gitleaks"))
        entries.append(Entry(what, where, converted=True, note=f"{len(here)} at {path}:{number}"))
    else:
        entries.append(Entry(what, where, converted=False, note=f"nothing is found at {path}:{number} now"))
