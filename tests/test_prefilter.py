"""Hits without a value behind them are dropped before they are looked at, and no match is lost with them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakguard.engine import prefilter
from leakguard.engine.match import Matcher
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
def test_a_hit_of_no_gate_or_no_window_is_an_error() -> None:
    likely = prefilter._native.likely
    with pytest.raises(ValueError, match="no such gate"):
        likely(b"text", [(7, 2)], b"\0" * 16, b"\0" * 8)
    with pytest.raises(ValueError, match="outside"):
        likely(b"text", [(0, 9)], (0).to_bytes(8, "little") + (4).to_bytes(8, "little"), b"\0" * 8)
