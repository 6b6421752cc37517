"""Git's deltas: apply one and tell where it changed its base; read the headers of a pack's objects.

The loops over millions of instructions exist twice, here and in `_delta_native.c` and `_pack_native.c`, with the same results (a test proves
it). The native one is used where it was built; `LEAKGUARD_PURE=1` forces this one.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator
from operator import sub
from typing import Any

NATIVE = False
"""Whether the compiled loops are used."""


def apply(base: bytes, delta: bytes, before: int, after: int) -> tuple[bytes, bytes]:
    """Return the content that a delta makes of its base, and the windows round what it changed.

    Windows are native 64-bit integers, start and end in turn, ascending and apart: from `before` bytes ahead of a change to
    `after` behind it. A change is an insert, a seam between copies that do not continue each other, or an end of the
    content where a copy cut the base.

    Raises:
        ValueError: the delta does not fit its base.
    """
    size, at = _sizes(base, delta)
    pieces: list[bytes] = []
    windows: list[int] = []
    done = follows = 0
    copied = True

    def window(start: int, end: int) -> None:
        start, end = max(0, start - before), min(size, end + after)
        if windows and start <= windows[-1]:
            windows[-1] = max(windows[-1], end)
        else:
            windows.extend((start, end))

    for offset, length, after_it in instructions(delta, at):
        if offset < 0:
            window(done, done + length)
            pieces.append(delta[after_it - length : after_it])
            copied = False
        else:
            if offset + length > len(base):
                raise ValueError("the delta does not fit its base")
            if not copied or offset != follows:
                window(done, done)
            pieces.append(base[offset : offset + length])
            follows, copied = offset + length, True
        done += length
        if done > size:
            raise ValueError("the delta does not fit its base")
    if done != size:
        raise ValueError("the delta does not fit its base")
    if copied and follows != len(base):
        window(done, done)
    return b"".join(pieces), array("q", windows).tobytes()


Rebuilt = tuple[int, int, bytes | None, bytes | None, bytes | None]
"""An object's number, its base's (-1: none), its content, the windows round what changed, the delta."""
Waiting = tuple[int, int, bytes | None]
"""A number, its base's, and the base's content."""


def rebuild(
    pack: tuple[int, int, Any, Any, Any, Any, Any],
    stack: list[Waiting],
    readers: tuple[Any, Callable[[int], bytes | None], int],
    before: int,
    after: int,
    limit: int,
    room: int,
    most: int,
) -> list[Rebuilt]:
    """Rebuild the next objects of delta trees, depth first: `most` of them, or until their contents reach `room` bytes.

    `pack` is its file, its end, offsets, rows, each object's first delta and next sibling, and which are wanted (empty: all);
    taken from `stack` is what is next, added what builds on it. Content and windows are None where an object is damaged or
    larger than `limit`, or its base is; windows alone where it has no base.
    """
    _fd, _end, _offsets, rows, first, following, wanted = pack
    out: list[Rebuilt] = []
    while stack and room > 0 and len(out) < most:
        number, over, base = stack.pop()
        delta = windows = None
        if base is not None and rows[3 * number + 1] <= limit:
            delta = readers[1](number)
        data = delta
        if delta is not None and base is not None and over >= 0:
            try:
                data, windows = apply(base, delta, before, after)
            except (ValueError, MemoryError):
                data = None
        if data is not None and len(data) > limit:
            data = None
        room -= len(data or b"")
        out.append((number, over, data, windows, delta))
        child = first[number]
        while child >= 0:
            if not wanted or wanted[child]:
                stack.append((child, number, data))
            child = following[child]
    return out


def instructions(delta: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield `(offset in the base or -1 for an insert, length, position after the instruction)`.

    Raises:
        ValueError: the delta is damaged.
    """
    end = len(delta)
    while at < end:
        op = delta[at]
        at += 1
        if op & 0x80:
            offset = length = 0
            for bit in range(7):
                if op >> bit & 1:
                    if at >= end:
                        raise ValueError("the delta ends in an instruction")
                    if bit < 4:
                        offset |= delta[at] << 8 * bit
                    else:
                        length |= delta[at] << 8 * (bit - 4)
                    at += 1
            yield offset, length or 0x10000, at
        elif op:
            at += op
            if at > end:
                raise ValueError("the delta ends in an instruction")
            yield -1, op, at
        else:
            raise ValueError("the delta holds a reserved instruction")


def _sizes(base: bytes, delta: bytes) -> tuple[int, int]:
    """Return the size of the content and where the instructions begin."""
    source, at = _size(delta, 0)
    size, at = _size(delta, at)
    if source != len(base):
        raise ValueError("the delta does not fit its base")
    return size, at


def _size(delta: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(delta) or shift > 56:
            raise ValueError("the delta has no sizes")
        byte = delta[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def carried(delta: bytes, spans: bytes) -> bytes | None:
    """Say where spans of the base (start and end in turn) stand in the content: a span's number and its start, in turn.

    None where one was cut by a copy, or where one that touched an end of the base does not touch the content's.

    Raises:
        ValueError: the delta is damaged.
    """
    wanted = array("q", spans)
    base_size, at = _size(delta, 0)
    size, at = _size(delta, at)
    done = 0
    out = array("q")
    for offset, length, _at in instructions(delta, at):
        if offset >= 0:
            for i in range(0, len(wanted), 2):
                first, last = wanted[i], wanted[i + 1]
                if first >= offset + length or last <= offset:
                    continue
                start, end = first - offset + done, last - offset + done
                if first < offset or last > offset + length or (not first and start) or (last == base_size and end != size):
                    return None
                out.extend((i // 2, start))
        done += length
    return out.tobytes()


def heads(block: bytes, start: int, offsets: bytes, hash: int) -> tuple[bytes, bytes]:  # noqa: A002 - git's word
    """Read the headers of objects.

    `block` holds a pack's bytes from offset `start` on, `offsets` native 64-bit integers, `hash` is the length of an id.
    Returns a byte an object, git's type number, and three 64-bit integers an object: where its deflated data begins, its
    length once inflated, and its base as an offset, or minus the offset at which the base's id stands.

    Raises:
        ValueError: a header is damaged.
    """
    kinds = bytearray()
    rows = array("q")
    try:
        for offset in array("q", offsets):
            kind, row = _head(block, start, offset, hash)
            kinds.append(kind)
            rows.extend(row)
    except IndexError:
        raise ValueError("an object's header is damaged") from None
    return bytes(kinds), rows.tobytes()


def _head(block: bytes, start: int, offset: int, hash: int) -> tuple[int, tuple[int, int, int]]:  # noqa: A002 - git's word
    at = offset - start
    if at < 0:
        raise IndexError
    byte = block[at]
    kind, size, shift, base = byte >> 4 & 7, byte & 15, 4, 0
    at += 1
    while byte & 0x80:
        if shift > 57:
            raise IndexError
        byte = block[at]
        size |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    if kind == 6:
        byte = block[at]
        back, at, more = byte & 0x7F, at + 1, 1
        while byte & 0x80:
            more += 1
            if more > 10:
                raise IndexError
            byte = block[at]
            back = (back + 1 << 7) | byte & 0x7F
            at += 1
        base = offset - back
    elif kind == 7:
        base = -(start + at)
        at += hash
    return kind, (start + at, size, base)


def places(offsets: bytes, bases: bytes) -> bytes:
    """Return the place of each base among the ascending offsets; -1 for a base of 0 (none), -2 where it is not there.

    All are native 64-bit integers.
    """
    known = {offset: number for number, offset in enumerate(array("q", offsets))}
    known[0] = -1  # no object begins there
    return array("q", [known.get(base, -2) for base in array("q", bases)]).tobytes()


def ordered(offsets: bytes) -> bytes:
    """Return native 64-bit integers, ascending."""
    return array("q", sorted(array("q", offsets))).tobytes()


def trees(offsets: bytes, rows: bytes, end: int) -> tuple[bytes, bytes, bytes]:
    """Return each object's first delta, next sibling (-1: none), and the packed bytes of it and of all that builds on it.

    `rows` as `heads` tells, with the base's number; the last object ends at `end`. All are native 64-bit integers.
    """
    bases = array("q", rows)[2::3]
    count = len(bases)
    weights = array("q", map(sub, [*array("q", offsets)[1:], end][:count], array("q", offsets)))
    first, following = array("q", [-1]) * count, array("q", [-1]) * count
    for number in range(count - 1, -1, -1):
        base = bases[number]
        if 0 <= base < count:
            following[number] = first[base]
            first[base] = number
            if base < number:
                weights[base] += weights[number]
    return first.tobytes(), following.tobytes(), weights.tobytes()


if not os.environ.get("LEAKGUARD_PURE"):
    try:
        from leakguard.gitio import _delta_native, _pack_native  # type: ignore[attr-defined]  # built where a compiler is
    except ImportError:
        pass
    else:
        apply, carried, rebuild = _delta_native.apply, _delta_native.carried, _delta_native.rebuild
        heads, places = _pack_native.heads, _pack_native.places
        ordered, trees = _pack_native.ordered, _pack_native.trees
        NATIVE = True
