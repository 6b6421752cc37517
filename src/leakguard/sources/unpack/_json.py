"""JSON, one record at a time and with the place of each string, so that exports of any size are read in bounded memory.

The standard library's scanner does the work; what is added is only where records begin and where their strings stand.
What it can't read is given as it is, so that nothing is lost. Rejected: ijson, which tells no positions, and a second scan
of the raw text, which would tell what stands in strings twice.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection, Iterator
from json import JSONDecodeError
from typing import Any, NamedTuple

from leakguard.sources.unpack import Read

RECORD = 32 << 20
"""Characters of one record; a longer one is given as it is."""
_PIECE = 1 << 18
_SHORT = 1 << 18
"""Characters of a top-level object up to which it is one record."""

Keys = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+\-]*', re.DOTALL)


class Record(NamedTuple):
    """One value: an element of a top-level list, or a member of a top-level object."""

    keys: Keys
    """Its way in: `()`, `("issues", 3)`."""
    value: Any
    raw: str
    """A text that holds it ..."""
    at: int
    end: int
    """... between these."""
    line: int
    column: int
    """Where it begins, from 1."""


class Raw(NamedTuple):
    """Text that could not be read, as it is."""

    text: str
    line: int
    column: int


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        msg = "the same key twice"
        raise ValueError(msg)
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_object, strict=False, parse_int=str, parse_float=str)


class Reader:
    """Reads the values of a text: one, or several one after the other (JSON lines).

    `spread` names the members of top-level objects whose elements are records of their own.
    """

    def __init__(self, read: Read, spread: Collection[str] = ()) -> None:
        self._read = read
        self._spread = spread
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._text = ""
        self._at = 0
        self._line = 1
        self._column = 1
        self._counted = 0
        """Up to where line and column were counted."""
        self._first = True
        self._ended = False

    def records(self) -> Iterator[Record | Raw]:
        """Yield the records in order; where one can't be read, it and all that follows as `Raw`."""
        try:
            while self._next():
                if self._text[self._at] == "[":
                    yield from self._elements(())
                elif self._text[self._at] == "{" and self._spread and not self._is_short():
                    yield from self._members()
                else:
                    yield self._take(())
        except (ValueError, RecursionError):
            yield from self._rest()

    def _is_short(self) -> bool:
        """Whether the next value is one record as a whole; the answer must not hang on how much a read gives."""
        while not self._ended and len(self._text) - self._at <= _SHORT:
            self._fill(_PIECE)
        try:
            return _DECODER.raw_decode(self._text, self._at)[1] - self._at <= _SHORT
        except JSONDecodeError:
            return False

    def _members(self) -> Iterator[Record]:
        self._at += 1
        while self._next() != "}":
            key, self._at = _DECODER.raw_decode(self._text, self._known('"'))
            self._expect(":")
            if key in self._spread and self._next() == "[":
                yield from self._elements((key,))
            else:
                yield self._take((key,))
            if self._next() == ",":
                self._at += 1
            elif self._next() != "}":
                raise ValueError
        self._at += 1

    def _elements(self, keys: Keys) -> Iterator[Record]:
        self._at += 1
        number = 0
        while self._next() != "]":
            yield self._take((*keys, number))
            number += 1
            if self._next() == ",":
                self._at += 1
            elif self._next() != "]":
                raise ValueError
        self._at += 1

    def _take(self, keys: Keys) -> Record:
        self._next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                if end < len(self._text) or self._ended:
                    break
            except JSONDecodeError:
                if self._ended or len(self._text) - self._at > RECORD:
                    raise
            self._fill(max(len(self._text) - self._at, _PIECE))
        line, column = self._position(self._at)
        record = Record(keys, value, self._text, self._at, end, line, column)
        self._at = end
        return record

    def _known(self, char: str) -> int:
        """Return where a string begins that is wholly at hand."""
        while not self._ended and not _TOKEN.match(self._text, self._at) and len(self._text) - self._at < RECORD:
            self._fill(_PIECE)
        if self._next() != char:
            raise ValueError
        return self._at

    def _expect(self, char: str) -> None:
        if self._next() != char:
            raise ValueError
        self._at += 1

    def _next(self) -> str:
        """Go to the next character that is no blank and return it; empty at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._fill(_PIECE)

    def _fill(self, size: int) -> None:
        """Read on, and drop what lies behind."""
        self._line, self._column = self._position(self._at)
        raw = self._read(size)
        self._ended = not raw
        more = self._decode(raw, self._ended)
        if self._first and more:
            self._first, more = False, more.removeprefix("\ufeff")
        self._text = self._text[self._at :] + more
        self._at = self._counted = 0

    def _position(self, at: int) -> tuple[int, int]:
        text, start = self._text, self._counted
        newlines = text.count("\n", start, at)
        if newlines:
            self._line += newlines
            self._column = at - text.rfind("\n", start, at)
        else:
            self._column += at - start
        self._counted = at
        return self._line, self._column

    def _rest(self) -> Iterator[Raw]:
        line, column = self._position(self._at)
        text = self._text[self._at :]
        while text or not self._ended:
            if text:
                yield Raw(text, line, column)
                newlines = text.count("\n")
                line, column = line + newlines, len(text) - text.rfind("\n") if newlines else column + len(text)
            raw = self._read(_PIECE)
            self._ended = not raw
            text = self._decode(raw, self._ended)


class Places:
    """Where the strings and numbers of a record stand, in their order."""

    def __init__(self, record: Record) -> None:
        self._raw = record.raw
        self._tokens = _TOKEN.finditer(record.raw, record.at, record.end)
        self._counted = record.at
        self._line, self._column = record.line, record.column

    def skip(self) -> None:
        """Pass over one (a key)."""
        next(self._tokens)

    def next(self) -> tuple[int, int]:
        """Return line and column, from 1, of the next one's first character."""
        token = next(self._tokens)
        raw, at, counted = self._raw, token.start(), self._counted
        if raw[at] == '"':
            at += 1
        newlines = raw.count("\n", counted, at)
        if newlines:
            self._line += newlines
            self._column = at - raw.rfind("\n", counted, at)
        else:
            self._column += at - counted
        self._counted = at
        return self._line, self._column


def leaves(record: Record) -> Iterator[tuple[Keys, Any, int, int]]:
    """Yield every object (before what it holds), string and number of a record: its way in, the value, line and column.

    Raises:
        RecursionError: it is too deep.
    """
    places = Places(record)

    def walk(keys: Keys, value: Any) -> Iterator[tuple[Keys, Any, int, int]]:
        if isinstance(value, dict):
            yield keys, value, 0, 0
            for key, inner in value.items():
                places.skip()
                yield from walk((*keys, key), inner)
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                yield from walk((*keys, number), inner)
        elif isinstance(value, str):
            yield keys, value, *places.next()

    yield from walk(record.keys, record.value)
