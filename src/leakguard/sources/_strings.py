"""The printable strings of a program, each at its own offset, so that a place is where the bytes stand.

Nothing is loaded or run: of Python's byte code, too, only the lengths that stand before its strings are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from leakguard.engine.native import strings

_HELD = 64 << 10
"""Bytes of a string that may go on in what is read next."""
_IN_STRING = bytes(range(0x20, 0x7F)) + b"\t\0"
_SHORT_STRING = re.compile(rb"[\xfa\xda]")
_TYPES = b"zZ\xfa\xda"
_PRINTED = re.compile(rb"[\t\n\r\x20-\x7e]*")


def strings_of(read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Wrap a `read(n)` of raw bytes into one that gives as many, a newline for each that belongs to no string."""
    pending = b""
    first, bytecode, ended = True, False, False

    def read_on(size: int) -> bytes:
        nonlocal pending, first, bytecode, ended
        while not ended:
            raw = read(max(size, 1 << 16))
            ended = not raw
            if first and raw:
                first, bytecode = False, raw[2:4] == b"\r\n"
            data = pending + raw
            begins = len(data) if ended else _open(data)
            pending = data[begins:]
            if begins:
                data = data[:begins]
                return strings(_apart(data) if bytecode else data)
        return b""

    return read_on


def _open(data: bytes) -> int:
    """Return where a string begins that may go on behind the data."""
    low = max(0, len(data) - _HELD)
    start = low + len(data[low:].rstrip(_IN_STRING))
    return len(data) if start == low else start


def _apart(data: bytes) -> bytes:
    """Return byte code with a NUL for what stands between its short strings: type and length of each are printable, too."""
    out = bytearray(data)
    done = 0
    for found in _SHORT_STRING.finditer(data):
        at = found.start()
        while done <= at < len(data) - 2 and data[at] in _TYPES:
            end = at + 2 + data[at + 1]
            if end > len(data) or not _PRINTED.fullmatch(data, at + 2, end):
                break
            out[at : at + 2] = b"\0\0"
            if end < len(data):
                out[end] = 0
            done = at = end
    return bytes(out)
