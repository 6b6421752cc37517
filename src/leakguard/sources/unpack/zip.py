"""zip and all that is one inside: jar, war, whl, apk, ipa, nupkg, docx, xlsx, ...

Read by the index at its end where the file can be sought in, else (a pipe, a member too big to be held) member by member by
their own headers. What lies before the first member (a program, a start script) is a member, too.
Rejected: reading members with `zipfile`. It knows no Zstandard before Python 3.14, and each member takes three times as long.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from leakguard.sources.unpack import DamagedError, Member, MissingError, Read, Untold
from leakguard.sources.unpack._packed import STORED, Unpacked
from leakguard.sources.unpack._parts import Part
from leakguard.sources.unpack.budget import Budget

SEEKS = True
STREAMS = True
_LOCAL, _CENTRAL, _DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"
_ENCRYPTED, _SIZES_BEHIND, _UTF8 = 0x1, 0x8, 0x800
_INDEX = 8 << 20
"""Bytes of the longest index that is read: some 100,000 members, for which `zipfile` takes 60 MB."""
_UNKNOWN = 0xFFFFFFFF
_PIECE = 1 << 16
_HEAD = "(head)"
_TAIL = 1 << 17
"""Bytes at the end in which the end record lies, with the longest comment behind it."""


def members(file: IO[bytes], _name: str, budget: Budget) -> Iterator[Member | Untold]:
    """Yield the members in the order of their bytes."""
    if not file.seekable():
        yield from _one_by_one(_Input(file))
        return
    try:
        found = _index(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, DamagedError):
        yield Untold("", "damaged", by_choice=False, detail="its index is damaged; read by the headers of its members")
        found = None
    if found is not None:
        yield from _by_index(file, found, budget)
        return
    file.seek(0)
    yield from _one_by_one(_Input(file))


def _index(file: IO[bytes]) -> list[zipfile.ZipInfo] | None:
    """Return the index, or None where it is too long to be held."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    end = tail.rfind(b"PK\x05\x06")
    wide = tail.rfind(b"PK\x06\x06", 0, max(0, end))
    length = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if length == _UNKNOWN and wide >= 0:
        length = int.from_bytes(tail[wide + 40 : wide + 48], "little")
    if length > _INDEX:
        return None
    with zipfile.ZipFile(file) as archive:
        index = sorted(archive.infolist(), key=lambda info: info.header_offset)
    if index and index[0].header_offset < 0:
        msg = "a member begins before the file does"
        raise DamagedError(msg)
    if not index and not tail.startswith(b"PK\x05\x06"):
        msg = "its index lists nothing of what stands before it"
        raise DamagedError(msg)
    return index


def _by_index(file: IO[bytes], index: list[zipfile.ZipInfo], budget: Budget) -> Iterator[Member | Untold]:
    end = index[0].header_offset if index else 0
    if end:
        file.seek(0)
        yield Member(_HEAD, Part(file, end, "zip").read)
    document = _document(file, index, budget)
    for info in index:
        if not info.compress_size and (info.is_dir() or not info.file_size):
            continue
        if info.flag_bits & _ENCRYPTED:
            yield Untold(info.filename, "encrypted", by_choice=True)
        elif info.header_offset < end:
            yield Untold(info.filename, "damaged", by_choice=False, detail="it overlaps another member")
        else:
            try:
                unpacked, end = _unpacked(file, info)
            except (DamagedError, MissingError) as e:
                yield _unread(info.filename, e)
                continue
            made = document(info) if document is not None else None
            yield from made if made is not None else (Member(info.filename, unpacked.read),)


Document = Callable[[zipfile.ZipInfo], Iterable[Member | Untold] | None]
"""Makes something else of a member of a zip that is one document or export; None: it is read as in any zip."""


def _document(file: IO[bytes], index: list[zipfile.ZipInfo], budget: Budget) -> Document | None:
    infos = {info.filename: info for info in index}
    if "[Content_Types].xml" in infos or ("mimetype" in infos and "content.xml" in infos):
        from leakguard.sources.unpack.office import reader
    elif "users.json" in infos or "org_users.json" in infos:
        from leakguard.sources.unpack.slack import reader
    elif "entities.xml" in infos:
        from leakguard.sources.unpack.atlassian import reader
    else:
        return None
    return reader(infos, lambda info: budget.counted(_opened(file, info)))


def _opened(file: IO[bytes], info: zipfile.ZipInfo) -> Read:
    """Return a reader of a member, which is opened at the first read."""
    unpacked: Unpacked | None = None

    def read(size: int) -> bytes:
        nonlocal unpacked
        if unpacked is None:
            unpacked, _end = _unpacked(file, info)
        return unpacked.read(size)

    return read


def _unpacked(file: IO[bytes], info: zipfile.ZipInfo) -> tuple[Unpacked, int]:
    """Return what unpacks a member, and where its bytes end."""
    start = _start(file, info.header_offset)
    packed = _Packed(file, start, info.compress_size)
    return Unpacked(packed, info.compress_type, info.file_size, info.CRC), start + info.compress_size


def _start(file: IO[bytes], offset: int) -> int:
    """Return where a member's bytes begin, behind its own header."""
    file.seek(offset)
    head = file.read(30)
    if len(head) < 30 or not head.startswith(_LOCAL):
        msg = "there is no member where the index says"
        raise DamagedError(msg)
    return offset + 30 + _short(head, 26) + _short(head, 28)


def _unread(name: str, error: DamagedError | MissingError) -> Untold:
    if isinstance(error, MissingError):
        return Untold(name, "extra", by_choice=True, detail=str(error))
    return Untold(name, "damaged", by_choice=False, detail=str(error))


class _Packed:
    """The packed bytes of a member whose length is known, in a file that may be read elsewhere in between."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file = file
        self._at = start
        self._end = start + size

    def some(self, size: int) -> bytes:
        size = min(size, self._end - self._at)
        if not size:
            return b""
        self._file.seek(self._at)
        piece = self._file.read(size)
        if not piece:
            msg = "the zip ends before the member does"
            raise DamagedError(msg)
        self._at += len(piece)
        return piece

    def give_back(self, _data: bytes) -> None:
        """Leave it: the index says where the next one begins."""


def _one_by_one(source: _Input) -> Iterator[Member | Untold]:
    """Yield the members by the headers before each of them, to where the index begins."""
    while True:
        begin = source.exactly(4)
        if begin == _DESCRIPTOR:  # what the first of several volumes begins with
            continue
        if begin != _LOCAL:
            if begin in {_CENTRAL, b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x08"}:
                return
            msg = "no member begins where the one before ends"
            raise DamagedError(msg)
        head = source.exactly(26)
        flags, method = _short(head, 2), _short(head, 4)
        crc, packed, size = _long(head, 10), _long(head, 14), _long(head, 18)
        raw_name = source.exactly(_short(head, 22))
        extra = source.exactly(_short(head, 24))
        name = raw_name.decode("utf-8", "surrogateescape") if flags & _UTF8 else raw_name.decode("cp437")
        if _UNKNOWN in {packed, size}:
            packed, size = _wide(extra, packed, size)
        behind = bool(flags & _SIZES_BEHIND) and not packed
        if behind and (method == STORED or flags & _ENCRYPTED):
            yield Untold(name, "damaged", by_choice=False, detail="nothing says where it ends, so what follows is not read, either")
            return
        stretch = _Stretch(source, None if behind else packed)
        if flags & _ENCRYPTED:
            yield Untold(name, "encrypted", by_choice=True)
        elif packed or behind:
            try:
                unpacked = Unpacked(stretch, method, size, None if flags & _SIZES_BEHIND else crc)
            except (DamagedError, MissingError) as e:
                yield _unread(name, e)
                if behind:
                    return
            else:
                yield Member(name, unpacked.read)
                while behind and unpacked.read(_PIECE):
                    pass
        stretch.skip()
        if flags & _SIZES_BEHIND:
            source.descriptor(stretch.taken)


def _wide(extra: bytes, packed: int, size: int) -> tuple[int, int]:
    """Return lengths out of a zip64 field, where both stand in a local header."""
    while len(extra) >= 4:
        kind, length = _short(extra, 0), _short(extra, 2)
        if kind == 1:
            values = [int.from_bytes(extra[at : at + 8], "little") for at in range(4, 4 + length - 7, 8)]
            size = values.pop(0) if size == _UNKNOWN and values else size
            packed = values.pop(0) if packed == _UNKNOWN and values else packed
        extra = extra[4 + length :]
    return packed, size


class _Input:
    """A file that is read in one pass, to which can be given back what was read too far."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._pending = b""

    def some(self, size: int) -> bytes:
        if self._pending:
            piece, self._pending = self._pending[:size], self._pending[size:]
            return piece
        return self._file.read(size)

    def give_back(self, data: bytes) -> None:
        self._pending = data + self._pending

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.some(size - len(data))
            if not piece:
                msg = "the zip ends without its index"
                raise DamagedError(msg)
            data += piece
        return data

    def descriptor(self, taken: int) -> None:
        """Go behind the lengths that follow a member: with or without a signature, of four bytes each or of eight."""
        data = b""
        while len(data) < 28 and (piece := self.some(28 - len(data))):
            data += piece
        at = 4 if data.startswith(_DESCRIPTOR) else 0
        wide = int.from_bytes(data[at + 4 : at + 12], "little") == taken and data[at + 20 : at + 22] == b"PK"
        self.give_back(data[at + (20 if wide else 12) :])


class _Stretch:
    """The packed bytes of a member; `size` None: the decompressor finds the end."""

    def __init__(self, source: _Input, size: int | None) -> None:
        self._source = source
        self._left = size
        self.taken = 0

    def some(self, size: int) -> bytes:
        if self._left is not None:
            size = min(size, self._left)
        piece = self._source.some(size) if size else b""
        if size and not piece:
            msg = "the zip ends before the member does"
            raise DamagedError(msg)
        self.taken += len(piece)
        if self._left is not None:
            self._left -= len(piece)
        return piece

    def give_back(self, data: bytes) -> None:
        self._source.give_back(data)
        self.taken -= len(data)
        if self._left is not None:
            self._left += len(data)

    def skip(self) -> None:
        while self._left:
            self.some(_PIECE)


def _short(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _long(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
