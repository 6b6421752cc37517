"""SMTP logins: AUTH, leave. No mail is sent; one try for each account and day.

What it answers (https://www.rfc-editor.org/rfc/rfc4954#section-6): 235 takes the login, 535 with 5.7.8 or no further code refuses it; 535
with another code is a rule of the server's (Exchange refuses every login of a tenant that way). TLS is begun where the server
offers it (STARTTLS), from the first byte for `smtps://`.
"""

from __future__ import annotations

import re
import smtplib
import socket
from binascii import b2a_base64
from collections.abc import Iterator

from leakguard.model.finding import Verdict
from leakguard.model.verdict import Identity
from leakguard.net.message import Sent
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._login import NO_LOGIN, account_of, evidence, login_of, planned
from leakguard.verifiers._socket import Line, connected

LOGIN = True
_STATES = {
    421: ("unknown", "provider_5xx", "the server ends the connection"),
    432: ("unknown", "unexpected", "the server wants the password to be changed first"),
    454: ("unknown", "provider_5xx", "the server can't check logins now"),
    534: ("unknown", "unexpected", "the server wants another way to log in"),
    538: ("unknown", "tls", "the server takes logins over TLS only"),
}
"""Code of an answer to AUTH -> what it proves."""


def account(credential: Credential) -> str:
    """Return whose tries are counted."""
    return account_of(credential)


def plan(credential: Credential, _tools: Tools) -> Iterator[Sent]:
    """Yield the one login."""
    return planned(credential)


def check(credential: Credential, tools: Tools) -> Verdict:
    """Log in."""
    login = login_of(credential)
    if login is None:
        return NO_LOGIN
    with connected(login, tools) as line:
        if login.scheme == "smtps":
            line.secure()
        client = _Client(line)
        try:
            client.ehlo()
            if login.scheme == "smtps":
                pass
            elif client.has_extn("starttls"):
                client.starttls(context=line.context(offered=True))
                client.ehlo()
            else:
                line.need_tls()
            ways = client.esmtp_features.get("auth", "").upper().split()
            if "PLAIN" not in ways and "LOGIN" not in ways:
                seen = evidence("smtp", credential, tools, login.place, "EHLO")
                return Verdict("unknown", "unexpected", "the server takes no logins by password", None, seen)
            code, said = _login(client, login.user, login.password, plain="PLAIN" in ways)
        finally:
            client.close()
    found = re.match(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b", said)
    further = found[0].decode() if found else ""
    seen = evidence("smtp", credential, tools, login.place, f"{code} {further}".rstrip())
    if code == 235:
        return Verdict("live", "", "", Identity(name=login.user, account=login.host.strip("[]")), seen)
    if code == 535 and further in ("", "5.7.8"):
        return Verdict("dead", "wrong_secret", "", None, seen)
    state, reason, detail = _STATES.get(code, ("unknown", "unexpected", ""))
    return Verdict(state, reason, detail, None, seen)


class _Client(smtplib.SMTP):
    """Speaks SMTP over a connection that was made and checked already."""

    def __init__(self, line: Line) -> None:
        self._line = line
        # named, so that this machine's name is neither looked up nor told
        super().__init__(line.host, line.port, local_hostname="localhost")

    def _get_socket(self, _host: str, _port: int, _timeout: float) -> socket.socket:
        return self._line.sock


def _login(client: smtplib.SMTP, user: str, password: str, *, plain: bool) -> tuple[int, bytes]:
    """Try once: the library's own `login` tries every way that the server offers."""
    if plain:
        return client.docmd("AUTH", "PLAIN " + _base64(f"\0{user}\0{password}"))
    code, said = client.docmd("AUTH", "LOGIN")
    for word in (user, password):
        if code == 334:
            code, said = client.docmd(_base64(word))
    return code, said


def _base64(text: str) -> str:
    return b2a_base64(text.encode(), newline=False).decode()
