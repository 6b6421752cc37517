"""Cut an input of any size into chunks that overlap, in bounded memory.

Invariants: the owned ranges tile the input; a chunk's data begins at the first byte of a character; every match that begins
in the owned range is followed by `AHEAD` bytes and preceded by `BEHIND` (where the input has them).
Rejected: cutting at line ends (a minified file is one line of any length), and mapping the file (a file cut while mapped
kills the process).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from leakguard.engine.native import newlines
from leakguard.model.blob import Blob, Provenance
from leakguard.sources._logs import understood
from leakguard.sources._text import decoder

CHUNK = 4 << 20
"""Bytes that a chunk owns."""
AHEAD = 64 << 10
"""Bytes after the owned ones, so that a match which begins there is seen whole (a private key, a wrapped value)."""
BEHIND = 4 << 10
"""Bytes before the owned ones, so that context (the key name, the line's start) is seen, of a log without its noise, too."""
WHOLE = CHUNK + AHEAD
"""An input up to this size is one Blob."""


def chunks(
    read: Callable[[int], bytes],
    provenance: Provenance,
    encoding: str,
    *,
    chunk: int = CHUNK,
    ahead: int = AHEAD,
    behind: int = BEHIND,
    idle: Callable[[], bool] | None = None,
) -> Iterator[Blob]:
    """Yield the blobs of an input; an empty input is one empty blob.

    `read(n)` returns the next raw bytes, at most or about `n`, and `b""` only at the end; `encoding` is what `sniff` said.
    Lines end with LF; columns count characters, an invalid byte as one. Where `idle()` says that the input pauses, the
    whole lines that have come are given as a preview; they come again with what follows.
    """
    yield from understood(_cut(decoder(read, encoding), provenance, encoding, chunk, ahead, behind, idle))


def _cut(
    read: Callable[[int], bytes],
    provenance: Provenance,
    encoding: str,
    chunk: int,
    ahead: int,
    behind: int,
    idle: Callable[[], bool] | None,
) -> Iterator[Blob]:
    buffer = b""
    offset, line, column, own, shown = 0, 1, 1, 0, 0
    while True:
        want = own + chunk + ahead + 1
        parts, have = [buffer], len(buffer)
        while have < want:
            if idle is not None and have > max(own, shown) and idle():
                parts = [b"".join(parts)]
                lines = parts[0].rfind(b"\n") + 1
                if lines > max(own, shown):
                    yield Blob(parts[0][:lines], provenance, offset, line, column, max(own, shown), lines, encoding, preview=True)
                    shown = lines
            piece = read(want - have)
            if not piece:
                break
            parts.append(piece)
            have += len(piece)
        buffer = b"".join(parts)
        del parts
        if have < want:
            yield Blob(buffer, provenance, offset, line, column, own, None, encoding)
            return
        end = own + chunk
        yield Blob(buffer[: end + ahead], provenance, offset, line, column, own, end, encoding)
        start = character_start(buffer, max(0, end - behind))
        line, column = advance(buffer, start, line, column)
        buffer = buffer[start:]
        offset += start
        own = end - start
        shown = max(0, shown - start)


def character_start(data: bytes, at: int) -> int:
    """Return the last position up to `at` where a UTF-8 character (or invalid byte) begins; `data` begins with one.

    A byte other than 10xxxxxx always begins one; after four of 10xxxxxx in a row the last can't belong to what stands before.
    """
    for place in range(at, max(at - 4, -1), -1):
        if data[place] & 0xC0 != 0x80:
            return place
    return at if at > 3 else 0


def advance(data: bytes, end: int, line: int, column: int) -> tuple[int, int]:
    """Return line and column of the character at `data[end]`, given those of `data[0]`."""
    ends = newlines(data, 0, end)
    if ends:
        line, column = line + ends, 1
    tail = data[data.rfind(b"\n", 0, end) + 1 : end]
    return line, column + (len(tail) if tail.isascii() else len(tail.decode("utf-8", "surrogateescape")))
