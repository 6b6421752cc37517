"""Logins to RabbitMQ, a real one on this machine."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

import pytest

from conftest import Planted
from daemons import SYSTEM, answering, certified, free_port, needed, running, silent, temporary
from leakguard.errors import NetError
from leakguard.model.finding import Verdict
from leakguard.verifiers import _socket
from leakguard.verifiers._contract import Tools
from logins import ask

pytestmark = pytest.mark.xdist_group("amqp")
PASSWORD = Planted(3).make("${base62:20}")


class Server(NamedTuple):
    """A broker."""

    port: int
    tls: int = 0
    ca: str = ""

    def ask(self, tools: Tools, user: str = "app", password: str = PASSWORD, host: str = "shop", scheme: str = "amqp") -> Verdict:
        port = self.tls if scheme == "amqps" else self.port
        return ask(tools, f"{scheme}://{user}:{password}@localhost:{port}/{quote(host, safe='')}", password)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a RabbitMQ."""
    needed("rabbitmq-server", "rabbitmq-server")
    with temporary("rabbit") as folder:
        one = Server(free_port(), free_port(), certified(folder))
        users = [{"name": "app", "password_hash": b64encode(b"salt" + sha256(b"salt" + PASSWORD.encode()).digest()).decode(),
                  "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""}]  # fmt: skip
        rights = [{"user": "app", "vhost": "shop", "configure": "", "write": "", "read": ".*"}]
        hosts = [{"name": name} for name in ("/", "shop", "other")]
        (folder / "definitions.json").write_text(json.dumps({"users": users, "vhosts": hosts, "permissions": rights}))
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{one.port}\nlisteners.ssl.local = 127.0.0.1:{one.tls}\nload_definitions = {folder}/definitions.json\n"
            f"ssl_options.certfile = {folder}/cert\nssl_options.keyfile = {folder}/key\nssl_options.cacertfile = {one.ca}\n"
        )
        epmd = str(free_port())
        env = {
            "RABBITMQ_NODENAME": f"leak{one.port}@localhost", "RABBITMQ_MNESIA_BASE": f"{folder}/db", "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq", "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins", "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_PID_FILE": f"{folder}/pid", "ERL_EPMD_PORT": epmd, "ERL_EPMD_ADDRESS": "127.0.0.1",
        }  # fmt: skip
        try:
            with running(["/usr/lib/rabbitmq/bin/rabbitmq-server"], one.port, folder, env=env):
                yield one
        finally:
            # Erlang leaves its name server behind
            subprocess.run(
                ["epmd", "-kill"], env={"PATH": f"{os.environ['PATH']}:{SYSTEM}", **env}, capture_output=True, check=False
            )


def test_an_amqp_login_is_live_wrong_or_without_its_virtual_host(tools: Tools, server: Server, planted: Planted) -> None:
    live = server.ask(tools)
    assert (live.state, live.identity and (live.identity.name, live.identity.account)) == ("live", ("app", "localhost/shop"))
    assert live.evidence[0].decided.startswith("tune of 3.")
    wrong = server.ask(tools, password=planted.make("${base62:19}"))
    assert (wrong.state, wrong.reason) == ("dead", "wrong_secret")
    assert server.ask(tools, "nobody").state == "dead"
    gone = server.ask(tools, host="nowhere")
    assert (gone.state, gone.detail) == ("live", "the virtual host is gone, the login is not")
    other = server.ask(tools, host="other")
    assert (other.state, other.detail) == ("live_restricted", "it may not use that virtual host")
    assert PASSWORD not in repr((live, wrong, gone, other))


def test_an_amqp_login_over_tls_shows_a_certificate_that_is_trusted(tools: Tools, server: Server) -> None:
    assert server.ask(tools._replace(ca_file=server.ca), scheme="amqps").state == "live"
    with pytest.raises(NetError) as caught:
        server.ask(tools, scheme="amqps")
    assert caught.value.cause == "tls"


def frame(method: int, body: bytes = b"") -> bytes:
    raw = struct.pack(">HH", 10, method) + body
    return struct.pack(">BHI", 1, 0, len(raw)) + raw + b"\xce"


START = frame(10, b"\0\x09\0\0\0\0\0\0\0\x0eAMQPLAIN PLAIN\0\0\0\5en_US")


@pytest.mark.parametrize(
    ("answers", "user", "wanted"),
    [
        ([START, frame(50, struct.pack(">H", 403))], "app", ("dead", "wrong_secret")),
        ([START, frame(50, struct.pack(">H", 403))], "guest", ("unknown", "unexpected")),
        ([START, frame(50, struct.pack(">H", 320))], "app", ("unknown", "provider_5xx")),
        ([START.replace(b"AMQPLAIN PLAIN", b"EXTERNAL NONE.")], "app", ("unknown", "unexpected")),
    ],
)
def test_a_close_proves_what_its_code_says(tools: Tools, answers: list[bytes], user: str, wanted: tuple[str, str]) -> None:
    with answering(*answers) as port:
        verdict = Server(port).ask(tools, user)
    assert (verdict.state, verdict.reason) == wanted


@pytest.mark.parametrize(
    "said", [b"AMQP\0\1\0\0", b"HTTP/1.1 200 OK\r\n\r\n", b"", frame(30), START[:-1] + b"x", b"\1\0\0\xff\xff\xff\xff"]
)
def test_an_answer_that_is_none_of_amqp_proves_nothing(tools: Tools, said: bytes) -> None:
    with answering(said) as port, pytest.raises(NetError) as caught:
        Server(port).ask(tools)
    assert caught.value.cause == "network"


def test_a_broker_that_says_nothing_is_left_after_a_while(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_socket, "TOTAL_SECONDS", 0.2)
    with silent() as port, pytest.raises(NetError) as caught:
        Server(port).ask(tools)
    assert caught.value.cause == "timeout"
