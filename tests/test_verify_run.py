"""Verifying findings: once a credential, the right pair, nothing asked of a trap, nothing lost when asking fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Event

import pytest

from conftest import Planted
from leakguard import api
from leakguard.errors import NetError
from leakguard.model.check import Check
from leakguard.model.finding import Finding, Report
from leakguard.net.message import Request, Response
from leakguard.net.policy import Policy, allow
from leakguard.pipeline import Setup, scan
from leakguard.ruleset.load import load
from leakguard.ruleset.verify import load_checks
from leakguard.sources.files import FilesSource
from leakguard.sources.memory import BytesSource
from leakguard.suppress.identity import IdKey
from leakguard.verifiers._cache import Cache
from leakguard.verifiers._contract import Tools
from leakguard.verifiers._run import Runner, Settings

RULES = """
[provider]
id = "acme"
name = "Acme"
[[rule]]
id = "acme-key"
name = "Acme key"
severity = "high"
kind = "api_key"
format = "acmekey_${base62:30}"
[rule.verify]
source = "https://docs.acme.example/errors"
get = "https://api.acme.example/me"
bearer = "${secret}"
live = {status = 200, has = "id"}
dead = {status = 401, is = {code = "bad_key"}, reason = "revoked"}
identity = {name = "id"}
live_example = '200 {"id": 1}'
dead_example = '401 {"code": "bad_key"}'
[[rule]]
id = "acme-pair"
name = "Acme secret"
severity = "high"
kind = "api_key"
format = "acmesec_${base62:30}"
[rule.verify]
source = "https://docs.acme.example/errors"
get = "https://api.acme.example/app"
basic = "${client}:${secret}"
live = {status = 200, has = "id"}
dead = {status = 401, is = {code = "bad_key"}}
live_example = '200 {"id": 1}'
dead_example = '401 {"code": "bad_key"}'
[[rule.part_of]]
name = "client"
format = "acmeapp-${lower:8}"
public = true
[[rule]]
id = "acme-mint"
name = "Acme refresh token"
severity = "high"
kind = "refresh_token"
format = "acmeref_${base62:30}"
[rule.verify]
source = "https://docs.acme.example/errors"
post = "https://api.acme.example/token"
class = "mint"
form = {refresh_token = "${secret}"}
live = {status = 200, has = "id"}
dead = {status = 401, is = {code = "bad_key"}}
live_example = '200 {"id": 1}'
dead_example = '401 {"code": "bad_key"}'
"""
DEAD = Response(401, {}, b'{"code": "bad_key"}')


class Bench:
    """A runner whose provider is a function."""

    def __init__(self, folder: Path, provider: Callable[[Request], Response], **settings: object) -> None:
        path = folder / "acme.toml"
        path.write_text(RULES)
        self.asked: list[Request] = []
        self.addressed: list[str] = []
        self.now = 1_800_000_000.0
        self.provider = provider
        self.key = IdKey(b"k" * 32, "team")
        self.cache = Cache(str(folder / "cache" / "verdicts.sqlite"), self.key.key, lambda: self.now)
        self.checks: dict[str, Check] = dict(load_checks([str(path)]))
        docs = {doc.id: doc for doc in load([str(path)]).docs}
        self.tools = Tools(self.ask, self.address, lambda: self.now)
        self.settings = Settings(**settings)  # type: ignore[arg-type]
        self.docs = docs.get
        self.config = api.Config(rule_paths=(str(path),), only_rules=tuple(self.checks), baseline="", jobs=1, engine="portable")
        self.engine = api.build_engine(self.config, {}, keep=False)
        self.engine.pairs = frozenset(self.checks)

    def ask(self, request: Request, policy: Policy) -> Response:
        policy.check(request.url)
        self.asked.append(request)
        return self.provider(request)

    def address(self, host: str, port: int, policy: Policy) -> str:
        self.addressed.append(host)
        policy.server(host, port, port)
        return "127.0.0.1"

    def runner(self) -> Runner:
        return Runner(self.checks, self.docs, self.tools, self.cache, self.settings, Random(1), Event())

    def scan(self, text: str, runner: Runner | None = None) -> Report:
        setup = Setup(self.engine, self.config, self.key, "2027-01-01")
        return scan(BytesSource(text.encode(), "a.env"), setup, clock=lambda: 0.0, verify=(runner or self.runner()).verify)

    def one(self, text: str) -> Finding:
        (finding,) = self.scan(text).findings
        return finding


def bearer(request: Request) -> str:
    return dict(request.headers)["Authorization"].removeprefix("Bearer ")


def basic(request: Request) -> tuple[str, str]:
    from base64 import b64decode

    user, _, password = b64decode(dict(request.headers)["Authorization"].removeprefix("Basic ")).decode().partition(":")
    return user, password


def live_for(*values: str) -> Callable[[Request], Response]:
    """Return a provider that knows these values only."""

    def answer(request: Request) -> Response:
        said = dict(request.headers).get("Authorization", "") + request.body.decode()
        known = any(value in said for value in values) or (said.startswith("Basic ") and ":".join(basic(request)) in values)
        return Response(200, {"x-request-id": "r-1"}, b'{"id": "ada"}') if known else DEAD

    return answer


@pytest.fixture
def key(planted: Planted) -> str:
    """Return a key of Acme."""
    return planted.make("acmekey_${base62:30}")


def test_a_live_credential_is_told_with_whose_it_is_and_what_shows_it(tmp_path: Path, key: str) -> None:
    bench = Bench(tmp_path, live_for(key))
    verdict = bench.one(f"A={key}\n").verdict
    assert verdict.state == "live"
    assert verdict.identity is not None
    assert verdict.identity.name == "ada"
    (evidence,) = verdict.evidence
    assert (evidence.host, evidence.method, evidence.template, evidence.status) == ("api.acme.example", "GET", "/me", 200)
    assert (evidence.decided, evidence.request_id, evidence.time) == ("200 id", "r-1", "2027-01-15T08:00:00Z")
    assert key[8:] not in repr(verdict)


def test_a_dead_credential_says_why(tmp_path: Path, key: str) -> None:
    verdict = Bench(tmp_path, live_for()).one(f"A={key}\n").verdict
    assert (verdict.state, verdict.reason) == ("dead", "revoked")


def test_a_credential_in_many_places_is_asked_once_after_a_made_up_one(tmp_path: Path, key: str) -> None:
    bench = Bench(tmp_path, live_for(key))
    bench.scan("\n".join(f"A{i}={key}" for i in range(40)))
    assert len(bench.asked) == 2
    made_up, real = map(bearer, bench.asked)
    assert real == key
    assert made_up != key
    assert len(made_up) == len(key)


def test_the_next_run_asks_nobody_and_a_later_one_asks_again(tmp_path: Path, key: str) -> None:
    bench = Bench(tmp_path, live_for(key))
    bench.one(f"A={key}\n")
    bench.asked.clear()
    assert bench.one(f"A={key}\n").verdict.state == "live"
    assert bench.asked == []
    bench.now += 3601
    assert bench.one(f"A={key}\n").verdict.state == "live"
    assert len(bench.asked) == 1, "the made-up one is asked once a day"


def test_two_credentials_are_never_taken_for_each_other(tmp_path: Path, key: str, planted: Planted) -> None:
    """Kingfisher #66: every token was shown live with the name of the one that was."""
    other = planted.make("acmekey_${base62:30}")
    bench = Bench(tmp_path, live_for(key))
    states = {f.preview[-4:]: f.verdict.state for f in bench.scan(f"A={key}\nB={other}\n").findings}
    assert states == {key[-4:]: "live", other[-4:]: "dead"}


def test_the_cache_holds_no_value_and_is_nobody_elses_to_read(tmp_path: Path, key: str, leaks: Callable[..., list[str]]) -> None:
    bench = Bench(tmp_path, live_for(key))
    bench.one(f"A={key}\n")
    bench.cache.close()
    (file,) = (tmp_path / "cache").glob("*.sqlite")
    assert file.stat().st_mode & 0o777 == 0o600
    assert leaks(file.read_bytes().decode("latin-1"), key, len("acmekey_")) == []


def test_a_cache_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.sqlite"
    path.write_bytes(b"")
    path.chmod(0o666)
    Cache(str(path), b"k", lambda: 0.0).note(b"x", "y")
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(500, {}, b"{}"), "provider_5xx"),
        (Response(429, {}, b"{}"), "throttled"),
        (Response(403, {"content-type": "text/html"}, b"<html>blocked</html>"), "blocked_by_waf"),
        (Response(200, {}, b"{}"), "unexpected"),
        (Response(302, {"location": "https://evil.example"}, b""), "unexpected"),
        (NetError("api.acme.example did not answer in time", cause="timeout"), "timeout"),
        (NetError("api.acme.example can't be resolved", cause="network"), "network"),
        (RuntimeError("acmekey_"), "unexpected"),
    ],
)
def test_whatever_goes_wrong_the_finding_stays_and_says_so(tmp_path: Path, key: str, answer: object, reason: str) -> None:
    def provider(_: Request) -> Response:
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Response)
        return answer

    verdict = Bench(tmp_path, provider).one(f"A={key}\n").verdict
    assert (verdict.state, verdict.reason) == ("unknown", reason)
    assert "acmekey_" not in verdict.detail


def test_an_unknown_takes_nothing_from_what_was_known(tmp_path: Path, key: str) -> None:
    """TruffleHog #5259: a time-out must not make a revoked secret look live again, nor a live one vanish."""
    for provider, state in ((live_for(key), "live"), (live_for(), "dead")):
        folder = tmp_path / state
        folder.mkdir()
        bench = Bench(folder, provider)
        bench.one(f"A={key}\n")
        bench.now += 40 * 86400
        bench.provider = lambda _: Response(503, {}, b"")
        verdict = bench.one(f"A={key}\n").verdict
        assert verdict.state == state
        assert "could not be asked again" in verdict.detail


def test_a_provider_that_answers_anybody_is_set_aside(tmp_path: Path, key: str) -> None:
    """TruffleHog #3721: an endpoint that needs no key proves nothing."""
    bench = Bench(tmp_path, lambda _: Response(200, {}, b'{"id": 1}'))
    verdict = bench.one(f"A={key}\n").verdict
    assert (verdict.state, verdict.reason) == ("unknown", "set_aside")


def test_of_eleven_partners_the_right_one_is_found_and_no_wrong_one_makes_it_dead(tmp_path: Path, planted: Planted) -> None:
    secret = planted.make("acmesec_${base62:30}")
    clients = [planted.make("acmeapp-${lower:8}") for _ in range(11)]
    text = "\n".join(clients[:6]) + f"\nSECRET={secret}\n" + "\n".join(clients[6:])
    bench = Bench(tmp_path, live_for(f"{clients[0]}:{secret}"))
    assert bench.one(text).verdict.state == "live"
    assert len(bench.asked) <= 25
    other = tmp_path / "other"
    other.mkdir()
    bench = Bench(other, live_for())
    verdict = bench.one(text).verdict
    assert (verdict.state, verdict.reason) == ("unknown", "ambiguous_pair")
    assert len(bench.asked) <= 25


def test_the_nearest_partner_is_tried_first_and_a_lone_pair_can_be_dead(tmp_path: Path, planted: Planted) -> None:
    secret = planted.make("acmesec_${base62:30}")
    near, far = (planted.make("acmeapp-${lower:8}") for _ in range(2))
    bench = Bench(tmp_path, live_for(f"{near}:{secret}"))
    assert bench.one(f"{far}\n\n\n\nID={near}\nSECRET={secret}\n").verdict.state == "live"
    assert [basic(r)[0] for r in bench.asked if basic(r)[1] == secret] == [near]
    bench.provider = live_for()
    other = planted.make("acmesec_${base62:30}")
    assert bench.one(f"ID={near}\nSECRET={other}\n").verdict.state == "dead"


def test_a_part_that_was_not_found_is_no_refusal(tmp_path: Path, planted: Planted) -> None:
    """Betterleaks' Scaleway rule sent an empty token, and every key read as dead."""
    bench = Bench(tmp_path, live_for())
    verdict = bench.one(f"SECRET={planted.make('acmesec_${base62:30}')}\n").verdict
    assert (verdict.state, verdict.reason) == ("unknown", "no_partner")
    assert all(basic(r)[1].startswith("acmesec_") and basic(r)[0] for r in bench.asked)


def test_only_reading_requests_are_sent_unless_more_is_allowed(tmp_path: Path, planted: Planted) -> None:
    token = planted.make("acmeref_${base62:30}")
    bench = Bench(tmp_path, live_for(token))
    assert bench.one(f"R={token}\n").verdict.state == "skipped_by_policy"
    assert bench.asked == []
    bench.tools = bench.tools._replace(classes=frozenset({"read", "mint"}))
    assert bench.one(f"R={token}\n").verdict.state == "live"


def test_what_is_sent_is_what_the_plan_said(tmp_path: Path, key: str, planted: Planted) -> None:
    secret, client = planted.make("acmesec_${base62:30}"), planted.make("acmeapp-${lower:8}")
    text = f"A={key}\nB={planted.make('acmekey_${base62:30}')}\nID={client}\nSECRET={secret}\n"
    bench = Bench(tmp_path, live_for(key, f"{client}:{secret}"))
    runner = bench.runner()
    planned = []

    def plan(findings, candidates, source):
        planned.extend(runner.plan(findings, candidates, source))
        return findings

    scan(
        BytesSource(text.encode(), "a"), Setup(bench.engine, bench.config, bench.key, "2027-01-01"), clock=lambda: 0.0, verify=plan
    )
    assert bench.asked == []
    bench.scan(text, runner)
    assert sorted(p.sent for p in planned) == sorted(request.shown for request in bench.asked)
    assert sum(p.control for p in planned) == 2


def test_a_trap_is_never_touched(tmp_path: Path, planted: Planted) -> None:
    bench = Bench(tmp_path, live_for())
    bench.checks |= load_checks([os.path.join(api_rules(), "aws.toml"), os.path.join(api_rules(), "http.toml")])
    bench.config = api.Config(only_rules=("aws-secret-access-key", "http-uri-credentials"), baseline="", jobs=1, engine="portable")
    bench.engine = api.build_engine(bench.config, {}, keep=False)
    bench.engine.pairs = frozenset(bench.checks)
    trap = "AKIAYVP4CIPP" + planted.make("${[A-P]:1}${base32:7}")  # as canarytokens.org gives them
    text = f"aws_access_key_id = {trap}\naws_secret_access_key = {planted.aws()[1]}\n"
    assert bench.one(text).verdict.state == "canary"
    url = f"DB=postgres://app:{planted.make('${base62:20}')}@q7x2.canarytokens.com:5432/shop\n"
    bench.tools = bench.tools._replace(allowed=(allow("q7x2.canarytokens.com:5432"),))
    assert bench.one(url).verdict.state == "canary"
    assert bench.asked == []
    assert bench.addressed == []


def test_accounts_and_hosts_that_settings_call_traps_are_traps(tmp_path: Path, key: str) -> None:
    bench = Bench(tmp_path, live_for(key), canary_hosts=("trap.acme.example",))
    assert bench.one(f"https://trap.acme.example/?k={key}\n").verdict.state == "canary"
    assert bench.asked == []


def test_a_mark_in_the_text_hides_nothing_that_is_live(tmp_path: Path, key: str, planted: Planted) -> None:
    dead = planted.make("acmekey_${base62:30}")
    bench = Bench(tmp_path, live_for(key))
    mark = '  # leakguard: allow reason="test"'
    file = tmp_path / "a.env"
    file.write_text(f"A={key}{mark}\nB={dead}{mark}\n")
    setup = Setup(bench.engine, bench.config, bench.key, "2027-01-01")
    report = scan(FilesSource([str(file)]), setup, clock=lambda: 0.0, verify=bench.runner().verify)
    assert [f.verdict.state for f in report.findings] == ["live"]
    assert [s.finding.verdict.state for s in report.suppressed] == ["not_tried"]
    assert any("answered" in note for note in report.notes)


def test_live_findings_come_first_and_dead_ones_last(tmp_path: Path, planted: Planted) -> None:
    keys = [planted.make("acmekey_${base62:30}") for _ in range(3)]

    def provider(request: Request) -> Response:
        value = bearer(request)
        return Response(200, {}, b'{"id": 1}') if value == keys[2] else Response(500, {}, b"") if value == keys[1] else DEAD

    report = Bench(tmp_path, provider).scan("\n".join(f"K={k}" for k in keys))
    assert [f.verdict.state for f in report.findings] == ["live", "unknown", "dead"]


def test_a_run_that_is_stopped_asks_again_only_what_was_not_answered(tmp_path: Path, planted: Planted) -> None:
    keys = [planted.make("acmekey_${base62:30}") for _ in range(30)]
    text = "\n".join(f"K={k}" for k in keys)
    bench = Bench(tmp_path, live_for())
    answered: list[str] = []

    def provider(request: Request) -> Response:
        if len(answered) > 10:
            raise KeyboardInterrupt
        answered.append(bearer(request))
        return DEAD

    bench.provider = provider
    with pytest.raises(KeyboardInterrupt):
        bench.scan(text)
    bench.asked.clear()
    bench.provider = live_for()
    assert {f.verdict.state for f in bench.scan(text).findings} == {"dead"}
    assert not {bearer(r) for r in bench.asked} & set(answered)


def api_rules() -> str:
    from leakguard.ruleset.files import builtin_folder

    return builtin_folder()
