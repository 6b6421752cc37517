"""What may be spent on one container and all that lies in it; whoever reaches a limit is told, and the rest goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from leakguard.config import ARCHIVE_DEPTH


class SpentError(Exception):
    """A limit is reached; the text names it."""

    def __init__(self, message: str, reason: str = "budget") -> None:
        super().__init__(message)
        self.reason = reason
        """One of `REASONS`."""


class Limits(NamedTuple):
    """Limits for one outermost container.

    What comes out of it is compared with its own size, since that is what a bomb lacks: a disk image of a terabyte is
    read to its end. Text costs the engine, so it has a limit of its own; other bytes are only passed on the way to others.
    """

    depth: int = ARCHIVE_DEPTH
    """Containers within containers; 0: none is looked into."""
    ratio: int = 250
    """Bytes that come out for each byte that the outermost container has; counted past the limits below."""
    text: int = 512 << 20
    """Bytes of text of one member."""
    texts: int = 4 << 30
    """Bytes of text of all members."""
    out: int = 8 << 30
    """Bytes of any kind, each time they come out of something."""
    held: int = 64 << 20
    """Bytes of inner containers that are held in memory at once, since their formats are read from several places."""
    members: int = 2_000_000
    seconds: float = 1800.0


class Budget:
    """Counts what was spent. What ends one member raises, what ends all does so from then on, and `over` is set."""

    def __init__(
        self,
        limits: Limits,
        size: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        expired: Callable[[], bool] | None = None,
    ) -> None:
        """`size`: bytes of the outermost container, 0 where nobody knows (see `fed`); `expired()`: the caller's time is up."""
        self.limits = limits
        self.over = False
        """Nothing more can be had."""
        self.told = False
        """Whether somebody has told so."""
        self._size = size
        self._out = 0
        self._texts = 0
        self._held = 0
        self._members = 0
        self._clock = clock
        self._end = clock() + limits.seconds
        self._expired = expired

    def enter(self, depth: int) -> None:
        """Raise `SpentError` where a container lies too deep."""
        if depth >= self.limits.depth:
            msg = f"nested deeper than {self.limits.depth}"
            raise SpentError(msg)

    def member(self) -> None:
        """Count one more thing."""
        self._members += 1
        if self._members > self.limits.members:
            self._spent(f"more than {self.limits.members:,} members")
        self.check_time()

    def hold(self, size: int) -> None:
        """Take memory for an inner container; a negative size gives it back."""
        if size > 0 and self._held + size > self.limits.held:
            msg = f"more than {self.limits.held >> 20} MiB of a container inside another, whose format can't be read in one pass"
            raise SpentError(msg)
        self._held += size

    def fed(self, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """Return a reader of an outermost container whose size shows only as it is read."""

        def read_fed(size: int) -> bytes:
            piece = read(size)
            self._size += len(piece)
            return piece

        return read_fed

    def counted(self, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """Return a reader of one member that counts what it gives."""

        def read_counted(size: int) -> bytes:
            piece = read(size)
            self._out += len(piece)
            if self._out > self.limits.out and self._out > self.limits.ratio * self._size:
                self._spent(f"more than {self.limits.out >> 30} GiB and {self.limits.ratio} times its size come out of it")
            self.check_time()
            return piece

        return read_counted

    def text(self, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """Return a reader of one member's text that counts what it gives to the engine."""
        given = 0

        def read_text(size: int) -> bytes:
            nonlocal given
            piece = read(size)
            given += len(piece)
            self._texts += len(piece)
            most = self.limits.ratio * self._size
            if given > self.limits.text and given > most:
                msg = f"grows to more than {self.limits.text >> 20} MiB and {self.limits.ratio} times its size"
                raise SpentError(msg)
            if self._texts > self.limits.texts and self._texts > most:
                self._spent(f"more than {self.limits.texts >> 30} GiB of text and {self.limits.ratio} times its size")
            return piece

        return read_text

    def late(self) -> bool:
        """Whether the time is up."""
        return self._clock() > self._end or (self._expired is not None and self._expired())

    def check_time(self) -> None:
        """Raise `SpentError` where the time is up."""
        if self._expired is not None and self._expired():
            self._spent("the deadline came first", "timeout")
        if self._clock() > self._end:
            self._spent(f"took longer than {self.limits.seconds:.0f} s")

    def _spent(self, message: str, reason: str = "budget") -> None:
        self.over = True
        raise SpentError(message, reason)
