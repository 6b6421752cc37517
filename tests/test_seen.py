"""Chunks that were seen before are left out, and nothing that may count is left out with them."""

from __future__ import annotations

import os
import subprocess
import sys
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakguard.engine import seen
from leakguard.engine.seen import Answers, Content, Seen

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


def chosen(runs: Sequence[int], which: int = 0) -> list[int]:
    """Return the runs of one content, start and end in turn."""
    return [edge for at in range(0, len(runs), 3) if runs[at] == which for edge in runs[at + 1 : at + 3]]


def asked(known: Seen, contents: list[Content]) -> list[set[tuple[int, int]]]:
    """Ask about contents as the sieve does; returns what was found in each."""
    out: list[set[tuple[int, int]]] = [set() for _ in contents]
    text, runs, note = known.fresh(contents)
    for _ in range(2):
        assert text == b"".join(contents[w][0][a:b] + b"\n" for w, a, b in zip(runs[::3], runs[1::3], runs[2::3], strict=True))
        assert list(runs[::3]) == sorted(runs[::3])
        for which, (data, _windows) in enumerate(contents):
            edges = chosen(runs, which)
            assert edges == sorted(edges)
            out[which] |= held(data, edges)
        spans = [(which, *span) for which, found in enumerate(out) for span in sorted(found)]
        text, runs = known.learn(contents, note, spans)
        note = (b"", b"")
    assert not text
    return out


@needs_native
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b"a line, and one more.\n" * 400, True),
        (b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU2Nzg5QUJDREVGR0hJSktM\n" * 400, False),
        (b"\\u0041%42&#67;\n" * 800, False),
        ("words, and one more.\n".encode("utf-16-le") * 400, False),
    ],
)
def test_encoded_text_that_began_far_away_is_never_left_out(text: bytes, kept: bool) -> None:
    known = Seen(320, 632, 80, 396, 96)
    first = b"some, lines.\n" * 60
    for _ in range(2):
        _text, runs, note = known.fresh([(first + text, None)])
        known.learn([(first + text, None)], note, [])

    assert (list(runs) == []) is kept


@given(st.lists(st.lists(texts, max_size=6), max_size=6), st.data())
def test_what_is_held_is_found_in_every_text_however_often_its_lines_came_before(
    runs: list[list[bytes]], draw: st.DataObject
) -> None:
    known = Seen(BACK, AHEAD, BACK, AHEAD, BACK)
    for some in runs:
        contents: list[Content] = []
        for data in some:
            edges = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=6)))
            whole = draw.draw(st.booleans())
            contents.append((data, None if whole else array("q", edges[: len(edges) // 2 * 2]).tobytes()))
        for (data, raw), found in zip(contents, asked(known, contents), strict=True):
            windows = [0, len(data)] if raw is None else list(array("q", raw))
            pairs = list(zip(windows[::2], windows[1::2], strict=True))
            wanted = {span for span in held(data) if any(a <= span[0] + BACK < b for a, b in pairs)}
            wanted = {
                span for span in wanted if span[0]
            }  # at the very begin `span[0]` is cut, so where the `k` stands is not known
            assert wanted <= found
            assert found <= held(data)


@needs_native
def test_a_text_that_held_nothing_is_not_asked_about_again() -> None:
    known = Seen(BACK, AHEAD, BACK, AHEAD, BACK)
    text = b"".join(b"%d is the line of many\n" % n for n in range(500))
    _text, runs, note = known.fresh([(text, None)])
    assert chosen(runs) == [0, len(text)]
    known.learn([(text, None)], note, [])
    assert not known.fresh([(text, None)])[1]
    changed = text.replace(b"250 is", b"250 IS")
    runs = known.fresh([(changed, None)])[1][1:]
    assert 0 < runs[1] - runs[0] < len(text) // 4
    assert runs[0] <= changed.index(b"IS") < runs[1]


@needs_native
def test_a_chunk_that_held_something_is_asked_about_again() -> None:
    known = Seen(BACK, AHEAD, BACK, AHEAD, BACK)
    text = b"".join(b"%d is the line of many\n" % n for n in range(500))
    _text, _runs, note = known.fresh([(text, None)])
    known.learn([(text, None)], note, [(0, 4000, 4020)])
    runs = known.fresh([(text, None)])[1][1:]
    assert runs[0] <= 4000 < 4020 <= runs[1]


@needs_native
def test_a_text_that_came_twice_at_once_is_asked_about_twice_only_if_it_holds_something() -> None:
    text = b"".join(b"%d is the line of many\n" % n for n in range(500))
    contents: list[Content] = [(text, None), (text, None)]
    known = Seen(BACK, AHEAD, BACK, AHEAD, BACK)
    _text, runs, note = known.fresh(contents)
    assert list(runs) == [0, 0, len(text)]
    assert known.learn(contents, note, [])[0] == b""
    known = Seen(BACK, AHEAD, BACK, AHEAD, BACK)
    _text, _runs, note = known.fresh(contents)
    again = known.learn(contents, note, [(0, 4000, 4020)])[1]
    assert again[0] == 1
    assert again[1] <= 4000 < 4020 <= again[2]


@needs_native
def test_chunks_that_are_asked_again_beside_each_other_are_one_run() -> None:
    text = b"".join(b"%d is the line of many\n" % n for n in range(500))
    contents: list[Content] = [(text, None), (text, None)]
    known = Seen(BACK, AHEAD, BACK, AHEAD, BACK)
    _text, _runs, note = known.fresh(contents)
    text, again = known.learn(contents, note, [(0, 2000, 8000)])
    assert len(again) == 3
    assert again[1] <= 2000 < 8000 <= again[2]
    assert text == contents[1][0][again[1] : again[2]] + b"\n"


@needs_native
@pytest.mark.parametrize("table", [b"", b"x" * 33, b"x" * 24])
def test_a_table_of_a_wrong_size_is_an_error(table: bytes) -> None:
    with pytest.raises(ValueError, match="power of two"):
        seen._native.fresh(bytearray(table), 1, [], 1, 1, 1, 1, 1)


@needs_native
def test_a_window_outside_the_data_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside"):
        Seen(1, 1, 1, 1, 1).fresh([(b"short", array("q", (0, 6)).tobytes())])


@given(st.lists(texts, min_size=1, max_size=4), st.data())
def test_answers_are_the_same_with_and_without_the_compiled_loops(some: list[bytes], draw: st.DataObject) -> None:
    contents: list[Content] = [(data, None) for data in some]
    reach = [(2, 5, False), (4, 30, True)]
    places = st.tuples(st.integers(0, len(some) - 1), st.integers(0, 1), st.integers(0, 300))
    hits = [(w, r, at) for w, r, at in draw.draw(st.lists(places, max_size=30)) if at < len(some[w])]
    came = {
        span: draw.draw(st.integers(0, 3))
        for span in sorted({(r, some[w][max(0, at - reach[r][0]) : at + reach[r][1]]) for w, r, at in hits})
    }

    def told() -> list[object]:
        answers = Answers(reach)
        out: list[object] = []
        for hit in [*hits, *hits]:
            unknown, spans = answers.of(contents, array("q", hit))
            for which, rule, at, key in unknown:
                start, end = answers.span(rule, at, len(some[which]))
                answers.keep(key, came[rule, some[which][start:end]])
            out.append(([three[:3] for three in unknown], list(spans)))
        return out

    native = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seen, "_hits", None)
        assert native == told()


def test_without_the_compiled_loops_everything_counts_as_new() -> None:
    code = "from leakguard.engine.seen import Seen; print(*Seen(1, 1, 1, 1, 1).fresh([(b'abc', None)])[:2])"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "LEAKGUARD_PURE": "1"}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "b'abc\\n' array('q', [0, 0, 3])\n"
