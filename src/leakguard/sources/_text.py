"""Tell text from binary by content, and bring UTF-16 and UTF-32 to UTF-8.

Invariant: whatever is doubtful is text. Text taken for binary is a secret missed, binary taken for text costs a little time.
Rejected: file extensions (they lie), `chardet` (slow, and guesses single-byte encodings that matching on bytes does not need).
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from functools import partial

HEAD = 8192
"""Bytes of an input that decide; git looks at 8,000."""

UTF8_BOM, LE_BOM, BE_BOM = b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"

_MAGIC = (
    b"\x7fELF", b"\x89PNG", b"PK\x03\x04", b"PK\x05\x06", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe", b"MZ", b"\x1f\x8b", b"GIF8", b"\xff\xd8\xff", b"%PDF-", b"SQLite format 3\0", b"!<arch>\n", b"7z\xbc\xaf",
    b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"\0asm", b"OggS", b"RIFF", b"wOFF", b"wOF2", b"\0\x01\0\0\0", b"glTF",
)  # fmt: skip
"""First bytes of formats that may hold long runs of text between their NULs; they count only where there is a NUL."""

_CONTROLS = bytes(set(range(1, 32)) - set(b"\b\t\n\v\f\r\x1b")) + b"\x7f"
"""Control characters that text does not hold; NUL is counted by itself."""

_ASCII = bytes(range(32, 127)) + b"\t\n\r"

_PART_CONTROLS = 50
"""Text with NULs: at most one other control character in so many bytes."""
_PART_NULS = 4
"""Text with NULs: at most one run of NULs in so many other bytes (`KEY=value` lists end each entry with one)."""
_PART_ASCII = 50
"""UTF-16 and UTF-32 without a BOM: at least one ASCII character in so many (Chinese text has few)."""
_PART_ODD = 200
"""UTF-16 and UTF-32 without a BOM: at most one character that is neither printable nor blank in so many ..."""
_PART_ASCII_SURE, _PART_ODD_SURE = 4, 20
"""... or in so many where ASCII is frequent: then a log may hold control characters."""
_SURE = 32
"""Characters from which on a broken last unit does not speak against UTF-16 or UTF-32."""

_DECODE: dict[str, Callable[[bytes, str, bool], tuple[str, int]]] = {
    "utf-16-le": codecs.utf_16_le_decode,
    "utf-16-be": codecs.utf_16_be_decode,
    "utf-32-le": codecs.utf_32_le_decode,
    "utf-32-be": codecs.utf_32_be_decode,
}


def sniff(head: bytes, whole: bool) -> str:
    """Say what an input is from its first bytes (more than `HEAD` may be given, that many are looked at).

    Returns `""` for bytes to take as they are (ASCII, UTF-8, Latin, invalid UTF-8), `utf-8-sig`, `utf-16-le`, `utf-16-be`,
    `utf-32-le`, `utf-32-be` (with a BOM, or without by where their NULs stand), or `binary`. `whole`: there are no further bytes.
    """
    if head.find(0, 0, HEAD) < 0 and head[:1] < b"\xef":
        return ""
    whole = whole and len(head) <= HEAD
    head = head[:HEAD]
    marked = _marked(head)
    if marked.startswith(("utf-16", "utf-32")) and 0 not in head and len(head.translate(None, _ASCII)) * 5 < len(head):
        # the BOM lies: not one ASCII character as that encoding writes it, but ASCII bytes throughout
        return ""
    if marked or 0 not in head:
        return marked
    if head.startswith(_MAGIC) or head[257:262] == b"ustar":
        return "binary"
    text = _is_text(head)
    if text and is_utf8(head):
        # lists with a NUL after each entry: two of their letters read as UTF-16 are one Chinese character
        return ""
    return _wide(head, whole) or ("" if text else "binary")


def _marked(head: bytes) -> str:
    """Return the encoding that a BOM names, or `""`; the longer BOM first, since UTF-32's begins with UTF-16's."""
    if head.startswith(UTF8_BOM):
        return "utf-8-sig"
    if head.startswith(LE_BOM + b"\0\0") and len(head) % 4 == 0:
        return "utf-32-le"
    if head.startswith(b"\0\0" + BE_BOM):
        return "utf-32-be"
    if head.startswith(LE_BOM):
        return "utf-16-le"
    return "utf-16-be" if head.startswith(BE_BOM) else ""


def _wide(head: bytes, whole: bool) -> str:
    """Return the UTF-16 or UTF-32 that the places of the NULs suggest and the decoded characters confirm, or `""`."""
    nuls = [head[start::4].count(0) for start in range(4)]
    quads, pairs = max(1, len(head) // 4), max(1, len(head) // 2)
    even, odd = nuls[0] + nuls[2], nuls[1] + nuls[3]
    guesses = []
    if nuls[3] >= quads and nuls[2] > nuls[0]:
        guesses.append("utf-32-le")
    if nuls[0] >= quads and nuls[1] > nuls[3]:
        guesses.append("utf-32-be")
    if odd * _PART_ASCII >= pairs and odd > even:
        guesses.append("utf-16-le")
    if even * _PART_ASCII >= pairs and even > odd:
        guesses.append("utf-16-be")
    for encoding in guesses:
        text, used = _DECODE[encoding](head, "replace", False)
        broken = whole and used < len(head) and len(text) < _SURE
        ascii_count = len(text.encode("ascii", "ignore"))
        good = sum(char.isprintable() or char.isspace() for char in text) - text.count("\ufffd")
        part = _PART_ODD_SURE if ascii_count * _PART_ASCII_SURE >= len(text) else _PART_ODD
        if text and not broken and ascii_count * _PART_ASCII >= len(text) and (len(text) - good) * part <= len(text):
            return encoding
    return ""


def _is_text(head: bytes) -> bool:
    """Text with stray NULs, or runs of them: a log whose file was cut while open begins with a hole."""
    parts = [part for part in head.split(b"\0") if part]
    rest = b"".join(parts)
    controls = len(rest) - len(rest.translate(None, _CONTROLS))
    return bool(rest) and len(parts) * _PART_NULS <= len(rest) + _PART_NULS and controls * _PART_CONTROLS <= len(rest)


def is_utf8(head: bytes) -> bool:
    """Whether these first bytes are UTF-8; the last character may be cut."""
    try:
        codecs.utf_8_decode(head, "strict", False)  # not final: the head may end within a character
    except UnicodeDecodeError:
        return False
    return True


def decoder(read: Callable[[int], bytes], encoding: str) -> Callable[[int], bytes]:
    """Wrap a `read(n)` of raw bytes into one of UTF-8 bytes, without the BOM.

    The result may be longer or shorter than asked and is empty only at the end. Units that are not valid, and a broken one
    at the end, become U+FFFD.
    """
    if not encoding:
        return read
    if encoding == "utf-8-sig":
        return _without_bom(read)
    decode = _DECODE[encoding]
    pending = b""
    first, ended = True, False

    def read_decoded(size: int) -> bytes:
        nonlocal pending, first, ended
        while not ended:
            raw = read(max(size, 4))
            ended = not raw
            text, used = decode(pending + raw, "replace", ended)
            pending = (pending + raw)[used:]
            if first and text:
                first, text = False, text.removeprefix("\ufeff")
            if text:
                return text.encode("utf-8")
        return b""

    return read_decoded


def _without_bom(read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    first = True

    def read_on(size: int) -> bytes:
        nonlocal first
        if not first:
            return read(size)
        first = False
        start = b""
        while len(start) < len(UTF8_BOM):
            piece = read(max(size, len(UTF8_BOM)))
            if not piece:
                break
            start += piece
        return start.removeprefix(UTF8_BOM) or read(size)

    return read_on


def reader(data: bytes) -> Callable[[int], bytes]:
    """Return a `read(n)` over bytes in memory."""
    at = 0

    def read(size: int) -> bytes:
        nonlocal at
        piece = data[at : at + size]
        at += len(piece)
        return piece

    return read


def read_all(read: Callable[[int], bytes]) -> bytes:
    """Return all that `read` still gives."""
    return b"".join(iter(partial(read, 1 << 20), b""))


def cut(read: Callable[[int], bytes], encoding: str, offset: int, length: int) -> bytes | None:
    """Return `length` bytes at `offset` of what `read` gives once decoded, in bounded memory; None where it ends before."""
    read = decoder(read, encoding)
    found = b""
    while len(found) < length:
        piece = read(1 << 16)
        if not piece:
            return None
        if offset >= len(piece):
            offset -= len(piece)
            continue
        found += piece[offset : offset + length - len(found)]
        offset = 0
    return found
