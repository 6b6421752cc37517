"""A stretch of a file that is read in one pass: what is left of it is skipped, and told where the file ends before."""

from __future__ import annotations

from functools import partial
from typing import IO

from leakguard.sources.unpack import DamagedError

_PIECE = 1 << 16


class Part:
    """The next `size` bytes of a file."""

    def __init__(self, file: IO[bytes], size: int, what: str) -> None:
        self._file = file
        self._left = size
        self._what = what

    def read(self, size: int) -> bytes:
        """Return some of it.

        Raises:
            DamagedError: the file ends before.
        """
        size = min(size, self._left)
        if not size:
            return b""
        piece = self._file.read(size)
        if not piece:
            self._cut()
        self._left -= len(piece)
        return piece

    def exactly(self, size: int) -> bytes:
        """Return so many bytes.

        Raises:
            DamagedError: there are not so many.
        """
        data = b""
        while len(data) < size:
            piece = self.read(size - len(data))
            if not piece:
                self._cut()
            data += piece
        return data

    def all(self, limit: int) -> bytes:
        """Return all of it.

        Raises:
            DamagedError: it is more than `limit`, or the file ends before.
        """
        if self._left > limit:
            msg = f"an index of the {self._what} is too long to be one"
            raise DamagedError(msg)
        return b"".join(iter(partial(self.read, _PIECE), b""))

    def skip(self, padding: int = 0, *, last: bool = False) -> None:
        """Go to its end and beyond the padding, which the `last` one may lack.

        Raises:
            DamagedError: the file ends before.
        """
        if self._left > _PIECE and self._file.seekable():
            self._file.seek(self._left - 1, 1)
            self._left = 1
        while self.read(_PIECE):
            pass
        if padding and len(self._file.read(padding)) < padding and not last:
            self._cut()

    def _cut(self) -> None:
        self._left = 0
        msg = f"the {self._what} ends before the member does"
        raise DamagedError(msg)
