"""How `leakguard rules list` writes rules for people: as lines, grouped, and as the page `docs/credentials.md`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

Row = tuple[Any, Any]
"""A rule and its document."""
GROUPS = ("provider", "class", "severity", "level")
"""By which lines can be grouped."""
_HEAD = """# Credential types

What LeakGuard knows by its vendor, {rules} types of {providers} providers, and the ways in which it finds what no vendor's form
tells. `leakguard rules show ID` says more of each: how sure it is, where it is documented, how to rotate it. This page is made
by `leakguard rules list -f markdown`.
"""


def lines(rows: Sequence[Row], by: str) -> Iterator[str]:
    """Yield one line a rule, under a heading for each group if `by` names one."""
    width = max((len(rule.id) for rule, _doc in rows), default=0)
    if by:
        rows = sorted(rows, key=lambda row: (_group(row, by), row[0].id))
    for heading, of in groupby(rows, key=lambda row: _group(row, by)):
        if heading:
            yield heading
        yield from (f"{'  ' * bool(by)}{rule.id:{width}}  {rule.severity:8}  {rule.name}" for rule, _doc in of)
    yield f"{len(rows)} rules of {len({rule.provider for rule, _doc in rows})} providers"


def _group(row: Row, by: str) -> str:
    rule, doc = row
    return str({"provider": doc.provider_name, "class": rule.kind, "severity": rule.severity, "level": rule.level}.get(by, ""))


def markdown(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a page: a table for each letter, each credential with a link to what its vendor says of it."""
    yield _HEAD.format(rules=f"{len(rows):,}", providers=len({rule.provider for rule, _doc in rows}))
    ordered = sorted(rows, key=lambda row: (_letter(row), row[1].provider_name.casefold(), row[0].id))
    for letter, of in groupby(ordered, key=_letter):
        yield f"## {letter}\n"
        yield "| provider | credential | rule | severity | class | level |\n|---|---|---|---|---|---|"
        for rule, doc in of:
            name = cell(rule.name)
            linked = f"[{name}]({doc.references[0]})" if doc.references else name
            yield f"| {cell(doc.provider_name)} | {linked} | `{rule.id}` | {rule.severity} | {rule.kind} | {rule.level} |"
        yield ""


def _letter(row: Row) -> str:
    first = row[1].provider_name[0].upper()
    return first if "A" <= first <= "Z" else "0-9"


def cell(text: str) -> str:
    """Return text as a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("[", "\\[").replace("]", "\\]")
