"""What may be spent on one container and all that lies in it; whoever reaches a limit is told, and the rest goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple


class SpentError(Exception):
    """A limit is reached; the text names it."""


class Limits(NamedTuple):
    """Limits for one outermost container."""

    depth: int = 8
    """Containers within containers; 0: none is looked into."""
    size: int = 64 << 30
    """Bytes that come out of it."""
    ratio: int = 250
    """Bytes of one member that come out, for each byte of the outermost container (counted past `free`)."""
    free: int = 64 << 20
    """Bytes of a member for which the ratio does not count yet."""
    members: int = 5_000_000
    seconds: float = 1800.0


class Budget:
    """Counts what was spent."""

    def __init__(self, limits: Limits, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._size = max(size, 1)
        """Bytes of the outermost container, 0 where nobody knows."""
        self._out = 0
        self._members = 0
        self._clock = clock
        self._end = clock() + limits.seconds

    def enter(self, depth: int) -> None:
        """Raise `SpentError` where a container lies too deep."""
        if depth >= self.limits.depth:
            msg = f"nested deeper than {self.limits.depth}"
            raise SpentError(msg)

    def member(self) -> None:
        """Count one more thing."""
        self._members += 1
        if self._members > self.limits.members:
            msg = f"more than {self.limits.members:,} members"
            raise SpentError(msg)

    def counted(self, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """Return a reader of one member that counts what it gives."""
        given = 0

        def read_counted(size: int) -> bytes:
            nonlocal given
            piece = read(size)
            given += len(piece)
            self._out += len(piece)
            if self._out > self.limits.size:
                msg = f"more than {self.limits.size >> 30} GiB came out of it"
                raise SpentError(msg)
            if given > self.limits.free and given > self.limits.ratio * self._size:
                msg = f"grows to more than {self.limits.ratio} times its size"
                raise SpentError(msg)
            if self._clock() > self._end:
                msg = f"took longer than {self.limits.seconds:.0f} s"
                raise SpentError(msg)
            return piece

        return read_counted
