"""Source maps (ECMA-426): the sources that a bundle was made of, each under its own path, with its own lines.

What stands beside them (names, paths) is told as lines `key: value`; the mappings are numbers and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import IO, Any

from leakguard.sources._text import reader
from leakguard.sources.unpack import Member, Untold
from leakguard.sources.unpack._json import Raw, Reader, Record, leaves
from leakguard.sources.unpack._written import Written, encoded, written
from leakguard.sources.unpack.budget import Budget
from leakguard.sources.unpack.exports import AS_IT_IS, write_raw

SEEKS = False
_LEFT_OUT = frozenset(("sourcesContent", "mappings", "x_google_ignoreList", "ignoreList", "version"))


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the sources, then what stands beside them."""
    records: list[Record | Raw] = list(Reader(file.read).records())
    for record in records:
        if isinstance(record, Record):
            for number, (name, content) in enumerate(_sources(record.value)):
                yield Member(name or f"source {number + 1}", reader(encoded(content)), text=True)
    yield written("", partial(_beside, records))
    if any(isinstance(record, Raw) for record in records):
        yield Untold("", "damaged", by_choice=True, detail=AS_IT_IS)


def _sources(value: Any) -> Iterator[tuple[str, str]]:
    """Yield path and content of each source; maps of several sections hold maps."""
    if not isinstance(value, dict):
        return
    names = value.get("sources")
    contents = value.get("sourcesContent")
    for number, content in enumerate(contents if isinstance(contents, list) else []):
        if isinstance(content, str):
            name = names[number] if isinstance(names, list) and number < len(names) else ""
            yield name if isinstance(name, str) else "", content
    sections = value.get("sections")
    for section in sections if isinstance(sections, list) else []:
        if isinstance(section, dict):
            yield from _sources(section.get("map"))


def _beside(records: list[Record | Raw], out: Written) -> Iterator[None]:
    broken: list[Raw] = []
    for record in records:
        if isinstance(record, Raw):
            write_raw(out, record, broken)
            continue
        for keys, value, line, column in leaves(record):
            if isinstance(value, str) and not _LEFT_OUT.intersection(key for key in keys if isinstance(key, str)):
                label = next((key for key in reversed(keys) if isinstance(key, str)), "")
                out.part((), line, max(1, column - len(label) - 2), flat=True)
                out.write(f"{label}: {value}\n")
        yield
