"""What a compressed file holds: one stream after the other, through whatever library inflates it.

The decompressors of the standard library (bz2, lzma), of backports.zstd and of lz4 share one shape; the others are brought
to it by a few lines, so that cutting, ends and damage are handled once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Protocol

from leakguard.sources.unpack import DamagedError

_PIECE = 1 << 16
_OUT = 1 << 20
"""Bytes that one call may give: what is asked for may be several MB, and decompressors take that much memory at once."""


class Decompressor(Protocol):
    """A decompressor of one stream, as in `bz2`."""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without new input."""

    @property
    def unused_data(self) -> bytes | None:
        """What came after the end."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return at most so many bytes."""


class Stream:
    """Reads the content of compressed streams that stand one after the other, with zeros between them or none."""

    def __init__(
        self, file: IO[bytes], make: Callable[[], Decompressor], errors: tuple[type[Exception], ...], begins: bytes, what: str
    ) -> None:
        """`begins`: first bytes of a stream; what begins otherwise after the first one is padding, or what tools append."""
        self._file = file
        self._make = make
        self._errors = errors
        self._begins = begins
        self._what = what
        self._inflate = make()
        self._ended = False

    def read(self, size: int) -> bytes:
        """Return some of the content.

        Raises:
            DamagedError: it is cut or damaged.
        """
        while not self._ended:
            data, cut = b"", False
            if self._inflate.eof:
                data = self._next()
                if self._ended:
                    break
            elif self._inflate.needs_input:
                data = self._file.read(_PIECE)
                cut = not data
            try:
                out = self._inflate.decompress(data, min(size, _OUT))
            except self._errors:
                msg = f"the {self._what} stream is damaged"
                raise DamagedError(msg) from None
            if out:
                return out
            if cut and not self._inflate.eof:
                msg = f"the {self._what} stream ends too early"
                raise DamagedError(msg)
        return b""

    def _next(self) -> bytes:
        """Return the beginning of the next stream, if there is one."""
        rest = (self._inflate.unused_data or b"").lstrip(b"\0")  # lz4 says None
        while len(rest) < len(self._begins) and (piece := self._file.read(_PIECE)):
            rest = (rest + piece).lstrip(b"\0")
        if not rest.startswith(self._begins):
            self._ended = True
            return b""
        self._inflate = self._make()
        return rest


def inner_name(name: str, endings: tuple[str, ...], others: dict[str, str]) -> str:
    """Return the name of what a compressed file holds: without the ending, or with the one that it stands for."""
    low = name.lower()
    for ending in endings:
        if low.endswith(ending) and len(low) > len(ending):
            return name[: -len(ending)]
    for ending, instead in others.items():
        if low.endswith(ending):
            return name[: -len(ending)] + instead
    return "content"
