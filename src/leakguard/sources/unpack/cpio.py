"""cpio: the ASCII forms (070701, 070702, 070707) and the old binary one, as packages and initial RAM disks have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NamedTuple

from leakguard.sources.unpack import DamagedError, Member, Untold
from leakguard.sources.unpack._parts import Part
from leakguard.sources.unpack.budget import Budget

SEEKS = False
_NAME = 1 << 16
"""Bytes of the longest name."""
_TYPE, _FILE, _LINK, _FOLDER = 0o170000, 0o100000, 0o120000, 0o040000
_END = b"TRAILER!!!"


class _Header(NamedTuple):
    mode: int
    name_size: int
    size: int
    length: int
    """Bytes of the header itself."""
    align: int


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield files, the targets of symbolic links, devices, and what stands behind the end (a RAM disk's next part)."""
    start = file.read(6)
    while True:
        header = _header(start, file)
        name_part = Part(file, header.name_size, "cpio")
        name = name_part.exactly(header.name_size).partition(b"\0")[0]
        Part(file, -(header.length + header.name_size) % header.align, "cpio").skip()
        part = Part(file, header.size, "cpio")
        kind = header.mode & _TYPE
        shown = name.decode("utf-8", "surrogateescape")
        if name == _END:
            break
        if kind in {_FILE, _LINK, 0}:
            # of a file with several names only the last one has the bytes
            if header.size:
                yield Member(shown, part.read)
        elif kind != _FOLDER:
            yield Untold(shown, "device", by_choice=True)
        part.skip()
        if len(file.read(-header.size % header.align)) < -header.size % header.align:
            msg = "the cpio ends too early"
            raise DamagedError(msg)
        start = file.read(6)
    yield from _behind(file)


def _behind(file: IO[bytes]) -> Iterator[Member]:
    """Yield what follows the end and the zeros after it."""
    rest = b""
    while not rest and (piece := file.read(1 << 16)):
        rest = piece.lstrip(b"\0")
    if not rest:
        return
    pending = [rest]

    def read(size: int) -> bytes:
        if not pending:
            return file.read(size)
        piece = pending.pop()
        if len(piece) > size:
            pending.append(piece[size:])
        return piece[:size]

    yield Member("(behind)", read)


def _header(start: bytes, file: IO[bytes]) -> _Header:
    """Read a header whose first six bytes are at hand."""
    try:
        if start in {b"070701", b"070702"}:
            raw = file.read(104)
            fields = [int(raw[at : at + 8], 16) for at in range(0, 104, 8)]
            return _sane(_Header(fields[1], fields[11], fields[6], 110, 4), raw, 104)
        if start == b"070707":
            raw = file.read(70)
            return _sane(_Header(int(raw[12:18], 8), int(raw[53:59], 8), int(raw[59:70], 8), 76, 1), raw, 70)
        if start[:2] == b"\xc7\x71":
            raw = start + file.read(20)
            short = [int.from_bytes(raw[at : at + 2], "little") for at in range(0, 26, 2)]
            return _sane(_Header(short[3], short[10], short[11] << 16 | short[12], 26, 2), raw, 26)
    except ValueError:
        pass
    msg = "a header of the cpio is damaged" if start else "the cpio ends without its last header"
    raise DamagedError(msg)


def _sane(header: _Header, raw: bytes, length: int) -> _Header:
    if len(raw) < length or not 0 < header.name_size <= _NAME or header.size < 0:
        raise ValueError
    return header
