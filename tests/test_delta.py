"""Deltas: the compiled loops and their Python twins give the same, and what a delta changed lies in the windows."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from array import array
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histories import commit, git, repository
from leakguard.gitio import delta as chosen
from leakguard.gitio.pack import DamagedPackError, Pack


def twin() -> dict[str, object]:
    """Return the Python loops, whatever is compiled."""
    source = Path(chosen.__file__).read_text()
    names: dict[str, object] = {"__name__": "twin"}
    before = os.environ.get("LEAKGUARD_PURE")
    os.environ["LEAKGUARD_PURE"] = "1"
    try:
        exec(compile(source, chosen.__file__, "exec"), names)
    finally:
        os.environ.pop("LEAKGUARD_PURE")
        if before is not None:
            os.environ["LEAKGUARD_PURE"] = before
    return names


TWIN = twin()


def number(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def copy(offset: int, size: int) -> bytes:
    """Return a copy instruction; a size of 65,536 is written as none."""
    op, rest = 0x80, bytearray()
    for bit in range(4):
        if byte := offset >> 8 * bit & 0xFF:
            op |= 1 << bit
            rest.append(byte)
    for bit in range(3):
        if (byte := size >> 8 * bit & 0xFF) and size != 0x10000:
            op |= 0x10 << bit
            rest.append(byte)
    return bytes([op, *rest])


@st.composite
def deltas(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """Draw a base, a delta that git might never write, and its result."""
    base = draw(st.binary(max_size=300)) * draw(st.sampled_from([1, 1, 1, 300]))
    pieces, body = [], b""
    for _ in range(draw(st.integers(0, 12))):
        if base and draw(st.booleans()):
            offset = draw(st.integers(0, len(base) - 1))
            size = draw(st.sampled_from([1, min(len(base) - offset, 0x10000), draw(st.integers(1, len(base) - offset))]))
            size = min(size, 0xFFFFFF)
            pieces.append(base[offset : offset + size])
            body += copy(offset, size)
        else:
            text = draw(st.binary(min_size=1, max_size=127))
            pieces.append(text)
            body += bytes([len(text)]) + text
    result = b"".join(pieces)
    return base, number(len(base)) + number(len(result)) + body, result


Spans = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=5)


@given(deltas(), st.integers(0, 60), st.integers(0, 60))
def test_both_loops_apply_a_delta_alike(made: tuple[bytes, bytes, bytes], before: int, after: int) -> None:
    base, delta, result = made
    told = TWIN["apply"](base, delta, before, after)  # type: ignore[operator]
    assert told == chosen.apply(base, delta, before, after)
    assert told[0] == result
    windows = array("q", told[1])
    assert list(windows) == sorted(windows)
    assert all(0 <= edge <= len(result) for edge in windows)


@given(deltas())
def test_what_lies_outside_of_the_windows_stood_together_in_the_base(made: tuple[bytes, bytes, bytes]) -> None:
    base, delta, result = made
    windows = [0, *array("q", chosen.apply(base, delta, 4, 4)[1]), len(result)]
    for first, last in zip(windows[::2], windows[1::2], strict=True):
        assert result[first:last] in base


@given(deltas(), Spans)
def test_both_loops_carry_spans_alike_and_to_equal_bytes(made: tuple[bytes, bytes, bytes], drawn: list[tuple[int, int]]) -> None:
    base, delta, result = made
    spans = [(a, b) for a, b in (sorted(span) for span in drawn) if a < b <= len(base)]
    flat = array("q", [edge for span in spans for edge in span]).tobytes()
    told = TWIN["carried"](delta, flat)  # type: ignore[operator]
    assert told == chosen.carried(delta, flat)
    if told is not None:
        places = array("q", told)
        for which, start in zip(places[::2], places[1::2], strict=True):
            first, last = spans[which]
            assert result[start : start + last - first] == base[first:last]


@given(deltas(), st.data())
def test_a_damaged_delta_is_an_error_for_both(made: tuple[bytes, bytes, bytes], data: st.DataObject) -> None:
    base, delta, _result = made
    at = data.draw(st.integers(0, len(delta) - 1))
    damaged = data.draw(st.sampled_from([delta[:at], delta[:at] + b"\0" + delta[at:], delta + b"\x91", b"\xff" * 12]))

    def outcome(apply: object) -> object:
        try:
            return apply(base, damaged, 8, 8)  # type: ignore[operator]
        except ValueError:
            return "damaged"

    assert outcome(TWIN["apply"]) == outcome(chosen.apply)


@given(st.binary(max_size=200), st.lists(st.integers(0, 220), max_size=6), st.sampled_from([20, 32]))
def test_both_loops_read_headers_alike(block: bytes, offsets: list[int], length: int) -> None:
    wanted = array("q", [1000 + offset for offset in offsets]).tobytes()

    def outcome(heads: object) -> object:
        try:
            return heads(block, 1000, wanted, length)  # type: ignore[operator]
        except ValueError:
            return "damaged"

    assert outcome(TWIN["heads"]) == outcome(chosen.heads)


@given(st.lists(st.integers(12, 300), unique=True).map(sorted), st.lists(st.integers(-5, 310)))
def test_both_loops_find_bases_alike(offsets: list[int], bases: list[int]) -> None:
    asked = array("q", offsets).tobytes(), array("q", bases).tobytes()

    assert TWIN["places"](*asked) == chosen.places(*asked)  # type: ignore[operator]


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(-2, 12)), max_size=12))
def test_both_loops_see_the_same_trees(drawn: list[tuple[int, int]]) -> None:
    rows = array("q", [n for _size, base in drawn for n in (0, 0, base)]).tobytes()
    ends = [*accumulate((size for size, _base in drawn), initial=12)]
    offsets = array("q", ends[:-1]).tobytes()

    assert TWIN["trees"](offsets, rows, ends[-1]) == chosen.trees(offsets, rows, ends[-1])  # type: ignore[operator]
    shuffled = array("q", ends[::-1]).tobytes()
    assert TWIN["ordered"](shuffled) == chosen.ordered(shuffled) == array("q", ends).tobytes()  # type: ignore[operator]


@given(st.lists(st.tuples(deltas(), st.booleans()), min_size=1, max_size=6), st.data())
def test_both_loops_rebuild_trees_alike(drawn: list[tuple[tuple[bytes, bytes, bytes], bool]], data: st.DataObject) -> None:
    """Objects that fit their base, others that do not, damaged ones, and large ones; read in runs of any length."""
    pieces: list[bytes] = []
    rows, read, bases = array("q"), [], []
    for number, ((base, delta, _result), root) in enumerate(drawn):
        over = -1 if root or not number else data.draw(st.integers(0, number - 1))
        wanted = base if over < 0 else delta
        packed = zlib.compress(wanted) if data.draw(st.integers(0, 9)) else b"damaged"
        rows.extend((sum(map(len, pieces)), len(wanted), over))
        read.append(wanted if packed != b"damaged" else None)
        pieces.append(packed)
        bases.append(over)
    offsets = array("q", rows[::3])
    first, following, _weights = (array("q", raw) for raw in chosen.trees(offsets.tobytes(), rows.tobytes(), sum(map(len, pieces))))
    wanted_ones = data.draw(st.sampled_from([b"", b"\1" * len(rows)]))
    small, limit, room, most = (data.draw(st.sampled_from(some)) for some in ([0, 12, 9999], [40, 99999], [1, 9999], [1, 3, 99]))

    def run(rebuild: object) -> list[object]:
        with TemporaryFile() as file:
            file.write(b"".join(pieces))
            file.flush()
            table = (file.fileno(), sum(map(len, pieces)), offsets, rows, first, following, wanted_ones)
            stack = [(number, -1, b"") for number, over in enumerate(bases) if over < 0]
            out: list[object] = []
            while stack:
                out += rebuild(table, stack, (zlib.decompress, read.__getitem__, small), 4, 5, limit, room, most)  # type: ignore[operator]
            return out

    assert run(TWIN["rebuild"]) == run(chosen.rebuild)


def test_the_compiled_loops_can_be_switched_off() -> None:
    code = "from leakguard.gitio import delta; print(delta.NATIVE)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "LEAKGUARD_PURE": "1"}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Return the index of a pack of a small repository."""
    repo = repository(tmp_path / "repo")
    for n in range(12):
        commit(repo, a__txt="".join(f"line {i * (1 + (i == n))}\n" for i in range(200)))
    git(repo, "repack", "-qadf")
    return next((repo / ".git" / "objects" / "pack").glob("*.idx"))


def test_every_object_of_a_pack_is_what_git_says(packed: Path) -> None:
    pack = Pack(str(packed), 20)
    names = pack.ids(range(len(pack)))
    assert sorted(names.values()) == [oid.hex() for oid in pack.all_ids()]

    def content(number: int) -> bytes:
        base = pack.rows[3 * number + 2]
        data = pack.inflated(number)
        return data if base < 0 else chosen.apply(content(base), data, 0, 0)[0]

    for number, oid in names.items():
        kind = git(packed.parent, "cat-file", "-t", oid)
        said = subprocess.run(["git", "cat-file", kind, oid], cwd=packed.parent, capture_output=True, check=True).stdout
        assert content(number) == said
    pack.close()


@pytest.mark.parametrize("spoil", ["index", "index_short", "fan", "pack_short", "pack_noise", "circle"])
def test_a_damaged_pack_is_told_and_never_hangs(packed: Path, spoil: str) -> None:
    path = packed.with_suffix(".pack")
    for file in (packed, path):
        file.chmod(0o644)
    raw, index = bytearray(path.read_bytes()), bytearray(packed.read_bytes())
    if spoil == "index":
        index[:8] = b"\xfftOc\0\0\0\7"
    elif spoil == "index_short":
        del index[1500:]
    elif spoil == "fan":
        index[8:12] = b"\xff\xff\xff\xff"
    elif spoil == "pack_short":
        del raw[200:]
    elif spoil == "pack_noise":
        raw[100:400] = os.urandom(300)
    else:
        raw[200:220] = b"\x7f" * 20
    path.write_bytes(raw)
    packed.write_bytes(index)
    try:
        pack = Pack(str(packed), 20)
    except DamagedPackError:
        return
    for number in range(len(pack)):
        try:
            pack.inflated(number)
        except DamagedPackError:
            continue
    assert len(pack.unreached()) <= len(pack)
    pack.close()
