"""The small protocols between the layers; each has one job, plug-ins satisfy them by shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, TextIO, runtime_checkable

from leakguard.model.blob import Blob, Gone, Passed, Skipped
from leakguard.model.finding import Finding, Place, Report


@runtime_checkable
class Source(Protocol):
    """Where bytes come from."""

    def blobs(self) -> Iterator[Blob | Skipped | Passed]:
        """Yield what is there, in stable order, and what can't be read as `Skipped`."""

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again (`place.length` bytes at `place.offset`, decoded as then), or say why not."""


@runtime_checkable
class Splittable(Source, Protocol):
    """A source whose work can be shared out to processes."""

    def shards(self) -> Iterator[Shard | Skipped]:
        """Yield small picklable sources that together give the same blobs as `blobs()`, in the same order."""


@runtime_checkable
class Settling(Source, Protocol):
    """A source that looks through more than it yields, and knows more of a place once it is known which ones count."""

    walked: tuple[int, int]
    """Contents and bytes that it looked through."""

    def settle(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings with their places told in full."""


class Shard(Source, Protocol):
    """A picklable part of a source with its size for balancing.

    One with `follows` is a piece of an input: where that is true, its lines count from where the shard before it ended. It
    yields what it `Passed` last.
    """

    @property
    def size(self) -> int:
        """Bytes to read, roughly."""


class ReportOptions(NamedTuple):
    """How a report looks, decided by the command line."""

    color: bool = False
    unicode: bool = True
    width: int = 100
    verbose: bool = False
    quiet: bool = False
    base_path: str = ""
    """Absolute folder that machine formats make paths relative to; empty: each place's own root."""
    show_suppressed: bool = False
    hyperlinks: bool = False


class Reporter(Protocol):
    """One output format; modules of `leakguard.reporters` satisfy it."""

    def write(self, report: Report, out: TextIO, options: ReportOptions) -> None:
        """Write the whole report."""
