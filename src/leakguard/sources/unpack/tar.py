"""tar: ustar, pax and GNU headers, in one pass.

Rejected: `tarfile` in stream mode. It takes ten times as long for a member, which counts in images of 50,000 files, and a
damaged header in the middle ends its iteration as if the archive did; here it is told, and the next good header goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NamedTuple

from leakguard.sources._text import reader
from leakguard.sources.unpack import DamagedError, Member, Untold
from leakguard.sources.unpack.budget import Budget

SEEKS = False

_BLOCK = 512
_PIECE = 1 << 16
_ZEROS = bytes(_BLOCK)
_LONGEST = 1 << 20
"""Bytes of a long name or of one pax header; Linux has names of 4 KiB at most."""
_HOLE = 512
"""A hole of a sparse file is given as at most so many NULs: where text ends is what counts, not how far the next one is."""
_NO_BYTES = frozenset(b"123456")
"""Types without bytes; all others are files, as POSIX wants for those that nobody knows."""
_SYMBOLIC, _FOLDER, _SPARSE = ord("2"), ord("5"), ord("S")
_DEVICES = frozenset(b"346")
_LISTING = ord("D")
"""A folder with the names that it had, of GNU's incremental archives."""


class Header(NamedTuple):
    """One member."""

    name: str
    kind: int
    size: int
    target: bytes
    raw: bytes

    @property
    def is_folder(self) -> bool:
        return self.kind == _FOLDER

    @property
    def is_device(self) -> bool:
        return self.kind in _DEVICES

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.kind == _SYMBOLIC

    @property
    def has_bytes(self) -> bool:
        return self.kind not in _NO_BYTES and self.kind != _LISTING


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield files, the targets of symbolic links, and what has no bytes to read."""
    archive = Archive(file)
    while (header := archive.next()) is not None:
        if isinstance(header, Untold):
            yield header
        elif header.is_device:
            yield Untold(header.name, "device", by_choice=True)
        elif header.is_link:
            yield Member(header.name, reader(header.target))
        elif header.has_bytes:
            yield Member(header.name, archive.content(header).read)


class Archive:
    """The headers one after the other; what of a member was not read is skipped."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = 0
        """Bytes of the member that were not read yet."""
        self._padding = 0
        self._pax: dict[bytes, bytes] = {}
        self._global: dict[bytes, bytes] = {}

    def next(self) -> Header | Untold | None:
        """Return the next member, what is wrong with it, or None at the end.

        Raises:
            DamagedError: the archive ends too early.
        """
        self._skip()
        name, target = b"", b""
        damaged = False
        self._pax = dict(self._global)
        while True:
            block = self._file.read(_BLOCK)
            if block == _ZEROS:
                # the end, unless archives were written one behind the other
                continue
            if len(block) < _BLOCK:
                if block.strip(b"\0"):
                    msg = "the tar ends within a header"
                    raise DamagedError(msg)
                return Untold("", "damaged", by_choice=False, detail="what follows a damaged header is no tar") if damaged else None
            size = _number(block[124:136])
            if not _sum_fits(block) or size is None or size < 0:
                # whoever wrote this wrote more: look for the next header
                damaged = True
                continue
            if damaged:
                self._left, self._padding = size, -size % _BLOCK
                return self._after_damage(block)
            kind = block[156]
            self._left, self._padding = size, -size % _BLOCK
            if kind in b"xXgLK":
                text = self._all(_LONGEST)
                self._skip()
                if kind in b"xX":
                    self._pax.update(_records(text))
                elif kind == ord("g"):
                    self._global.update(_records(text))
                    self._pax = self._global | self._pax
                elif kind == ord("L"):
                    name = text.partition(b"\0")[0]
                else:
                    target = text.partition(b"\0")[0]
                continue
            return self._header(block, name, target)

    def _after_damage(self, block: bytes) -> Untold:
        """Tell of the damage, and give the header that was found to the next call."""
        rest = self._file
        self._file = _Again(block, rest)  # type: ignore[assignment]  # only its `read` is used
        self._left = self._padding = 0
        return Untold("", "damaged", by_choice=False, detail="a header of the tar is damaged; read on from the next good one")

    def _header(self, block: bytes, name: bytes, target: bytes) -> Header:
        pax = self._pax
        kind = block[156]
        if not name:
            name = block[:100].partition(b"\0")[0]
            prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
            name = prefix + b"/" + name if prefix else name
        name = pax.get(b"GNU.sparse.name") or pax.get(b"path") or name
        target = pax.get(b"linkpath") or target or block[157:257].partition(b"\0")[0]
        size = self._left
        if (told := pax.get(b"size", b"")).isdigit() and len(told) < 20:
            size = int(told)
        if kind in _NO_BYTES:
            size = 0  # some write the size of the file that a link leads to
        elif name.endswith(b"/") and not size:
            kind = _FOLDER  # before POSIX a folder was a file whose name ends so
        self._left, self._padding = size, -size % _BLOCK
        return Header(name.decode("utf-8", "surrogateescape"), kind, size, target, block)

    def content(self, header: Header) -> _Content:
        """Return the reader of a member."""
        pax = self._pax
        if header.kind == _SPARSE:
            return _Content(self, _parts(self._old_map(header.raw), self._left))
        if b"GNU.sparse.map" in pax:
            numbers = [int(n) for n in pax[b"GNU.sparse.map"].split(b",") if n.isdigit() and len(n) < 20]
            return _Content(self, _parts(numbers, self._left))
        if pax.get(b"GNU.sparse.major") == b"1":
            return _Content(self, _parts(self._new_map(), self._left))
        return _Content(self, None)

    def _old_map(self, block: bytes) -> list[int]:
        """Read the map of a GNU sparse file: offset and length in turn, four in the header and more in blocks behind it."""
        numbers = [_number(block[at : at + 12]) for at in range(386, 482, 12)]
        more = block[482]
        while more and len(numbers) < _LONGEST:
            block = self._file.read(_BLOCK)
            if len(block) < _BLOCK:
                msg = "the map of a sparse file is cut"
                raise DamagedError(msg)
            numbers += [_number(block[at : at + 12]) for at in range(0, 504, 12)]
            more = block[504]
        return [number or 0 for number in numbers]

    def _new_map(self) -> list[int]:
        """Read the map that pax 1.0 puts before the bytes: how many pairs, then each number on a line, then padding."""
        numbers: list[int] = []
        text = b""
        wanted = 1
        while len(numbers) < wanted and len(numbers) < _LONGEST:
            line, newline, rest = text.partition(b"\n")
            if not newline:
                block = self.some(_BLOCK)
                if not block or len(text) > _BLOCK:
                    msg = "the map of a sparse file is damaged"
                    raise DamagedError(msg)
                text += block
                continue
            text = rest
            if not line.isdigit() or len(line) > 19:
                msg = "the map of a sparse file is damaged"
                raise DamagedError(msg)
            numbers.append(int(line))
            if len(numbers) == 1:
                wanted = 1 + 2 * numbers[0]
        return numbers[1:]

    def some(self, size: int) -> bytes:
        """Read on in the member.

        Raises:
            DamagedError: the archive ends before the member does.
        """
        size = min(size, self._left)
        if not size:
            return b""
        piece = self._file.read(size)
        if not piece:
            self._left = self._padding = 0
            msg = "the tar ends before the member does"
            raise DamagedError(msg)
        self._left -= len(piece)
        return piece

    def _all(self, limit: int) -> bytes:
        if self._left > limit:
            msg = "a header of the tar is longer than any name"
            raise DamagedError(msg)
        parts = []
        while piece := self.some(_PIECE):
            parts.append(piece)
        return b"".join(parts)

    def _skip(self) -> None:
        """Go to the next header."""
        left = self._left + self._padding
        self._left = self._padding = 0
        if left > _PIECE and self._file.seekable():
            self._file.seek(left - 1, 1)
            left = 1
        while left:
            piece = self._file.read(min(left, _PIECE))
            if not piece:
                msg = "the tar ends before the member does"
                raise DamagedError(msg)
            left -= len(piece)


class _Again:
    """A file whose last block is read once more."""

    def __init__(self, block: bytes, rest: IO[bytes]) -> None:
        self._block = block
        self._rest = rest

    def read(self, size: int) -> bytes:
        block, self._block = self._block, b""
        return block or self._rest.read(size)

    def seekable(self) -> bool:
        return not self._block and self._rest.seekable()

    def seek(self, offset: int, whence: int) -> int:
        return self._rest.seek(offset, whence)


class _Content:
    """The bytes of one member; of a sparse one the parts with short holes between them."""

    def __init__(self, archive: Archive, parts: list[tuple[int, int]] | None) -> None:
        self._archive = archive
        self._parts = iter(parts) if parts is not None else None
        self._here = 0

    def read(self, size: int) -> bytes:
        if self._parts is None:
            return self._archive.some(size)
        while not self._here:
            hole, self._here = next(self._parts, (-1, 0))
            if hole < 0:
                return b""
            if hole:
                return bytes(hole)
        piece = self._archive.some(min(size, self._here))
        self._here = self._here - len(piece) if piece else 0
        return piece


def _parts(numbers: list[int], left: int) -> list[tuple[int, int]]:
    """Turn a map of offsets and lengths into short holes and lengths, which are no more than there are bytes."""
    out: list[tuple[int, int]] = []
    end = 0
    for offset, length in zip(numbers[::2], numbers[1::2], strict=False):
        if offset < 0 or not 0 < length <= left:
            continue
        out.append((min(max(0, offset - end), _HOLE), length))
        end = offset + length
        left -= length
    return out


def _sum_fits(block: bytes) -> bool:
    """Whether the header's sum is what it says: of its bytes, with blanks in place of the sum; once also with signs."""
    told = _number(block[148:156])
    if told is None:
        return False
    total = sum(block) - sum(block[148:156]) + 256
    if told == total:
        return True
    high = sum(byte > 127 for byte in block) - sum(byte > 127 for byte in block[148:156])
    return told == total - 256 * high


def _number(field: bytes) -> int | None:
    """Return a number: octal, or base 256 with the first bit set; None for what is neither."""
    if field[0] & 0x80:
        return int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big") if field[0] != 0xFF else -1
    digits = field.partition(b"\0")[0].strip(b" ")
    if digits.strip(b"01234567"):
        return None
    return int(digits, 8) if digits else 0


def _records(text: bytes) -> dict[bytes, bytes]:
    """Read the records of a pax header: `length key=value` and a newline each; what is damaged ends them."""
    out: dict[bytes, bytes] = {}
    at = 0
    while at < len(text):
        length, blank, _ = text[at : at + 20].partition(b" ")
        if not blank or not length.isdigit():
            break
        end = at + int(length)
        record = text[at + len(length) + 1 : end]
        key, equals, value = record.partition(b"=")
        if not equals or end <= at or end > len(text) or not record.endswith(b"\n"):
            break
        if key in {b"GNU.sparse.offset", b"GNU.sparse.numbytes"}:
            # the oldest form repeats these two; joined they are the map of the later ones
            known = out.get(b"GNU.sparse.map", b"")
            out[b"GNU.sparse.map"] = known + b"," * bool(known) + value[:-1]
        else:
            out[key] = value[:-1]
        at = end
    return out
