"""Text is told from binary by content, and UTF-16 and UTF-32 arrive as UTF-8."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakguard.sources._text import HEAD, STRINGS, cut, decoder, reader, sniff

SAMPLE = "# settings\nname = value\nother = a few words, and ünïcödé\n" * 3
WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


def decoded(data: bytes, encoding: str, step: int = 7) -> bytes:
    """Decode a whole input by small reads."""
    read = decoder(reader(data), encoding)
    return b"".join(iter(lambda: read(step), b""))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a",
        b"plain\n",
        SAMPLE.encode(),
        "caf\xe9 cr\xe8me".encode("latin-1"),
        b"\xfe is a Latin letter",
        b"\xff\n",
        b"ok \xc3( \xff\xf0",
    ],
    ids=["empty", "one-byte", "ascii", "utf-8", "latin-1", "latin-thorn", "latin-y", "invalid-utf-8"],
)
def test_text_without_nul_is_taken_as_it_is(data: bytes) -> None:
    """Any bytes without a NUL and a BOM are text."""
    assert sniff(data, whole=True) == ""


@pytest.mark.parametrize("encoding", WIDE)
@pytest.mark.parametrize("bom", [True, False])
@pytest.mark.parametrize(
    "text", [SAMPLE, "key=1\n", "пароль = значение\n" * 9, "設定 名前: x\n" * 20], ids=["latin", "short", "cyrillic", "cjk"]
)
def test_wide_text_is_told_with_and_without_a_bom(encoding: str, bom: bool, text: str) -> None:
    """UTF-16 and UTF-32 in either byte order are text, and decode to the same characters."""
    data = (("\ufeff" if bom else "") + text).encode(encoding)

    assert sniff(data, whole=True) == encoding
    assert decoded(data, encoding).decode() == text


def test_utf16_chinese_without_an_ascii_character_needs_only_its_bom() -> None:
    """A BOM counts even where no byte is NUL."""
    assert sniff("\ufeff漢字漢字".encode("utf-16-le"), whole=True) == "utf-16-le"
    assert sniff("\ufeff漢字漢字".encode("utf-16-be"), whole=True) == "utf-16-be"


def test_a_utf8_bom_is_named_and_removed() -> None:
    """The first character of a line stays the first."""
    data = b"\xef\xbb\xbfname"

    assert sniff(data, whole=True) == "utf-8-sig"
    assert decoded(data, "utf-8-sig", step=1) == b"name"


def test_a_long_utf16_file_is_told_by_its_head_alone() -> None:
    """A head cut in the middle of a unit is enough."""
    data = (SAMPLE * 200).encode("utf-16-le")

    assert sniff(data[:HEAD], whole=False) == sniff(data[: HEAD - 1], whole=False) == sniff(data, whole=True) == "utf-16-le"


@pytest.mark.parametrize(
    "data",
    [
        b"first\0second\0third one\0",
        b"HOME=/home/ana\0LANG=C\0A=1\0",
        b"a line with a \0 in it\n" * 5,
        b"\0" * 5000 + b"2026-11-24 a log that was cut while open\n" * 9,
        b"key = value\n" + b"\0" * 3000,
        "größe\0straße\0".encode("latin-1"),
    ],
    ids=["nul-separated", "environment", "stray", "hole-before", "hole-after", "latin"],
)
def test_text_with_a_few_nuls_is_still_text(data: bytes) -> None:
    """NULs between entries, or a run of them, don't make a file binary."""
    assert sniff(data, whole=True) == ""


def archive() -> bytes:
    """Return a zip that stores a long text without compression."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        file.writestr("a.txt", "words and more words\n" * 500)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"OggS\0\x02\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0\x50\x10\0\0",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0" + bytes(range(256)),
        archive(),
        b"wOF2\0\0\0\x34\0\x1d\x0a\0\x06\0\x0f\x09" + b"\x01\0\x10glyphs of letters" * 20,
        b"SQLite format 3\0\x10\0\x01\x01\0@  \0\0",
        struct.pack("<200i", *range(0, 2000, 10)),
        struct.pack("<200d", *(x / 7 for x in range(200))),
        b"\0" * 600,
        b"\x01\0" + zlib.compress(random.Random(7).randbytes(4000)),
    ],
    ids=["ogg", "png", "zip", "font", "sqlite", "ints", "doubles", "zeros", "noise"],
)
def test_binary_formats_are_binary(data: bytes) -> None:
    """What programs read is not searched as text."""
    assert sniff(data, whole=True) == "binary"


def test_invalid_units_are_replaced_and_nothing_after_them_is_lost() -> None:
    """A lone surrogate and half a unit at the end each become one U+FFFD."""
    data = "ab".encode("utf-16-le") + b"\x00\xd8" + "cd".encode("utf-16-le") + b"x"

    assert decoded(data, "utf-16-le").decode() == "ab\ufffdcd\ufffd"


def test_a_surrogate_pair_survives_any_read_size() -> None:
    """A character of two units is decoded whole where a read ends between them."""
    for step in range(1, 9):
        assert decoded("x🔑y".encode("utf-16-be"), "utf-16-be", step).decode() == "x🔑y"


@given(st.text(), st.sampled_from(WIDE), st.integers(1, 50))
def test_decoding_in_pieces_equals_decoding_at_once(text: str, encoding: str, step: int) -> None:
    """Whatever the read sizes, the characters are those of Python's own decoder."""
    data = text.encode(encoding, "surrogatepass")

    assert decoded(data, encoding, step).decode() == data.decode(encoding, "replace").removeprefix("\ufeff")


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_get_an_answer_and_decode(data: bytes, whole: bool) -> None:
    """No input makes sniffing or decoding fail."""
    encoding = sniff(data, whole=whole)

    assert encoding in {"", "binary", "utf-8-sig", STRINGS, *WIDE}
    if encoding not in {"", "binary"}:
        decoded(data, encoding).decode()


@given(st.text(max_size=300), st.sampled_from(["", *WIDE]), st.integers(0, 300), st.integers(0, 40))
def test_a_cut_is_the_same_bytes_of_the_decoded_input(text: str, encoding: str, offset: int, length: int) -> None:
    """Cutting at a place gives what decoding all and slicing gives, or None past the end."""
    data = text.encode(encoding or "utf-8", "replace")
    whole = decoded(data, encoding)

    expected = whole[offset : offset + length]

    assert cut(reader(data), encoding, offset, length) == (expected if len(expected) == length else None)
