"""Exports of chats and tickets in JSON: one text a file, message after message.

A place names channel, ticket or page, message and author, and has line and column of the string in the file (in a string
with escapes before it, the column counts characters as they read). All strings and numbers are read, not only messages.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import IO, Any

from leakguard.sources._texts import LOOKED, export_of
from leakguard.sources.unpack import Member, Read, Untold, ahead
from leakguard.sources.unpack._json import Places, Raw, Reader, Record
from leakguard.sources.unpack._markup import is_markup, text_of
from leakguard.sources.unpack._shapes import Shape, shape_of
from leakguard.sources.unpack._written import Facts, Written, written
from leakguard.sources.unpack.budget import Budget

SEEKS = False
AS_IT_IS = "a part could not be read as what it is, and was scanned as it stands"
_AGAIN = 8
"""Characters from which on a string that stood in the message before is not told again."""


_String = tuple[str, str, int, int]
"""Key, text, line and column of a string."""


class _Scope:
    """A message, ticket or page: its own strings."""

    __slots__ = ("bodies", "facts", "others")

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.bodies: list[_String] = []
        self.others: list[_String] = []


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the text of an export."""
    read, head = ahead(file.read)
    yield from export(read, export_of(head[:LOOKED]), "", (), {})


def export(read: Read, kind: str, name: str, facts: Facts, names: Mapping[str, str]) -> Iterator[Member | Untold]:
    """Yield the text of an export of a known kind, named `name`; `names` says who is who."""
    shape = shape_of(kind)
    broken: list[Raw] = []

    def steps(out: Written) -> Iterator[None]:
        top: dict[str, Any] = {}
        for record in Reader(read, shape.spread).records():
            if isinstance(record, Raw):
                write_raw(out, record, broken)
            else:
                if len(record.keys) == 1 and isinstance(record.keys[0], str):
                    top[record.keys[0]] = record.value
                _write(out, shape, record, shape.facts(top, names) if top else (), names, broken)
            yield

    yield written(name, steps, facts)
    if broken:
        yield Untold(name, "damaged", by_choice=True, detail=AS_IT_IS)


def write_raw(out: Written, raw: Raw, broken: list[Raw]) -> None:
    """Write what could not be read as it is; its lines are those of the file."""
    if not broken:
        out.part((), raw.line, raw.column)
        broken.append(raw)
    out.write(raw.text)


def _write(out: Written, shape: Shape, record: Record, facts: Facts, names: Mapping[str, str], broken: list[Raw]) -> None:
    try:
        scopes = _scopes(shape, record, facts, names)
    except RecursionError:
        raw = Raw(record.raw[record.at : record.end], record.line, record.column)
        out.part((), raw.line, raw.column)
        out.write(raw.text + "\n")
        broken.append(raw)
        return
    for scope in scopes:
        _write_scope(out, shape, scope)


def _scopes(shape: Shape, record: Record, facts: Facts, names: Mapping[str, str]) -> list[_Scope]:
    """Return what is said in a record, in order.

    Raises:
        RecursionError: it is too deep.
    """
    scopes = [_Scope(facts)]
    places = Places(record)
    bodies, facts_of = shape.bodies, shape.facts

    def gather(value: Any, label: str, scope: _Scope) -> None:
        if isinstance(value, str):
            (scope.bodies if label in bodies else scope.others).append((label, value, *places.next()))
        elif isinstance(value, dict):
            if more := facts_of(value, names):
                scope = _Scope(tuple((dict(scope.facts) | dict(more)).items()))
                scopes.append(scope)
            for key, inner in value.items():
                places.skip()
                if inner is not None:
                    gather(inner, key, scope)
        elif isinstance(value, list):
            for inner in value:
                gather(inner, label, scope)

    gather(record.value, next((key for key in reversed(record.keys) if isinstance(key, str)), ""), scopes[0])
    return scopes


def _write_scope(out: Written, shape: Shape, scope: _Scope) -> None:
    """Write what people wrote, then the rest as lines `key: value`; what only says it again is left out."""
    said = ""
    if len(scope.bodies) > 1:
        scope.bodies.sort(key=lambda body: shape.bodies.index(body[0]))
    for _label, text, line, column in scope.bodies:
        shown = _readable(shape, text)
        fresh = "\n".join(row for row in shown.split("\n") if row.strip() not in said) if said else shown
        if fresh:
            said += fresh + "\n"
            out.part(scope.facts, line, column, flat=True)
            out.write(fresh + "\n")
    for label, text, line, column in scope.others:
        shown = _readable(shape, text)
        if len(shown) < _AGAIN or shown not in said:
            out.part(scope.facts, line, max(1, column - len(label) - 2), flat=True)
            out.write(f"{label}: {shown}\n")


def _readable(shape: Shape, text: str) -> str:
    if "<" in text and is_markup(text):
        return text_of(text)
    return html.unescape(text) if shape.escaped and "&" in text else text
