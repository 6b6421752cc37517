"""rpm: a lead, two headers of tagged values, then a compressed cpio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from leakguard.sources._magic import kind_of
from leakguard.sources._text import reader
from leakguard.sources.unpack import DamagedError, Member, Untold, ahead, format_of, opened
from leakguard.sources.unpack._parts import Part
from leakguard.sources.unpack.budget import Budget

SEEKS = False
_LEAD = 96
_HEADER = b"\x8e\xad\xe8\x01"
_MOST = 1 << 28
"""Bytes of a header: rpm refuses longer ones."""
_READ = 32 << 20
"""Bytes of a header that are read."""
_TEXTS = {
    1004: "summary", 1005: "description", 1007: "buildhost", 1020: "url", 1081: "changelog-names", 1082: "changelog",
    1023: "prein", 1024: "postin", 1025: "preun", 1026: "postun", 1065: "triggers", 1079: "verify", 1151: "pretrans", 1152: "posttrans",
}  # fmt: skip
"""Tags that hold what people wrote: words, and scripts that run when the package is installed."""


def members(file: IO[bytes], name: str, budget: Budget) -> Iterator[Member | Untold]:
    """Yield the scripts and texts of the header, then the files."""
    Part(file, _LEAD, "rpm").skip()
    size = _skip_header(file)
    Part(file, -size % 8, "rpm").skip()
    yield from _texts(file)
    read, head = ahead(file.read)
    kind = kind_of(head)
    if not kind:
        msg = "the rpm's payload has a format that is not known"
        raise DamagedError(msg)
    payload = opened(read, kind, budget)
    if kind == "cpio":
        yield from format_of(kind).members(payload, name, budget)
        return
    for inner in format_of(kind).members(payload, name, budget):
        if isinstance(inner, Untold):
            yield inner
            continue
        yield from format_of("cpio").members(opened(budget.counted(inner.read), "cpio", budget), name, budget)


def _skip_header(file: IO[bytes]) -> int:
    """Go behind a header and return how long it is."""
    entries, data = _sizes(file)
    Part(file, 16 * entries + data, "rpm").skip()
    return 16 * entries + data


def _sizes(file: IO[bytes]) -> tuple[int, int]:
    head = file.read(16)
    entries, data = int.from_bytes(head[8:12], "big"), int.from_bytes(head[12:16], "big")
    if len(head) < 16 or not head.startswith(_HEADER) or 16 * entries + data > _MOST:
        msg = "a header of the rpm is damaged"
        raise DamagedError(msg)
    return entries, data


def _texts(file: IO[bytes]) -> Iterator[Member]:
    """Yield what people wrote into the header."""
    entries, size = _sizes(file)
    index = Part(file, 16 * entries, "rpm").all(_READ)
    data = Part(file, size, "rpm").all(_READ)
    for at in range(0, 16 * entries, 16):
        tag, _type, offset, count = (int.from_bytes(index[at + step : at + step + 4], "big") for step in range(0, 16, 4))
        if tag in _TEXTS:
            values = data[offset:].split(b"\0", min(count, _READ))[:-1]
            yield Member(_TEXTS[tag], reader(b"\n".join(values)))
