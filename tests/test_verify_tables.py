"""Verify tables: what may stand in them, what proves a state, and that bad weather proves nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakguard.errors import RuleError
from leakguard.model.check import Check, Criterion, Example, Step
from leakguard.net.message import Response
from leakguard.ruleset.files import builtin_folder, rule_files
from leakguard.ruleset.load import load
from leakguard.ruleset.verify import load_checks
from leakguard.verifiers import _judge
from leakguard.verifiers._prove import corpus, made_up, mutants, prove, run

CHECKS = load_checks(rule_files([builtin_folder()]))
RULES = {rule.id: (rule, doc) for loaded in [load([builtin_folder()])] for rule, doc in zip(loaded.rules, loaded.docs, strict=True)}
ASKING = sorted(rule for rule, check in CHECKS.items() if check.steps)

TABLE = """
source = "https://docs.acme.example/errors"
get = "https://api.acme.example/me"
bearer = "${secret}"
live = {status = 200, has = "id"}
dead = {status = 401, is = {code = "bad_key"}}
live_example = '200 {"id": 1}'
dead_example = '401 {"code": "bad_key"}'
"""
RULE = '[provider]\nid = "acme"\nname = "Acme"\n[[rule]]\nid = "acme-key"\nname = "x"\nseverity = "high"\nkind = "api_key"\nformat = "acme_${base62:30}"\n'


def read(tmp_path: Path, table: str, *, parts: str = "", top: str = "") -> Check:
    """Read a rule with this table."""
    path = tmp_path / "acme.toml"
    path.write_text(RULE.replace("[[rule]]", top + "\n[[rule]]") + parts + "[rule.verify]" + table)
    return load_checks([str(path)])["acme-key"]


def proved(tmp_path: Path, table: str) -> list[str]:
    """Return what a table does not keep."""
    check = read(tmp_path, table)
    loaded = load([str(tmp_path / "acme.toml")])
    return list(prove(check, loaded.rules[0], loaded.docs[0]))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('bearer = "${secret}"', 'bearer = "${key}"', "${key} stands for nothing"),
        ("https://api.acme.example/me", "https://${host}/me", "${host} stands for nothing"),
        ("https://api.acme.example/me", "http://api.acme.example/me", "a URL begins with https://"),
        ("https://api.acme.example/me", "https://api.acme.example/${secret}", "a value stands in the URL"),
        ("https://api.acme.example/me", "https://${secret}.acme.example/", "name of the host"),
        ('source = "https://docs.acme.example/errors"', "", "needs `source`"),
        ('live = {status = 200, has = "id"}', "", "has no `live`"),
        ('dead = {status = 401, is = {code = "bad_key"}}', "", "has no `dead`"),
        ('live = {status = 200, has = "id"}', "live = {status = 200}", "rests on the status alone"),
        ('live = {status = 200, has = "id"}', 'live = {status = 302, has = "id"}', "a redirect or a failure"),
        ('dead = {status = 401, is = {code = "bad_key"}}', 'dead = {status = 503, has = "code"}', "a redirect or a failure"),
        ('dead = {status = 401, is = {code = "bad_key"}}', 'dead = {status = 429, has = "code"}', "takes 429 for proof"),
        ("get =", "post =", "post needs `class`"),
        ("get =", "got =", "unknown key 'got'"),
        ("live_example = '200 {\"id\": 1}'", "", "has no live_example"),
        ("live_example = '200", "live_example = 'OK", "an example is"),
        ('has = "id"', 'has = "id", reason = "revoked"', "reason is one of"),
        ("bearer =", 'headers = {User-Agent = "x"}\nbearer =', "not a rule's to set"),
        ("bearer =", 'vars = {region = "-eu"}\nbearer =', "one group"),
        ("bearer =", 'identity = {login = "id"}\nbearer =', "no field 'login'"),
        ("bearer =", 'hosts = ["https://acme.example"]\nbearer =', "list of host names"),
        ("bearer =", 'suffixes = ["acme.example"]\nbearer =', "begin with a dot"),
    ],
)
def test_a_wrong_table_is_an_error_that_names_file_line_and_rule(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in TABLE
    with pytest.raises(RuleError) as caught:
        read(tmp_path, TABLE.replace(old, new))
    assert caught.value.message.startswith("acme.toml:11: acme-key: verify: ")
    assert told in caught.value.message


def test_a_host_that_only_a_part_names_is_an_error_unless_its_end_is_written(tmp_path: Path) -> None:
    part = '[[rule.part_of]]\nname = "tenant"\nformat = "${lower:5}"\n'
    with pytest.raises(RuleError, match="nothing pins the host"):
        read(tmp_path, TABLE.replace("api.acme.example", "${tenant}"), parts=part)
    with pytest.raises(RuleError, match="nothing pins the host"):
        read(tmp_path, TABLE.replace("api.acme.example", "${tenant}.example"), parts=part)
    assert read(tmp_path, TABLE.replace("api.acme", "${tenant}.acme"), parts=part).suffixes == (".acme.example",)


def test_rules_of_a_file_share_a_table_and_change_single_keys(tmp_path: Path) -> None:
    shared = "[verify.me]" + TABLE
    check = read(tmp_path, '\nuse = "me"\nget = "https://api.acme.example/org"\n', top=shared)
    assert check.steps[0].url == "https://api.acme.example/org"
    assert dict(check.steps[0].headers) == {"Authorization": "Bearer ${secret}"}
    with pytest.raises(RuleError, match=r"no \[verify.you\]"):
        read(tmp_path, '\nuse = "you"\n', top=shared)


def test_a_proven_table_has_no_failures(tmp_path: Path) -> None:
    assert proved(tmp_path, TABLE) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('{"id": 1}', '{"uid": 1}', "no live_example meets"),
        ('{"id": 1}', '{"id": null}', "no live_example meets"),
        ('dead_example = \'401 {"code": "bad_key"}\'', "dead_example = '401 {}'", "dead_example reads as unknown"),
        ('dead = {status = 401, is = {code = "bad_key"}}', 'dead = {status = [200, 401], has = ["code"]}\nrestricted = {status = 401, has = ["code"]}\nrestricted_example = \'401 {"code": 1}\'', "reads as unknown"),
        ('dead = {status = 401, is = {code = "bad_key"}}', 'dead = [{status = 401, is = {code = "bad_key"}}, {status = 401, has = "code"}]', "nothing notices"),
        ('live = {status = 200, has = "id"}', 'live = {status = 200, text = "{"}', "a portal's 200 {} reads as live"),
        ('dead = {status = 401, is = {code = "bad_key"}}', 'dead = {status = 404, like = {code = "bad"}}', "no dead_example meets"),
    ],
)  # fmt: skip
def test_a_careless_table_does_not_pass(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in TABLE
    assert any(told in failure for failure in proved(tmp_path, TABLE.replace(old, new)))


@pytest.mark.parametrize("rule", ASKING)
def test_every_table_tells_live_from_dead_and_both_from_bad_weather(rule: str) -> None:
    assert list(prove(CHECKS[rule], *RULES[rule])) == []


@pytest.mark.parametrize("rule", ASKING)
def test_every_criterion_of_every_table_counts(rule: str) -> None:
    credential = made_up(CHECKS[rule], *RULES[rule], _rng())
    assert credential is not None
    cases = list(corpus(CHECKS[rule]))
    broken = list(mutants(CHECKS[rule]))
    assert len(broken) >= 7
    for what, mutant in broken:
        assert any(run(mutant, credential, case) not in case.wanted for case in cases), what


def _rng() -> object:
    from random import Random

    return Random(5)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4), st.sampled_from([200, 401, 403, 404, 429]))
def test_no_answer_that_a_vendor_did_not_document_proves_anything(body: dict[str, str], status: int) -> None:
    step = Step(
        "GET",
        "https://api.acme.example/",
        live=(Criterion((200,), ("id",)),),
        dead=(Criterion((401,), equals=(("code", ("bad_key",)),)),),
    )
    answer = _judge.read(Response(status, {"content-type": "application/json"}, json.dumps(body).encode()))
    state = _judge.judge(step, answer).state
    assert state == (
        "live" if status == 200 and body.get("id") else "dead" if status == 401 and body.get("code") == "bad_key" else "unknown"
    )


@given(st.binary(max_size=200), st.integers(200, 599))
def test_any_bytes_can_be_an_answer(body: bytes, status: int) -> None:
    step = CHECKS["github-pat-classic"].steps[0]
    answer = _judge.read(Response(status, {}, body))
    assert _judge.judge(step, answer).state in ("unknown", "live", "dead", "live_restricted")
    _judge.identity(step, answer, [b"q7q7q7"])


def test_an_answer_nested_without_end_is_no_answer() -> None:
    answer = _judge.read(Response(200, {}, b"[" * 200_000))
    assert _judge.judge(CHECKS["github-pat-classic"].steps[0], answer).state == "unknown"


def test_a_provider_that_echoes_the_value_does_not_put_it_into_the_identity() -> None:
    step = CHECKS["github-pat-classic"].steps[0]
    secret = b"Zq8v" * 9
    answer = _judge.read(
        Response(200, {}, json.dumps({"id": 7, "login": "for " + secret.decode(), "email": "a@acme.example"}).encode())
    )
    identity = _judge.identity(step, answer, [secret])
    assert identity is not None
    assert (identity.name, identity.id, identity.email) == ("", "7", "a@acme.example")


def test_nothing_in_an_example_looks_like_a_credential() -> None:
    from leakguard import scan_text

    texts = (_text(e) for check in CHECKS.values() for step in check.steps for _, e in step.examples)
    assert scan_text("\n\n".join(texts)).findings == ()


def _text(example: Example) -> str:
    return "\n".join([*(f"{n}: {v}" for n, v in example.headers), example.body])
