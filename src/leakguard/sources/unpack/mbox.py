"""mbox (RFC 4155): mails one after the other, each begun by a line `From sender date`; numbered from 1 as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from leakguard.sources._text import reader
from leakguard.sources.unpack import Member, Untold
from leakguard.sources.unpack._written import fact
from leakguard.sources.unpack.budget import Budget
from leakguard.sources.unpack.eml import BIGGEST

SEEKS = False
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_PIECE = 1 << 16


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield each mail."""
    number, size = 1, 0
    lines: list[bytes] = []
    blank, first = True, True
    # a line of any length comes in pieces, so that a file without line ends does not fill the memory
    while line := file.readline(_PIECE):
        if blank and line.startswith(b"From "):
            if lines:
                yield _mail(number, lines)
                number, lines, size = number + 1, [], 0
            first = False
        elif not first or line.strip():
            if size <= BIGGEST:
                lines.append(line)
            size += len(line)
        if size > BIGGEST and lines:
            yield _mail(number, lines)
            yield Untold(
                f"{number}.eml", "budget", by_choice=False, detail=f"only the first {BIGGEST >> 20} MiB of it were scanned"
            )
            lines = []
        blank = line in {b"\n", b"\r\n"}
    if lines:
        yield _mail(number, lines)


def _mail(number: int, lines: list[bytes]) -> Member:
    return Member(f"{number}.eml", reader(_QUOTED.sub(rb"\1", b"".join(lines))), fact("mail", number), kind="eml")
