"""FTP logins: USER, PASS, leave. No file is listed; one try for each account and day.

What it answers (https://www.rfc-editor.org/rfc/rfc959#section-5.4): 230 takes the login, 530 does not. Servers say 530 also to full
houses and to clear text, so that its words have to be of the login. TLS is begun where the server takes it (AUTH TLS, RFC 4217),
from the first byte for `ftps://`.
"""

from __future__ import annotations

import ftplib
from collections.abc import Iterator

from leakguard.model.finding import Verdict
from leakguard.model.verdict import Identity
from leakguard.net.message import Sent
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._login import NO_LOGIN, account_of, evidence, login_of, planned
from leakguard.verifiers._socket import Line, connected

LOGIN = True
_REFUSED = ("incorrect", "authentication failed", "invalid", "login failed", "cannot log in", "can't log in", "wrong")
_STATES = {
    "332": ("live_restricted", "", "it also wants an account"),
    "421": ("unknown", "provider_5xx", "the server ends the connection"),
    "521": ("unknown", "tls", "the server takes logins over TLS only"),
    "522": ("unknown", "tls", "the server takes logins over TLS only"),
    "533": ("unknown", "tls", "the server takes logins over TLS only"),
    "534": ("unknown", "tls", "the server takes logins over TLS only"),
}
"""Code of an answer to PASS -> what it proves."""


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
    if login.user.lower() in ("anonymous", "ftp", ""):
        return Verdict("unverifiable", "", "that user takes any password")
    if any(c in login.user + login.password for c in "\r\n\0"):
        return Verdict("unknown", "unexpected", "it can't be written in a line")
    with connected(login, tools) as line:
        if login.scheme == "ftps":
            line.secure()
        client = _Client(line)
        try:
            client.welcome = client.getresp()
            if login.scheme != "ftps" and not _secured(client, line):
                line.need_tls()
            told = _said(client, f"USER {login.user}")
            if told.startswith("331"):
                told = _said(client, f"PASS {login.password}")
            elif told.startswith("230"):
                told = "USER 230"
            else:
                told = f"USER {told}"
        except ftplib.Error:
            raise ConnectionError from None
        finally:
            client.close()
    first = told.removeprefix("USER ")[:3]
    decided = f"{'USER' if told.startswith('USER') else 'PASS'} {first if first.isdigit() else ''}".rstrip()
    seen = evidence("ftp", credential, tools, login.place, decided)
    if told.startswith("230"):
        return Verdict("live", "", "", Identity(name=login.user, account=login.host.strip("[]")), seen)
    if told.startswith("USER 230"):
        return Verdict("unknown", "unexpected", "that user takes any password", None, seen)
    if told.startswith("530") and any(word in told.lower() for word in _REFUSED):
        return Verdict("dead", "wrong_secret", "", None, seen)
    state, reason, detail = _STATES.get(told[:3], ("unknown", "unexpected", ""))
    return Verdict(state, reason, detail, None, seen)


class _Client(ftplib.FTP_TLS):
    """Speaks FTP over a connection that was made and checked already."""

    def __init__(self, line: Line) -> None:
        super().__init__(context=line.context(offered=True))
        self.host, self.sock = line.host, line.sock
        self.file = line.sock.makefile("r", encoding=self.encoding)


def _secured(client: ftplib.FTP_TLS, line: Line) -> bool:
    """Whether the server speaks TLS when it is asked to."""
    try:
        client.auth()
    except (ftplib.error_perm, ftplib.error_temp):
        return False
    line.sock = client.sock  # type: ignore[assignment]  # the connection is there
    return True


def _said(client: ftplib.FTP, command: str) -> str:
    """Return an answer, whatever its code."""
    client.putcmd(command)
    return str(client.getmultiline())
