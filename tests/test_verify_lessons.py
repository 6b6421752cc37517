"""What went wrong with verification elsewhere, each as a test over our own rules and runs.

Told by other tests: answers that prove nothing, and criteria that don't count (test_verify_tables.py); one token taken for
another, endpoints that answer anybody, ambiguous pairs, what is kept when asking fails (test_verify_run.py); redirects and
private addresses (test_net.py); values in URLs that a report would show (test_verify_proxy.py).
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from pathlib import Path
from random import Random
from urllib.parse import quote, quote_plus

import pytest

from conftest import Planted
from leakguard import api
from leakguard.errors import NetError
from leakguard.model.check import Check
from leakguard.model.finding import Finding
from leakguard.net.message import Request, Response
from leakguard.net.policy import Policy, allow
from leakguard.pipeline import Setup, scan
from leakguard.ruleset.files import builtin_folder, rule_files
from leakguard.ruleset.load import load
from leakguard.ruleset.verify import load_checks
from leakguard.sources.files import FilesSource
from leakguard.verifiers import http
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._prove import made_up
from test_verify_run import DEAD, Bench, live_for

FILES = rule_files([builtin_folder()])
CHECKS = load_checks(FILES)
RULES = {rule.id: (rule, doc) for loaded in [load(FILES)] for rule, doc in zip(loaded.rules, loaded.docs, strict=True)}
ASKING = sorted(rule for rule, check in CHECKS.items() if check.steps and not check.code)
WAF = Response(403, {"content-type": "text/html"}, b"<!DOCTYPE html><html><title>Attention Required! | Cloudflare</title></html>")


def credential(rule: str) -> Credential:
    """Return a made-up credential with all its parts."""
    out = made_up(CHECKS[rule], *RULES[rule], Random(3))
    assert out is not None
    return out


def tools(answer: Response | NetError) -> Tools:
    def ask(_request: Request, _policy: Policy) -> Response:
        if isinstance(answer, NetError):
            raise answer
        return answer

    def address(_host: str, _port: int, _policy: Policy) -> str:
        raise AssertionError

    return Tools(ask, address, lambda: 0.0, frozenset({"read", "mint"}))


def with_rules(bench: Bench, *names: str) -> Bench:
    """Let a bench use built-in rules."""
    bench.checks |= {name: CHECKS[name] for name in names if name in CHECKS}
    bench.config = api.Config(only_rules=names, baseline="", jobs=1, engine="portable")
    bench.engine = api.build_engine(bench.config, {}, keep=False)
    bench.engine.pairs = frozenset(bench.checks)
    return bench


# 1, 11: a firewall's page, or no answer at all, was taken for proof


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (WAF, "blocked_by_waf"),
        (Response(503, {}, b""), "provider_5xx"),
        (NetError("it did not answer in time", cause="timeout"), "timeout"),
        (NetError("it can't be resolved", cause="network"), "network"),
        (NetError("not trusted", cause="tls"), "tls"),
    ],
)
def test_no_rule_takes_a_firewall_or_silence_for_an_answer(answer: Response | NetError, reason: str) -> None:
    """TruffleHog #5184 and its 538 packages that say "unverified" when the network fails."""
    told = {rule: http.check(credential(rule), tools(answer)) for rule in ASKING}
    assert {rule: (v.state, v.reason) for rule, v in told.items() if (v.state, v.reason) != ("unknown", reason)} == {}


# 2: the key of the cache forgot the partner, or the rule


def test_a_wrong_partner_does_not_poison_the_right_one(tmp_path: Path, planted: Planted) -> None:
    """Titus keys by the secret alone: what the first partner said was said of every other."""
    secret, wrong, right = (
        planted.make("acmesec_${base62:30}"),
        planted.make("acmeapp-${lower:8}"),
        planted.make("acmeapp-${lower:8}"),
    )
    bench = Bench(tmp_path, live_for(f"{right}:{secret}"))
    assert bench.one(f"ID={wrong}\nSECRET={secret}\n").verdict.state == "dead"
    assert bench.one(f"ID={right}\nSECRET={secret}\n").verdict.state == "live"
    assert bench.one(f"ID={wrong}\nSECRET={secret}\n").verdict.state == "dead"


def test_what_one_providers_check_learned_is_not_said_of_anothers(tmp_path: Path, planted: Planted) -> None:
    """TruffleHog #3984: detectors shared a cache."""
    key = planted.make("acmekey_${base62:30}")
    bench = Bench(tmp_path, live_for(key))
    assert bench.one(f"A={key}\n").verdict.state == "live"
    bench.provider = live_for()
    for change in ({"provider": "other"}, {"version": "changed"}):
        before = bench.checks["acme-key"]
        bench.checks["acme-key"] = before._replace(**change)
        assert bench.one(f"A={key}\n").verdict.state == "dead"
        bench.checks["acme-key"] = before


# 3: the place that could be verified was dropped for one that could not


def test_of_the_same_secret_in_two_files_the_one_with_its_partner_counts(tmp_path: Path, tree: Path, planted: Planted) -> None:
    """Kingfisher #167: places were folded into one before they were paired."""
    secret, client = planted.make("acmesec_${base62:30}"), planted.make("acmeapp-${lower:8}")
    bench = Bench(tmp_path, live_for(f"{client}:{secret}"))
    for order in (("a", "b"), ("b", "a")):
        for name, text in zip(order, (f"SECRET={secret}\n", f"ID={client}\nSECRET={secret}\n"), strict=True):
            (tree / name).mkdir(exist_ok=True)
            (tree / name / "x.env").write_text(text)
        setup = Setup(bench.engine, bench.config, bench.key, "2027-01-01")
        report = scan(FilesSource([str(tree)], ignore=False), setup, clock=lambda: 0.0, verify=bench.runner().verify)
        told = [(f.verdict.state, sorted(place.part for place in f.places)) for f in report.findings]
        assert told == [("live", ["client", "secret", "secret"])]


# 4: the finding of a login vanished when its host did not answer


@pytest.mark.parametrize("cause", ["timeout", "network"])
@pytest.mark.parametrize("scheme", ["postgres", "mongodb", "mysql", "https"])
def test_a_login_whose_host_does_not_answer_stays(tmp_path: Path, planted: Planted, scheme: str, cause: str) -> None:
    """TruffleHog #5259: mongodb, jdbc, postgres and uri dropped it, so that a revoked one looked live."""

    def address(_host: str, _port: int, _policy: Policy) -> str:
        raise NetError("it did not answer", cause=cause)

    def silent(_: Request) -> Response:
        raise NetError("it did not answer", cause=cause)

    bench = with_rules(Bench(tmp_path, silent), "uri-credentials", "http-uri-credentials")
    bench.tools = bench.tools._replace(address=address, allowed=(allow("db.acme.test:5432"), allow("db.acme.test")))
    (found,) = bench.scan(f"DB={scheme}://app:{planted.make('${base62:20}')}@db.acme.test:5432/shop\n").findings
    if scheme == "postgres":
        assert (found.verdict.state, found.verdict.reason) == ("unknown", cause)
    assert found.verdict.state in ("unknown", "unverifiable"), "the second where nothing here speaks its protocol"


# 5: an endpoint that proves nothing


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"ok": False, "error": "invalid_auth"}, "dead"),
        ({"ok": False, "error": "ratelimited"}, "unknown"),
        ({"ok": True}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_slack_says_no_with_200(body: object, state: str) -> None:
    """Titus took every 200 of Slack for success, though it answers dead tokens so."""
    answer = Response(200, {}, json.dumps(body).encode())
    assert http.check(credential("slack-bot-token"), tools(answer)).state == state


def test_no_rule_is_satisfied_by_a_status() -> None:
    """PyPI's public page, and a 401 of Resend, were taken for live."""
    for rule in ASKING:
        for status in (200, 201, 204, 401, 403):
            for body in (b"", b"{}", b"[]", b"null", b"<html>Simple index</html>", b'"ok"'):
                assert http.check(credential(rule), tools(Response(status, {}, body))).state == "unknown", rule
    assert CHECKS["pypi-api-token"].unverifiable


# 6: the secret was sent to a host that the leaked text named

HOSTILE = [
    "evil.example/",
    "evil.example#",
    "evil.example?",
    "a@evil.example",
    "evil.example\\",
    "evil.example:443/",
    "127.0.0.1",
    "[::1]",
    "x.evil.example",
]


def test_no_part_beside_a_credential_leads_it_elsewhere() -> None:
    hosted = [rule for rule in ASKING if any("${" in step.url[: step.url.find("/", 8)] for step in CHECKS[rule].steps)]
    assert hosted
    for rule in hosted:
        check = CHECKS[rule]
        policy = http.policy_of(check, tools(DEAD))
        for hostile in HOSTILE:
            values = credential(rule).values() | {name: "x" for name, _ in check.vars}
            names = set(re.findall(r"\$\{([a-z_0-9]+)\}", check.steps[0].url.partition("://")[2].partition("/")[0]))
            try:
                url = http.build(check.steps[0], values | dict.fromkeys(names, hostile), check).url
                host = policy.check(url).host
            except (http.Unsendable, NetError):
                continue
            ends = (
                *check.hosts,
                *check.suffixes,
                *re.findall(r"\}(\.[a-z.-]+)", check.steps[0].url[: check.steps[0].url.find("/", 8)]),
            )
            assert host.endswith(ends), f"{rule} would go to {host}"


def test_a_token_address_inside_of_a_key_file_is_not_asked(tmp_path: Path, planted: Planted) -> None:
    """Google's key files name where to send them; whoever plants one names a host of theirs."""
    names = [rule for rule in RULES if rule.startswith(("gcp", "google", "private-key"))]
    bench = with_rules(Bench(tmp_path, live_for()), *names)
    text = json.dumps(
        {
            "type": "service_account",
            "private_key_id": planted.make("${hex:40}"),
            "private_key": planted.make("${pem:PRIVATE KEY}"),
            "client_email": "a@b.iam.gserviceaccount.com",
            "token_uri": "https://evil.example/token",
        },
        indent=1,
    )
    assert bench.scan(text).findings
    assert not [r for r in bench.asked if "evil" in r.url]
    assert bench.addressed == []


# 7, 12: an empty value was sent; a value was put into the address


def forms(value: str) -> set[str]:
    return {value, quote(value, safe=""), quote(value, safe=":@/"), quote_plus(value), json.dumps(value)[1:-1]}


def test_every_request_carries_the_value_and_only_where_its_rule_says_so() -> None:
    """Betterleaks' rule for Scaleway sent an empty token; 15 of Kingfisher's and 172 of TruffleHog's put it into the URL unsaid."""
    for rule in ASKING:
        check, one = CHECKS[rule], credential(rule)
        values = (
            http._values(one) | {"host": (check.hosts or ("h.acme.example",))[0]} | {n: "t" for s in check.steps for n, _ in s.take}
        )
        derived = [values[name] for name, _ in check.vars]
        wanted = set().union(*(forms(v) for v in (values["secret"], *derived)))
        sent = []
        for step in check.steps:
            request = http.build(step, values, check)
            basics = [b64encode(v.encode()).decode() for t in (step.basic,) if t for v in [http._fill(t, values)]]
            said = (
                " ".join(v for _, v in request.headers)
                + request.body.decode()
                + " ".join(http._fill(step.basic, values) for _ in basics)
            )
            sent.append(said + request.url)
            if not check.in_url:
                assert not any(form in request.url for form in forms(values["secret"])), rule
        assert any(form in text for text in sent for form in wanted), f"{rule} asks without its value"


def test_a_request_without_one_of_its_parts_is_not_sent() -> None:
    for rule in ASKING:
        one = credential(rule)
        for name, _ in one.parts:
            less = one._replace(parts=tuple(part for part in one.parts if part[0] != name))
            used = any("${" + name + "}" in repr(step) for step in CHECKS[rule].steps)
            if used and name != "host":
                verdict = http.check(less, tools(AssertionError()))  # type: ignore[arg-type]  # nothing is asked
                assert (verdict.state, verdict.reason) == ("unknown", "no_partner"), rule


# 8: a call that does not take this kind of token


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("github-app-installation-token", "/installation/repositories"),
        ("github-app-user-token", "/user"),
        ("gitlab-runner-token", "/api/v4/runners/verify"),
        ("gitlab-runner-token-routable", "/api/v4/runners/verify"),
        ("gitlab-ci-job-token", "/api/v4/job"),
    ],
)
def test_each_kind_of_token_is_asked_where_it_is_taken(rule: str, path: str) -> None:
    assert CHECKS[rule].steps[0].url.partition("?")[0].endswith(path)


@pytest.mark.parametrize("rule", ["github-app-refresh-token", "gitlab-deploy-token"])
def test_a_token_that_no_safe_call_takes_is_not_asked(rule: str) -> None:
    assert CHECKS[rule].unverifiable


# 9: only the sandbox was asked, so that live keys read as dead


def test_no_rule_asks_a_sandbox_alone_unless_it_is_about_one() -> None:
    trial = re.compile(r"sandbox|(?:^|[.-])(?:demo|test|staging)(?:[.-]|$)")
    for rule in ASKING:
        check = CHECKS[rule]
        hosts = set(check.hosts) or {step.url.partition("://")[2].partition("/")[0] for step in check.steps}
        if all(trial.search(host) for host in hosts):
            assert re.search("sandbox|test|demo", rule), f"{rule} asks {hosts} only"


# 10: a check that writes, bills or starts something

WRITES = re.compile(r"/messages?$|httpapi|/scan/start|/pinning/|/transactions$|/trigger|hooks\.zapier\.com|/send$")


def test_nothing_that_runs_by_default_writes() -> None:
    for rule in ASKING:
        for step in CHECKS[rule].steps:
            said = json.dumps([step.form, step.json, step.body])
            if step.kind == "read":
                assert step.method in ("GET", "HEAD", "POST"), rule
                assert not WRITES.search(step.url.partition("?")[0]), f"{rule}: {step.url}"
                assert "completions" not in step.url or re.search("no-such-model|/none", said), f"{rule} is billed"
                assert not re.search("refresh_token|client_credentials|account_credentials|jwt-bearer", said), f"{rule} exchanges"


@pytest.mark.parametrize(
    "rule", ["amplitude-api-key", "aikido-ci-token", "zapier-webhook", "nuget-api-key", "gitlab-trigger-token"]
)
def test_what_can_only_be_checked_by_doing_something_is_not_checked(rule: str) -> None:
    assert CHECKS[rule].unverifiable


# 14: a key's fingerprint was sent to third parties


def test_nobody_is_told_of_a_private_key(tmp_path: Path, planted: Planted) -> None:
    """TruffleHog asks two servers of others about each key's fingerprint."""
    bench = with_rules(Bench(tmp_path, live_for()), "private-key-pem")
    found: list[Finding] = list(bench.scan(planted.pem()).findings)
    assert len(found) == 1
    assert (bench.asked, bench.addressed) == ([], [])


def test_no_check_asks_a_party_that_is_not_its_provider() -> None:
    others = ("trufflesecurity.com", "crt.sh", "haveibeenpwned.com")
    for check in CHECKS.values():
        assert not any(other in host for other in others for host in all_hosts(check)), check.rule


def all_hosts(check: Check) -> list[str]:
    return [*check.hosts, *check.suffixes, *(step.url for step in check.steps)]
