"""Brotli (RFC 7932): one member. It has no first bytes of its own, so only names that end with `.br` lead here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from leakguard.sources.unpack import PACKAGE, Member, MissingError, Untold
from leakguard.sources.unpack._compressed import Stream, inner_name
from leakguard.sources.unpack.budget import Budget

SEEKS = False
WRAPS = True


def members(file: IO[bytes], name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the one thing inside, named as the container is without its ending."""
    try:
        import brotli
    except ImportError:
        raise MissingError(PACKAGE) from None

    def make() -> _Brotli:
        return _Brotli(brotli.Decompressor())

    # nothing tells where a second stream begins: no byte may follow the first
    yield Member(inner_name(name, (".br",), {}), Stream(file, make, (brotli.error, MemoryError), b"\0", "brotli").read)


class _Brotli:
    """A decompressor in the shape of `bz2`'s."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was reached."""
        return bool(self._inner.is_finished())

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without new input."""
        return bool(self._inner.can_accept_more_data())

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return about so many bytes."""
        return bytes(self._inner.process(data, output_buffer_limit=max_length))
