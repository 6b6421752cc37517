"""Progress on standard error, on a terminal only: a count that costs nothing and is gone when the report comes."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Self

from leakguard.model.finding import Candidate

_AFTER = 1.0
"""Seconds of silence before the first word: a short scan says nothing."""


class Progress:
    """Counts what is found while a scan runs."""

    def __init__(self) -> None:
        self._found = 0
        self._shown = False
        self._wanted = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
        self._began = self._next = 0.0

    def __enter__(self) -> Self:
        if self._wanted:
            import time

            self._began = time.monotonic()
            self._next = self._began + _AFTER
        return self

    def seen(self, candidate: Candidate) -> None:  # noqa: ARG002 - only its number counts
        """Count one candidate; write at most twice a second."""
        self._found += 1
        if not self._wanted:
            return
        import time

        now = time.monotonic()
        if now >= self._next:
            self._next = now + 0.5
            self._shown = True
            sys.stderr.write(f"\rscanning: {self._found} possible places so far")
            sys.stderr.flush()

    def share(self, done: float) -> None:
        """Say which share of a history was looked through, and how long the rest may take."""
        if not self._wanted:
            return
        import time

        now = time.monotonic()
        if now < self._next:
            return
        self._next, self._shown = now + 0.5, True
        left = (now - self._began) * (1 - done) / done
        sys.stderr.write(f"\rlooking through history: {done:4.0%}, about {left:.0f} s left   ")
        sys.stderr.flush()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
