"""IMAP logins: LOGIN, leave. No mailbox is opened; one try for each account and day.

What it answers (https://www.rfc-editor.org/rfc/rfc9051#section-6.2.3 and the codes of https://www.rfc-editor.org/rfc/rfc5530): OK takes
the login; NO refuses it, with `AUTHENTICATIONFAILED`, `EXPIRED` or no code at all. TLS is begun where the server offers it
(STARTTLS), from the first byte for `imaps://`.
"""

from __future__ import annotations

import imaplib
import re
import socket
from collections.abc import Iterator
from contextlib import suppress

from leakguard.model.finding import Verdict
from leakguard.model.verdict import Identity
from leakguard.net.message import Sent
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._login import NO_LOGIN, account_of, evidence, login_of, planned
from leakguard.verifiers._socket import Line, connected

LOGIN = True
_STATES = {
    "": ("dead", "", ""),
    "AUTHENTICATIONFAILED": ("dead", "wrong_secret", ""),
    "EXPIRED": ("dead", "expired", ""),
    "AUTHORIZATIONFAILED": ("live_restricted", "", "it may not log in as that user"),
    "PRIVACYREQUIRED": ("unknown", "tls", "the server takes logins over TLS only"),
    "UNAVAILABLE": ("unknown", "provider_5xx", "the server can't check logins now"),
    "INUSE": ("unknown", "provider_5xx", ""),
    "LIMIT": ("unknown", "throttled", ""),
    "PREAUTH": ("unknown", "unexpected", "the server lets everybody in"),
    "LOGINDISABLED": ("unknown", "unexpected", "the server takes no logins by password"),
}
"""Code of a NO, or what its server says of logins before one -> what it proves."""


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
        if login.scheme == "imaps":
            line.secure()
        try:
            client = _Client(line)
            try:
                if login.scheme == "imaps":
                    pass
                elif "STARTTLS" in client.capabilities:
                    client.starttls(ssl_context=line.context(offered=True))
                else:
                    line.need_tls()
                told = _login(client, login.user, login.password)
            finally:
                with suppress(OSError):
                    client.shutdown()
        except (imaplib.IMAP4.abort, imaplib.IMAP4.error):
            # the greeting or an answer is none of IMAP, or the connection was cut
            raise ConnectionError from None
    if told is None:
        seen = evidence("imap", credential, tools, login.place, "OK")
        return Verdict("live", "", "", Identity(name=login.user, account=login.host.strip("[]")), seen)
    state, reason, detail = _STATES.get(told, ("unknown", "unexpected", ""))
    return Verdict(state, reason, detail, None, evidence("imap", credential, tools, login.place, f"NO {told}".rstrip()))


class _Client(imaplib.IMAP4):
    """Speaks IMAP over a connection that was made and checked already."""

    def __init__(self, line: Line) -> None:
        self._line = line
        super().__init__(line.host, line.port)

    def _create_socket(self, _timeout: float | None) -> socket.socket:
        return self._line.sock


def _login(client: imaplib.IMAP4, user: str, password: str) -> str | None:
    """Try once; returns None for OK, else a key of `_STATES`."""
    if client.state == "AUTH":
        return "PREAUTH"
    try:
        if "AUTH=PLAIN" in client.capabilities:
            client.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        elif "LOGINDISABLED" in client.capabilities:
            return "LOGINDISABLED"
        elif not (user + password).isascii() or not (user + password).isprintable():
            return "UNQUOTABLE"
        else:
            client.login(_quoted(user), password)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as e:
        text = e.args[0] if e.args else ""
        text = text.decode("latin-1") if isinstance(text, bytes) else str(text)
        if text.startswith(("LOGIN command error", "AUTHENTICATE command error", "command: ")):
            return "BAD"
        code = re.match(r"\[([A-Z]{1,40})[\] ]", text)
        return code[1] if code else ""
    return None


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
