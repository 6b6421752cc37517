"""The rule set in the form the engine runs: rows, gates, anchors, and the serialised Hyperscan sets.

It is plain data (what `marshal` can write), so that `ruleset.store` can keep it and a scan starts without parsing TOML.
`Rule` objects and compiled patterns are made for the rules that a scan touches, not for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from leakguard.model.rule import Part, Rule

LAYOUT = 3
"""Number of this form; part of the cache key."""

Gate = tuple[str, int, tuple[int, ...], str]
"""Hyperscan expression, width (0: variable), rules, scope."""


class CompiledRules:
    """Rules by index, with what the prefilters need.

    `databases` maps a scope (`any`, `config`) to a serialised Hyperscan set whose expression ids are indices of `gates`;
    it is empty where only the portable engine is used.
    """

    __slots__ = ("_parts", "_rules", "databases", "digest", "gates", "rows")

    def __init__(self, rows: Sequence[tuple[Any, ...]], gates: Sequence[Gate], databases: dict[str, bytes], digest: str) -> None:
        self.rows = rows
        self.gates = gates
        self.databases = databases
        self.digest = digest
        """What the set was made of; findings of two runs compare only under one digest."""
        self._rules: dict[int, Rule] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def rule(self, index: int) -> Rule:
        """Return the rule at `index`, made on first use."""
        rule = self._rules.get(index)
        if rule is None:
            *fields, parts = self.rows[index]
            values: list[Any] = [*fields[:_PARTS_AT], tuple(Part(*p) for p in parts), *fields[_PARTS_AT:]]
            rule = self._rules[index] = Rule(*values)
        return rule

    def names(self, index: int) -> tuple[str, ...]:
        """Return a rule's id and its aliases, without making the rule."""
        row = self.rows[index]
        return (row[_ID_AT], *row[_ALIASES_AT])

    def anchors(self, scopes: frozenset[str]) -> dict[str, list[int]]:
        """Return anchor -> rules, for the portable prefilter."""
        out: dict[str, list[int]] = {}
        for index, row in enumerate(self.rows):
            if row[_SCOPE_AT] in scopes:
                for anchor in row[_ANCHORS_AT]:
                    out.setdefault(anchor, []).append(index)
        return out

    def dump(self) -> tuple[Any, ...]:
        """Return plain data for `marshal`."""
        return (LAYOUT, self.digest, tuple(self.rows), tuple(self.gates), self.databases)


_FIELDS = Rule._fields
_PARTS_AT = _FIELDS.index("parts")
_ROW = tuple(f for f in _FIELDS if f != "parts")
_ID_AT, _ALIASES_AT = _ROW.index("id"), _ROW.index("aliases")
_SCOPE_AT, _ANCHORS_AT = _ROW.index("scope"), _ROW.index("anchors")


def undump(data: tuple[Any, ...]) -> CompiledRules | None:
    """Return the rules of `CompiledRules.dump`, or None if another version wrote them."""
    if data[0] != LAYOUT:
        return None
    return CompiledRules(data[2], data[3], data[4], data[1])


def compile_rules(rules: Iterable[Rule], digest: str, *, hyperscan: bool) -> CompiledRules:
    """Turn rules into the form that the engine runs; `hyperscan` also builds its sets (10 ms to 100 ms)."""
    rows = []
    gates: dict[tuple[str, int, str], list[int]] = {}
    for index, rule in enumerate(rules):
        fields = [getattr(rule, name) for name in _ROW]
        rows.append((*fields, tuple((p.name, p.pattern, p.within, p.required, p.public) for p in rule.parts)))
        scope = "config" if rule.scope == "config" else "any"
        for expression, width in rule.gates:
            gates.setdefault((expression, width, scope), []).append(index)
    table = tuple((expression, width, tuple(indices), scope) for (expression, width, scope), indices in gates.items())
    compiled = CompiledRules(tuple(rows), table, {}, digest)
    if hyperscan:
        add_databases(compiled)
    return compiled


def add_databases(compiled: CompiledRules) -> None:
    """Build the Hyperscan sets."""
    from leakguard.engine.prefilter import build

    for scope in ("any", "config"):
        ids = [i for i, gate in enumerate(compiled.gates) if gate[3] == scope]
        if ids:
            compiled.databases[scope] = build([compiled.gates[i][0] for i in ids], ids)
