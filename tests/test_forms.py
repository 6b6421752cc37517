"""Every form in which people write a secret: found whole, at its span, shown by nothing, with both engines."""

from __future__ import annotations

from itertools import chain
from random import Random

import pytest

from forms import PASSWORD, Form, write
from forms_code import ASSIGNED
from forms_commands import COMMANDS, CONNECTIONS, HEADERS, PIECES
from forms_config import SETTINGS
from forms_quiet import QUIET
from leakguard.engine.sieve import Sieve
from leakguard.engine.written import plain
from leakguard.model.blob import Blob, FileProvenance
from leakguard.ruleset import templates
from test_engine import engine

GROUPS = {
    "code": ASSIGNED,
    "settings": SETTINGS,
    "command": COMMANDS,
    "header": HEADERS,
    "connection": CONNECTIONS,
    "pieces": PIECES,
}
FORMS = [pytest.param(form, id=f"{group}: {name}") for group, forms in GROUPS.items() for name, form in forms.items()]
LINES = [(path, line) for path, lines in QUIET.items() for line in lines]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("portable", [False, True], ids=["hyperscan", "portable"])
def test_a_value_is_found_whole_and_nothing_of_it_is_shown(form: Form, *, portable: bool) -> None:
    """One finding, whose span holds exactly the value; no run of five of its characters stands in the frame."""
    for seed in range(3):
        written = write(form, Random(f"{form.text} {seed}"))
        found = engine(portable=portable, level="balanced").scan(Blob(written.data, FileProvenance("/r", form.path))).candidates

        assert [(c.place.offset, c.place.offset + c.place.length) for c in found] == [(written.start, written.end)]
        assert found[0].secret is not None
        assert found[0].secret.reveal() == written.value
        text = "\n".join(line.text for line in found[0].place.frame) + repr(found)
        assert not any(written.shown[i : i + 5] in text for i in range(len(written.shown) - 4))


@pytest.mark.parametrize("portable", [False, True], ids=["hyperscan", "portable"])
def test_every_row_of_a_table_is_read_under_its_heading(*, portable: bool) -> None:
    """A cell that is empty or holds something else ends nothing."""
    rng = Random(5)
    values = [templates.expand(PASSWORD, rng) for _ in range(4)]
    rows = [f"bot{n},{value},x" for n, value in enumerate(values)]
    data = "\n".join(["user,password,note", *rows[:2], "none,,", '"a, b",see the vault,', *rows[2:]]).encode()
    found = engine(portable=portable, level="balanced").scan(Blob(data, FileProvenance("/r", "a.csv"))).candidates

    assert [c.secret.reveal().decode() for c in found if c.secret] == values
    assert {c.rule.id for c in found} == {"generic-prose-password-column"}


@pytest.mark.parametrize(("path", "line"), LINES, ids=[f"{path}: {line[:40]!r}" for path, line in LINES])
def test_what_only_looks_like_a_value_stays_quiet(path: str, line: str) -> None:
    """Reading a variable, declaring one, asking for one, and stand-ins are no findings."""
    data = line.encode() + b"\n"

    for portable in (False, True):
        found = engine(portable=portable, level="balanced").scan(Blob(data, FileProvenance("/r", path))).candidates
        assert [(c.rule.id, data[c.place.offset : c.place.offset + c.place.length]) for c in found] == []


def test_the_walk_over_a_history_keeps_every_form() -> None:
    """What a sieve leaves out holds nothing."""
    sieve = Sieve(engine(portable=False, level="balanced"))

    for form in chain.from_iterable(forms.values() for forms in GROUPS.values()):
        assert any(span.held for span in sieve.spans(write(form, Random(form.text)).data)), form.text


@pytest.mark.parametrize(
    ("way", "raw", "value"),
    [
        ("", b'ab" + "cd', b'ab" + "cd'),
        ("joined", b"abcd", b"abcd"),
        ("joined", b'ab" + "cd', b"abcd"),
        ("joined", b'ab"\n   . "cd', b"abcd"),
        ("joined", b"ab\\\n   cd", b"abcd"),
        ("joined", b"it's 5 o'clock", b"it's 5 o'clock"),
        ("base64", b"aHVudGVyNDc=", b"hunter47"),
        ("base64", b"aHVudGVyNDcK", b"hunter47"),
        ("base64", b"////", None),
        ("base64", b"aHVudGVyNDc", None),
    ],
)
def test_a_value_is_one_function_of_the_bytes_that_hold_it(way: str, raw: bytes, value: bytes | None) -> None:
    """Whoever opens a place again gets the value that was found there."""
    assert plain(way, raw) == value
