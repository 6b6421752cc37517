"""Which container's format some first bytes begin. Apart from `unpack`, so that who meets no container imports none of it."""

from __future__ import annotations

import os
from typing import IO

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08PK\x03\x04", "zip"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"7z\xbc\xaf\x27\x1c", "sevenzip"),
    (b"!<arch>\n", "ar"),
    (b"\xed\xab\xee\xdb", "rpm"),
    (b"070701", "cpio"),
    (b"070702", "cpio"),
    (b"070707", "cpio"),
    (b"\xc7\x71", "cpio"),
    (b"SQLite format 3\0", "sqlite"),
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
)
"""First bytes, and the module of `unpack` that reads what has them there; few bytes are confirmed by `_is`."""

_BY_FIRST: dict[int, list[tuple[bytes, str]]] = {}
for _magic, _kind in _MAGIC:
    _BY_FIRST.setdefault(_magic[0], []).append((_magic, _kind))
_ODD = frozenset(b"B\x5d\x04")
"""First bytes of formats that a plain prefix does not tell."""
_BUNDLES = frozenset(("js", "mjs", "cjs", "css"))
_BUNDLE = 4 << 20
"""Bytes of a script at whose end a source map is looked for."""
_ENDINGS = _BUNDLES | frozenset(
    ("", "br", "tar", "json", "jsonl", "ndjson", "ipynb", "map", "xml", "eml", "mht", "mhtml", "mbox", "mbx")
)
"""Endings of names that say what else a file may be."""
_TAR_HEAD = 512
_LOOKED = 8192
_PROGRAMS = frozenset(b"M\x7f#")
_TAIL = 22 + 65_535
"""Bytes at the end of a file that may hold a zip's end record and the comment after it."""


def kind_of(head: bytes, name: str = "", *, whole: bool = False) -> str:
    """Return the name of the format that these first bytes begin, or `""` for what is no container.

    `name`, empty where there is none, decides only where a format has no first bytes of its own (brotli, a tar of before 1988,
    mail, exports in JSON or XML: see `_texts`). `whole`: there are no
    further bytes, so that a zip behind a program, or a source map at the end of a script shows.
    """
    if not head:
        return ""
    first = head[0]
    if whole and first in _PROGRAMS and begins_program(head) and _ends_zip(head[-_TAIL:]):
        return "zip"
    if first in _BY_FIRST:
        for magic, kind in _BY_FIRST[first]:
            if head.startswith(magic) and (kind != "cpio" or _is_cpio(head)):
                return kind
    if first in _ODD and (kind := _odd(head)):
        return kind
    if head[257:262] == b"ustar":
        return "tar"
    dot = name.rfind(".")
    ending = name[dot + 1 :].lower() if dot > name.rfind("/") else ""
    if ending not in _ENDINGS:
        return ""
    if ending in {"br", "tar"}:
        return _by_name(head, ending)
    if ending in _BUNDLES:
        from leakguard.sources._texts import inline_map

        return "bundle" if whole and len(head) <= _BUNDLE and inline_map(head) >= 0 else ""
    if ending or (name and first == 0x46):  # a mailbox begins with `From ` and mostly has no ending
        from leakguard.sources._texts import text_kind

        return text_kind(head, ending)
    return ""


def kind_in(file: IO[bytes], name: str) -> str:
    """Return the name of the format of a file that can be sought in, and leave it at its beginning."""
    head = file.read(_LOOKED)
    kind = ""
    if begins_program(head):
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        kind = "zip" if _ends_zip(file.read(_TAIL)) else ""
    elif name.lower().endswith((".js", ".mjs", ".cjs", ".css")):
        head += file.read(_BUNDLE)
        kind = kind_of(head, name, whole=True)
    file.seek(0)
    return kind or kind_of(head, name)


def begins_program(head: bytes) -> bool:
    """Whether a zip may stand behind this: a self-extracting archive, a zip application, a jar behind a start script."""
    return head.startswith((b"MZ", b"\x7fELF", b"#!"))


def _ends_zip(tail: bytes) -> bool:
    at = tail.rfind(b"PK\x05\x06")
    return at >= 0 and at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)


def _odd(head: bytes) -> str:
    if head.startswith(b"BZh"):
        return "bzip2" if head[3:4].isdigit() and head[4:10] in {b"1AY&SY", b"\x17rE8P\x90"} else ""
    if head.startswith(b"\x5d\0\0"):
        # LZMA alone: a dictionary of a usual size, and a length that is not told or below a TiB
        size = head[5:13]
        return "xz" if head[3:5] in _DICTIONARIES and (size == b"\xff" * 8 or (len(size) == 8 and size[5:] == b"\0\0\0")) else ""
    if head.startswith(b"\x04\0\0\0"):
        # asar: a length of four bytes, two nested lengths, then the index, which is JSON
        return "asar" if head[16:24] == b'{"files"' else ""
    return ""


_DICTIONARIES = frozenset((b"\0\0", b"\x01\0", b"\x02\0", b"\x04\0", b"\x08\0", b"\x10\0", b"\x20\0", b"\x40\0", b"\x80\0",
                           b"\0\x01", b"\0\x02", b"\0\x04", b"\0\x08"))  # fmt: skip
"""Bits 16 to 31 of the size of an LZMA dictionary: powers of two."""


def _is_cpio(head: bytes) -> bool:
    if head[0] == 0xC7:
        # the old binary form: a device, an inode, ..., a name of some length with its NUL
        size = int.from_bytes(head[20:22], "little")
        return 1 < size < 4096 and head[26 : 26 + size].find(b"\0") == size - 1
    return all(byte in b"0123456789abcdefABCDEF" for byte in head[6:76])


def _by_name(head: bytes, ending: str) -> str:
    if ending == "tar":
        # a header is known by its sum, and by that its octal numbers end it
        return "tar" if len(head) >= _TAR_HEAD and head[156:157] in {b"\0", b"0", b"1", b"2"} and _sum_fits(head) else ""
    from leakguard.sources._text import is_utf8

    return "" if is_utf8(head[:_LOOKED]) else "brotli"


def _sum_fits(head: bytes) -> bool:
    told = head[148:156].strip(b" \0")
    return bool(told) and not told.strip(b"01234567") and sum(head[:148]) + sum(head[156:_TAR_HEAD]) + 8 * 32 == int(told, 8)
