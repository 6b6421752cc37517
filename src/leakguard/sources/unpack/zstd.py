"""Zstandard (RFC 8878): one member, of any number of frames one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import IO

from leakguard.sources.unpack import PACKAGE, Member, MissingError, Untold
from leakguard.sources.unpack._compressed import Decompressor, Stream, inner_name
from leakguard.sources.unpack.budget import Budget

SEEKS = False
WRAPS = True


def members(file: IO[bytes], name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the one thing inside, named as the container is without its ending."""
    inner = inner_name(name, (".zst", ".zstd"), {".tzst": ".tar", ".tzstd": ".tar"})
    make, error = decompressor()
    yield Member(inner, Stream(file, make, (error, MemoryError), b"\x28\xb5\x2f\xfd", "Zstandard").read)


def decompressor() -> tuple[Callable[[], Decompressor], type[Exception]]:
    """Return what makes a decompressor of one frame, and the error that it raises; the window is bounded by the library.

    Raises:
        MissingError: Python is older than 3.14 and the package is not installed.
    """
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise MissingError(PACKAGE) from None
    return zstd.ZstdDecompressor, zstd.ZstdError
