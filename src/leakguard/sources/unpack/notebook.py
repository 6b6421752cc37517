"""Jupyter notebooks (https://nbformat.readthedocs.io): cells and their outputs, as text; metadata as lines `key: value`.

A place has the line of the file and, as facts, the number of the cell (from 1), its kind and whether it is an output.
Pictures in outputs are base64 of no text and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from leakguard.sources.unpack import Member, Untold
from leakguard.sources.unpack._json import Raw, Reader, Record, leaves
from leakguard.sources.unpack._written import Facts, Written, fact, written
from leakguard.sources.unpack.budget import Budget
from leakguard.sources.unpack.exports import AS_IT_IS, write_raw

SEEKS = False
_PICTURES = ("image/", "video/", "audio/")
_TEXT = frozenset(("source", "input", "text", "traceback", "data", "attachments"))
"""Keys of what is text by itself, often one string a line."""


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the text of a notebook."""
    broken: list[Raw] = []

    def steps(out: Written) -> Iterator[None]:
        for record in Reader(file.read, ("cells",)).records():
            if isinstance(record, Raw):
                write_raw(out, record, broken)
            else:
                try:
                    _write(out, record)
                except RecursionError:
                    write_raw(out, Raw(record.raw[record.at : record.end] + "\n", record.line, record.column), broken)
            yield

    yield written("", steps)
    if broken:
        yield Untold("", "damaged", by_choice=True, detail=AS_IT_IS)


def _write(out: Written, record: Record) -> None:
    kinds: dict[int, str] = {}
    open_line = False
    for keys, value, line, column in leaves(record):
        # cells lie at the top (version 4), or in worksheets (version 3)
        at = keys.index("cells") if "cells" in keys else -1
        number = keys[at + 1] if 0 <= at < len(keys) - 1 else None
        if isinstance(value, dict):
            if isinstance(number, int) and len(keys) == at + 2:
                kinds[number] = str(value.get("cell_type", ""))
            continue
        inside = keys[at + 2 :] if isinstance(number, int) else keys
        facts = _facts(number, kinds, inside) if isinstance(number, int) else ()
        label = next((key for key in reversed(inside) if isinstance(key, str)), "")
        if label.startswith(_PICTURES):
            continue
        text = bool(_TEXT.intersection(k for k in inside if isinstance(k, str)))
        whole = text and isinstance(keys[-1], int)
        if open_line and not (whole and keys[-1]):
            out.write("\n")
        if text:
            out.part(facts, line, column, flat=True)
            out.write(value)
            open_line = not value.endswith("\n")
        else:
            out.part(facts, line, max(1, column - len(label) - 2), flat=True)
            out.write(f"{label}: {value}\n")
            open_line = False
    if open_line:
        out.write("\n")


def _facts(number: int, kinds: dict[int, str], inside: tuple[str | int, ...]) -> Facts:
    output = inside[1] + 1 if len(inside) > 1 and inside[0] == "outputs" and isinstance(inside[1], int) else None
    return (*fact("cell", number + 1), *fact("kind", kinds.get(number)), *fact("output", output))
