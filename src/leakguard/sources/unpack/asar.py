"""asar: Electron's archive, a JSON index and then the files one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

from leakguard.sources._text import reader
from leakguard.sources.unpack import DamagedError, Member, Untold
from leakguard.sources.unpack._parts import Part
from leakguard.sources.unpack.budget import Budget

SEEKS = False
_INDEX = 32 << 20
"""Bytes of the longest index."""


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the files in the order of their bytes; what `app.asar.unpacked` beside it holds is a file of its own."""
    head = file.read(16)
    length, size = int.from_bytes(head[4:8], "little"), int.from_bytes(head[12:16], "little")
    if len(head) < 16 or not 8 + size <= length <= _INDEX:
        msg = "the index of the asar is damaged"
        raise DamagedError(msg)
    index = Part(file, length - 8, "asar")
    try:
        tree = json.loads(index.exactly(size))
    except (ValueError, RecursionError):
        msg = "the index of the asar is damaged"
        raise DamagedError(msg) from None
    index.skip()
    at = 0
    for offset, length, name, target in sorted(_entries(tree)):
        if target:
            yield Member(name, reader(target.encode("utf-8", "surrogateescape")))
        elif offset < at:
            yield Untold(name, "damaged", by_choice=False, detail="it overlaps another member")
        else:
            Part(file, offset - at, "asar").skip()
            part = Part(file, length, "asar")
            yield Member(name, part.read)
            part.skip()
            at = offset + length


def _entries(tree: Any) -> Iterator[tuple[int, int, str, str]]:
    """Yield offset, length, path and, of a link, its target; what makes no sense is left out."""
    stack = [("", tree)]
    while stack:
        path, node = stack.pop()
        files = node.get("files") if isinstance(node, dict) else None
        if isinstance(files, dict):
            stack += [(f"{path}/{name}" if path else name, below) for name, below in files.items()]
            continue
        if not isinstance(node, dict):
            continue
        offset, size, link = node.get("offset"), node.get("size"), node.get("link")
        if isinstance(link, str):
            yield 0, 0, path, link
        elif isinstance(offset, str) and offset.isdecimal() and len(offset) < 20 and isinstance(size, int) and size >= 0:
            yield int(offset), size, path, ""
