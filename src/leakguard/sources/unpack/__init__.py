"""Look into containers: archives, documents, exports. A container is a source of blobs, whatever it lies in.

    open file or stream -> kind by its first bytes -> its members, each a stream -> text: blobs · a container: again · else: skipped

One file a format, imported when the first such container is met. A format yields `Member`s in the order of the bytes and
never holds one whole unless its index stands at the end. Nothing is unpacked to disk.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import IO, NamedTuple, Protocol

from leakguard.model.blob import Blob, MemberProvenance, Outer, Provenance, Skipped, path_in
from leakguard.sources._chunks import chunks
from leakguard.sources._magic import kind_of
from leakguard.sources._text import HEAD, sniff
from leakguard.sources.unpack.budget import Budget, SpentError

HELD = 48 << 20
"""Bytes of a container inside another that are held in memory where its format has to be read from several places."""

Read = Callable[[int], bytes]
"""Gives the next bytes, at most about so many; `b""` only at the end. Raises `DamagedError`, `OSError` or `SpentError`."""


class DamagedError(Exception):
    """The container breaks its own format; what was read before counts. The text holds no scanned bytes."""


class MissingError(Exception):
    """An optional package is needed; the text is the line that installs it."""


TROUBLE = (DamagedError, MissingError, SpentError, OSError, EOFError)
"""What may come of reading a container; a format turns what its library raises into these."""


class Member(NamedTuple):
    """One thing in a container."""

    name: str
    """As the container calls it, made of any bytes (surrogateescape); only ever shown, never a path to write to."""
    read: Read
    facts: tuple[tuple[str, str], ...] = ()
    text: bool = False
    """The reader made the text itself (a document's page), so it is neither sniffed nor looked into."""


class Untold(NamedTuple):
    """A member that is not read, and why (a reason of `REASONS`); a name of its own or, empty, the container's."""

    name: str
    reason: str
    by_choice: bool
    detail: str = ""
    number: int = 1


class Format(Protocol):
    """What a module of this package offers."""

    SEEKS: bool
    """Whether it needs an input that can be sought in."""

    def members(self, file: IO[bytes], name: str, budget: Budget) -> Iterator[Member | Untold]:
        """Yield what is inside; a member's `read` is good until the next one is asked for.

        `name` is the container's own (of a stream or member: as far as it is known).
        """


def inside(file: IO[bytes], outer: Outer, kind: str, budget: Budget) -> Iterator[Blob | Skipped]:
    """Yield what a container holds, to any depth that the budget allows, and what of it could not be read."""
    yield from _Walk(outer, budget).container(file, kind, (), ())


class _Walk:
    """One container with all that lies in it."""

    def __init__(self, outer: Outer, budget: Budget) -> None:
        self._outer = outer
        self._budget = budget

    def container(
        self, file: IO[bytes], kind: str, inner: tuple[str, ...], facts: tuple[tuple[str, str], ...]
    ) -> Iterator[Blob | Skipped]:
        """Yield what is in one container; a damaged one gives what stands before the damage."""
        binary = 0
        for member, names, more in listed(file, kind, self._outer, inner, facts, self._budget):
            if isinstance(member, Untold):
                yield self._skipped(names, member)
                continue
            sound = Sound(member.read)
            read, head = ahead(sound.read)
            found = "" if member.text else kind_of(head)
            encoding = "" if member.text or found else sniff(head, whole=len(head) <= HEAD)
            if found:
                yield from self._nested(read, found, names, more)
            elif encoding == "binary":
                binary += 1
            else:
                yield from chunks(read, MemberProvenance(self._outer, names, more), encoding)
            if sound.error is not None:
                yield self._skipped(names, untold(sound.error))
        if binary:
            yield self._skipped(inner, Untold("", "binary", by_choice=True, number=binary))

    def _nested(
        self, read: Read, kind: str, names: tuple[str, ...], facts: tuple[tuple[str, str], ...]
    ) -> Iterator[Blob | Skipped]:
        try:
            self._budget.enter(len(names))
            file = opened(read, kind)
        except TROUBLE as e:
            yield self._skipped(names, untold(e))
            return
        yield from self.container(file, kind, names, facts)

    def _skipped(self, names: tuple[str, ...], why: Untold) -> Skipped:
        where: Provenance = MemberProvenance(self._outer, names) if names else self._outer
        return Skipped(where, why.reason, why.by_choice, why.detail, why.number)


Listed = tuple[Member | Untold, tuple[str, ...], tuple[tuple[str, str], ...]]


def listed(
    file: IO[bytes], kind: str, outer: Outer, inner: tuple[str, ...], facts: tuple[tuple[str, str], ...], budget: Budget
) -> Iterator[Listed]:
    """Yield the members of one container with their whole names and facts; the same name twice is told apart by `#2`.

    What goes wrong ends the container and is the last thing listed.
    """
    taken: dict[str, int] = {}
    try:
        name = (inner[-1] if inner else path_in(outer)).rpartition("/")[2]
        for member in _format(kind).members(file, name, budget):
            if isinstance(member, Untold) and not member.name:
                yield member, inner, facts
                continue
            budget.member()
            number = taken[member.name] = taken.get(member.name, 0) + 1
            names = (*inner, f"{member.name}#{number}" if number > 1 else member.name)
            if isinstance(member, Untold):
                yield member, names, facts
            else:
                yield member._replace(read=budget.counted(member.read)), names, (*facts, *member.facts)
    except TROUBLE as e:
        yield untold(e), inner, facts


def untold(error: BaseException) -> Untold:
    """Return what an error says of a container."""
    if isinstance(error, SpentError):
        return Untold("", "budget", by_choice=False, detail=str(error))
    if isinstance(error, MissingError):
        return Untold("", "extra", by_choice=True, detail=str(error))
    if isinstance(error, OSError):
        return Untold("", "unreadable", by_choice=False, detail=error.strerror or type(error).__name__)
    return Untold("", "damaged", by_choice=False, detail=str(error) or "ended before its end")


def _format(kind: str) -> Format:
    module: Format = import_module(f"leakguard.sources.unpack.{kind}")
    return module


def ahead(read: Read) -> tuple[Read, bytes]:
    """Return a reader that gives everything and what it begins with (more than `HEAD` bytes, if there are so many)."""
    head = b""
    while len(head) <= HEAD and (piece := read(1 << 16)):
        head += piece
    first = head

    def read_on(size: int) -> bytes:
        nonlocal head
        if head:
            piece, head = head[:size], head[size:]
            return piece
        return read(size)

    return read_on, first


def opened(read: Read, kind: str) -> IO[bytes]:
    """Return a file over a container that lies in another: a stream, or held in memory where its format seeks.

    Raises:
        SpentError: it is too big to be held.
    """
    if not _format(kind).SEEKS:
        return io.BufferedReader(_Raw(read), 1 << 16)
    held = io.BytesIO()
    for piece in iter(partial(read, 1 << 20), b""):
        if held.tell() + len(piece) > HELD:
            msg = f"more than {HELD >> 20} MiB of a container inside another, whose format can't be read in one pass"
            raise SpentError(msg)
        held.write(piece)
    held.seek(0)
    return held


class Sound:
    """Ends a member where it can't be read on, so that what came before counts; keeps what went wrong."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        if self.error is not None:
            return b""
        try:
            return self._read(size)
        except TROUBLE as e:
            self.error = e
            return b""


class _Raw(io.RawIOBase):
    """A forward-only file over a `Read`."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = self._read(len(buffer))
        piece, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)
