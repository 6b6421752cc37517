"""Inflating: with Intel's library where it is installed (`pip install "leakguard[fast]"`), which takes half of zlib's time."""

from __future__ import annotations

import zlib
from typing import Any

ERRORS: tuple[type[Exception], ...] = (zlib.error,)
_library: Any = zlib
try:
    from isal import isal_zlib
except ImportError:
    pass
else:
    _library = isal_zlib
    # a stream that ends within what it was given before makes it say RuntimeError
    ERRORS = (zlib.error, isal_zlib.error, RuntimeError)  # type: ignore[assignment, unused-ignore]  # isal has no types here

crc32 = _library.crc32


class Inflate:
    """A decompressor in the shape of `bz2`'s; `bits` as zlib's `wbits`."""

    def __init__(self, bits: int) -> None:
        self._inflate = _library.decompressobj(bits)
        self._tail = b""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was reached."""
        return bool(self._inflate.eof)

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without new input."""
        return not self._tail

    @property
    def unused_data(self) -> bytes:
        """What came after the end."""
        return bytes(self._inflate.unused_data)

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        """Return at most so many bytes."""
        out: bytes = self._inflate.decompress(self._tail + data if self._tail else data, max_length)
        self._tail = self._inflate.unconsumed_tail
        return out
