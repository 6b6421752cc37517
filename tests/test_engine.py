"""The engine: two prefilters with one answer, exact positions, chunks that change nothing."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakguard.engine.checks import CHECKS
from leakguard.engine.compiled import CompiledRules, compile_rules, undump
from leakguard.engine.scan import Engine
from leakguard.model.blob import Blob, FileProvenance, StreamProvenance
from leakguard.model.rule import Part
from leakguard.ruleset import templates
from leakguard.ruleset.files import builtin_folder
from leakguard.ruleset.load import load

LOADED = load([builtin_folder()])
PAIRS = list(zip(LOADED.rules, LOADED.docs, strict=True))


@cache
def rules() -> CompiledRules:
    """Compile the built-in rules once."""
    return compile_rules(LOADED.rules, "test", hyperscan=True)


@cache
def engine(*, portable: bool, level: str = "all") -> Engine:
    """Build one engine of each kind."""
    return Engine(rules(), level=level, portable=portable)


def found(data: bytes, *, portable: bool = False, path: str = "a.env", level: str = "all") -> list[tuple[str, int, int, float]]:
    """Return rule, span and score of what an engine finds."""
    scanned = engine(portable=portable, level=level).scan(Blob(data, FileProvenance("/r", path)))
    return [(c.rule.id, c.place.offset, c.place.length, round(c.score.value, 6)) for c in scanned.candidates]


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Draw text made of examples, counter-examples, their pieces and noise."""
    out = []
    rng = Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 5))):
        _rule, doc = draw(st.sampled_from(PAIRS))
        form = draw(st.sampled_from([*doc.examples, *doc.counter_examples] or ["x"]))
        value = templates.expand(doc.template, rng) if doc.template else ""
        parts = {name: templates.expand(form_, rng) for name, form_ in doc.part_templates if form_}
        piece = templates.expand(form, rng, parts | {"secret": value})
        if draw(st.booleans()):
            cut = draw(st.integers(0, len(piece)))
            piece = piece[:cut] + draw(st.sampled_from(["", " ", "\n", '"', "=", "password", "KEY", "\u00e9"])) + piece[cut:]
        if draw(st.booleans()):
            piece = piece.upper() if draw(st.booleans()) else piece.replace("=", ": ")
        out.append(piece + draw(st.sampled_from(["\n", "", " ", "\r\n", ";", '"'])))
    return "".join(out).encode("utf-8", "replace") + draw(st.binary(max_size=30))


@settings(max_examples=150)
@given(texts(), st.sampled_from(["a.env", "a.py", "a.md", "Dockerfile", "a.lock"]))
def test_both_engines_find_the_same(data: bytes, path: str) -> None:
    """Rule, span and score are equal with Hyperscan and without."""
    assert found(data, path=path) == found(data, portable=True, path=path)


@settings(max_examples=60)
@given(texts(), st.integers(0, 3000))
def test_what_stands_before_and_after_does_not_move_a_finding(data: bytes, pad: int) -> None:
    """The same text further down a file gives the same findings, shifted."""
    head = b"\n" + b"-- \n" * (pad // 4)
    shifted = [(rule, offset - len(head), length) for rule, offset, length, _ in found(head + b"\n\n" + data)]

    assert [(r, o - 2, n) for r, o, n in shifted] == [(r, o, n) for r, o, n, _ in found(b"\n\n" + data) for o in [o - 2]]


def test_the_words_of_a_set_survive_the_cache() -> None:
    """What is kept as plain data comes back as the same rules."""
    import marshal

    again = undump(marshal.loads(marshal.dumps(rules().dump())))

    assert again is not None
    assert [again.rule(i) for i in range(len(again))] == list(LOADED.rules)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_and_columns_count_characters_from_one(end: bytes) -> None:
    """Columns count characters, not bytes; the end is exclusive."""
    rng = Random(5)
    token = templates.expand("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${base64url:43}", rng).encode()
    data = "é ü\tñ".encode() + end + "  schlüssel = ".encode() + token + end

    place = engine(portable=False).scan(Blob(data, FileProvenance("/r", "a.txt"))).candidates[0].place

    assert (place.start_line, place.end_line) == (2, 2)
    assert place.start_column == len("  schlüssel = ") + 1
    assert place.end_column == place.start_column + len(token)
    assert data[place.offset : place.offset + place.length] == token


def test_a_chunk_owns_only_the_matches_that_begin_in_it() -> None:
    """Overlapping chunks report each match once."""
    rng = Random(6)
    token = templates.expand("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${base64url:43}", rng).encode()
    data = b"x" * 100 + b" " + token + b" " + b"y" * 300
    at = data.index(token)

    for cut in range(at - 2, at + 3):
        first = engine(portable=False).scan(Blob(data, FileProvenance("/r", "a.txt"), own_end=cut))
        second = engine(portable=False).scan(Blob(data, FileProvenance("/r", "a.txt"), own_start=cut))
        assert len(first.candidates) + len(second.candidates) == 1


def test_a_frame_masks_every_candidate_on_its_lines() -> None:
    """Also what scores too low to be reported is masked, and further copies of a value."""
    rng = Random(8)
    token = templates.expand("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${base64url:43}", rng)
    other = templates.expand("${alnum:12}", rng)
    data = f'password = "{other}"  # {other}\njwt = "{token}"\nsecret_key = "{other[::-1]}"\n'.encode()

    for candidate in engine(portable=False).scan(Blob(data, FileProvenance("/r", "a.py"))).candidates:
        text = "\n".join(line.text for line in candidate.place.frame)
        assert other not in text
        assert other[::-1] not in text
        assert token[25:] not in text


def test_long_lines_are_windowed_round_the_value() -> None:
    """A minified line gives a frame that fits a screen."""
    token = templates.expand("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${base64url:43}", Random(9)).encode()
    data = b"a=1;" * 5000 + token + b";b=2" * 5000

    (line,) = engine(portable=False).scan(Blob(data, FileProvenance("/r", "a.js"))).candidates[0].place.frame

    assert len(line.text) < 170
    assert line.marks
    start, end, part = line.marks[0]
    assert line.text[start:end].startswith("•") or "••••" in line.text[start:end]
    assert part == "secret"


@given(st.binary(max_size=3000))
def test_no_input_crashes_the_engine(data: bytes) -> None:
    """Any bytes at all are scanned."""
    found(data)
    found(b"password=" + data)
    found(b'api_key = "' + data + b'"')


def test_the_compiled_set_is_not_needed_to_scan() -> None:
    """A set without databases uses the portable engine."""
    bare = compile_rules(LOADED.rules[:5], "bare", hyperscan=False)

    assert Engine(bare).name == "portable"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"0123456789abcdef" * 2 + b"01234567", False),
        (b"policy/" + b"ReadOnlyAccessOfEverything" + b"Somehow", False),
        (b"aZ9/" * 10, None),
    ],
)
def test_an_aws_secret_is_no_commit_and_no_policy(value: bytes, said: bool | None) -> None:
    """Both are 40 characters of base64 beside the vendor's name."""
    assert len(value) == 40
    assert CHECKS["aws_secret_key"](value, {}) is said


@pytest.mark.parametrize(
    ("login", "said"), [("Aladdin:open sesame", False), ("user:pass", False), ("bot:bot", False), ("tobi:ferret", None)]
)
def test_a_login_of_documentation_is_no_credential(login: str, said: bool | None) -> None:
    """What names itself, or stands in the RFC, is told apart from what a person or a machine chose."""
    from base64 import b64encode

    assert CHECKS["basic_auth"](b64encode(login.encode()), {}) is said
    assert CHECKS["basic_auth"](b64encode(b"bot:" + b"x9" * 8), {}) is True


def test_a_rule_that_may_not_report_takes_nothing_from_one_that_may() -> None:
    """Neither a rule of a wider level nor one whose required part is missing hides the generic finding below it."""
    line = b'password = "' + b"Xk4!q9Lm2#Tz7&Wr" + b'"\n'
    rules_ = list(load([builtin_folder()]).rules)
    base = next(rule for rule in rules_ if rule.id == "generic-password")
    wide = base._replace(id="wide", shape="pattern", level="all", prior=9.0, aliases=())
    lone = base._replace(
        id="lone", shape="pattern", prior=9.0, parts=(Part("id", r"id=(?P<secret>\\d{9})", 512, True, True),), aliases=()
    )
    engine = Engine(compile_rules([base, wide, lone], "test", hyperscan=False))
    found = engine.scan(Blob(line, StreamProvenance("x.txt"))).candidates
    assert [candidate.rule.id for candidate in found] == ["generic-password"]
