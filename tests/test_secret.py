"""The `Secret` type lets nothing out by accident."""

from __future__ import annotations

import ast
import copy
import json
import pickle
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakguard.model.blob import StreamProvenance
from leakguard.model.finding import Finding, Place, Score
from leakguard.ruleset.files import builtin_folder
from leakguard.ruleset.load import load
from leakguard.secret import Secret

SOURCE = Path(__file__).parent.parent / "src" / "leakguard"

MAY_REVEAL = {
    "engine/frame.py": "hides copies of a value in the lines of a frame",
    "engine/place.py": "drops a key name that holds a value",
    "pipeline/masking.py": "masks values in paths",
    "pipeline/redacting.py": "puts masks in place of values in a stream",
    "pipeline/workers.py": "hashes a value under a key of this run, to notice a changed file",
    "suppress/identity.py": "computes the id",
    "suppress/baseline.py": "computes the salted hash of a baseline line",
    "verifiers/_contract.py": "writes the value into the request that asks its provider",
    "verifiers/_pairs.py": "tells combinations of parts from each other",
    "verifiers/_run.py": "makes the keyed hash under which a verdict is kept",
    "verifiers/http.py": "leaves out of an answer what echoes the value",
    "importers/_match.py": "compares a peer's hash of a value",
}


def test_only_the_listed_modules_take_a_value_out() -> None:
    """Who calls `reveal()` is known by name and has a reason."""
    callers = set()
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        if any(isinstance(node, ast.Attribute) and node.attr == "reveal" for node in ast.walk(tree)):
            callers.add(path.relative_to(SOURCE).as_posix())

    assert callers <= set(MAY_REVEAL)


def test_every_way_to_print_a_secret_shows_it_redacted() -> None:
    """repr, str, format, f-strings and % formatting give the mask."""
    value = "".join(Random(1).choices("abcdefghijklmnop", k=40))
    secret = Secret(b"ghp_" + value.encode(), public=4)

    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>60}", "%s" % secret, "{:s}".format(secret)]  # noqa: UP032

    for text in shown:
        assert not any(value[i : i + 5] in text for i in range(36))


def test_a_secret_is_not_pickled_copied_or_serialised() -> None:
    """The ways out of a process are closed."""
    secret = Secret(b"x" * 20)

    with pytest.raises(TypeError, match="reopen its place"):
        pickle.dumps(secret)
    with pytest.raises(TypeError, match="reopen its place"):
        copy.copy(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_a_finding_is_not_pickled_copied_or_written_as_json_with_its_secret() -> None:
    """Whatever holds a secret refuses with it."""
    rule = load([builtin_folder() + "/jwt.toml"]).rules[0]
    place = Place(StreamProvenance("x"), 1, 1, 1, 2, 0, 1)
    finding = Finding("0" * 16, rule, Secret(b"abcdefghijklmnop"), (place,), Score(1.0), "high")

    with pytest.raises(TypeError, match="reopen its place"):
        pickle.dumps(finding)
    with pytest.raises(TypeError, match="reopen its place"):
        copy.deepcopy(finding)
    with pytest.raises(TypeError):
        json.dumps(finding)
    assert b"abcdefgh".decode() not in repr(finding)


@given(st.binary(min_size=0, max_size=200), st.integers(0, 8))
def test_a_redacted_token_shows_its_prefix_and_at_most_four_last_characters(value: bytes, public: int) -> None:
    """No run of five bytes beyond the prefix survives, whatever the value."""
    shown = Secret(value, public=public).redacted()

    rest = value[public:].decode("utf-8", "replace")
    tail = shown.split("••••", 1)[1]
    assert len(tail) <= 4
    assert len(tail) <= len(value[public:]) / 4
    assert rest.endswith(tail) or "·" in tail or "\ufffd" in tail


@given(st.binary(min_size=0, max_size=60))
def test_of_a_password_nothing_is_shown_not_even_its_length(value: bytes) -> None:
    """Every password looks the same."""
    assert Secret(value, password=True).redacted() == "••••"
