"""Whatever a container says of itself: bounded, told, and the rest is read."""

from __future__ import annotations

import gzip
import io
import struct
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from functools import cache
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containers import ARCHIVES, Row, ar, cpio, rpm, sevenzip, sqlite, streamed_zip, tarred, zipped
from leakguard.model.blob import Blob, MemberProvenance, Skipped, StreamProvenance
from leakguard.sources._magic import kind_of
from leakguard.sources._text import reader
from leakguard.sources.unpack import inside, within
from leakguard.sources.unpack.budget import Budget, Limits

TEXT = b"MODE=live\nTOKEN=nothing\nLEVEL=3\n"


def look(data: bytes, limits: Limits | None = None, *, name: str = "x", piped: bool = False) -> list[Blob | Skipped]:
    """Look into a container, as a file or as a pipe."""
    kind = kind_of(data, name, whole=not piped)
    budget = Budget(limits or Limits(), len(data))
    outer = StreamProvenance(name)
    if not kind:
        return []
    return list(within(reader(data), outer, kind, budget) if piped else inside(io.BytesIO(data), outer, kind, budget))


def read(items: list[Blob | Skipped]) -> dict[tuple[str, ...], int]:
    """Return how much was read of each member."""
    out: dict[tuple[str, ...], int] = {}
    for item in items:
        if isinstance(item, Blob):
            assert isinstance(item.provenance, MemberProvenance)
            own = (len(item.data) if item.own_end is None else item.own_end) - item.own_start
            out[item.provenance.inner] = out.get(item.provenance.inner, 0) + own
    return out


def told(items: list[Blob | Skipped]) -> list[tuple[str, str]]:
    """Return where what was skipped, and why."""
    return [("!/".join(getattr(s.provenance, "inner", ())), s.reason) for s in items if isinstance(s, Skipped)]


def test_a_member_that_grows_without_measure_ends_and_the_next_one_is_read() -> None:
    data = zipped(("bomb.txt", b"a line of text\n" * 600_000), ("app.env", TEXT))
    items = look(data, Limits(text=1 << 20, ratio=2))
    assert told(items) == [("bomb.txt", "budget")]
    assert read(items)["bomb.txt",] <= 2 << 20
    assert read(items)["app.env",] == len(TEXT)


def test_bombs_within_bombs_end_together_and_are_told_once() -> None:
    data = b"a line of text\n" * 100_000
    for level in range(4):
        data = zipped(*((f"{level}-{number}.txt", data) for number in range(4)))
    items = look(data, Limits(texts=8 << 20, text=1 << 30, ratio=2))
    assert sum(read(items).values()) <= 9 << 20
    assert [reason for _where, reason in told(items)] == ["budget"]


def test_what_is_nested_too_deep_is_told() -> None:
    data = TEXT
    for _ in range(20):
        data = gzip.compress(data)
    (where, reason) = told(look(data))[0]
    assert (where.count("!/"), reason) == (7, "budget")


def test_a_container_that_holds_itself_ends() -> None:
    # the index names one member fifty times: fifty containers in each of fifty
    inner = zipped(("a.txt", TEXT * 50))
    data = zipped(*((f"{n}.zip", inner) for n in range(50)))
    for _ in range(3):
        data = zipped(*((f"{n}.zip", data) for n in range(20)))
    items = look(data, Limits(members=2000))
    assert [reason for _where, reason in told(items)] == ["budget"]


def test_members_that_overlap_are_told_and_read_once() -> None:
    data = bytearray(zipped(("a.txt", b"x" * 400), ("b.txt", b"y" * 400), method=zipfile.ZIP_STORED))
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 10)
    items = look(bytes(data))
    assert told(items) == [("b.txt", "damaged")]
    assert read(items) == {("a.txt",): 400}


def zeros(size: int, *after: bytes) -> bytes:
    """Return a tar with a member of zeros and another, packed by Zstandard in blocks of one byte said often."""
    head = tarfile.TarInfo("zeros.bin")
    head.size = size
    start, end = head.tobuf(), b"".join(after)

    def raw(data: bytes, last: bool = False) -> bytes:
        return struct.pack("<I", len(data) << 3 | last)[:3] + data

    block = struct.pack("<I", (1 << 17) << 3 | 1 << 1)[:3] + b"\0"
    return b"\x28\xb5\x2f\xfd\0\x58" + raw(start) + block * (size >> 17) + raw(end, last=True)


@pytest.mark.skipif(not find_spec("backports.zstd"), reason="backports.zstd is not installed")
def test_a_member_of_four_gigabytes_of_zeros_is_passed_in_little_memory_and_the_next_one_is_read() -> None:
    data = zeros(4 << 30, tarred(("app.env", TEXT)))
    assert len(data) < 1 << 18
    tracemalloc.start()
    items = look(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told(items) == [("", "binary")]
    assert read(items) == {("app.env",): len(TEXT)}
    assert peak < 30 << 20


def test_links_and_devices_are_told_or_read_as_what_they_are() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind in (("fifo", tarfile.FIFOTYPE), ("sda", tarfile.BLKTYPE), ("tty", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type = kind
            archive.addfile(info)
        for name, kind in (("hard", tarfile.LNKTYPE), ("soft", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    items = look(out.getvalue())
    assert told(items) == [("fifo", "device"), ("sda", "device"), ("tty", "device")]
    assert [(i.provenance.inner, i.data) for i in items if isinstance(i, Blob)] == [(("soft",), b"/etc/passwd")]  # type: ignore[union-attr]


def test_a_damaged_header_of_a_tar_is_told_and_the_next_good_one_goes_on() -> None:
    data = bytearray(tarred(("a.txt", TEXT), ("b.txt", TEXT), ("c.txt", TEXT)))
    data[1024 + 130 : 1024 + 135] = b"\xff" * 5
    items = look(bytes(data))
    assert ("", "damaged") in told(items)
    assert set(read(items)) == {("a.txt",), ("c.txt",)}


def test_a_zip_without_its_index_is_read_by_the_headers_of_its_members() -> None:
    data = zipped(("a.txt", TEXT), ("b.txt", TEXT))
    items = look(data[: data.index(b"PK\1\2")])
    assert {reason for _where, reason in told(items)} == {"damaged"}
    assert set(read(items)) == {("a.txt",), ("b.txt",)}


def test_a_member_whose_sum_is_wrong_is_told() -> None:
    data = bytearray(zipped(("a.txt", TEXT), method=zipfile.ZIP_STORED))
    data[data.index(b"MODE")] ^= 1
    assert told(look(bytes(data))) == [("a.txt", "damaged")]
    assert told(look(bytes(data), piped=True)) == [("a.txt", "damaged")]


def test_encrypted_members_are_told_by_choice() -> None:
    data = bytearray(zipped(("a.txt", TEXT)))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    assert told(look(bytes(data))) == told(look(bytes(data), piped=True)) == [("a.txt", "encrypted")]
    if find_spec("py7zr"):
        assert told(look(sevenzip(("a.txt", TEXT), password="x"))) == [("a.txt", "encrypted")]


def test_many_members_that_are_told_for_the_same_reason_become_a_number() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(250):
            info = tarfile.TarInfo(f"fifo{number}")
            info.type = tarfile.FIFOTYPE
            archive.addfile(info)
    skips = [item for item in look(out.getvalue()) if isinstance(item, Skipped)]
    assert (len(skips), sum(skip.number for skip in skips)) == (101, 250)


@pytest.mark.parametrize(
    ("module", "data"), [("lz4.frame", b"\x04\x22\x4d\x18" + bytes(40)), ("py7zr", b"7z\xbc\xaf\x27\x1c" + bytes(40))]
)
def test_a_missing_package_is_told_with_the_line_that_installs_it(
    module: str, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (skip,) = look(data)
    assert isinstance(skip, Skipped)
    assert (skip.reason, skip.by_choice, skip.detail) == ("extra", True, 'pip install "leakguard[archives]"')


HUGE = {
    "tar": tarred(("a.txt", TEXT)).replace(b"%011o\0" % len(TEXT), b"7" * 11 + b"\0"),
    "cpio": cpio(("a.txt", TEXT)).replace(b"%08X" % len(TEXT), b"FFFFFFFF"),
    "ar": ar(("a.txt", TEXT)).replace(b"%-10d" % len(TEXT), b"9999999999"),
    "asar": struct.pack("<IIII", 4, 1 << 31, 1 << 31, 1 << 31) + b'{"files":{}}',
    "rpm": b"\xed\xab\xee\xdb" + bytes(92) + b"\x8e\xad\xe8\x01\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
    "sqlite": sqlite(TEXT)[:28] + b"\xff" * 72 + sqlite(TEXT)[100:],
    "sevenzip": b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<IQQI", 0, 0, 1 << 62, 0) + bytes(32),
    "zip": zipped(("a.txt", TEXT), method=zipfile.ZIP_STORED).replace(struct.pack("<II", len(TEXT), len(TEXT)), b"\xfe" * 8),
}


@pytest.mark.parametrize("kind", HUGE)
def test_a_header_that_tells_a_huge_size_costs_nothing(kind: str) -> None:
    tracemalloc.start()
    items = look(HUGE[kind])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kind_of(HUGE[kind]) == kind
    assert [reason for _where, reason in told(items)] != []
    assert peak < 20 << 20


@cache
def built(row: Row) -> bytes:
    return row.build(TEXT)


READABLE = [row for row in ARCHIVES if all(map(find_spec, row.needs))]


@given(st.sampled_from(READABLE), st.data())
@settings(max_examples=300)
def test_damage_raises_nothing_and_is_told_or_harmless(row: Row, draw: st.DataObject) -> None:
    data = bytearray(built(row))
    for _ in range(draw.draw(st.integers(0, 4))):
        at = draw.draw(st.integers(0, len(data) - 1))
        width = draw.draw(st.sampled_from([1, 1, 2, 4, 8]))
        data[at : at + width] = (
            draw.draw(st.sampled_from([b"\0", b"\xff", b"\x7f"])) * width
            if draw.draw(st.booleans())
            else bytes(draw.draw(st.binary(min_size=width, max_size=width)))
        )
    data = data[: draw.draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))]
    limits = Limits(text=1 << 22, texts=1 << 23, out=1 << 26, ratio=50, seconds=20)
    for piped in (False, True):
        items = look(bytes(data), limits, name=row.name, piped=piped)
        assert sum(read(items).values()) < 1 << 24


SEVERAL = {"two.tar", "initrd.img", "parts.env.gz"}
"""What ends somewhere in its middle, too."""


@given(st.sampled_from([row for row in READABLE if row.name not in SEVERAL]), st.floats(0, 1))
@settings(max_examples=120)
def test_what_is_cut_is_never_taken_for_whole(row: Row, part: float) -> None:
    whole = built(row)
    data = whole[: int(len(whole) * part)]
    if not kind_of(data, row.name, whole=True):
        return
    items, everything = look(data, name=row.name), look(whole, name=row.name)
    lost = read(everything).keys() - read(items).keys()
    assert not lost or any(isinstance(item, Skipped) and not item.by_choice for item in items)


@given(st.sampled_from(sorted(HUGE)), st.binary(max_size=600))
@settings(max_examples=200)
def test_any_bytes_behind_the_first_ones_of_a_format_raise_nothing(kind: str, rest: bytes) -> None:
    start = HUGE[kind][: {"tar": 512, "asar": 24, "rpm": 112, "cpio": 110, "sqlite": 100}.get(kind, 8)]
    look(start + rest)
    look(start + rest, piped=True)


@given(st.lists(st.tuples(st.text("ab/.", min_size=1, max_size=6), st.binary(max_size=80)), max_size=5), st.booleans())
@settings(max_examples=60)
def test_a_zip_reads_the_same_with_its_index_and_without(members: list[tuple[str, bytes]], stream: bool) -> None:
    named = [(f"{n}{name}".rstrip("/"), b"text " + data.hex().encode()) for n, (name, data) in enumerate(members)]
    data = (streamed_zip if stream else zipped)(*named)
    if named:
        assert read(look(data)) == read(look(data, piped=True)) == {(name,): len(text) for name, text in named}


def test_scripts_of_an_rpm_and_its_files_are_read() -> None:
    assert set(read(look(rpm("a.txt", TEXT, script="echo hello")))) >= {("postin",), ("./a.txt",)}


def test_gzip_with_a_break_between_its_parts_is_read_on() -> None:
    # the second part's first byte is the last one of a piece
    first = zlib.compressobj(0, zlib.DEFLATED, 31)
    data = first.compress(b"a" * 65_000) + first.flush()
    assert len(data) < 1 << 16
    data = gzip.compress(b"x\n" * 10) + b"\0" * ((1 << 16) - 1 - len(gzip.compress(b"x\n" * 10))) + gzip.compress(TEXT)
    assert read(look(data)) == {("content",): 20 + len(TEXT)}
