"""Chunks that were seen before are left out, and nothing that may count is left out with them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakguard.engine import seen
from leakguard.engine.seen import Seen

BACK, AHEAD = 3, 9
needs_native = pytest.mark.skipif(seen._native is None, reason="the compiled loops were not built: no C compiler")

lines = st.sampled_from(
    [b"k=1\n", b"k\n", b"=!!\n", b"a line\n", b"k\n!\n", b"\n", b"x" * 40 + b"\n", b"k" * 9 + b"!", b"other words\n"]
)
texts = st.lists(lines, max_size=60).map(b"".join)


def held(data: bytes, runs: list[int] | None = None) -> set[tuple[int, int]]:
    """A rule of the model: a `k` with a `!` close behind it; with `runs` only those that stand in one, seen whole."""
    runs = [0, len(data)] if runs is None else runs
    out = set()
    for low, high in zip(runs[::2], runs[1::2], strict=True):
        for at in range(low, high):
            if data[at : at + 1] == b"k" and b"!" in data[at : at + AHEAD] and not data[max(0, at - BACK) : at].endswith(b"no"):
                out.add((max(0, at - BACK), min(len(data), at + AHEAD)))
    return out


@given(st.lists(texts, max_size=12), st.data())
def test_what_is_held_is_found_in_every_text_however_often_its_lines_came_before(
    contents: list[bytes], draw: st.DataObject
) -> None:
    known = Seen(BACK, AHEAD, BACK, AHEAD)
    for data in contents:
        edges = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=6)))
        windows = edges[: len(edges) // 2 * 2] if draw.draw(st.booleans()) else [0, len(data)]
        runs, note = known.fresh(data, windows)
        found = held(data, list(runs))
        wanted = {
            span for span in held(data) if any(a <= span[0] + BACK < b for a, b in zip(windows[::2], windows[1::2], strict=True))
        }
        wanted = {span for span in wanted if span[0]}  # at the very begin `span[0]` is cut, so where the `k` stands is not known
        assert wanted <= found
        assert found <= held(data)
        known.learn(note, sorted(found))


@needs_native
def test_a_text_that_held_nothing_is_not_asked_about_again() -> None:
    known = Seen(BACK, AHEAD, BACK, AHEAD)
    text = b"".join(b"%d is the line of many\n" % n for n in range(500))
    runs, note = known.fresh(text, (0, len(text)))
    assert list(runs) == [0, len(text)]
    known.learn(note, [])
    assert not known.fresh(text, (0, len(text)))[0]
    changed = text.replace(b"250 is", b"250 IS")
    runs = known.fresh(changed, (0, len(changed)))[0]
    assert 0 < runs[1] - runs[0] < len(text) // 4
    assert runs[0] <= changed.index(b"IS") < runs[1]


@needs_native
def test_a_chunk_that_held_something_is_asked_about_again() -> None:
    known = Seen(BACK, AHEAD, BACK, AHEAD)
    text = b"".join(b"%d is the line of many\n" % n for n in range(500))
    _runs, note = known.fresh(text, (0, len(text)))
    known.learn(note, [(4000, 4020)])
    runs = known.fresh(text, (0, len(text)))[0]
    assert runs[0] <= 4000 < 4020 <= runs[1]


@needs_native
@pytest.mark.parametrize("table", [b"", b"x" * 33, b"x" * 24])
def test_a_table_of_a_wrong_size_is_an_error(table: bytes) -> None:
    with pytest.raises(ValueError, match="power of two"):
        seen._native.fresh(bytearray(table), 1, b"a", b"", 1, 1, 1, 1)


@needs_native
def test_a_window_outside_the_data_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside"):
        Seen(1, 1, 1, 1).fresh(b"short", (0, 6))


def test_without_the_compiled_loops_everything_counts_as_new() -> None:
    code = "from leakguard.engine.seen import Seen; print(Seen(1, 1, 1, 1).fresh(b'abc', (0, 3)))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "LEAKGUARD_PURE": "1"}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "((0, 3), b'')\n"
