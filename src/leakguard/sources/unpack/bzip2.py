"""bzip2: one member, of any number of streams one after the other."""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from typing import IO

from leakguard.sources.unpack import Member, Untold
from leakguard.sources.unpack._compressed import Stream, inner_name
from leakguard.sources.unpack.budget import Budget

SEEKS = False
WRAPS = True


def members(file: IO[bytes], name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the one thing inside, named as the container is without its ending."""
    inner = inner_name(name, (".bz2", ".bz"), {".tbz2": ".tar", ".tbz": ".tar", ".tb2": ".tar"})
    yield Member(inner, Stream(file, bz2.BZ2Decompressor, (OSError, ValueError), b"BZh", "bzip2").read)
