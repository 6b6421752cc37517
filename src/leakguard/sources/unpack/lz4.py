"""lz4 frames: one member, of any number of frames one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from leakguard.sources.unpack import PACKAGE, Member, MissingError, Untold
from leakguard.sources.unpack._compressed import Stream, inner_name
from leakguard.sources.unpack.budget import Budget

SEEKS = False
WRAPS = True


def members(file: IO[bytes], name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the one thing inside, named as the container is without its ending."""
    try:
        from lz4.frame import LZ4FrameDecompressor
    except ImportError:
        raise MissingError(PACKAGE) from None
    inner = inner_name(name, (".lz4",), {".tlz4": ".tar"})
    yield Member(inner, Stream(file, LZ4FrameDecompressor, (RuntimeError, MemoryError), b"\x04\x22\x4d\x18", "lz4").read)
