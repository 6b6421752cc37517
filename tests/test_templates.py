"""Templates describe a token's form once: pattern, anchors, gate and examples agree."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakguard.engine.checks import CHECKS, checksum
from leakguard.errors import RuleError
from leakguard.ruleset import templates as t

CLASS_NAMES = sorted(t.CLASSES)


@st.composite
def forms(draw: st.DrawFn) -> str:
    """Draw templates of literals and runs, beginning with a literal as a format has to."""
    pieces = ["tok_"]
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["run", "literal", "choice", "range"]))
        if kind == "run":
            pieces.append("${%s:%d}" % (draw(st.sampled_from(CLASS_NAMES)), draw(st.integers(1, 40))))
        elif kind == "range":
            least = draw(st.integers(1, 20))
            pieces.append("${%s:%d-%d}" % (draw(st.sampled_from(CLASS_NAMES)), least, least + draw(st.integers(0, 20))))
        elif kind == "choice":
            pieces.append("${choice:alpha|beta}")
        else:
            pieces.append(draw(st.sampled_from(["-", "_", ".", "$$", "+x"])))
    return "".join(pieces)


@given(forms(), st.integers(0, 2**32))
def test_an_expansion_matches_the_pattern_of_its_own_template(form: str, seed: int) -> None:
    """What a template writes, its regex reads."""
    text = t.expand(form, Random(seed))

    assert re.fullmatch(t.to_regex(t.parse(form)), text)


@given(forms(), st.integers(0, 2**32))
def test_an_expansion_passes_its_gate_and_holds_an_anchor(form: str, seed: int) -> None:
    """The gate is never narrower than the pattern."""
    nodes = t.parse(form)
    heads, rest = t.leads(nodes)
    tail, width = t.gate_tail(rest)
    text = t.expand(form, Random(seed))

    assert any(re.match(re.escape(head) + tail, text) for head in heads)
    assert any(re.fullmatch(re.escape(head) + tail, text[: len(head) + width]) for head in heads)


@given(forms(), st.integers(0, 2**32))
def test_no_expansion_is_longer_than_the_template_says(form: str, seed: int) -> None:
    """The window of a rule holds its longest token."""
    assert len(t.expand(form, Random(seed))) <= t.longest(t.parse(form))


def test_a_checksum_is_computed_from_the_run_it_names() -> None:
    """The last six characters are the CRC of the body."""
    text = t.expand("${body=base62:30}${crc32_base62:body}", Random(3))

    assert text[30:] == checksum("crc32_base62", text[:30])


@pytest.mark.parametrize(("kind", "length"), [("crc32_base62", 6), ("crc32_hex", 8), ("crc32_HEX", 8), ("crc32_base36", 7)])
def test_a_checksum_of_all_before_it_is_proved_by_its_check(kind: str, length: int) -> None:
    """Known answers: CRC-32 of `123456789` is cbf43926."""
    text = t.expand("abc-${alnum:12}.${" + kind + ":*}", Random(4))

    assert text[-length:] == checksum(kind, text[:-length])
    assert checksum("crc32_hex", "123456789") == "cbf43926"
    assert checksum("crc32_HEX", "123456789") == "CBF43926"
    assert int(checksum("crc32_base36", "123456789"), 36) == 0xCBF43926
    if kind != "crc32_base62":
        assert CHECKS[kind](text.encode(), {}) is True
        assert CHECKS[kind](text.encode()[::-1], {}) is None
        assert CHECKS[kind]((text[:4] + text[4:]).encode(), {"body": text[:-length].encode()}) is True


def test_two_dollars_are_one_and_references_take_given_values() -> None:
    """Examples name the secret and the parts."""
    assert t.expand("price $$5 ${secret} ${key_id}", Random(0), {"secret": "S", "key_id": "K"}) == "price $5 S K"


@pytest.mark.parametrize("form", ["${base99:3}", "${hex:}", "${hex:x}", "${[:3}"])
def test_an_unknown_form_is_an_error_that_names_the_rule(form: str) -> None:
    """The message says where it stands and where to read on."""
    with pytest.raises(RuleError, match=r"acme\.toml: acme-key") as caught:
        t.parse(form, where="acme.toml: acme-key")
    assert "docs/rules.md" in caught.value.hint


def test_a_reference_to_nothing_is_an_error() -> None:
    """An example can't name what the rule does not have."""
    with pytest.raises(RuleError, match="stands for nothing"):
        t.expand("${secert}", Random(0), {"secret": "x"})
