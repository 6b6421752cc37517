"""gzip: one member, of any number of parts one after the other (RFC 1952)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import IO

from leakguard.sources.unpack import Member, Untold
from leakguard.sources.unpack._compressed import Stream, inner_name
from leakguard.sources.unpack._inflate import ERRORS, Inflate
from leakguard.sources.unpack.budget import Budget

SEEKS = False
WRAPS = True


def members(file: IO[bytes], name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the one thing inside, named as the container is without its ending."""
    inner = inner_name(name, (".gz", ".gzip", ".z"), {".tgz": ".tar", ".taz": ".tar", ".svgz": ".svg"})
    yield Member(inner, Stream(file, partial(Inflate, 31), ERRORS, b"\x1f\x8b", "gzip").read)
