"""Logins to servers of mail and files on this machine: IMAP (Dovecot), SMTP (aiosmtpd) and FTP (pyftpdlib)."""

from __future__ import annotations

import grp
import os
import pwd
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread
from typing import Any, NamedTuple

import pytest

from conftest import Planted
from daemons import certified, free_port, needed, running, scripted, silent, temporary
from leakguard.errors import NetError
from leakguard.model.finding import Verdict
from leakguard.verifiers import _socket
from leakguard.verifiers._contract import Tools
from logins import ask

PASSWORD = Planted(3).make("${base62:20}")


class Server(NamedTuple):
    """A server with one user, ada."""

    clear: int
    tls: int
    ca: str

    def ask(self, tools: Tools, scheme: str, user: str = "ada", password: str = PASSWORD) -> Verdict:
        port = self.tls if scheme.endswith("s") else self.clear
        return ask(tools, f"{scheme}://{user}:{password}@localhost:{port}", password)


@pytest.fixture(scope="module")
def imap() -> Iterator[Server]:
    """Run a Dovecot."""
    program = needed("dovecot", "dovecot-imapd")
    with temporary("dovecot") as folder:
        one = Server(free_port(), free_port(), certified(folder))
        who = os.getuid()
        name, group = ("dovecot", "dovecot") if who == 0 else (pwd.getpwuid(who).pw_name, _group())
        (folder / "users").write_text(f"ada:{{PLAIN}}{PASSWORD}:{who or 1000}:{os.getgid() or 1000}::/tmp::\n")
        if who == 0:
            folder.chmod(0o755)
        (folder / "conf").write_text(f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
default_internal_user = {name}
default_internal_group = {group}
default_login_user = {name if who else "dovenull"}
mail_location = maildir:{folder}/mail
ssl = yes
ssl_cert = <{folder}/cert
ssl_key = <{folder}/key
auth_mechanisms = plain
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {one.clear}
  }}
  inet_listener imaps {{
    port = {one.tls}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
""")
        with running([program, "-F", "-c", folder / "conf"], one.clear, folder):
            yield one


def _group() -> str:
    return grp.getgrgid(os.getgid()).gr_name


@pytest.fixture(scope="module")
def smtp() -> Iterator[Server]:
    """Run a server of mail that takes logins after STARTTLS, or over TLS."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult, LoginPassword

    def known(_server: Any, _session: Any, _envelope: Any, _way: str, login: LoginPassword) -> AuthResult:
        return AuthResult(success=(login.login, login.password) == (b"ada", PASSWORD.encode()), handled=False)

    with temporary("smtp") as folder, ExitStack() as stack:
        ca = certified(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "cert", folder / "key")
        ports = []
        for way in ({"tls_context": context, "auth_require_tls": True}, {"ssl_context": context, "auth_require_tls": False}):
            port = free_port()
            server = Controller(object(), hostname="127.0.0.1", port=port, authenticator=known, **way)
            server.start()
            stack.callback(server.stop)
            ports.append(port)
        yield Server(*ports, ca)


@pytest.fixture(scope="module")
def ftp() -> Iterator[Server]:
    """Run a server of files that takes logins after AUTH TLS."""
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import TLS_FTPHandler
    from pyftpdlib.servers import FTPServer

    users = DummyAuthorizer()
    users.add_user("ada", PASSWORD, "/tmp")
    with temporary("ftp") as folder:
        ca = certified(folder)

        class Handler(TLS_FTPHandler):
            authorizer = users
            auth_failed_timeout = 0
            certfile = str(folder / "cert")
            keyfile = str(folder / "key")
            tls_control_required = True

        server = FTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, kwargs={"timeout": 0.05}, daemon=True)
        thread.start()
        yield Server(server.address[1], 0, ca)
        server.close_all()
        thread.join(10)


@pytest.fixture(params=["imap", "smtp", "ftp"])
def server(request: pytest.FixtureRequest) -> tuple[str, Server]:
    """Return each server with its scheme."""
    return request.param, request.getfixturevalue(request.param)


def test_a_login_over_tls_that_the_server_offers_is_live_or_wrong(
    tools: Tools, server: tuple[str, Server], planted: Planted
) -> None:
    scheme, one = server
    live = one.ask(tools, scheme)
    assert (live.state, live.identity and live.identity.name) == ("live", "ada")
    wrong = one.ask(tools, scheme, password=planted.make("${base62:19}"))
    assert (wrong.state, wrong.reason) == ("dead", "wrong_secret")
    assert one.ask(tools, scheme, "nobody").state == "dead"
    assert PASSWORD not in repr((live, wrong))


@pytest.mark.parametrize("scheme", ["imap", "smtp"])
def test_a_login_over_tls_from_the_first_byte_shows_a_certificate_that_is_trusted(
    tools: Tools, scheme: str, request: pytest.FixtureRequest
) -> None:
    one = request.getfixturevalue(scheme)
    assert one.ask(tools._replace(ca_file=one.ca), scheme + "s").state == "live"
    with pytest.raises(NetError) as caught:
        one.ask(tools, scheme + "s")
    assert caught.value.cause == "tls"


def test_over_a_public_network_offered_tls_shows_a_certificate_that_is_trusted_too(
    tools: Tools, server: tuple[str, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_socket, "is_public", lambda _: True)
    scheme, one = server
    assert one.ask(tools._replace(ca_file=one.ca), scheme).state == "live"
    with pytest.raises(NetError) as caught:
        one.ask(tools, scheme)
    assert caught.value.cause == "tls"


GREETINGS = {
    "smtp": ("220 mail", "250-mail\n250 AUTH PLAIN"),
    "imap": ("* OK mail", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\nTAG OK done", "+ "),
    "ftp": ("220 files", "500 no TLS here", "331 and the password"),
}
"""What comes before the answer to the password, at a server without TLS."""


@pytest.mark.parametrize(
    ("scheme", "said", "wanted"),
    [
        ("smtp", "235 2.7.0 welcome", ("live", "")),
        ("smtp", "535 5.7.8 no", ("dead", "wrong_secret")),
        ("smtp", "535 Authentication failed", ("dead", "wrong_secret")),
        ("smtp", "535 5.7.139 SmtpClientAuthentication is disabled for the tenant", ("unknown", "unexpected")),
        ("smtp", "534 5.7.9 another way", ("unknown", "unexpected")),
        ("smtp", "454 4.7.0 later", ("unknown", "provider_5xx")),
        ("smtp", "421 bye", ("unknown", "provider_5xx")),
        ("smtp", "538 5.7.11 TLS", ("unknown", "tls")),
        ("smtp", "200 OK", ("unknown", "unexpected")),
        ("imap", "TAG OK welcome", ("live", "")),
        ("imap", "TAG NO no such login", ("dead", "")),
        ("imap", "TAG NO [AUTHENTICATIONFAILED] no", ("dead", "wrong_secret")),
        ("imap", "TAG NO [EXPIRED] change it", ("dead", "expired")),
        ("imap", "TAG NO [AUTHORIZATIONFAILED] no", ("live_restricted", "")),
        ("imap", "TAG NO [UNAVAILABLE] later", ("unknown", "provider_5xx")),
        ("imap", "TAG NO [ALERT] open a browser", ("unknown", "unexpected")),
        ("imap", "TAG BAD what", ("unknown", "unexpected")),
        ("ftp", "230 welcome", ("live", "")),
        ("ftp", "530 Login incorrect.", ("dead", "wrong_secret")),
        ("ftp", "530 Sorry, the house is full", ("unknown", "unexpected")),
        ("ftp", "421 bye", ("unknown", "provider_5xx")),
        ("ftp", "534 TLS first", ("unknown", "tls")),
        ("ftp", "332 and an account", ("live_restricted", "")),
    ],
)
def test_an_answer_to_a_login_proves_what_its_document_says(tools: Tools, scheme: str, said: str, wanted: tuple[str, str]) -> None:
    with scripted(*GREETINGS[scheme], said) as (port, heard):
        verdict = Server(port, 0, "").ask(tools, scheme)
    assert (verdict.state, verdict.reason) == wanted
    assert len(heard) == len(GREETINGS[scheme]), "one try"


@pytest.mark.parametrize("scheme", sorted(GREETINGS))
def test_a_password_of_mail_goes_in_clear_to_no_public_network(tools: Tools, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_socket, "is_public", lambda _: True)
    with scripted(*GREETINGS[scheme]) as (port, heard), pytest.raises(NetError) as caught:
        Server(port, 0, "").ask(tools, scheme)
    assert caught.value.cause == "tls"
    assert "ada" not in "".join(heard)


@pytest.mark.parametrize("scheme", sorted(GREETINGS))
@pytest.mark.parametrize("said", ["HTTP/1.1 200 OK", "", "-ERR", "+OK"])
def test_a_server_of_something_else_proves_nothing(tools: Tools, scheme: str, said: str) -> None:
    with scripted(said, said, said) as (port, _), pytest.raises(NetError) as caught:
        Server(port, 0, "").ask(tools, scheme)
    assert caught.value.cause == "network"


@pytest.mark.parametrize("scheme", sorted(GREETINGS))
def test_a_server_that_says_nothing_is_left_after_a_while(tools: Tools, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_socket, "TOTAL_SECONDS", 0.2)
    with silent() as port, pytest.raises(NetError) as caught:
        Server(port, 0, "").ask(tools, scheme)
    assert caught.value.cause == "timeout"


def test_a_user_that_takes_any_password_is_not_asked(tools: Tools) -> None:
    assert Server(1, 0, "").ask(tools, "ftp", "anonymous").state == "unverifiable"
    with scripted("220 files", "500 no", "230 welcome") as (port, heard):
        verdict = Server(port, 0, "").ask(tools, "ftp")
    assert (verdict.state, verdict.detail) == ("unknown", "that user takes any password")
    assert heard == ["AUTH TLS", "USER ada"]


def test_a_server_of_mail_that_lets_everybody_in_proves_nothing(tools: Tools) -> None:
    with scripted("* PREAUTH welcome", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\nTAG OK done") as (port, heard):
        verdict = Server(port, 0, "").ask(tools, "imap")
    assert (verdict.state, verdict.detail) == ("unknown", "the server lets everybody in")
    assert len(heard) == 1
