"""Containers made at test time: a row is one way in which a credential lies in a file.

`ROWS` is the whole table. A row's `build` takes the text of a file (with the credential on its second line) and returns the
bytes of the container; `inside` is the way in that has to be told, `line` the line. `needs` names what a test needs beside
Python: a module, or a program with `!` before it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

import documents
import exports


class Row(NamedTuple):
    name: str
    """Of the file; its ending is what people use."""
    build: Callable[[bytes], bytes]
    inside: tuple[str, ...]
    line: int = 2
    needs: tuple[str, ...] = ()


INNER = "etc/app.env"
"""Name of the planted member."""


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, data)
    return out.getvalue()


class _Pipe(io.RawIOBase):
    """A file that can only be written on."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.data += bytes(data)  # type: ignore[call-overload]
        return len(bytes(data))  # type: ignore[call-overload]


def streamed_zip(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip whose lengths stand behind the members, as one that was written into a pipe has them."""
    out = _Pipe()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return bytes(out.data)


def zstd_zip(name: str, data: bytes) -> bytes:
    """Return a zip packed with Zstandard (method 93), which `zipfile` can't write yet."""
    from backports import zstd

    packed, raw = zstd.compress(data), name.encode()
    sizes = struct.pack("<III", zlib.crc32(data), len(packed), len(data))
    local = b"PK\3\4" + struct.pack("<HHHHH", 63, 0, 93, 0, 0x21) + sizes + struct.pack("<HH", len(raw), 0) + raw + packed
    central = b"PK\1\2" + struct.pack("<HHHHHH", 63, 63, 0, 93, 0, 0x21) + sizes
    central += struct.pack("<HHHHHII", len(raw), 0, 0, 0, 0, 0, 0) + raw
    return local + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


def tarred(*members: tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def old_tar(name: str, data: bytes) -> bytes:
    """Return a tar of 1979, whose headers have no magic."""
    block = bytearray(tarred((name, data), form=tarfile.USTAR_FORMAT))
    block[257:512] = bytes(255)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


def linked_tar(target: str) -> bytes:
    """Return a tar with a symbolic link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(INNER)
        info.type, info.linkname = tarfile.SYMTYPE, target
        archive.addfile(info)
    return out.getvalue()


def sparse_tar(name: str, data: bytes) -> bytes:
    """Return a tar with a file that begins with a hole of a megabyte, as GNU tar writes it."""
    block = bytearray(tarred((name, data), form=tarfile.GNU_FORMAT))
    block[156:157] = b"S"
    block[386:410] = b"%011o\0%011o\0" % (1 << 20, len(data))
    block[483:495] = b"%011o\0" % ((1 << 20) + len(data))
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


def ar(*members: tuple[str, bytes]) -> bytes:
    """Return an ar; names are short."""
    out = b"!<arch>\n"
    for name, data in members:
        head = b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name.encode() + b"/", 0, 0, 0, b"100644", len(data))
        out += head + data + b"\n" * (len(data) % 2)
    return out


def deb(name: str, data: bytes) -> bytes:
    """Return a Debian package."""
    control = tarred(("./control", b"Package: app\nVersion: 1\n"))
    content = tarred((f"./{name}", data))
    return ar(("debian-binary", b"2.0\n"), ("control.tar.gz", gzip.compress(control)), ("data.tar.xz", lzma.compress(content)))


def cpio(*members: tuple[str, bytes]) -> bytes:
    """Return a cpio of the form that packages and RAM disks have."""
    out = b""
    for number, (name, data) in enumerate((*members, ("TRAILER!!!", b"")), 1):
        raw = name.encode() + b"\0"
        fields = (number, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + raw
        out += head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
    return out


def odc(*members: tuple[str, bytes]) -> bytes:
    """Return a cpio of POSIX's form."""
    out = b""
    for name, data in (*members, ("TRAILER!!!", b"")):
        raw = name.encode() + b"\0"
        out += b"070707%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o" % (0, 1, 0o100644, 0, 0, 1, 0, 0, len(raw), len(data))
        out += raw + data
    return out


def rpm(name: str, data: bytes, script: str = "", pack: Callable[[bytes], bytes] = gzip.compress) -> bytes:
    """Return an rpm: lead, signature, header with a script, payload."""

    def header(values: dict[int, bytes]) -> bytes:
        index, store = b"", b""
        for tag, value in values.items():
            index += struct.pack(">IIII", tag, 6, len(store), 1)
            store += value + b"\0"
        return b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", len(values), len(store)) + index + store

    lead = b"\xed\xab\xee\xdb\3\0" + bytes(90)
    signature = header({1000: b"x" * 5})
    texts = header({1000: b"app", 1004: b"An app", 1024: script.encode()})
    return lead + signature + bytes(-len(signature) % 8) + texts + pack(cpio((f"./{name}", data)))


def asar(*members: tuple[str, bytes]) -> bytes:
    """Return an asar; names have one folder."""
    tree: dict[str, object] = {}
    at = 0
    for name, data in members:
        folder, _, base = name.rpartition("/")
        below = tree.setdefault(folder, {"files": {}})["files"] if folder else tree  # type: ignore[index]
        below[base] = {"size": len(data), "offset": str(at)}
        at += len(data)
    index = json.dumps({"files": tree}, separators=(",", ":")).encode()
    padded = index + bytes(-len(index) % 4)
    head = struct.pack("<IIII", 4, len(padded) + 8, len(padded) + 4, len(index))
    return head + padded + b"".join(data for _name, data in members)


def sqlite(text: bytes, value: Callable[[bytes], bytes | str] = bytes.decode, encoding: str = "UTF-8") -> bytes:
    """Return a database whose second row holds a text or, packed by `value`, another value."""
    with sqlite3.connect(":memory:") as database:
        database.execute(f"PRAGMA encoding = '{encoding}'")
        database.execute("CREATE TABLE settings (name TEXT, content)")
        rows = [("first", "nothing"), ("second", value(text))]
        database.executemany("INSERT INTO settings VALUES (?, ?)", rows)
        database.commit()
        return database.serialize()


def sevenzip(*members: tuple[str, bytes], password: str | None = None) -> bytes:
    """Return a 7z, all members in one run."""
    import py7zr

    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", password=password) as archive:
        for name, data in members:
            archive.writestr(data, name)
    return out.getvalue()


def zstd(data: bytes) -> bytes:
    from backports import zstd

    return zstd.compress(data)


def lz4(data: bytes) -> bytes:
    import lz4.frame

    return lz4.frame.compress(data)


def brotli(data: bytes) -> bytes:
    import brotli

    return brotli.compress(data)


def target(text: bytes) -> str:
    """Return the credential of a text as the password of a URL."""
    return text.split(b"=", 1)[1].split(b"\n")[0].decode()


_OTHER = ("readme.txt", b"nothing to see\n" * 40)

ARCHIVES = [
    Row("a.zip", lambda text: zipped(_OTHER, (INNER, text)), (INNER,)),
    Row("stored.zip", lambda text: zipped((INNER, text), method=zipfile.ZIP_STORED), (INNER,)),
    Row("bzip2.zip", lambda text: zipped((INNER, text), method=zipfile.ZIP_BZIP2), (INNER,)),
    Row("lzma.zip", lambda text: zipped((INNER, text), method=zipfile.ZIP_LZMA), (INNER,)),
    Row("zstd.zip", lambda text: zstd_zip(INNER, text), (INNER,), needs=("backports.zstd",)),
    Row("piped.zip", lambda text: streamed_zip(_OTHER, (INNER, text)), (INNER,)),
    Row("setup.exe", lambda text: b"MZ" + bytes(4000) + zipped((INNER, text)), (INNER,)),
    Row("app.pyz", lambda text: b"#!/usr/bin/env python3\n" + zipped((INNER, text)), (INNER,)),
    *(
        Row(name, lambda text: zipped(_OTHER, (INNER, text)), (INNER,))
        for name in ("app.jar", "app.war", "app.whl", "app.apk", "app.ipa", "app.nupkg")
    ),
    Row("app.ear", lambda text: zipped(("lib/app.jar", zipped((INNER, text)))), ("lib/app.jar", INNER)),
    Row("pax.tar", lambda text: tarred(_OTHER, (INNER, text)), (INNER,)),
    Row("gnu.tar", lambda text: tarred(_OTHER, (INNER, text), form=tarfile.GNU_FORMAT), (INNER,)),
    Row("ustar.tar", lambda text: tarred(_OTHER, (INNER, text), form=tarfile.USTAR_FORMAT), (INNER,)),
    Row("v7.tar", lambda text: old_tar(INNER, text), (INNER,)),
    Row("long-pax.tar", lambda text: tarred(("d/" * 200 + INNER, text)), ("d/" * 200 + INNER,)),
    Row("long-gnu.tar", lambda text: tarred(("d/" * 200 + INNER, text), form=tarfile.GNU_FORMAT), ("d/" * 200 + INNER,)),
    Row("dots.tar", lambda text: tarred(("../../../" + INNER, text)), ("../../../" + INNER,)),
    Row("sparse.tar", lambda text: sparse_tar(INNER, text), (INNER,)),
    Row("link.tar", lambda text: linked_tar(f"https://deploy:{target(text)}@git.acme.example/x"), (INNER,), 1),
    Row("two.tar", lambda text: tarred(_OTHER) + tarred((INNER, text)), (INNER,)),
    Row("a.tar.gz", lambda text: gzip.compress(tarred(_OTHER, (INNER, text))), (INNER,)),
    Row("a.tgz", lambda text: gzip.compress(tarred(_OTHER, (INNER, text))), (INNER,)),
    Row("a.tar.bz2", lambda text: bz2.compress(tarred((INNER, text))), (INNER,)),
    Row("a.tar.xz", lambda text: lzma.compress(tarred((INNER, text))), (INNER,)),
    Row("a.tar.zst", lambda text: zstd(tarred((INNER, text))), (INNER,), needs=("backports.zstd",)),
    Row("a.tar.lz4", lambda text: lz4(tarred((INNER, text))), (INNER,), needs=("lz4",)),
    Row("a.tar.br", lambda text: brotli(tarred((INNER, text))), (INNER,), needs=("brotli",)),
    Row("app.env.gz", gzip.compress, ("app.env",)),
    Row("parts.env.gz", lambda text: gzip.compress(text[:30]) + gzip.compress(text[30:]), ("parts.env",)),
    Row("app.env.bz2", bz2.compress, ("app.env",)),
    Row("app.env.xz", lzma.compress, ("app.env",)),
    Row("app.env.lzma", lambda text: lzma.compress(text, lzma.FORMAT_ALONE), ("app.env",)),
    Row("app.env.zst", zstd, ("app.env",), needs=("backports.zstd",)),
    Row("app.env.lz4", lz4, ("app.env",), needs=("lz4",)),
    Row("app.env.br", brotli, ("app.env",), needs=("brotli",)),
    Row("a.7z", lambda text: sevenzip(_OTHER, (INNER, text)), (INNER,), needs=("py7zr",)),
    Row("lib.a", lambda text: ar(("app.env", text)), ("app.env",)),
    Row("app.deb", lambda text: deb(INNER, text), ("data.tar.xz", f"./{INNER}")),
    Row("app.rpm", lambda text: rpm(INNER, text), (f"./{INNER}",)),
    Row("app.zst.rpm", lambda text: rpm(INNER, text, pack=zstd), (f"./{INNER}",), needs=("backports.zstd",)),
    Row("script.rpm", lambda text: rpm("x", b"", script=text.decode()), ("postin",)),
    Row("initrd.cpio", lambda text: cpio((INNER, text)), (INNER,)),
    Row("initrd.img", lambda text: cpio(("early", b"x")) + bytes(512) + gzip.compress(cpio((INNER, text))), ("(behind)", INNER)),
    Row("old.cpio", lambda text: odc((INNER, text)), (INNER,)),
    Row("app.asar", lambda text: asar(_OTHER, (INNER, text)), (INNER,)),
    Row("app.sqlite", sqlite, ("settings",)),
    Row("wide.sqlite", lambda text: sqlite(text, encoding="UTF-16le"), ("settings",)),
    Row("blob.sqlite", lambda text: sqlite(text, gzip.compress), ("settings/2/content", "content")),
    Row("app.db.gz", lambda text: gzip.compress(sqlite(text)), ("app.db", "settings")),
]


def _saying(name: str, build: Callable[[str], str | bytes], inside: str, line: int) -> Row:
    """Return a row of a document or export, which says the planted line somewhere."""

    def built(text: bytes) -> bytes:
        made = build(text.decode().splitlines()[1])
        return made.encode() if isinstance(made, str) else made

    return Row(name, built, tuple(inside.split("!/")) if inside else (), line)


DOCUMENTS = [_saying(*row[:4]) for row in documents.TABLE]
EXPORTS = [_saying(*row[:4]) for row in exports.TABLE]
ROWS: list[Row] = [*ARCHIVES, *DOCUMENTS, *EXPORTS]
