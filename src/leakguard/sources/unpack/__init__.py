"""Look into containers: archives, documents, exports. A container is a source of blobs, whatever it lies in.

    open file or stream -> kind by its first bytes -> its members, each a stream -> text: blobs · a container: again · else: skipped

One file a format, imported when the first such container is met. A format yields `Member`s in the order of the bytes and
never holds one whole unless its index stands at the end. Nothing is unpacked to disk.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import IO, NamedTuple, Protocol

from leakguard.model.blob import Blob, MemberProvenance, Outer, Part, Provenance, Skipped, path_in
from leakguard.sources._chunks import CHUNK, chunks
from leakguard.sources._magic import kind_of
from leakguard.sources._text import HEAD, sniff
from leakguard.sources.unpack.budget import Budget, SpentError

PACKAGE = 'pip install "leakguard[archives]"'
"""What `MissingError` says where an archive's format needs a package."""
TOLD = 100
"""So many members of one container are told one by one for the same reason; more are told as a number."""
_ARCHIVES = frozenset({"tar", "cpio"})
"""What usually lies compressed: `a.tar.gz` is one thing for people, so what it holds is `a.tar.gz!/member`."""

_NAMELESS = "(no name)"
_PARTED = 1 << 20
"""Bytes that a chunk of a text with parts owns."""

Read = Callable[[int], bytes]
"""Gives the next bytes, at most about so many; `b""` only at the end. Raises `DamagedError`, `OSError` or `SpentError`."""
Facts = tuple[tuple[str, str], ...]


class DamagedError(Exception):
    """The container breaks its own format; what was read before counts. The text holds no scanned bytes."""


class MissingError(Exception):
    """An optional package is needed; the text is the line that installs it."""


TROUBLE = (DamagedError, MissingError, SpentError, OSError, EOFError, MemoryError)
"""What may come of reading a container; a format turns what its library raises into these."""


class Member(NamedTuple):
    """One thing in a container."""

    name: str
    """As the container calls it, made of any bytes (surrogateescape); only ever shown, never a path to write to.

    Empty: the container's own text, at most one member of it.
    """
    read: Read
    facts: Facts = ()
    text: bool = False
    """The reader made the text itself (a document's page), so it is neither sniffed nor looked into."""
    parts: list[Part] | None = None
    """Of such a text: filled as it is read."""
    kind: str = ""
    """The format of what is no text, where the container knows it."""


class Untold(NamedTuple):
    """A member that is not read, and why (a reason of `REASONS`); a name of its own or, empty, the container's."""

    name: str
    reason: str
    by_choice: bool
    detail: str = ""
    number: int = 1


class Format(Protocol):
    """What a module of this package offers.

    `WRAPS = True` says that it holds one thing and only compresses it; `STREAMS = True`, beside `SEEKS`, that a file which
    can't be sought in will do where it is too big to be held.
    """

    SEEKS: bool
    """Whether it needs an input that can be sought in."""

    def members(self, file: IO[bytes], name: str, budget: Budget) -> Iterator[Member | Untold]:
        """Yield what is inside; a member's `read` is good until the next one is asked for.

        `name` is the container's own (of a stream or member: as far as it is known).
        """


class Leaf(NamedTuple):
    """A member that is no container."""

    names: tuple[str, ...]
    facts: Facts
    read: Read
    head: bytes
    """What it begins with; `read` gives it again. More than `HEAD` bytes, if there are so many."""
    text: bool
    parts: list[Part] | None = None


def inside(file: IO[bytes], outer: Outer, kind: str, budget: Budget) -> Iterator[Blob | Skipped]:
    """Yield what a container holds, to any depth that the budget allows, and what of it could not be read."""
    binary: dict[tuple[str, ...], int] = {}
    for item in leaves(file, kind, outer, (), (), budget):
        if isinstance(item, Skipped):
            yield item
            continue
        encoding = "" if item.text else sniff(item.head, whole=len(item.head) <= HEAD)
        if encoding == "binary":
            binary[item.names[:-1]] = binary.get(item.names[:-1], 0) + 1
            continue
        text = Sound(budget.text(item.read))
        # parts take room of their own, so their text comes in smaller pieces
        size = CHUNK if item.parts is None else _PARTED
        yield from parted(chunks(text.read, MemberProvenance(outer, item.names, item.facts), encoding, chunk=size), item.parts)
        if text.error is not None:
            yield from _troubled(outer, item.names, text.error, budget)
    for names, number in binary.items():
        yield _skipped(outer, names, Untold("", "binary", by_choice=True, number=number))


def within(read: Read, outer: Outer, kind: str, budget: Budget) -> Iterator[Blob | Skipped]:
    """Yield what a container holds that can be read once only, from its beginning."""
    try:
        with opened(read, kind, budget) as file:
            yield from inside(file, outer, kind, budget)
    except TROUBLE as e:
        yield from _troubled(outer, (), e, budget)


def leaves(
    file: IO[bytes], kind: str, outer: Outer, inner: tuple[str, ...], facts: Facts, budget: Budget
) -> Iterator[Leaf | Skipped]:
    """Yield every member that is no container itself, at any depth, and what can't be read; a leaf is good until the next.

    A damaged container gives what stands before the damage.
    """
    wraps = getattr(format_of(kind), "WRAPS", False)
    told: dict[str, int] = {}
    for member, names, more in listed(file, kind, outer, inner, facts, budget):
        if isinstance(member, Untold):
            told[member.reason] = told.get(member.reason, 0) + 1
            if told[member.reason] <= TOLD:
                yield _skipped(outer, names, member)
            continue
        sound = Sound(member.read)
        read, head = ahead(sound.read)
        found = "" if member.text else member.kind or kind_of(head, names[-1])
        if found:
            below = inner if wraps and found in _ARCHIVES else names
            yield from _nested(read, found, outer, below, more, budget)
        else:
            yield Leaf(names, more, read, head, member.text, member.parts)
        if sound.error is not None:
            yield from _troubled(outer, names, sound.error, budget)
        if budget.over:
            break
    for reason, number in told.items():
        if number > TOLD:
            yield _skipped(outer, inner, Untold("", reason, by_choice=reason in _CHOSEN, number=number - TOLD))


_CHOSEN = frozenset({"encrypted", "device", "extra", "binary"})
"""Reasons for which whole runs of members are left out by choice."""


def _nested(read: Read, kind: str, outer: Outer, names: tuple[str, ...], facts: Facts, budget: Budget) -> Iterator[Leaf | Skipped]:
    try:
        budget.enter(len(names))
        with opened(read, kind, budget) as file:
            yield from leaves(file, kind, outer, names, facts, budget)
    except TROUBLE as e:
        yield from _troubled(outer, names, e, budget)


def _troubled(outer: Outer, names: tuple[str, ...], error: BaseException, budget: Budget) -> Iterator[Skipped]:
    """Tell of an error; that the whole budget is spent, which every reader then says, once."""
    if budget.over and isinstance(error, SpentError):
        if budget.told:
            return
        budget.told = True
    yield _skipped(outer, names, untold(error))


def _skipped(outer: Outer, names: tuple[str, ...], why: Untold) -> Skipped:
    where: Provenance = MemberProvenance(outer, names) if names else outer
    return Skipped(where, why.reason, why.by_choice, why.detail, why.number)


Listed = tuple[Member | Untold, tuple[str, ...], Facts]


def listed(file: IO[bytes], kind: str, outer: Outer, inner: tuple[str, ...], facts: Facts, budget: Budget) -> Iterator[Listed]:
    """Yield the members of one container with their whole names and facts; the same name twice is told apart by `#2`.

    What goes wrong ends the container and is the last thing listed.
    """
    taken: dict[str, int] = {}
    try:
        name = (inner[-1] if inner else path_in(outer)).rpartition("/")[2]
        for member in format_of(kind).members(file, name, budget):
            if isinstance(member, Untold) and not member.name:
                yield member, inner, facts
                continue
            budget.member()
            own = isinstance(member, Untold) or member.text
            called = member.name or ("" if own else _NAMELESS)
            number = taken[called] = taken.get(called, 0) + 1
            names = (*inner, f"{called}#{number}" if number > 1 else called) if called else inner
            if isinstance(member, Untold):
                yield member, names, facts
            else:
                yield member._replace(read=budget.counted(member.read)), names, (*facts, *member.facts)
    except TROUBLE as e:
        if not (budget.over and budget.told and isinstance(e, SpentError)):
            budget.told = budget.told or budget.over
            yield untold(e), inner, facts


def parted(blobs: Iterator[Blob], parts: list[Part] | None) -> Iterator[Blob]:
    """Give the chunks of a made text its parts, and forget those that lie behind."""
    if parts is None:
        yield from blobs
        return
    for blob in blobs:
        behind = bisect_right(parts, blob.offset, key=lambda part: part.offset) - 1
        if behind > 0:
            del parts[:behind]
        yield blob._replace(parts=parts)


def untold(error: BaseException) -> Untold:
    """Return what an error says of a container."""
    if isinstance(error, SpentError):
        return Untold("", error.reason, by_choice=False, detail=str(error))
    if isinstance(error, MissingError):
        return Untold("", "extra", by_choice=True, detail=str(error))
    if isinstance(error, OSError):
        return Untold("", "unreadable", by_choice=False, detail=error.strerror or type(error).__name__)
    if isinstance(error, MemoryError):
        return Untold("", "budget", by_choice=False, detail="it asks for more memory than there is")
    return Untold("", "damaged", by_choice=False, detail=str(error) or "ended before its end")


def format_of(kind: str) -> Format:
    """Return the module that reads a kind of container."""
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


def opened(read: Read, kind: str, budget: Budget) -> IO[bytes]:
    """Return a file over a container that can be read once: a stream, or held in memory where its format seeks.

    What is held counts against the budget until the file is closed.

    Raises:
        SpentError: it is too big to be held.
    """
    module = format_of(kind)
    if not module.SEEKS:
        return forward(read)
    held = _Held(budget)
    try:
        for piece in iter(partial(read, 1 << 20), b""):
            try:
                held.take(piece)
            except SpentError:
                if not getattr(module, "STREAMS", False):
                    raise
                return forward(_after(held, piece, read))
    except BaseException:
        held.close()
        raise
    held.seek(0)
    return held


def forward(read: Read) -> IO[bytes]:
    """Return a file that can be read once."""
    return io.BufferedReader(_Raw(read), 1 << 16)


def _after(held: _Held, piece: bytes, read: Read) -> Read:
    """Return a reader of what was held, then of what follows."""
    held.seek(0)
    parts = [piece]

    def read_on(size: int) -> bytes:
        if not held.closed:
            if some := held.read(size):
                return some
            held.close()
        return parts.pop() if parts else read(size)

    return read_on


class _Held(io.BytesIO):
    """A container in memory."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget
        self._taken = 0

    def take(self, piece: bytes) -> None:
        self._budget.hold(len(piece))
        self._taken += len(piece)
        self.write(piece)

    def close(self) -> None:
        self._budget.hold(-self._taken)
        self._taken = 0
        super().close()


class Sound:
    """Ends a member where it can't be read on, so that what came before counts; keeps what went wrong."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Return what comes, nothing once something went wrong."""
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
