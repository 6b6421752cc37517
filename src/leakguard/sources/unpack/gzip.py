"""gzip: one member, of any number of parts one after the other (RFC 1952)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO

from leakguard.sources.unpack import DamagedError, Member, Untold
from leakguard.sources.unpack.budget import Budget

SEEKS = False


def members(file: IO[bytes], name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the one thing inside, named as the container is without its ending."""
    yield Member(inner_name(name, (".gz", ".gzip", ".z"), {".tgz": ".tar", ".taz": ".tar", ".svgz": ".svg"}), _Stream(file).read)


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


class _Stream:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(31)
        self._pending = b""

    def read(self, size: int) -> bytes:
        """Return some of the content."""
        while True:
            if self._inflate.eof:
                rest = self._inflate.unused_data or self._file.read(1 << 16)
                if not rest.startswith(b"\x1f\x8b"):
                    return b""  # padding, or what else tools append
                self._inflate, self._pending = zlib.decompressobj(31), rest
            raw = self._pending or self._file.read(1 << 16)
            if not raw:
                msg = "the gzip stream ends too early"
                raise DamagedError(msg)
            try:
                out = self._inflate.decompress(raw, size)
            except zlib.error:
                msg = "the gzip stream is damaged"
                raise DamagedError(msg) from None
            self._pending = self._inflate.unconsumed_tail
            if out:
                return out
