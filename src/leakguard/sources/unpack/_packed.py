"""How a member of a zip is packed, by the number of the method; the bytes that it takes are read and checked here."""

from __future__ import annotations

import lzma
from typing import Protocol

from leakguard.sources.unpack import DamagedError
from leakguard.sources.unpack._compressed import Decompressor
from leakguard.sources.unpack._inflate import ERRORS, Inflate, crc32

STORED, _DEFLATED, _BZIP2, _LZMA, _ZSTD, _XZ = 0, 8, 12, 14, 93, 95
_PIECE = 1 << 16
_OUT = 1 << 20
_MEMORY = 80 << 20
_LZMA_ERRORS = (lzma.LZMAError, ValueError, MemoryError)


class Packed(Protocol):
    """The packed bytes of a member."""

    def some(self, size: int) -> bytes:
        """Return the next bytes, `b""` at the end."""

    def give_back(self, data: bytes) -> None:
        """Take back what was read beyond the end."""


class Unpacked:
    """Reads what a member holds, and compares it with what the zip says of it."""

    def __init__(self, packed: Packed, method: int, size: int, crc: int | None) -> None:
        """`size` is what comes out, for LZMA, whose stream may have no end; `crc` None: it is not known (yet).

        Raises:
            DamagedError: nobody knows the method.
            MissingError: a package is needed.
        """
        self._packed = packed
        self._told = size if method == _LZMA else -1
        self._inner: Decompressor | None = None
        self._errors: tuple[type[Exception], ...] = ()
        if method != STORED:
            self._inner, self._errors = _decompressor(method, packed)
        self._crc = crc
        self._sum = 0
        self.ended = False

    def read(self, size: int) -> bytes:
        """Return some of it.

        Raises:
            DamagedError: it is cut or damaged.
        """
        if self.ended:
            return b""
        piece = self._packed.some(size) if self._inner is None else self._inflated(self._inner, min(size, _OUT))
        self._sum = crc32(piece, self._sum)
        if not piece:
            self.ended = True
            if self._crc is not None and self._sum != self._crc:
                msg = "its bytes do not have the sum that the zip tells"
                raise DamagedError(msg)
        return piece

    def _inflated(self, inner: Decompressor, size: int) -> bytes:
        if self._told >= 0:
            size = min(size, self._told)
        while size and not inner.eof:
            hungry = inner.needs_input
            data = self._packed.some(_PIECE) if hungry else b""
            try:
                out = inner.decompress(data, size)
            except self._errors:
                msg = "its bytes are damaged"
                raise DamagedError(msg) from None
            if inner.eof and inner.unused_data:
                self._packed.give_back(inner.unused_data)
            if out:
                self._told -= len(out) if self._told > 0 else 0
                return out
            if hungry and not data and not inner.eof:
                msg = "its bytes end too early"
                raise DamagedError(msg)
        return b""


def _decompressor(method: int, packed: Packed) -> tuple[Decompressor, tuple[type[Exception], ...]]:
    """Return a decompressor and its errors."""
    if method == _DEFLATED:
        return Inflate(-15), ERRORS
    if method == _BZIP2:
        import bz2

        return bz2.BZ2Decompressor(), (OSError, ValueError)
    if method == _XZ:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY), _LZMA_ERRORS
    if method == _ZSTD:
        from leakguard.sources.unpack.zstd import decompressor

        make, error = decompressor()
        return make(), (error, MemoryError)
    if method == _LZMA:
        return _bare_lzma(packed), _LZMA_ERRORS
    msg = f"packed by method {method}, which is not known"
    raise DamagedError(msg)


def _bare_lzma(packed: Packed) -> Decompressor:
    """Return a decompressor for LZMA as zips have it: a version, the length of its properties, these, then the stream."""
    head = packed.some(4)
    properties = packed.some(5)
    code, dictionary = int.from_bytes(properties[:1], "little"), int.from_bytes(properties[1:], "little")
    if head[2:] != b"\x05\0" or len(properties) < 5 or code >= 225 or dictionary > _MEMORY:
        msg = "its bytes are damaged"
        raise DamagedError(msg)
    rest, lc = divmod(code, 9)
    pb, lp = divmod(rest, 5)
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": max(4096, dictionary), "lc": lc, "lp": lp, "pb": pb}]
    try:
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    except (lzma.LZMAError, ValueError):
        msg = "its bytes are damaged"
        raise DamagedError(msg) from None
