"""A pack as a table: where each object lies, what it is, and on which other one it builds.

Read with `pread`, since a mapped pack counts as memory. Everything is an array of integers, in the order of offsets, so
that a million objects take some tens of MB and forked workers share them.
"""

from __future__ import annotations

import os
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator
from functools import cached_property

from leakguard.gitio.delta import Rebuilt, Waiting, heads, ordered, places, rebuild, trees

_DAMAGED: tuple[type[Exception], ...] = (zlib.error,)
try:
    # inflates in 60 % of zlib's time; `pip install "leakguard[fast]"`
    from isal import isal_zlib
except ImportError:
    _inflate = zlib.decompress
else:
    _inflate = isal_zlib.decompress
    _DAMAGED = (zlib.error, isal_zlib.error)  # type: ignore[assignment, unused-ignore]  # isal has no types here

COMMIT, TREE, BLOB, TAG, OFS_DELTA, REF_DELTA = 1, 2, 3, 4, 6, 7
_BLOCK = 8 << 20
_NO_BOMB = 64 << 10
"""Deflated bytes that can't become more than 64 MB; in one call they inflate in half the time."""
_ROOM, _MOST = 4 << 20, 256
"""Bytes of contents, and contents, that are rebuilt in one go."""
_MARGIN = 96
"""More than the longest header with a base's id."""


class DamagedPackError(Exception):
    """A pack or its index can't be read; the caller asks git instead."""


class Pack:
    """One pack file.

    Raises:
        DamagedPackError: index and pack don't fit.
        OSError: it can't be read.
    """

    def __init__(self, index: str, hash_length: int) -> None:
        self.path = index[:-4] + ".pack"
        self.hash_length = hash_length
        try:
            self._index = _Index(index, hash_length)
        except (ValueError, IndexError):
            raise DamagedPackError("the index is damaged") from None
        self._fd = os.open(self.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self.size = os.fstat(self._fd).st_size
        self.offsets = array("q", ordered(self._index.offsets.tobytes()))
        """Where each object begins, ascending; a number of an object is its place in this list."""
        self.kinds = b""
        self.rows = array("q")
        """Three integers an object: where its data begins, how long it is inflated, its base's number (-1: none, -2: elsewhere)."""
        try:
            self._read_heads()
        except (ValueError, IndexError) as e:
            os.close(self._fd)
            raise DamagedPackError(str(e)) from None

    def __len__(self) -> int:
        return len(self.offsets)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _read_heads(self) -> None:
        offsets, end = self.offsets, self.size - self.hash_length
        if offsets and (offsets[0] < 12 or offsets[-1] >= end):
            raise ValueError("the index does not fit the pack")
        kinds, at = [], 0
        while at < len(offsets):
            start = offsets[at]
            until = bisect_left(offsets, start + _BLOCK, at)
            block = os.pread(self._fd, min(end, offsets[until - 1] + _MARGIN) - start, start)
            some, rows = heads(block, start, offsets[at:until].tobytes(), self.hash_length)
            kinds.append(some)
            self.rows.frombytes(rows)
            at = until
        self.kinds = b"".join(kinds)
        self._number_bases()

    def _number_bases(self) -> None:
        """Turn bases from offsets and ids into numbers."""
        bases = self.rows[2::3]
        if min(bases, default=0) < 0:
            for number, base in enumerate(bases):
                if base < 0:
                    bases[number] = self._index.find(os.pread(self._fd, self.hash_length, -base)) or 1
        self.rows[2::3] = array("q", places(self.offsets.tobytes(), bases.tobytes()))

    @cached_property
    def trees(self) -> tuple[array[int], array[int], array[int]]:
        """Return, by number, an object's first delta, its next sibling (-1: none), and the packed bytes of its delta tree."""
        first, following, weights = trees(self.offsets.tobytes(), self.rows.tobytes(), self.size - self.hash_length)
        return array("q", first), array("q", following), array("q", weights)

    def unreached(self) -> list[int]:
        """Return deltas that build on nothing in this pack; of a damaged or hostile pack also those in a circle."""
        bases, kinds = self.rows[2::3], self.kinds
        if -2 not in bases and REF_DELTA not in kinds:
            return []  # a base by offset stands before its delta
        state = bytearray(len(self))  # 1: leads to a whole object, 2: does not
        for number in range(len(self)):
            path = []
            at = number
            while not state[at]:
                if kinds[at] < OFS_DELTA:
                    state[at] = 1
                elif bases[at] < 0:
                    state[at] = 2
                else:
                    state[at] = 2  # until the walk comes back with better news
                    path.append(at)
                    at = bases[at]
            for passed in path:
                state[passed] = state[at]
        return [number for number in range(len(self)) if state[number] == 2] if 2 in state else []

    def packed(self, number: int) -> int:
        """Return the bytes that an object takes in the pack."""
        following = self.offsets[number + 1] if number + 1 < len(self.offsets) else self.size - self.hash_length
        return following - self.offsets[number]

    def inflated(self, number: int) -> bytes:
        """Return an object's data: its content, or the delta.

        Raises:
            DamagedPackError: it can't be inflated to the length that its header tells.
        """
        begin, size = self.rows[3 * number], self.rows[3 * number + 1]
        following = self.offsets[number + 1] if number + 1 < len(self.offsets) else self.size - self.hash_length
        try:
            raw = os.pread(self._fd, following - begin, begin)
            if len(raw) <= _NO_BOMB:
                # a damaged header may tell any size; deflate gains a thousandfold at most
                data = _inflate(raw, zlib.MAX_WBITS, min(size, 1 << 10 + len(raw).bit_length()) or 1)
            else:
                # `max_length` keeps a bomb from growing; a byte more shows that the header lied
                data = zlib.decompressobj().decompress(raw, size + 1)
        except _DAMAGED as e:
            raise DamagedPackError(str(e)) from None
        if len(data) != size:
            raise DamagedPackError("an object has another length than its header tells")
        return data

    def rebuilt(
        self, roots: Iterable[int], wanted: bytearray | None, before: int, after: int, limit: int
    ) -> Iterator[list[Rebuilt]]:
        """Yield the objects of the delta trees of some roots, depth first, some at a time.

        Each is its number, its base's (-1: none), its content, the windows from `before` bytes ahead of what changed to `after`
        behind it (native 64-bit integers, start and end in turn), and the delta. Content and windows are None where it is
        damaged or larger than `limit`, or its base is, windows where it has none. `wanted`: a byte an object; others are left.
        """
        table = (self._fd, self.size - self.hash_length, self.offsets, self.rows, *self.trees[:2], wanted or b"")
        stack: list[Waiting] = [(root, -1, b"") for root in roots]
        stack.reverse()
        while stack:
            yield rebuild(table, stack, (_inflate, self._whole, _NO_BOMB), before, after, limit, _ROOM, _MOST)

    def _whole(self, number: int) -> bytes | None:
        try:
            return self.inflated(number)
        except (DamagedPackError, MemoryError):
            return None

    def ids(self, numbers: Iterable[int]) -> dict[int, str]:
        """Return the ids (hex) of some objects."""
        wanted = {self.offsets[number]: number for number in numbers}
        return {wanted[offset]: self._index.id(at).hex() for at, offset in enumerate(self._index.offsets) if offset in wanted}

    def all_ids(self) -> Iterator[bytes]:
        """Yield every id, sorted."""
        return (oid for oid, _offset in self._index.entries())

    def holds(self, oid: str) -> bool:
        """Whether an object (hex) is in this pack."""
        return self._index.find(bytes.fromhex(oid)) is not None

    def among(self, known: Container[bytes]) -> frozenset[int]:
        """Return the numbers of the objects whose ids are known."""
        found = [offset for oid, offset in self._index.entries() if oid in known]
        return frozenset(bisect_left(self.offsets, offset) for offset in found)

    def numbers(self, ids: Iterable[bytes]) -> Iterator[int]:
        """Yield the numbers of those ids that are in this pack."""
        for oid in ids:
            offset = self._index.find(oid)
            if offset is not None:
                yield bisect_left(self.offsets, offset)


def ids_of(index: str, hash_length: int) -> list[bytes]:
    """Return the ids of a pack's objects by its index alone.

    Raises:
        DamagedPackError: the index can't be read.
    """
    return [oid for oid, _offset in _Index(index, hash_length).entries()]


class _Index:
    """An index of version 1 or 2."""

    def __init__(self, path: str, hash_length: int) -> None:
        with open(path, "rb") as f:
            raw = f.read()
        self._length = hash_length
        version = 2 if raw[:8] == b"\xfftOc\0\0\0\2" else 1
        head = 8 if version == 2 else 0
        if raw[:4] == b"\xfftOc" and version == 1:
            raise DamagedPackError("the index has a version that is not known")
        fan = array("I", raw[head : head + 1024])
        if fan.itemsize != 4 or len(fan) != 256:
            raise DamagedPackError("the index is too short")
        if sys.byteorder == "little":
            fan.byteswap()
        self._fan = fan
        count = fan[255]
        at = head + 1024
        if any(a > b for a, b in zip(fan, fan[1:], strict=False)) or len(raw) < at + count * (hash_length + 4):
            raise DamagedPackError("the index is damaged")
        if version == 1:
            step = 4 + hash_length
            rows = [raw[at + i * step : at + (i + 1) * step] for i in range(count)]
            self._ids = b"".join(row[4:] for row in rows)
            self.offsets = array("q", (int.from_bytes(row[:4], "big") for row in rows))
            return
        self._ids = raw[at : at + count * hash_length]
        at += count * (hash_length + 4)
        short = array("I", raw[at : at + 4 * count])
        if len(short) != count:
            raise DamagedPackError("the index is too short")
        if sys.byteorder == "little":
            short.byteswap()
        self.offsets = array("q", short)
        far = at + 4 * count
        for i, offset in enumerate(short):
            if offset >> 31:
                place = far + 8 * (offset & 0x7FFFFFFF)
                if place + 8 > len(raw) - 2 * hash_length:
                    raise DamagedPackError("the index is damaged")
                self.offsets[i] = int.from_bytes(raw[place : place + 8], "big")

    def entries(self) -> Iterator[tuple[bytes, int]]:
        """Yield `(id, offset)`, sorted by id."""
        for at, offset in enumerate(self.offsets):
            yield self.id(at), offset

    def id(self, at: int) -> bytes:
        """Return the id at a place of the index."""
        return self._ids[at * self._length : (at + 1) * self._length]

    def find(self, oid: bytes) -> int | None:
        """Return an object's offset, or None."""
        low, high = self._fan[oid[0] - 1] if oid[0] else 0, self._fan[oid[0]]
        length = self._length
        while low < high:
            middle = (low + high) // 2
            here = self._ids[middle * length : (middle + 1) * length]
            if here == oid:
                return self.offsets[middle]
            if here < oid:
                low = middle + 1
            else:
                high = middle
        return None
