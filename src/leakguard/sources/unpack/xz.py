"""xz, and LZMA alone as it was before: one member, of any number of streams one after the other."""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from functools import partial
from typing import IO

from leakguard.sources.unpack import Member, Untold
from leakguard.sources.unpack._compressed import Stream, inner_name
from leakguard.sources.unpack.budget import Budget

SEEKS = False
WRAPS = True
_MEMORY = 80 << 20
"""Bytes; `xz -9` needs 65 MiB to be read, a header may ask for 4 GiB."""


def members(file: IO[bytes], name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the one thing inside, named as the container is without its ending."""
    inner = inner_name(name, (".xz", ".lzma"), {".txz": ".tar", ".tlz": ".tar"})
    make = partial(lzma.LZMADecompressor, lzma.FORMAT_AUTO, _MEMORY)
    yield Member(inner, Stream(file, make, (lzma.LZMAError, MemoryError), b"\xfd7zXZ\0", "xz").read)
