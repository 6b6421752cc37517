"""Logins to a directory on this machine (OpenLDAP)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Planted
from daemons import SYSTEM, answering, certified, free_port, needed, running, silent, temporary
from leakguard.errors import NetError
from leakguard.model.finding import Verdict
from leakguard.verifiers import _socket
from leakguard.verifiers._contract import Tools
from leakguard.verifiers.ldap import _parts, _written
from logins import ask

pytestmark = pytest.mark.xdist_group("ldap")
PASSWORD = Planted(3).make("${base62:20}")


class Server(NamedTuple):
    """A directory of Acme."""

    port: int
    tls: int = 0
    ca: str = ""

    def ask(self, tools: Tools, name: str = "app", password: str = PASSWORD, scheme: str = "ldap") -> Verdict:
        user = quote(f"cn={name},dc=acme,dc=example" if "=" not in name else name, safe="=")
        port = self.tls if scheme == "ldaps" else self.port
        return ask(tools, f"{scheme}://{user}:{password}@localhost:{port}/dc=acme,dc=example", password)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a slapd."""
    program = needed("slapd", "slapd")
    with temporary("slapd") as folder:
        one = Server(free_port(), free_port(), certified(folder))
        (folder / "db").mkdir()
        (folder / "conf").write_text(f"""
include /etc/ldap/schema/core.schema
pidfile {folder}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
TLSCertificateFile {folder}/cert
TLSCertificateKeyFile {folder}/key
database mdb
suffix "dc=acme,dc=example"
rootdn "cn=root,dc=acme,dc=example"
directory {folder}/db
overlay ppolicy
ppolicy_default "cn=policy,dc=acme,dc=example"
ppolicy_use_lockout
""")
        people = "".join(
            f"\ndn: cn={n},dc=acme,dc=example\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: {n}\n"
            f"userPassword: {PASSWORD}\n{more}"
            for n, more in (("app", ""), ("shut", "pwdAccountLockedTime: 000001010000Z\n"), ("stale", "pwdReset: TRUE\n"))
        )
        (folder / "data").write_text(
            "dn: dc=acme,dc=example\nobjectClass: dcObject\nobjectClass: organization\no: Acme\ndc: acme\n\n"
            "dn: cn=policy,dc=acme,dc=example\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\ncn: policy\n"
            f"pwdAttribute: 2.5.4.35\npwdLockout: TRUE\npwdMustChange: TRUE\n{people}"
        )
        env = {"PATH": f"{os.environ['PATH']}:{SYSTEM}"}
        for tool, options in (("slapadd", ["-l", str(folder / "data")]),):
            done = subprocess.run(
                [needed(tool, "slapd"), "-f", str(folder / "conf"), *options], env=env, capture_output=True, timeout=60
            )
            assert done.returncode == 0, done.stderr.decode()[-2000:]
        urls = f"ldap://127.0.0.1:{one.port} ldaps://127.0.0.1:{one.tls}"
        with running([program, "-d", "0", "-f", folder / "conf", "-h", urls], one.port, folder):
            yield one


def test_an_ldap_login_is_live_wrong_locked_or_to_be_changed(tools: Tools, server: Server, planted: Planted) -> None:
    live = server.ask(tools)
    assert (live.state, live.identity and live.identity.name) == ("live", "cn=app,dc=acme,dc=example")
    wrong = server.ask(tools, password=planted.make("${base62:19}"))
    assert (wrong.state, wrong.reason) == ("dead", "wrong_secret")
    assert server.ask(tools, "nobody").state == "dead"
    locked = server.ask(tools, "shut")
    assert (locked.state, locked.reason) == ("dead", "locked")
    stale = server.ask(tools, "stale")
    assert (stale.state, stale.detail) == ("live_restricted", "its password has to be changed first")
    assert server.ask(tools, "no=name=at,all").state == "unknown"
    assert PASSWORD not in repr((live, wrong, locked, stale))


def test_an_ldap_login_over_tls_shows_a_certificate_that_is_trusted(
    tools: Tools, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.ask(tools._replace(ca_file=server.ca), scheme="ldaps").state == "live"
    with pytest.raises(NetError) as caught:
        server.ask(tools, scheme="ldaps")
    assert caught.value.cause == "tls"
    monkeypatch.setattr(_socket, "is_public", lambda _: True)
    assert server.ask(tools._replace(ca_file=server.ca)).state == "live", "StartTLS"
    with pytest.raises(NetError) as caught:
        server.ask(tools)
    assert caught.value.cause == "tls"


def message(number: int, kind: int, code: int, text: str = "", *further: bytes) -> bytes:
    """Return an answer as RFC 4511 writes it."""
    return _written(
        0x30,
        _written(2, bytes([number])),
        _written(kind, _written(10, bytes([code])), b"\4\0", _written(4, text.encode()), *further),
    )


NO_TLS = message(1, 0x78, 2)


def directory(data: str) -> bytes:
    """Return a refusal in Active Directory's words."""
    return message(2, 0x61, 49, f"80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext error, data {data}, v4563\0")


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        ([message(2, 0x61, 0), message(3, 0x78, 0, "", _written(0x8B, b"u:ACME\\app"))], ("live", "")),
        ([message(2, 0x61, 0), message(3, 0x78, 2)], ("live", "")),
        ([message(2, 0x61, 0), message(3, 0x78, 0)], ("unknown", "unexpected")),
        ([directory("52e")], ("dead", "wrong_secret")),
        ([directory("525")], ("dead", "")),
        ([directory("533")], ("dead", "locked")),
        ([directory("701")], ("dead", "expired")),
        ([directory("530")], ("live_restricted", "")),
        ([directory("773")], ("live_restricted", "")),
        ([directory("775")], ("unknown", "throttled")),
        ([directory("999")], ("unknown", "unexpected")),
        ([message(2, 0x61, 13)], ("unknown", "tls")),
        ([message(2, 0x61, 51)], ("unknown", "provider_5xx")),
        ([message(2, 0x61, 53)], ("unknown", "unexpected")),
    ],
)
def test_a_result_of_a_bind_proves_what_its_document_says(tools: Tools, answers: list[bytes], wanted: tuple[str, str]) -> None:
    with answering(NO_TLS, *answers) as port:
        verdict = Server(port).ask(tools)
    assert (verdict.state, verdict.reason) == wanted


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 200 OK\r\n\r\n", b"", b"0\x84\xff\xff\xff\xff", b"0\2\2\1", message(9, 0x78, 0), b"0\0", NO_TLS[:-3]]
)
def test_an_answer_that_is_none_of_ldap_proves_nothing(tools: Tools, said: bytes) -> None:
    with answering(said) as port, pytest.raises(NetError) as caught:
        Server(port).ask(tools)
    assert caught.value.cause == "network"


def test_an_ldap_server_that_says_nothing_is_left_after_a_while(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_socket, "TOTAL_SECONDS", 0.2)
    with silent() as port, pytest.raises(NetError) as caught:
        Server(port).ask(tools)
    assert caught.value.cause == "timeout"


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=5))
def test_what_is_written_is_read_again(parts: list[tuple[int, bytes]]) -> None:
    assert _parts(b"".join(_written(tag, body) for tag, body in parts)) == parts


@given(st.binary(max_size=60))
def test_any_bytes_are_parts_or_an_error(raw: bytes) -> None:
    with suppress(ValueError, IndexError):
        assert sum(len(body) for _, body in _parts(raw)) <= len(raw)
