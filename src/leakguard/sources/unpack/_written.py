"""Text that a reader makes of a structure, with what is known of each stretch of it; made as it is read, never held whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from leakguard.model.blob import Part
from leakguard.sources.unpack import TROUBLE, Member, Read

Facts = tuple[tuple[str, str], ...]
_FACT = 200
"""Characters of a fact that are kept."""


class Written:
    """Takes text and gives bytes; `parts` says where each stretch begins."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._pieces: list[bytes] = []
        self._offset = 0
        self._line = 1
        self.size = 0
        """Bytes that wait to be taken."""

    def part(self, facts: Facts = (), line: int = 1, column: int = 1, *, flat: bool = False) -> None:
        """Begin a stretch."""
        self.parts.append(Part(self._offset, self._line, facts, line, column, flat))

    def write(self, text: str) -> None:
        """Add text; undecodable bytes stand in it as surrogates (surrogateescape)."""
        self.write_bytes(text.encode() if text.isascii() else encoded(text))

    def write_bytes(self, piece: bytes) -> None:
        """Add text as bytes."""
        self._pieces.append(piece)
        self.size += len(piece)
        self._offset += len(piece)
        self._line += piece.count(b"\n")

    def take(self) -> bytes:
        """Return what waits."""
        piece = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return piece


def encoded(text: str) -> bytes:
    """Return text as bytes; lone surrogates that no byte stood for (a string of JSON may hold them) as `?`."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def fact(name: str, value: object) -> Facts:
    """Return one fact, none where there is nothing to tell."""
    if value is None or value == "" or isinstance(value, (dict, list)):
        return ()
    text = " ".join(str(value).split())
    return ((name, text if len(text) <= _FACT else text[:_FACT] + "…"),) if text else ()


def written(name: str, steps: Callable[[Written], Iterable[object]], facts: Facts = ()) -> Member:
    """Return a member whose text `steps` writes, as it is read; each step writes a little.

    What was written before an error counts.
    """
    out = Written()
    return Member(name, _reader(out, steps), facts, text=True, parts=out.parts)


def _reader(out: Written, steps: Callable[[Written], Iterable[object]]) -> Read:
    going: Iterator[object] | None = None
    error: BaseException | None = None

    def read(size: int) -> bytes:
        nonlocal going, error
        if going is None:
            going = iter(steps(out))
        try:
            while out.size < size and error is None:
                next(going)
        except StopIteration:
            going = iter(())
        except TROUBLE as e:
            error = e
        if out.size or error is None:
            return out.take()
        raise error

    return read
