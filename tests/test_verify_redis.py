"""Logins to Redis against a real one on this machine, and what holds for every server that is not HTTP."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from conftest import Planted
from daemons import answering, certified, free_port, needed, running, silent, temporary
from leakguard.errors import NetError
from leakguard.model.finding import Verdict
from leakguard.net.policy import allow
from leakguard.verifiers import _socket, redis
from leakguard.verifiers._contract import Tools
from logins import ask, beside, leakguard, trust


class Server(NamedTuple):
    """A server that runs."""

    port: int
    tls: int
    ca: str
    password: str


@pytest.fixture(scope="module")
def redis_server() -> Iterator[Server]:
    """Run a Redis that speaks both clear text and TLS."""
    program = needed("redis-server", "redis-server")
    password = Planted(3).make("${base62:20}")
    with temporary("redis") as folder:
        ca = certified(folder)
        one = Server(free_port(), free_port(), ca, password)
        users = folder / "users.acl"
        users.write_text(
            f"user default on >{password} ~* &* +@all\nuser app on >{password} ~shop:* +get +ping +select\nuser open on nopass ~* +@all\n"
            f"user shut off >{password} ~* +@all\nuser poor on >{password} ~* +get\n"
        )
        options = [
            "--port",
            one.port,
            "--tls-port",
            one.tls,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            folder,
            "--aclfile",
            users,
        ]
        options += ["--tls-cert-file", folder / "cert", "--tls-key-file", folder / "key", "--tls-ca-cert-file", ca]
        with running([program, *options, "--tls-auth-clients", "no"], one.port, folder):
            yield one


@pytest.mark.xdist_group("redis")
def test_a_redis_login_is_live_refused_or_without_its_database(tools: Tools, redis_server: Server, planted: Planted) -> None:
    port, password = redis_server.port, redis_server.password
    live = ask(tools, f"redis://:{password}@localhost:{port}/0", password)
    assert (live.state, live.identity and (live.identity.name, live.identity.scopes)) == ("live", ("default", ("+@all",)))
    assert live.evidence[0].decided.startswith("OK of Redis ")
    app = ask(tools, f"redis://app:{password}@localhost:{port}", password)
    assert (app.state, app.identity and app.identity.name) == ("live", "app"), "though it may not ask who it is"
    gone = ask(tools, f"redis://app:{password}@localhost:{port}/99", password)
    assert (gone.state, gone.detail) == ("live", "the database is gone, the login is not")
    poor = ask(tools, f"redis://poor:{password}@localhost:{port}/2", password)
    assert (poor.state, poor.detail) == ("live_restricted", "it may not use that database")
    other = planted.make("${base62:20}")
    for user in ("", "app", "nobody"):
        assert ask(tools, f"redis://{user}:{other}@localhost:{port}/0", other).state == "dead"
    assert ask(tools, f"redis://shut:{password}@localhost:{port}/0", password).state == "dead", "a user who is off"


@pytest.mark.xdist_group("redis")
def test_a_redis_user_who_needs_no_password_does_not_make_one_live(tools: Tools, redis_server: Server, planted: Planted) -> None:
    verdict = ask(tools, f"redis://open:{(other := planted.make('${base62:20}'))}@localhost:{redis_server.port}", other)
    assert (verdict.state, verdict.reason, verdict.detail) == ("unknown", "unexpected", "that user takes any password")
    with temporary("redis") as folder:
        port = free_port()
        with running(
            [needed("redis-server", "redis-server"), "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
            port,
            folder,
        ):
            for user in ("", "default"):
                verdict = ask(tools, f"redis://{user}:{other}@localhost:{port}", other)
                assert (verdict.state, verdict.reason) == ("unknown", "unexpected")
                assert "lets everybody in" in verdict.detail


@pytest.mark.xdist_group("redis")
def test_a_redis_over_tls_shows_a_certificate_that_is_trusted(tools: Tools, redis_server: Server) -> None:
    url = f"rediss://:{redis_server.password}@localhost:{redis_server.tls}/0"
    assert ask(tools._replace(ca_file=redis_server.ca), url, redis_server.password).state == "live"
    with pytest.raises(NetError) as caught:
        ask(tools, url, redis_server.password)
    assert caught.value.cause == "tls"
    with pytest.raises(NetError) as caught:
        ask(tools._replace(ca_file=redis_server.ca), url.replace("rediss", "redis"), redis_server.password)
    assert caught.value.cause == "network", "a server of TLS that is spoken to in clear"


def test_a_password_goes_over_a_public_network_in_clear_only_where_a_person_wrote_so(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, planted: Planted
) -> None:
    password = planted.make("${base62:20}")
    sent = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(_socket, "is_public", lambda _: True)
        monkeypatch.setattr(_socket, "TOTAL_SECONDS", 0.2)
        one = beside(f"redis://:{password}@localhost:{port}/0", password)
        with pytest.raises(NetError) as caught:
            redis.check(one, tools._replace(allowed=(allow(f"localhost:{port}"),)))
        assert (caught.value.cause, caught.value.hint) == (
            "tls",
            f"--allow-host http://localhost:{port} where it may be sent in clear",
        )
        sent.append(server.accept()[0].recv(100))
        with pytest.raises(NetError) as caught:
            redis.check(one, tools._replace(allowed=(allow(f"http://localhost:{port}"),)))
        sent.append(server.accept()[0].recv(100))
    assert sent == [b"", b"*1\r\n$4\r\nPING\r\n"]


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_server_that_says_nothing_is_left_after_the_deadline(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, planted: Planted, scheme: str
) -> None:
    monkeypatch.setattr(_socket, "TOTAL_SECONDS", 0.2)
    password = planted.make("${base62:20}")
    with silent() as port, pytest.raises(NetError) as caught:
        ask(tools, f"{scheme}://app:{password}@localhost:{port}/0", password)
    assert caught.value.cause == "timeout"
    with pytest.raises(NetError) as caught:
        ask(tools, f"{scheme}://app:{password}@localhost:{free_port()}/0", password)
    assert caught.value.cause == "network"


@pytest.mark.parametrize(
    "said",
    [
        b"+OK\r\n" * 9,
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"$99999999\r\nx\r\n",
        b"*1\r\n" * 999,
        b"-DENIED no\r\n" * 9,
        b"-LOADING x\r\n" * 9,
    ],
)
def test_an_answer_that_is_none_of_redis_proves_nothing(tools: Tools, planted: Planted, said: bytes) -> None:
    password = planted.make("${base62:20}")
    with answering(said) as port:
        try:
            verdict = ask(tools, f"redis://app:{password}@localhost:{port}/0", password)
        except NetError as e:
            verdict = Verdict("unknown", e.cause)
    assert verdict.state == "unknown"


@pytest.mark.xdist_group("redis")
def test_a_scan_logs_in_once_for_each_account_and_tells_what_it_found(
    tree: Path, redis_server: Server, planted: Planted, leaks: Callable[..., list[str]]
) -> None:
    password, other = redis_server.password, planted.make("${base62:20}")
    url = f"redis://app:{{}}@localhost:{redis_server.port}/{{}}"
    trust(str(tree))
    (tree / "a.env").write_text(f"CACHE_URL={url.format(password, 0)}\nJOBS_URL={url.format(password, 1)}\n")
    scan = ("scan", "--verify", "-f", "json", "--allow-host", f"localhost:{redis_server.port}")
    planned = json.loads(leakguard(tree, *scan, "--plan").stdout)["requests"]
    assert [(one["host"], one["method"]) for one in planned] == [(f"localhost:{redis_server.port}", "LOGIN")]
    refused = leakguard(tree, *scan[:-2])
    assert [f["verification"]["reason"] for f in json.loads(refused.stdout)["findings"]] == ["host_not_allowed"]
    done = leakguard(tree, *scan)
    assert [f["verification"]["state"] for f in json.loads(done.stdout)["findings"]] == ["live"]
    (tree / "b.env").write_text(f"CACHE_URL={url.format(other, 0)}\n")
    again = leakguard(tree, *scan)
    verdicts = [f["verification"] for f in json.loads(again.stdout)["findings"]]
    assert sorted((v["state"], v["reason"]) for v in verdicts) == [("live", ""), ("unknown", "lockout_guard")], "one try a day"
    assert leaks(done.stdout + done.stderr + again.stdout, password) == []


@pytest.mark.xdist_group("redis")
def test_of_many_passwords_of_one_account_one_is_tried(tree: Path, redis_server: Server, planted: Planted) -> None:
    urls = (f"URL{i}=redis://app:{planted.make('${base62:20}')}@localhost:{redis_server.port}/0\n" for i in range(8))
    trust(str(tree))
    (tree / "a.env").write_text("".join(urls))
    done = leakguard(tree, "scan", "--verify", "-f", "json", "--allow-host", f"localhost:{redis_server.port}")
    verdicts = [f["verification"] for f in json.loads(done.stdout)["findings"]]
    assert sorted(v["state"] for v in verdicts) == ["dead", *["unknown"] * 7]
    assert {v["reason"] for v in verdicts if v["state"] == "unknown"} == {"lockout_guard"}
