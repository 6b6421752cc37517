"""Encoded text to text, layer by layer: what runs in one text stand for makes up the next.

A layer is one text, so that the prefilter looks through all of it at once, and each of its segments knows the run that it was
made of. So a match is followed back to the bytes that stand for it, and to nothing more: a few characters of base64, an
escape. Depth and bytes are limited, since what packs can be made to stand for anything.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from leakguard.engine.encoded import BASE64, HEX, KEYSTORE, PERCENT, QUOTED, UTF16LE, escapes_in
from leakguard.engine.native import runs, unescape
from leakguard.engine.written import DECODERS, ESCAPES, MOST
from leakguard.model.finding import Step

DEPTH = 6
"""Layers."""
_BYTES = 4 * MOST
"""Bytes of all layers together."""
HEAD, TAIL = 80, 16
"""Bytes of the line that are kept on either side of a run: the name that it is assigned to."""
_FULL = 56
"""Characters of a line that may go on in the next."""
_TEXT_ALL, _TEXT_HEAD = 24, 32
"""Decoded bytes up to which all of them must be ASCII; bytes of text that count though something else follows."""

_STANDARD, _URL, _DIGITS = (re.compile(rb"[0-9A-Za-z+/]+"), re.compile(rb"[0-9A-Za-z_\-]+"), re.compile(rb"[0-9A-Fa-f]+"))
_PADDING = re.compile(rb"={1,2}")
_NEWLINE = re.compile(rb"\r?\n[ \t]{0,40}|(?:\\r)?\\n")
_NO_TEXT = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
_SIGNIFICANT = re.compile(rb"\\[nrt]|([0-9A-Za-z+/_\-]+)")
_WIDTH = {"base64": (4, 3), "hex": (2, 1)}
"""Characters that stand for so many bytes."""


class Segment(NamedTuple):
    """A run and what it stands for."""

    ways: tuple[str, ...]
    start: int
    end: int
    """The run, in the text below."""
    head: int
    body: int
    stop: int
    tail: int
    """In the layer's text: `head:body` and `stop:tail` stand round the run as they are, `body:stop` is decoded."""
    sizes: tuple[int, ...] = ()
    """Bytes that each way but the last gave."""


class Layer(NamedTuple):
    """A text made of runs in the text below."""

    below: bytes
    text: bytes
    segments: tuple[Segment, ...]
    """In order."""

    def at(self, place: int) -> Segment:
        """Return the segment at a position of the text."""
        return self.segments[max(0, bisect_right(self.segments, place, key=lambda segment: segment.head) - 1)]


def layers(data: bytes, rows: bytes) -> tuple[list[Layer], str]:
    """Return the layers of a text whose runs are known, and what was left undone, in words for people."""
    out: list[Layer] = []
    left = _BYTES
    while rows:
        if len(out) == DEPTH:
            return out, f"encoded more than {DEPTH} times"
        layer, left = _layer(data, array("q", rows), left)
        if layer.segments:
            out.append(layer)
        if left <= 0:
            return out, f"encoded text of more than {_BYTES >> 20} MB"
        data = layer.text
        windows = array("q", [edge for segment in layer.segments for edge in (segment.body, segment.stop)])
        rows = runs(data, windows, False, False)
    return out, ""


def trace(below: Sequence[Layer], start: int, end: int) -> tuple[int, int, tuple[Step, ...]]:
    """Return the bytes of the first text that a span in the last of some layers was made of, and the steps that lead to it."""
    steps: tuple[Step, ...] = ()
    for layer in reversed(below):
        segment = layer.at(start)
        if end <= segment.body or start >= segment.stop:
            # it stands round the run as it is
            shift = segment.start - segment.body if end <= segment.body else segment.end - segment.stop
            start, end = start + shift, end + shift
            continue
        start, end = max(start, segment.body), min(end, segment.stop)
        start, end, more = _source(segment, layer.below[segment.start : segment.end], start - segment.body, end - segment.body)
        steps = more + steps
        start, end = start + segment.start, end + segment.start
    return start, end, steps


def _source(segment: Segment, raw: bytes, start: int, end: int) -> tuple[int, int, tuple[Step, ...]]:
    """Return which bytes of a run a span of what it stands for was made of, and the steps."""
    way = segment.ways[0]
    if len(segment.ways) > 1:
        # what was packed is only had as a whole
        whole = tuple(Step(way, 0, size) for way, size in zip(segment.ways, segment.sizes, strict=False))
        return 0, len(raw), (*whole, Step(segment.ways[-1], start, end - start))
    if way in _WIDTH:
        letters, stands_for = _WIDTH[way]
        first, last = start // stands_for * letters, -(-end // stands_for) * letters
        low, high = _places(raw, first, last)
        return low, high, (Step(way, start - start // stands_for * stands_for, end - start),)
    if way not in ESCAPES:
        return 2 * start, 2 * end, (Step(way, 0, end - start),)
    return _escaped(way, raw, start, end)


def _places(raw: bytes, first: int, last: int) -> tuple[int, int]:
    """Return where the letters of a run from number `first` to before `last` stand; with the last also what closes the run."""
    before, low = 0, 0
    for found in _SIGNIFICANT.finditer(raw):
        if not found[1]:
            continue
        start, count = found.start(), len(found[1])
        if before <= first < before + count:
            low = start + first - before
        if before < last <= before + count:
            high = start + last - before
            more = last < before + count or any(further[1] for further in _SIGNIFICANT.finditer(raw, high))
            return low, high if more else len(raw)
        before += count
    return low, len(raw)


def _escaped(way: str, raw: bytes, start: int, end: int) -> tuple[int, int, tuple[Step, ...]]:
    pieces: list[tuple[int, int, int]] = [(0, 0, 0)]
    """Where each begins decoded and in `raw`, and of an escape its length there, else 0."""
    decoded = source = 0
    for begin, stop, length in escapes_in(ESCAPES.index(way) + PERCENT, raw):
        decoded += begin - source
        pieces += [(decoded, begin, stop - begin), (decoded + length, stop, 0)]
        decoded, source = decoded + length, stop
    first, last = (pieces[bisect_right(pieces, at, key=lambda piece: piece[0]) - 1] for at in (start, end - 1))
    low = first[1] if first[2] else first[1] + start - first[0]
    high = last[1] + (last[2] or end - last[0])
    return low, high, (Step(way, start - first[0] if first[2] else 0, end - start),)


def _layer(data: bytes, rows: array[int], left: int) -> tuple[Layer, int]:
    """Return the layer of some runs, and how many bytes are left after it."""
    escaped = array("q")
    others: list[tuple[int, int, int]] = []
    for kind, start, end in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        if PERCENT <= kind <= QUOTED:
            escaped.extend((kind, start, end))
        else:
            others.append((kind, start, end))
    pieces: list[bytes] = []
    segments: list[Segment] = []
    at = 0
    if escaped:
        text, raw = unescape(data, escaped.tobytes())
        edges = array("q", raw)
        for i in range(0, len(edges), 2):
            kind, start, end = escaped[3 * i // 2 : 3 * i // 2 + 3]
            segments.append(Segment((ESCAPES[kind - PERCENT],), start, end, edges[i], edges[i], edges[i + 1], edges[i + 1]))
        pieces.append(text)
        at = len(text)
    done = 0
    for kind, start, end in others:
        if kind < UTF16LE and start < done:
            continue
        if at > left:
            break
        found = _wide(data, kind, start, end) if kind >= UTF16LE else _run(data, kind, start)
        if found is None:
            continue
        ways, stop, decoded, sizes = found
        done = max(done, stop)
        head, tail = _round(data, start, stop)
        body = at + len(head)
        after = body + len(decoded)
        segments.append(Segment(ways, start, stop, at, body, after, after + len(tail), sizes))
        pieces += [head, decoded, tail, b"\n"]
        at = after + len(tail) + 1
    return Layer(data, b"".join(pieces), tuple(segments)), left - at


def _round(data: bytes, start: int, stop: int) -> tuple[bytes, bytes]:
    low = data.rfind(b"\n", max(0, start - HEAD), start) + 1 or max(0, start - HEAD)
    high = data.find(b"\n", stop, stop + TAIL)
    return data[low:start], data[stop : high if high >= 0 else stop + TAIL]


def _wide(data: bytes, kind: int, start: int, end: int) -> tuple[tuple[str, ...], int, bytes, tuple[int, ...]]:
    way = "utf-16-le" if kind == UTF16LE else "utf-16-be"
    return (way,), end, DECODERS[way](data[start:end]), ()


def _run(data: bytes, kind: int, start: int) -> tuple[tuple[str, ...], int, bytes, tuple[int, ...]] | None:
    """Return how a run is encoded, where it ends, what it stands for, and sizes for `Segment`; None where that is no text."""
    way = "base64" if kind == BASE64 else "hex"
    end = _end(data, kind, start)
    decoded = DECODERS[way](data[start:end])
    packed = "gzip" if decoded[:2] == b"\x1f\x8b" else "zlib" if decoded[:1] == b"x" and decoded[1:2] in b"\x01\x5e\x9c\xda" else ""
    if packed:
        try:
            inner = DECODERS[packed](decoded)
        except ValueError:
            packed = ""
        else:
            text = _text(inner)
            return ((way, packed), end, text, (len(decoded),)) if text else None
    text = _text(decoded)
    return ((way,), end, text, ()) if text else None


def _end(data: bytes, kind: int, start: int) -> int:
    """Return where a run ends that may go on over lines, padding included."""
    one = _DIGITS.match(data, start)
    if kind != HEX or one is None:
        standard, url = _STANDARD.match(data, start), _URL.match(data, start)
        one = standard if url is None or (standard and standard.end() >= url.end()) else url
    if one is None:
        return start
    letters, at = one.re, one.end()
    width = at - start
    begins = start == 0 or data[start - 1] in b"\n \t" or data[start - 2 : start] in {rb"\n", rb"\r"}
    if width >= _FULL or not begins:
        while newline := _NEWLINE.match(data, at):
            line = letters.match(data, newline.end())
            if line is None:
                break
            length = line.end() - line.start()
            if not begins and length >= _FULL:
                # the first line had a name before it
                width, begins = length, True
            if length > width or width < _FULL:
                break
            at = line.end()
            if length < width:
                break
    padding = _PADDING.match(data, at) if kind != HEX else None
    return padding.end() if padding else at


def _text(decoded: bytes) -> bytes:
    """Return the text that some bytes are, or begin with; empty where they are none."""
    if 0 in decoded[:4] or KEYSTORE.match(decoded):
        return decoded
    bad = _NO_TEXT.search(decoded)
    text = decoded if bad is None else decoded[: bad.start()]
    try:
        text.decode()
    except UnicodeDecodeError as e:
        text = decoded[: e.start]
    if len(text) < len(decoded):
        return text if len(text) >= _TEXT_HEAD else b""
    return text if len(text) > _TEXT_ALL or text.isascii() else b""
