"""Hits without a value behind them are dropped before they are looked at, and no match is lost with them."""

from __future__ import annotations

from array import array
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakguard.engine import prefilter
from leakguard.engine.match import Matcher
from leakguard.engine.seen import Content, joined
from leakguard.ruleset import templates
from test_engine import engine

needs_native = pytest.mark.skipif(prefilter._native is None, reason="the compiled loops were not built: no C compiler")
VALUES = [templates.expand(form, Random(3)) for form in ("${hex:32}", "${base62:40}", "${uuid}", "${base62:20}", "${digits:12}")]
pieces = st.sampled_from(
    ["sendgrid", "datadog_api_key = ", "Cloudflare ", "heroku: ", "\n", " ", '"', "words of prose ", "x" * 90, *VALUES]
)


@needs_native
@settings(max_examples=200)
@given(st.lists(pieces, max_size=60).map("".join), st.data())
def test_what_is_dropped_matches_nothing(text: str, draw: st.DataObject) -> None:
    data = text.encode()
    edges = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=6)))
    windows = edges[: len(edges) // 2 * 2] or [0, len(data)]
    scanner = engine(portable=False, level="all")
    matcher = Matcher(scanner.rules)
    with pytest.MonkeyPatch.context() as patch:
        quick = set(scanner.hits(data, windows))
        patch.setattr(prefilter, "_native", None)
        every = set(scanner.hits(data, windows))

    assert quick <= every
    assert matcher.confirm(data, quick)[0] == matcher.confirm(data, every)[0]


@needs_native
@settings(max_examples=100)
@given(st.lists(st.lists(pieces, max_size=30).map("".join), min_size=1, max_size=5))
def test_hits_of_many_texts_are_those_of_each(texts: list[str]) -> None:
    scanner = engine(portable=False, level="all")
    contents: list[Content] = [(text.encode(), None) for text in texts]
    runs = array("q", [n for which, (data, _windows) in enumerate(contents) for n in (which, 0, len(data))])
    hits = scanner.hits_in(contents, joined(contents, runs), runs)
    matcher = Matcher(scanner.rules)
    for which, (data, _windows) in enumerate(contents):
        mine = {(hits[at + 1], hits[at + 2]) for at in range(0, len(hits), 3) if hits[at] == which}
        assert matcher.confirm(data, mine)[0] == matcher.confirm(data, scanner.hits(data, (0, len(data))))[0]


@needs_native
def test_a_hit_of_no_gate_or_no_window_is_an_error() -> None:
    def anchored(gate: int, end: int) -> None:
        numbers = [array("q", (0, 0, 4)), array("q", (gate, end)), *(array("i", n) for n in ((1, 0, 1), (0,), (0,) * 6))]
        prefilter._native.anchored([(b"text", None)], *numbers, b"", bytes(256))

    with pytest.raises(ValueError, match="no such gate"):
        anchored(7, 2)
    with pytest.raises(ValueError, match="outside"):
        anchored(0, 9)
