"""Rich Text Format 1.9: text joined over runs, a paragraph a line; pictures and embedded objects are hexadecimal and left out.

A fields' instructions (targets of links) and what readers hide count as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from leakguard.sources.unpack import Member, Untold
from leakguard.sources.unpack._written import Written, written
from leakguard.sources.unpack.budget import Budget

SEEKS = False
_TOKEN = re.compile(
    rb"\\'([0-9a-fA-F]{2})|\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\([^a-zA-Z\r\n])|\\\r?\n|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\"
)
_BREAKS = {
    b"par": "\n",
    b"line": "\n",
    b"row": "\n",
    b"sect": "\n",
    b"page": "\n",
    b"tab": "\t",
    b"cell": " | ",
    b"nestcell": " | ",
}
_DULL = frozenset((b"fonttbl", b"colortbl", b"stylesheet", b"pict", b"objdata", b"themedata", b"colorschememapping", b"datastore",
                   b"latentstyles", b"rsidtbl", b"listtable", b"listoverridetable", b"generator", b"blipuid"))  # fmt: skip
"""Groups without text of a person."""
_SYMBOLS = {b"~": " ", b"_": "-", b"-": ""}
_PIECE, _OVER = 1 << 18, 64


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the text."""

    def steps(out: Written) -> Iterator[None]:
        out.part()
        state = _State(out)
        rest = b""
        while piece := file.read(_PIECE):
            rest = state.take(rest + piece, last=False)
            yield
        state.take(rest, last=True)

    yield written("", steps)


class _State:
    def __init__(self, out: Written) -> None:
        self._out = out
        self._depth = 0
        self._dull = 0
        """Depth of the outermost group that is left out; 0: none is."""
        self._skip = 0
        self._after = [1]
        """Characters that stand in for a `\\u` one, by group."""

    def take(self, data: bytes, *, last: bool) -> bytes:
        """Write the text of some data and return what of it belongs to the next."""
        at = 0
        end = len(data) if last else max(0, len(data) - _OVER)
        while at < end and (token := _TOKEN.match(data, at)):
            at = token.end()
            self._token(token)
        return data[at:]

    def _token(self, token: re.Match[bytes]) -> None:
        code, word, number, symbol, brace, text = token.groups()
        if brace == b"{":
            self._depth += 1
            self._after.append(self._after[-1])
        elif brace == b"}":
            if self._dull >= self._depth:
                self._dull = 0
            self._depth = max(0, self._depth - 1)
            if len(self._after) > 1:
                self._after.pop()
        elif word is not None:
            self._word(word, number)
        elif self._dull:
            return
        elif code is not None:
            if self._skip:
                self._skip -= 1
            else:
                self._out.write(bytes((int(code, 16),)).decode("cp1252", "replace"))
        elif symbol is not None:
            self._out.write(_SYMBOLS.get(symbol, symbol.decode("latin-1") if symbol in b"\\{}" else ""))
        elif text is not None:
            given = text[self._skip :]
            self._skip = max(0, self._skip - len(text))
            self._out.write_bytes(given)
        elif token[0].startswith(b"\\\n") or token[0].startswith(b"\\\r"):
            self._out.write("\n")

    def _word(self, word: bytes, number: bytes | None) -> None:
        if word in _DULL and not self._dull:
            self._dull = self._depth
        elif self._dull:
            return
        elif word == b"u" and number is not None:
            self._out.write(chr(int(number) % 65536) if not 0xD800 <= int(number) % 65536 < 0xE000 else "?")
            self._skip = self._after[-1]
        elif word == b"uc" and number is not None:
            self._after[-1] = min(abs(int(number)), 16)
        elif word in _BREAKS:
            self._out.write(_BREAKS[word])
