"""The rule set in the form the engine runs: rows, gates, anchors, and the serialised Hyperscan sets.

It is plain data (what `marshal` can write), so that `ruleset.store` can keep it and a scan starts without parsing TOML.
`Rule` objects and compiled patterns are made for the rules that a scan touches, not for all of them.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Sequence
from typing import Any

from leakguard.model.rule import Part, Rule

LAYOUT = 13
"""Number of this form; part of the cache key."""


class CompiledRules:
    """Rules by index, with what the prefilters need.

    `databases` maps a scope (`any`, `config`) to a serialised Hyperscan set whose expression ids are indices of `gates`;
    it is empty where only the portable engine is used. A rule's row and the table of expressions are kept as `marshal`
    wrote them until somebody asks: a hook loads more than a thousand rules and touches a few.

    Behind the rules, from index `len()` to `rows`, stand the parts that may stand apart from their credential: they match as
    rules do and are never told alone.
    """

    __slots__ = ("_count", "_expressions", "_rows", "_rules", "_vendors", "_words", "databases", "digest", "gates", "needs")

    def __init__(
        self,
        count: int,
        rows: Sequence[bytes],
        gates: Sequence[tuple[int, tuple[int, ...]]],
        needs: Sequence[tuple[int, int, str]],
        expressions: bytes,
        databases: dict[str, bytes],
        digest: str,
        vendors: bytes,
    ) -> None:
        self._count = count
        self._rows = rows
        self._expressions = expressions
        self._vendors = vendors
        self._words: dict[str, str] | None = None
        self.gates = gates
        """Of each gate: width (0: variable) and rules."""
        self.needs = needs
        """Of each rule: `least`, `after` and `chars`."""
        self.databases = databases
        self.digest = digest
        """What the set was made of; findings of two runs compare only under one digest."""
        self._rules: dict[int, Rule] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> int:
        """How many rules and parts there are."""
        return len(self._rows)

    def _row(self, index: int) -> tuple[Any, ...]:
        row: tuple[Any, ...] = marshal.loads(self._rows[index])  # noqa: S302 - `store` proved who wrote it
        return row

    def rule(self, index: int) -> Rule:
        """Return the rule at `index`, made on first use."""
        rule = self._rules.get(index)
        if rule is None:
            *fields, parts = self._row(index)
            values: list[Any] = [*fields[:_PARTS_AT], tuple(Part(*p) for p in parts), *fields[_PARTS_AT:]]
            rule = self._rules[index] = Rule(*values)
        return rule

    def names(self, index: int) -> tuple[str, ...]:
        """Return a rule's id and its aliases, without making the rule."""
        row = self._row(index)
        return (row[_ID_AT], *row[_ALIASES_AT])

    def vendors(self) -> dict[str, str]:
        """Return the words by which names speak of a provider."""
        if self._words is None:
            self._words = marshal.loads(self._vendors)  # noqa: S302 - `store` proved who wrote it
        return self._words

    def anchors(self, scopes: frozenset[str]) -> dict[str, list[int]]:
        """Return anchor -> rules, for the portable prefilter."""
        out: dict[str, list[int]] = {}
        for index in range(self.rows):
            row = self._row(index)
            if row[_SCOPE_AT] in scopes:
                for anchor in row[_ANCHORS_AT]:
                    out.setdefault(anchor, []).append(index)
        return out

    def expressions(self) -> Sequence[tuple[str, str]]:
        """Return the Hyperscan expression and the scope of each gate."""
        table: Sequence[tuple[str, str]] = marshal.loads(self._expressions)  # noqa: S302 - `store` proved who wrote it
        return table

    def dump(self) -> tuple[Any, ...]:
        """Return plain data for `marshal`."""
        sets = self._expressions, self.databases, self._vendors
        return (LAYOUT, self.digest, self._count, tuple(self._rows), tuple(self.gates), tuple(self.needs), *sets)

    def plain(self) -> tuple[Any, ...]:
        """Return plain data for JSON, without Hyperscan sets: it outlives this Python."""
        rows = [self._row(i) for i in range(self.rows)]
        return (LAYOUT, self._count, rows, self.gates, self.needs, self.expressions(), list(self.vendors().items()))


_FIELDS = Rule._fields
_PARTS_AT = _FIELDS.index("parts")
_ROW = tuple(f for f in _FIELDS if f != "parts")
_ID_AT, _ALIASES_AT = _ROW.index("id"), _ROW.index("aliases")
_SCOPE_AT, _ANCHORS_AT = _ROW.index("scope"), _ROW.index("anchors")


def undump(data: tuple[Any, ...]) -> CompiledRules | None:
    """Return the rules of `CompiledRules.dump`, or None if another version wrote them."""
    if data[0] != LAYOUT:
        return None
    _layout, digest, count, rows, gates, needs, expressions, databases, vendors = data
    return CompiledRules(count, rows, gates, needs, expressions, databases, digest, vendors)


def from_plain(data: tuple[Any, ...], digest: str) -> CompiledRules | None:
    """Return the rules of `CompiledRules.plain`, or None if another version wrote them."""
    if data[0] != LAYOUT:
        return None
    _layout, count, rows, gates, needs, expressions, vendors = data
    return CompiledRules(
        count, tuple(map(marshal.dumps, rows)), gates, needs, marshal.dumps(expressions), {}, digest, marshal.dumps(dict(vendors))
    )


def compile_rules(rules: Iterable[Rule], digest: str, *, hyperscan: bool) -> CompiledRules:
    """Turn rules into the form that the engine runs; `hyperscan` also builds its sets (10 ms to 100 ms)."""
    from leakguard.engine import vendors

    rules = list(rules)
    apart = {part.pattern: part for rule in rules for part in rule.parts if part.anchors}
    rows = []
    speaking: list[tuple[str, str, tuple[str, ...]]] = []
    gates: dict[tuple[str, int, str], list[int]] = {}
    needs = []
    for index, rule in enumerate([*rules, *map(_alone, apart.values())]):
        fields = [getattr(rule, name) for name in _ROW]
        rows.append(marshal.dumps((*fields, tuple(map(tuple, rule.parts)))))
        if index < len(rules):
            speaking.append((rule.provider, rule.shape, rule.anchors))
        scope = "config" if rule.scope == "config" else "any"
        for expression, width in rule.gates:
            key = expression, width, scope
            gates.setdefault(key, []).append(index)
        needs.append((rule.least, rule.after, rule.chars))
    table = tuple((key[1], tuple(indices)) for key, indices in gates.items())
    expressions = marshal.dumps(tuple((expression, scope) for expression, _width, scope in gates))
    compiled = CompiledRules(
        len(rules), tuple(rows), table, tuple(needs), expressions, {}, digest, marshal.dumps(vendors.table(speaking))
    )
    if hyperscan:
        add_databases(compiled)
    return compiled


def _alone(part: Part) -> Rule:
    """Return a part as what is looked for by itself."""
    return Rule(
        id="part",
        provider="",
        name=part.name,
        severity="low",
        kind="",
        pattern=part.pattern,
        value="",
        least=0,
        chars="",
        anchors=part.anchors,
        gates=part.gates,
        reach=0,
        before=0,
        after=part.after,
        public=0,
        check="",
        part=part.name,
        parts=(),
        shape="part",
        prior=0.0,
        scope="any",
        level="strict",
        since=1,
        aliases=(),
        written="",
    )


def add_databases(compiled: CompiledRules) -> None:
    """Build the Hyperscan sets."""
    from leakguard.engine.prefilter import build

    table = compiled.expressions()
    for wanted in ("any", "config"):
        ids = [i for i, (_expression, scope) in enumerate(table) if scope == wanted]
        if ids:
            compiled.databases[wanted] = build([table[i][0] for i in ids], ids)
