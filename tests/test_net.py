"""The guarded client: where it goes, what it takes with it, how long it waits, what it says."""

from __future__ import annotations

import gzip
import ipaddress
import logging
import os
import ssl
from collections.abc import Callable, Iterator
from random import Random

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from leakguard.errors import MissingExtraError, NetError, UsageError
from leakguard.net.client import Client, Settings
from leakguard.net.limits import Limiter, Rates, retry_after
from leakguard.net.message import Request, Response, Sent
from leakguard.net.policy import Policy, allow, checked, is_public
from servers import Answer, Asked, served

PINNED = Policy(hosts=frozenset({"api.acme.example"}), suffixes=(".tenants.acme.example",))
TOKEN = ("Authorization", "Bearer " + "q7" * 20)


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def client(**more: object) -> Client:
    """Return a client whose clock stands still."""
    clock = Clock()
    settings = Settings("LeakGuard/0 (+https://leakguard.example)", **{k: more.pop(k) for k in list(more) if k in Settings._fields})  # type: ignore[arg-type]
    return Client(settings, clock=clock, wall=clock, sleep=clock.sleep, rng=Random(1), **more)  # type: ignore[arg-type]


def cause(call: Callable[[], object]) -> str:
    """Return why a request was not made or not answered."""
    with pytest.raises(NetError) as caught:
        call()
    assert caught.value.__cause__ is None
    assert "q7q7q" not in str(caught.value) + caught.value.hint
    return caught.value.cause


@pytest.mark.parametrize(
    "url",
    [
        "https://api.acme.example.evil.example/",
        "https://evil.example/api.acme.example",
        "https://api.acme.example:8443/",
        "https://user@api.acme.example/",
        "https://api.acme.example@evil.example/",
        "https://api.acme.example:443@127.0.0.1/",
        "https://evil.example\\@api.acme.example/",
        "https://api.acme.example/#@evil.example",
        "http://api.acme.example/",
        "ftp://api.acme.example/",
        "https://tenants.acme.example/",
        "https://.tenants.acme.example/",
        "https://xtenants.acme.example/",
        "https://a.tenants.acme.example./",
        "https://a..tenants.acme.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://api.acme.example\n/",
        "https://api.acme.example /",
        "https://аpi.acme.example/",
        "https:///path",
        "https://api.acme.example:0/",
        "https://api.acme.example:99999/",
        "//api.acme.example/",
        "",
    ],
)
def test_a_url_that_no_rule_names_is_refused_before_anything_is_resolved(url: str) -> None:
    with client(resolve=lambda *_: pytest.fail("was resolved")) as net:
        assert cause(lambda: net.ask(Request("GET", url, (TOKEN,)), PINNED)) == "host_not_allowed"


@pytest.mark.parametrize(
    "url", ["https://api.acme.example/v1?x=1", "https://API.acme.example:443/", "https://a-1.b.tenants.acme.example/"]
)
def test_pinned_hosts_and_names_below_a_listed_suffix_pass(url: str) -> None:
    assert PINNED.check(url).internal is False


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "169.254.1.1"),
        *(
            "100.64.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
        ),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1"),
        *(
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
        ),
        *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:1::1"),
    ],
)
def test_a_name_that_leads_to_an_address_that_is_not_public_is_not_asked(address: str) -> None:
    with client(resolve=lambda *_: ["93.184.216.34", address]) as net:
        assert cause(lambda: net.ask(Request("GET", "https://api.acme.example/", (TOKEN,)), PINNED)) == "host_not_allowed"


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_pass(address: str) -> None:
    assert checked([address], host="api.acme.example", internal=False) == [address]


@given(st.ip_addresses(v=4))
def test_a_private_address_is_no_more_public_in_any_v6_form(ip: ipaddress.IPv4Address) -> None:
    forms = [f"::ffff:{ip}", f"64:ff9b::{ip}", f"::{ip}", f"2002:{int(ip) >> 16:x}:{int(ip) & 0xFFFF:x}::"]
    if not is_public(ip):
        assert not any(is_public(ipaddress.ip_address(form)) for form in forms)


def test_even_an_allowed_host_does_not_lead_to_the_credentials_of_the_machine() -> None:
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200"):
        assert cause(lambda a=address: checked([a], host="x", internal=True)) == "host_not_allowed"


def test_a_name_is_resolved_once_and_that_very_address_is_connected_to() -> None:
    answers = iter([["127.0.0.1"]])
    with served(Answer(body=b"{}")) as server, client(resolve=lambda *_: next(answers)) as net:
        policy = Policy(allowed=(allow(f"http://rebind.acme.example:{server.port}"),))
        response = net.ask(Request("GET", f"http://rebind.acme.example:{server.port}/", (TOKEN,)), policy)
    assert response.status == 200
    assert server.asked[0].headers["host"] == f"rebind.acme.example:{server.port}"


def test_a_connection_made_for_an_allowed_host_is_not_used_by_others() -> None:
    authority = trustme.CA()
    with served(Answer(body=b"{}"), tls=_context(authority, "api.acme.example")) as server, _trusting(authority) as ca_file:
        name = f"api.acme.example:{server.port}"
        with client(resolve=lambda *_: ["127.0.0.1"], ca_file=ca_file) as net:
            request = Request("GET", f"https://{name}/", (TOKEN,))
            assert net.ask(request, Policy(allowed=(allow(name),))).status == 200
            assert cause(lambda: net.ask(request, Policy(hosts=frozenset({name})))) == "host_not_allowed"
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_the_credential_stays_where_it_was_sent(status: int) -> None:
    with (
        served(Answer()) as foreign,
        served(lambda _: Answer(status, headers=(("Location", foreign.url + "/x"),))) as server,
        client() as net,
    ):
        policy = Policy(allowed=(allow(server.url), allow(foreign.url)))
        assert net.ask(Request("POST", server.url + "/v1", (TOKEN,), b"secret=q7q7q7"), policy).status == status
    assert foreign.asked == []


def test_a_download_follows_to_a_blob_store_without_what_identifies_us() -> None:
    with served(Answer(body=b"layer")) as store:

        def registry(asked: Asked) -> Answer:
            if asked.path == "/start":
                return Answer(307, headers=(("Location", "/moved"),))
            return Answer(307, headers=(("Location", store.url + "/blob?signature=1"),))

        with served(registry) as server, client() as net:
            policy, follow = Policy(allowed=(allow(server.url),)), Policy(allowed=(allow(store.url),))
            request = Request("GET", server.url + "/start", (TOKEN, ("X-Key", "q7q7q7"), ("Accept", "*/*"), ("Cookie", "q7q7q7")))
            with net.stream(request, policy, follow=follow) as answer:
                assert (answer.status, b"".join(answer.chunks)) == (200, b"layer")
    assert [asked.headers.get("authorization") for asked in server.asked] == [TOKEN[1]] * 2
    assert store.asked[0].path == "/blob?signature=1"
    assert store.asked[0].headers["accept"] == "*/*"
    assert b"q7q7" not in store.raw


def test_a_download_does_not_follow_to_where_it_may_not_go() -> None:
    with (
        served(Answer(body=b"internal")) as inner,
        served(Answer(302, headers=(("Location", inner.url),))) as server,
        client() as net,
    ):
        policy = Policy(allowed=(allow(server.url),))

        def read() -> None:
            with net.stream(Request("GET", server.url + "/", (TOKEN,)), policy, follow=Policy(public=True)) as answer:
                list(answer.chunks)

        assert cause(read) == "host_not_allowed"
    assert inner.asked == []


def test_redirects_in_a_circle_end() -> None:
    with served(Answer(302, headers=(("Location", "/again"),))) as server, client() as net:
        policy = Policy(allowed=(allow(server.url),))

        def read() -> None:
            with net.stream(Request("GET", server.url + "/", (TOKEN,)), policy, follow=policy):
                pass

        assert cause(read) == "network"
    assert len(server.asked) == 6


def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_credential_leaves() -> None:
    with served(Answer(), tls=_context(trustme.CA(), "localhost")) as server, client() as net:
        policy = Policy(allowed=(allow(server.url),))
        assert cause(lambda: net.ask(Request("GET", server.url + "/", (TOKEN,)), policy)) == "tls"
    assert server.asked == []


def test_a_certificate_for_another_name_is_refused() -> None:
    authority = trustme.CA()
    tls = _context(authority, "other.acme.example")
    with served(Answer(), tls=tls) as server, _trusting(authority) as ca_file, client(ca_file=ca_file) as net:
        assert cause(lambda: net.ask(Request("GET", server.url + "/", (TOKEN,)), Policy(allowed=(allow(server.url),)))) == "tls"
    assert server.asked == []


def test_a_proxy_of_the_environment_is_used_and_named_hosts_go_round_it() -> None:
    with served(Answer(body=b"through")) as proxy, served(Answer(body=b"direct")) as server:
        policy = Policy(allowed=(allow(server.url),))
        request = Request("GET", server.url + "/", (TOKEN,))
        with client(environ={"http_proxy": proxy.url}) as net:
            assert net.ask(request, policy).body == b"through"
        with client(environ={"HTTP_PROXY": proxy.url, "NO_PROXY": "localhost"}) as net:
            assert net.ask(request, policy).body == b"direct"
        with client(environ={"HTTP_PROXY": proxy.url, "REQUEST_METHOD": "GET"}) as net:
            assert net.ask(request, policy).body == b"direct"


def test_a_body_that_never_ends_is_given_up() -> None:
    with served(Answer(parts=iter(lambda: b"x" * 65536, None))) as server, client() as net:
        assert cause(lambda: net.ask(Request("GET", server.url + "/"), Policy(allowed=(allow(server.url),)))) == "too_large"


def test_a_small_body_that_unpacks_to_much_is_given_up() -> None:
    body = gzip.compress(b"\0" * (1 << 20))
    with served(Answer(body=body, headers=(("Content-Encoding", "gzip"),))) as server, client() as net:
        assert cause(lambda: net.ask(Request("GET", server.url + "/"), Policy(allowed=(allow(server.url),)))) == "too_large"


def test_a_compressed_answer_is_read_though_nobody_asked_for_it() -> None:
    with served(Answer(body=gzip.compress(b"{}"), headers=(("Content-Encoding", "gzip"),))) as server, client() as net:
        assert net.ask(Request("GET", server.url + "/"), Policy(allowed=(allow(server.url),))).body == b"{}"
        assert server.asked[0].headers["accept-encoding"] == "identity"


def test_an_answer_that_drips_is_given_up_at_the_deadline_and_not_at_each_byte() -> None:
    clock = Clock()

    def drip() -> Iterator[bytes]:
        while True:
            clock.now += 4
            yield b"."

    with served(lambda _: Answer(parts=drip())) as server:
        settings = Settings("LeakGuard/0")
        with Client(settings, clock=clock, wall=clock, sleep=clock.sleep, rng=Random(1)) as net:
            policy = Policy(allowed=(allow(server.url),))
            assert cause(lambda: net.ask(Request("GET", server.url + "/"), policy)) == "timeout"


def test_a_host_that_accepts_and_says_nothing_times_out() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent, client() as net:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert cause(lambda: net.ask(Request("GET", url + "/", (TOKEN,)), Policy(allowed=(allow(url),)), total=0.05)) == "timeout"


def test_headers_without_end_are_given_up() -> None:
    with served(Answer(headers=tuple((f"X-{i}", "x" * 1000) for i in range(50)))) as server, client() as net:
        assert cause(lambda: net.ask(Request("GET", server.url + "/"), Policy(allowed=(allow(server.url),)))) == "too_large"


def test_every_request_is_told_without_a_value_and_says_who_asks() -> None:
    told: list[Sent] = []
    with served(Answer(body=b"{}")) as server, client(noted=told.append) as net:
        request = Request("GET", server.url + "/botq7q7q7/getMe?key=q7q7q7", (TOKEN,), template="/bot{secret}/getMe")
        net.ask(request, Policy(allowed=(allow(server.url),)))
    assert told == [Sent(f"localhost:{server.port}", "GET", "/bot{secret}/getMe", ("authorization",), "read")]
    assert "q7" not in repr(request) + repr(Response(200, {}, b"q7q7q7"))
    assert server.asked[0].headers["user-agent"].startswith("LeakGuard/0 (+https://")


def test_no_library_logs_what_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with served(Answer(body=b"{}")) as server, client() as net:
        policy = Policy(allowed=(allow(server.url),))
        net.ask(Request("POST", server.url + "/q7q7q7?k=q7q7q7", (TOKEN,), b"q7q7q7", template="/{secret}"), policy)
    assert "q7q7" not in caplog.text


def limiter(rates: Rates) -> tuple[Limiter, Clock]:
    """Return a limiter and its time."""
    clock = Clock()
    return Limiter(rates, clock, clock.sleep, Random(1)), clock


def test_a_host_gets_its_rate_and_no_more() -> None:
    limits, clock = limiter(Rates(host=2, total=100))
    for _ in range(10):
        limits.take("api.acme.example")
    assert 4.0 <= clock.now - 1000 <= 4.5
    limits.take("api.other.example")
    assert clock.now - 1000 <= 4.5


def test_all_hosts_together_get_the_total_rate() -> None:
    limits, clock = limiter(Rates(host=100, total=4))
    for i in range(12):
        limits.take(f"h{i}.example")
    assert 2.0 <= clock.now - 1000 <= 2.3


def test_a_host_is_left_alone_as_long_as_it_asks() -> None:
    limits, clock = limiter(Rates())
    limits.answered("a.example", 429, {"retry-after": "20"}, 0)
    limits.take("b.example")
    assert clock.slept == []
    limits.take("a.example")
    assert clock.now >= 1020


def test_a_wait_that_is_too_long_is_told_and_not_slept() -> None:
    limits, clock = limiter(Rates())
    limits.answered("a.example", 503, {"retry-after": "3600"}, 0)
    with pytest.raises(NetError) as caught:
        limits.take("a.example")
    assert (caught.value.cause, caught.value.retry_after, clock.slept) == ("throttled", 3600.0, [])


def test_a_host_that_fails_again_and_again_is_left_alone_and_tried_again_later() -> None:
    limits, clock = limiter(Rates(failures=3, rest=60))
    for _ in range(3):
        limits.take("a.example")
        limits.failed("a.example")
    assert cause(lambda: limits.take("a.example")) == "network"
    clock.now += 61
    limits.take("a.example")
    limits.answered("a.example", 200, {}, 0)
    limits.take("a.example")


def test_a_run_asks_no_more_than_its_budget() -> None:
    limits, _ = limiter(Rates(budget=2))
    limits.take("a.example")
    limits.take("b.example")
    assert cause(lambda: limits.take("c.example")) == "budget"


@pytest.mark.parametrize(
    ("raw", "wait"),
    [("7", 7.0), ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0), ("", None), ("soon", None), ("-5", None), ("9" * 400, None)],
)
def test_retry_after_is_read_in_both_forms(raw: str, wait: float | None) -> None:
    assert retry_after({"retry-after": raw}, 10.0) == wait


@pytest.mark.parametrize(
    "word", ["", "https://", "a b", "https://u:p@a.example", "a.example/path", "ftp://a.example", "a.example:x"]
)
def test_what_is_no_host_is_not_allowed(word: str) -> None:
    with pytest.raises(UsageError):
        allow(word)


def test_without_the_package_the_install_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "leakguard.net._transport", raising=False)
    monkeypatch.delattr("leakguard.net._transport", raising=False)
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingExtraError) as caught:
        client()
    assert caught.value.hint == "pip install 'leakguard[verify]'"


def _context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def _trusting(authority: trustme.CA) -> object:
    return authority.cert_pem.tempfile(dir=os.environ["HOME"])
