"""The score: its terms are its reasons, its bounds hold, and what is read beyond a match only lowers it."""

from __future__ import annotations

from functools import cache
from math import exp
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakguard.engine import terms, values
from leakguard.engine.compiled import CompiledRules, compile_rules
from leakguard.engine.fitted import FITTED
from leakguard.engine.names import name_terms
from leakguard.engine.says import says
from leakguard.engine.scan import Engine
from leakguard.engine.sieve import Sieve
from leakguard.engine.weights import LEVELS, MOST_LEFT, WEIGHTS, best_kind, group
from leakguard.model.blob import Blob, FileProvenance
from leakguard.model.finding import Candidate
from leakguard.ruleset import templates
from leakguard.ruleset.files import builtin_folder
from leakguard.ruleset.load import load

RANDOM = "${base62:32}"
LINES = (
    'api_key = "{}"',
    "DB_PASSWORD={}",
    "  client_secret: {}",
    "'token' => '{}',",
    "define('AUTH_TOKEN', '{}');",
    "<password>{}</password>",
    "get('/v1?page=2&access_token={}')",
    "ALTER ROLE shop PASSWORD '{}';",
    "postgres://app:{}@db.acme.example/shop",
)
VALUES = (
    RANDOM,
    "${upper:2}${alnum:4}!${digits:3}${lower:2}",
    "${hex:40}",
    "changeme",
    "$${TOKEN}",
    "get_token()",
    "Forgot it?",
    "a b c",
)


@cache
def rules() -> CompiledRules:
    """Compile the built-in rules once."""
    return compile_rules(load([builtin_folder()]).rules, "test", hyperscan=True)


@cache
def engine(level: str = "all") -> Engine:
    """Build one engine a level."""
    return Engine(rules(), level=level)


def found(text: str, path: str = "a.env", level: str = "all") -> list[Candidate]:
    """Return what is reported."""
    return engine(level).scan(Blob(text.encode(), FileProvenance("/r", path))).candidates


def value(template: str, seed: int = 1) -> str:
    """Return a value of our own."""
    return templates.expand(template, Random(seed))


@st.composite
def files(draw: st.DrawFn) -> str:
    """Draw files of assignments between words that weigh."""
    out = []
    for _ in range(draw(st.integers(1, 6))):
        out.append(draw(st.sampled_from(["", "# an example", "user: app", "sha256 of it", 'label_password: "x"', "// a, b"])))
        form = draw(st.sampled_from(VALUES))
        out.append(
            draw(st.sampled_from(LINES)).format(value(form, draw(st.integers(0, 99))))
            + draw(st.sampled_from(["", ",", ";", " + x"]))
        )
    return "\n".join(out) + "\n"


@settings(max_examples=50)
@given(files(), st.sampled_from(["a.env", "a.py", "a.json", "a.md", "a.lock", "a"]))
def test_the_reasons_of_a_score_are_the_terms_of_its_sum(text: str, path: str) -> None:
    """Log-odds add up to the value, and each term has words."""
    for candidate in found(text, path):
        total = sum(reason.weight for reason in candidate.score.reasons)
        assert candidate.score.value == pytest.approx(1 / (1 + exp(-total)), abs=0.01)
        assert all(reason.detail for reason in candidate.score.reasons)


@settings(max_examples=50)
@given(files(), st.sampled_from(["a.env", "a.py", "a.json", "a.md", "a.lock", "a"]), st.sampled_from(sorted(LEVELS)))
def test_the_sieve_of_history_lets_through_all_that_a_scan_reports(text: str, path: str, level: str) -> None:
    """Without path and surroundings the score is the most that it can be."""
    spans = Sieve(engine(level)).spans(text.encode())
    for candidate in found(text, path, level):
        at = candidate.place.offset
        assert any(span.held and span.start <= at < span.end for span in spans)


@settings(max_examples=50)
@given(files(), st.sampled_from(["a.env", "a.py", "a.json"]), st.sampled_from(["strict", "balanced"]))
def test_giving_up_early_hides_nothing(text: str, path: str, level: str) -> None:
    """A wider level finds with the same score what a narrower one reports, and more."""
    wide = {(c.rule.id, c.place.offset): c.score.value for c in found(text, path)}
    for candidate in found(text, path, level):
        assert wide[candidate.rule.id, candidate.place.offset] == candidate.score.value


def test_what_stands_round_a_match_only_lowers_its_score() -> None:
    """The weights of the last stage are none above zero; each weight belongs to a stage, and has words."""
    stages = {name for names in terms.STAGES for name in names}
    for term, weight in FITTED.items():
        assert group(term) in stages | {"generic", "rule"}
        assert weight <= 0 or group(term) not in terms.STAGES[-1]
        assert says(term)


def test_the_bound_of_each_stage_falls_to_nothing() -> None:
    """Before the last stage nothing can be added any more."""
    for left in MOST_LEFT.values():
        assert list(left) == sorted(left, reverse=True)
        assert left[-2:] == (0, 0)


def test_the_best_kind_of_file_is_one_that_files_have() -> None:
    """The sieve assumes it."""
    for who in ("password", "token"):
        assert WEIGHTS.get(f"{who}.file:{best_kind(who)}", 0.0) == max(
            WEIGHTS.get(f"{who}.file:{k}", 0.0) for k in (*values.KINDS, "other")
        )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("db_password", {"name:password", "before:other"}),
        ("LABEL_PASSWORD", {"name:password", "before:message"}),
        ("passwordResetUrl", {"name:password", "after:place"}),
        ("monkeyPatch", {"name:key", "word:inside", "after:other"}),
        ("apiKey", {"name:api-key"}),
        ("ACME_AUTH_TOKEN", {"name:api-token", "before:other"}),
        ("tokens", {"name:token", "word:plural"}),
        ("count", {"name:other"}),
    ],
)
def test_a_name_says_what_it_promises(name: str, told: set[str]) -> None:
    """The strongest word counts, with what stands before and after it."""
    assert {term for term in name_terms(name) if not term.startswith("style")} == told


@pytest.mark.parametrize(
    ("text", "is_stock"),
    [
        ("my-secret1", True),
        ("Passw0rd123", True),
        ("testuser", True),
        ("kestrel-orchard", False),
        ("1234567", False),
        ("secretgarden", False),
    ],
)
def test_stock_words_stand_in_for_a_secret(text: str, is_stock: bool) -> None:
    """Made of such words alone, it is nobody's password."""
    assert terms.stock(text) is is_stock


@pytest.mark.parametrize("text", ["SHA-256", "aes-128-gcm", "ssh-ed25519", "HMAC-SHA1"])
def test_the_name_of_an_algorithm_is_no_secret(text: str) -> None:
    """It stands behind names that hold a secret's word."""
    assert terms.algorithm(text)


def test_a_vendor_in_a_key_name_names_the_finding() -> None:
    """A value of no known form behind a vendor's name is that vendor's; the rule stays the generic one."""
    named = found(f'stripe_webhook_token = "{value(RANDOM)}"\n', "a.py")
    unnamed = found(f'webhook_token = "{value(RANDOM)}"\n', "a.py")

    assert [(c.rule.id, c.vendor) for c in named] == [("generic-secret", "stripe")]
    assert [(c.rule.id, c.vendor) for c in unnamed] == [("generic-secret", "")]


@pytest.mark.parametrize("line", LINES)
def test_a_random_value_is_reported_wherever_values_stand(line: str) -> None:
    """Assignments, elements, queries, SQL, URIs: at the level `balanced`."""
    secret = value("${upper:2}${alnum:4}!${digits:3}${lower:2}" if "assw" in line.lower() or "//" in line else RANDOM)
    assert [c.place.length for c in found(line.format(secret), "a.yaml", "balanced")] == [len(secret)]


@pytest.mark.parametrize(
    "line",
    [
        '"LABEL_PASSWORD": "Your password, please",',
        "password = get_password()",
        'DB_PASSWORD = "${DB_PASSWORD}"',
        'token_type = "bearer"',
        'api_key = "your-api-key-here"',
        "public_key_token=none",
        'password = "changeme"',
        "    minipass: ^3.1.6",
        "access_key: A1B2C3D4E5F6G7H8I9J0",
        'WWW-Authenticate: Digest nonce="6bf5d6e4da1ce66918800195d6b9130d", qop=auth',
        '_TOKEN = rb"[0-9A-Za-z+/=_.~-]"',
        'token_pattern = "sk_[a-z]{4}_[0-9a-f]{32}"',
    ],
)
def test_what_is_no_secret_is_not_reported(line: str) -> None:
    """Messages, calls, references and stand-ins, at the level `balanced`."""
    assert found(line, "a.json", "balanced") == []


def test_a_word_of_a_tokens_own_prefix_makes_it_no_placeholder() -> None:
    """`..._TEST-` of a vendor's test keys is not somebody's `test`."""
    for seed in range(30):
        token = templates.expand("FLWSECK_TEST-${[0-9a-h]:12}", Random(seed))
        assert [c.rule.id for c in found(f"using {token} now", "a.log", "balanced")] == ["flutterwave-encryption-key"]
