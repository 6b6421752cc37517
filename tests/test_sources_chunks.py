"""Inputs of any size are cut into chunks whose owned ranges tile them and whose first line and column are right."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from leakguard.model.blob import Blob, StreamProvenance
from leakguard.sources._chunks import AHEAD, BEHIND, CHUNK, WHOLE, chunks
from leakguard.sources._text import reader

HERE = StreamProvenance("test")
PIECES = st.sampled_from(["a", "bc", "\n", "\r\n", "é", "漢", "🔑", "\t"]).map(str.encode) | st.binary(max_size=5)


def position(data: bytes, offset: int) -> tuple[int, int]:
    """Return line and column at `offset`, from the whole input."""
    before = data.decode("utf-8", "surrogateescape")
    at, taken = 0, 0
    for char in before:
        if taken >= offset:
            break
        taken += len(char.encode("utf-8", "surrogateescape"))
        at += 1
    assert taken == offset, "a chunk begins within a character"
    return before.count("\n", 0, at) + 1, at - before.rfind("\n", 0, at)


def as_read(blob: Blob) -> Blob:
    """Return a chunk before escape sequences were taken out of it."""
    return blob if blob.origin is None else blob.origin.source


@settings(deadline=None)
@given(st.lists(PIECES, max_size=120).map(b"".join), st.integers(1, 60), st.integers(0, 25), st.integers(0, 25), st.integers(1, 40))
def test_owned_ranges_tile_the_input_and_positions_are_those_of_the_whole(
    data: bytes, chunk: int, ahead: int, behind: int, step: int
) -> None:
    """Every byte is owned once, data is a slice of the input, line and column count as over the whole of it."""
    source = reader(data)

    found = list(chunks(lambda n: source(min(n, step)), HERE, "", chunk=chunk, ahead=ahead, behind=behind))

    owned = b""
    for blob in map(as_read, found):
        end = len(blob.data) if blob.own_end is None else blob.own_end
        assert blob.offset + blob.own_start == len(owned)
        owned += blob.data[blob.own_start : end]
        assert blob.data == data[blob.offset : blob.offset + len(blob.data)]
        assert (blob.first_line, blob.first_column) == position(data, blob.offset)
        if blob.own_end is not None:
            assert len(blob.data) == blob.own_end + ahead
        assert blob.offset == 0 or blob.own_start >= min(behind, blob.offset)
    assert owned == data
    assert [blob.own_end is None for blob in found] == [False] * (len(found) - 1) + [True]


@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from(["utf-16-le", "utf-32-be"]), st.integers(4, 40))
def test_offsets_of_wide_text_count_its_utf8_bytes(text: str, encoding: str, chunk: int) -> None:
    """Chunks of UTF-16 and UTF-32 are slices of the decoded input."""
    whole = text.encode(encoding, "replace").decode(encoding).removeprefix("\ufeff").encode()

    for blob in chunks(reader(text.encode(encoding, "replace")), HERE, encoding, chunk=chunk, ahead=4, behind=4):
        read = as_read(blob)
        assert read.data == whole[blob.offset : blob.offset + len(read.data)]
        assert blob.encoding == encoding


def test_an_input_of_a_chunk_and_its_look_ahead_is_one_blob_and_one_byte_more_makes_two() -> None:
    """The border between one blob and several stands where it is documented."""
    one = list(chunks(reader(b"x" * WHOLE), HERE, ""))
    two = list(chunks(reader(b"x" * (WHOLE + 1)), HERE, ""))

    assert [(b.offset, b.own_start, b.own_end, len(b.data)) for b in one] == [(0, 0, None, WHOLE)]
    assert [(b.offset, b.own_start, b.own_end, len(b.data)) for b in two] == [
        (0, 0, CHUNK, CHUNK + AHEAD),
        (CHUNK - BEHIND, BEHIND, None, BEHIND + AHEAD + 1),
    ]


def test_an_empty_input_is_one_empty_blob() -> None:
    """An empty file was looked at."""
    assert [(b.data, b.own_end) for b in chunks(reader(b""), HERE, "")] == [(b"", None)]


def test_one_long_line_streams_in_bounded_memory() -> None:
    """A line of 60 MB needs a few chunks of memory, and columns go on through it."""
    left = 60 << 20

    def read(size: int) -> bytes:
        nonlocal left
        size = min(size, left)
        left -= size
        return b"x" * size

    tracemalloc.start()
    try:
        columns = [blob.first_column for blob in chunks(read, HERE, "")]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert columns[1:] == [n * CHUNK - BEHIND + 1 for n in range(1, len(columns))]
    assert peak < 5 * CHUNK
