"""XML in one pass (expat), of any size; what declares entities is refused, since they are how XML bombs are made."""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from leakguard.sources.unpack import DamagedError, Read
from leakguard.sources.unpack._written import Written

DEEP = 2000
"""Elements within elements."""
_PIECE = 1 << 16


class Handler:
    """What hears of elements and text; names are `namespace local`, or `local` alone."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, data: str) -> None:
        """Some text within the element that began last."""

    def at(self, line: int, column: int) -> None:
        """Where the element that begins next stands, from 1."""

    def close(self) -> None:
        """Nothing follows; also where it broke off."""


def write(read: Read, handler: Handler, out: Written) -> Iterator[None]:
    """Feed a handler that writes; where the XML is damaged, what follows is written as it is, and the damage told."""
    given = b""

    def read_kept(size: int) -> bytes:
        nonlocal given
        given = read(size)
        return given

    try:
        yield from parse(read_kept, handler)
    except DamagedError:
        handler.close()
        out.part()
        out.write_bytes(given)
        while piece := read(_PIECE):
            out.write_bytes(piece)
            yield
        raise
    handler.close()


def parse(read: Read, handler: Handler) -> Iterator[None]:
    """Feed a handler, piece after piece.

    Raises:
        DamagedError: it is no XML (from here on), declares entities, or nests too deep.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.buffer_size = _PIECE
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEP:
            msg = f"elements lie deeper than {DEEP}"
            raise DamagedError(msg)
        handler.at(parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)
        handler.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        handler.end(name)

    def entity(*_told: object) -> None:
        msg = "the XML declares entities, which are not expanded"
        raise DamagedError(msg)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = handler.text
    parser.EntityDeclHandler = entity
    try:
        while piece := read(_PIECE):
            parser.Parse(piece, False)
            yield
        parser.Parse(b"", True)
    except expat.ExpatError as e:
        msg = f"no sound XML: {expat.ErrorString(e.code)}, line {e.lineno}"
        raise DamagedError(msg) from None
    except (LookupError, ValueError):
        msg = "no sound XML: its encoding is not known"
        raise DamagedError(msg) from None


def local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition(" ")[2]
