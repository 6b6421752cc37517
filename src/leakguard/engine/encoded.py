"""Where text may stand encoded, and escapes taken out: the twin in Python of `_encoded_native.c`, with the same results.

Most runs of letters are names, paths and hashes, so a run counts only where its first bytes decode to text; an escape counts
where it stands for a printable character. Rejected: to decode every run and look at what comes out (three times the
time of the rest of a scan).
"""

from __future__ import annotations

import re
from array import array
from binascii import a2b_base64, a2b_hex
from collections.abc import Callable, Sequence

BASE64, HEX, PERCENT, BACKSLASH, HTML, QUOTED, UTF16LE, UTF16BE = range(1, 9)

_LEAST, _LEAST_HEX, _LEAST_WIDE, _SIGNS, _FULL, _ROUND = 12, 24, 6, 16, 56, 512

_RUN = re.compile(rb"[0-9A-Za-z+/_\-]+")
_LETTERS = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/_-")
_SIGN = re.compile(rb"[+/_\-]")
_HEX = re.compile(rb"[0-9A-Fa-f]{%d}" % _LEAST_HEX)
_STANDARD = bytes.maketrans(b"-_", b"+/")
_SHOWN = rb"[\x20-\x7e\t\n\r]"
_TEXT = re.compile(
    rb"(?:" + _SHOWN + rb"|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})*"
    rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})?\Z"
)
_LOW = re.compile(rb"(?:%s\0)*.?\Z" % _SHOWN, re.DOTALL)
_HIGH = re.compile(rb"(?:\0%s)*.?\Z" % _SHOWN, re.DOTALL)
_PACKED = re.compile(rb"\x1f\x8b\x08|x[\x01\x9c\xda]|x\x5e(?!%s)" % _SHOWN, re.DOTALL)
KEYSTORE = re.compile(rb"(?:\xfe\xed\xfe\xed|\xce\xce\xce\xce)\0\0\0|0\x82..\x02\x01\x030", re.DOTALL)
"""How stores of keys begin, Java's and PKCS #12."""
_PRINTABLE = range(0x21, 0x7F)

_NAMES = {
    name.encode(): ord(char)
    for char, names in {
        "\t": "Tab",
        "\n": "NewLine",
        "!": "excl",
        '"': "QUOT quot",
        "#": "num",
        "$": "dollar",
        "%": "percnt",
        "&": "AMP amp",
        "'": "apos",
        "(": "lpar",
        ")": "rpar",
        "*": "ast midast",
        "+": "plus",
        ",": "comma",
        ".": "period",
        "/": "sol",
        ":": "colon",
        ";": "semi",
        "<": "LT lt",
        "=": "equals",
        ">": "GT gt",
        "?": "quest",
        "@": "commat",
        "[": "lbrack lsqb",
        "\\": "bsol",
        "]": "rbrack rsqb",
        "^": "Hat",
        "_": "UnderBar lowbar",
        "`": "DiacriticalGrave grave",
        "{": "lbrace lcub",
        "|": "VerticalLine verbar vert",
        "}": "rbrace rcub",
    }.items()
    for name in names.split()
}

_ESCAPES = {
    PERCENT: re.compile(rb"%([0-9A-Fa-f]{2})"),
    BACKSLASH: re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|([ntr\\\"'/`])|([0-3][0-7]{2}))"),
    HTML: re.compile(rb"&(?:#([0-9]{1,7});|#[xX]([0-9A-Fa-f]{1,7});|([A-Za-z]{2,16});)"),
    QUOTED: re.compile(rb"=(?:([0-9A-Fa-f]{2})|\r?\n)"),
}
_SIMPLE = {b"n": 10, b"t": 9, b"r": 13}


def _stands_for(kind: int, found: re.Match[bytes]) -> int | None:
    """Return the character that an escape stands for, -1 for what joins lines; None where it is none."""
    groups = found.groups()
    if kind == PERCENT:
        return int(groups[0], 16)
    if kind == QUOTED:
        return int(groups[0], 16) if groups[0] else -1
    if kind == HTML:
        decimal, digits, name = groups
        if name:
            return _NAMES.get(name)
        code = int(decimal) if decimal else int(digits, 16)
        return code or None
    byte, four, braced, simple, octal = groups
    if simple:
        return _SIMPLE.get(simple, simple[0])
    if octal:
        return int(octal, 8)
    return int(byte or four or braced, 16)


def _shown(data: bytes, at: int) -> bool:
    return 0x20 <= data[at] < 0x7F or data[at] in b"\t\n\r"


def _begins(head: bytes) -> bool:
    """Whether these first bytes begin text in ASCII, UTF-8 or UTF-16, what gzip or zlib packed, or a store of keys."""
    if KEYSTORE.match(head) or _PACKED.match(head) or _TEXT.match(head):
        return True
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        head = head[2:]
    return bool(_LOW.match(head) or _HIGH.match(head))


def _is_hex(data: bytes, at: int, stop: int) -> bool:
    return _HEX.match(data, at, stop) is not None and _begins(a2b_hex(data[at : at + _LEAST_HEX]))


def _kind_at(data: bytes, at: int, stop: int) -> int:
    if _is_hex(data, at, stop):
        return HEX
    if stop - at < _LEAST:
        return 0
    return BASE64 if _begins(a2b_base64(data[at : at + _LEAST].translate(_STANDARD))) else 0


def _letters(data: bytes, at: int, end: int, size: int, *, cut: bool, rows: array[int]) -> int:
    """Add base64 and hex that begins before `end`; returns where the last run ends that was looked at."""
    done = 0
    for run in _RUN.finditer(data, at, size):
        begin, stop = run.span()
        if begin >= end:
            break
        if stop - begin < _LEAST:
            continue
        done = stop
        starts = [begin + 1] if begin and data[begin - 1] == 0x5C and data[begin] in b"nrt" else []
        if data[begin] == 0x30 and data[begin + 1] in b"xX" and _is_hex(data, begin + 2, stop):
            starts.append(begin + 2)
        starts += range(begin, begin + 4) if cut and not begin else [begin]
        starts += [sign.end() for sign, _ in zip(_SIGN.finditer(data, begin, stop), range(_SIGNS), strict=False)]
        for start in starts:
            if kind := _kind_at(data, start, stop):
                rows.extend((kind, start, stop))
                break
    return done


def _tells(kind: int, data: bytes, begin: int, found: re.Match[bytes], is_: int) -> bool:
    """Whether an escape is worth to be looked round: it stands for a printable character, or is one that mails are full of."""
    at = found.start()
    if kind == BACKSLASH and found.end() - at == 2:
        return False
    if kind != QUOTED:
        return is_ in _PRINTABLE
    if is_ == 0x3D:
        return found[1] == b"3D"
    if is_ != -1 or at <= begin or data[at - 1] not in _PRINTABLE:
        return False
    newline = data.rfind(b"\n", max(begin, at - 81), at)
    line = newline + 1 if newline >= 0 else max(begin, at - 81)
    return 69 <= at - line <= 75


def _escapes(kind: int, data: bytes, begin: int, end: int, rows: array[int]) -> None:
    low = high = -1
    for found in _ESCAPES[kind].finditer(data, begin, end):
        is_ = _stands_for(kind, found)
        if is_ is None or not _tells(kind, data, begin, found, is_):
            continue
        at, after = found.span()
        start, stop = max(begin, at - _ROUND), min(end, after + _ROUND)
        if kind != QUOTED:
            if (newline := data.rfind(b"\n", start, at)) >= 0:
                start = newline + 1
            if (newline := data.find(b"\n", after, stop)) >= 0:
                stop = newline
        if low >= 0 and start <= high:
            high = max(high, stop)
            continue
        if low >= 0:
            rows.extend((kind, low, high))
        low, high = start, stop
    if low >= 0:
        rows.extend((kind, low, high))


def _is_sign(byte: int) -> bool:
    return not (chr(byte).isascii() and chr(byte).isalnum())


def _wide(data: bytes, begin: int, end: int, rows: array[int]) -> None:
    """Add runs in which every second byte is NUL."""
    at = begin
    while (start := data.find(0, at, end)) >= 0:
        stop = start
        while stop + 1 < end and not data[stop] and _shown(data, stop + 1):
            stop += 2
        closed = stop < end and not data[stop]
        led = start > begin and _shown(data, start - 1)
        # without NULs at either end a text that seems to begin with a blank begins behind it
        begins = led and (data[start - 1] == 0x20 or (_is_sign(data[start - 1]) and not _is_sign(data[stop - 1])))
        big = not led or (not closed and stop > start and begins)
        low, high = (start, stop) if big else (start - 1, stop + 1 if closed else stop - 1)
        if high - low >= 2 * _LEAST_WIDE:
            rows.extend((UTF16BE if big else UTF16LE, low, high))
        at = (stop + closed) if stop > start else start + 1


def _back(data: bytes, at: int, least: int) -> int:
    while at > least and data[at - 1] in _LETTERS:
        at -= 1
    return at


def _first_line(data: bytes, at: int, least: int) -> int:
    """Return where the run at `at` begins, of one over lines the first; not before `least`."""
    start = _back(data, at, least)
    run = _RUN.match(data, start)
    stop = start if run is None else run.end()
    while stop - start >= _FULL:
        line = start
        while line > least and data[line - 1] in b" \t":
            line -= 1
        if line > least and data[line - 1] == 0x0A:
            line -= 1
        elif line > least + 1 and data[line - 2 : line] == b"\\n":
            line -= 2
        else:
            break
        if line > least and data[line - 1] == 0x0D:
            line -= 1
        stop = line
        line = _back(data, line, least)
        if stop - line < _FULL:
            break
        start = line
    return start


def runs(data: bytes, windows: Sequence[int], grow: bool, cut: bool) -> bytes:
    """Return kind, start and end in turn of what may stand encoded in some windows, as native 64-bit integers.

    `grow`: a run that reaches into a window counts whole, from the first of its lines on; else what stands outside of the windows is not looked at. `cut`: the
    data begins within a longer one.
    """
    rows = array("q")
    done = 0
    for i in range(0, len(windows), 2):
        at, end = windows[i], windows[i + 1]
        if grow:
            at = _first_line(data, max(at, done), done)
        done = max(done, _letters(data, at, end, len(data) if grow else end, cut=cut, rows=rows))
    if grow:
        windows = _grown(windows, len(data))
    for kind in (*_ESCAPES, UTF16LE):
        for i in range(0, len(windows), 2):
            at, end = windows[i], windows[i + 1]
            if kind == UTF16LE:
                _wide(data, at, end, rows)
            else:
                _escapes(kind, data, at, end, rows)
    return rows.tobytes()


def _grown(windows: Sequence[int], size: int) -> list[int]:
    """Return windows with what stands round them; those that meet are one, since an escape between them is read with both."""
    out: list[int] = []
    for start, end in zip(windows[::2], windows[1::2], strict=True):
        if out and start - _ROUND <= out[-1]:
            out[-1] = min(size, end + _ROUND)
        else:
            out += (max(0, start - _ROUND), min(size, end + _ROUND))
    return out


def taken_out(kind: int) -> Callable[[re.Match[bytes]], bytes]:
    """Return what a match of an escape is replaced by."""

    def replace(found: re.Match[bytes]) -> bytes:
        is_ = _stands_for(kind, found)
        if is_ is None or 0xD800 <= is_ < 0xE000 or is_ > 0x10FFFF:
            return found[0]
        if is_ < 0:
            return b""
        # what stands for a byte is that byte, what stands for a character is written in UTF-8
        byte = kind in {PERCENT, QUOTED} or (kind == BACKSLASH and len(found[0]) == 4)
        return bytes((is_,)) if byte else chr(is_).encode()

    return replace


def unescape(data: bytes, rows: bytes) -> tuple[bytes, bytes]:
    """Return what stands in rows of PERCENT to QUOTED, each followed by a newline, and begin and end of each therein."""
    out, edges, used = [], array("q"), 0
    each = array("q", rows)
    for i in range(0, len(each), 3):
        kind, start, stop = each[i : i + 3]
        text = _ESCAPES[kind].sub(taken_out(kind), data[start:stop])
        edges.extend((used, used + len(text)))
        used += len(text) + 1
        out += [text, b"\n"]
    return b"".join(out), edges.tobytes()


def escapes_in(kind: int, raw: bytes) -> list[tuple[int, int, int]]:
    """Return start and end of each escape, and how many bytes take its place."""
    replace = taken_out(kind)
    return [(*found.span(), len(text)) for found in _ESCAPES[kind].finditer(raw) if (text := replace(found)) != found[0]]


_STRING = re.compile(rb"([\x20-\x7e\t]{%d,})|(?:[\x20-\x7e\t]\0){%d,}" % (_LEAST_WIDE, _LEAST_WIDE))


def strings(data: bytes) -> bytes:
    """Return the data with a newline for each byte that belongs to no run of six printable characters.

    In ASCII or UTF-16 with the small end first; a first byte that counts the others of its run is no character of it.
    """
    out = bytearray(b"\n") * len(data)
    for found in _STRING.finditer(data):
        start, end = found.span()
        if found[1] and data[start] == (end - start - 1) & 0xFF:
            start += 1
        out[start:end] = data[start:end]
    return bytes(out)
