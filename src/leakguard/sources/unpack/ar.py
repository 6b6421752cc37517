"""ar: static libraries, and Debian packages, which hold two tars. GNU's and BSD's ways to write long names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from leakguard.sources.unpack import DamagedError, Member, Untold
from leakguard.sources.unpack._parts import Part
from leakguard.sources.unpack.budget import Budget

SEEKS = False
_LONGEST = 4 << 20
"""Bytes of the table of long names."""


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the members; symbol tables are left out."""
    if file.read(8) != b"!<arch>\n":
        msg = "the ar has no beginning"
        raise DamagedError(msg)
    names = b""
    while head := file.read(60):
        size_text = head[48:58].strip()
        if len(head) < 60 or head[58:60] != b"`\n" or not size_text.isdigit():
            msg = "a header of the ar is damaged"
            raise DamagedError(msg)
        size = int(size_text)
        part = Part(file, size, "ar")
        name = head[:16].rstrip()
        if name == b"//":
            names = part.all(_LONGEST)
        elif name.startswith(b"#1/") and name[3:].isdigit():
            # the name stands before the bytes
            name = part.exactly(min(int(name[3:]), size, 4096)).rstrip(b"\0")
        elif name[:1] == b"/" and name[1:].isdigit():
            name = names[int(name[1:]) :].partition(b"\n")[0]
        shown = name.removesuffix(b"/").decode("utf-8", "surrogateescape")
        if shown not in {"", "/", "/SYM64", "__.SYMDEF", "__.SYMDEF SORTED"}:
            yield Member(shown, part.read)
        part.skip(size % 2, last=True)
