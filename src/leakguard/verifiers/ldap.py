"""LDAP logins: a simple bind, ask who that is, leave. No entry is read; one try for each account and day.

What it answers (https://www.rfc-editor.org/rfc/rfc4511#appendix-A): 0 takes the login, 49 refuses it. Why, Active Directory says in a number
of Windows (https://learn.microsoft.com/en-us/windows/win32/debug/system-error-codes--1300-1699-), others in the control of password
policies (https://datatracker.ietf.org/doc/html/draft-behera-ldap-password-policy). TLS is begun where the server takes it (RFC 4511 4.14), from the
first byte for `ldaps://`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from leakguard.errors import NetError
from leakguard.model.finding import Verdict
from leakguard.model.verdict import Identity
from leakguard.net.message import Sent
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._login import NO_LOGIN, account_of, evidence, login_of, planned
from leakguard.verifiers._socket import Line, connected

LOGIN = True
_START_TLS = b"1.3.6.1.4.1.1466.20037"
_WHO_AM_I = b"1.3.6.1.4.1.4203.1.11.3"
_POLICY = b"1.3.6.1.4.1.42.2.27.8.5.1"
_BIND, _EXTENDED = 0x61, 0x78
_LONGEST = 64 << 10
"""Bytes of an answer."""
_STATES = {
    8: ("unknown", "tls", "the server takes logins over TLS only"),
    13: ("unknown", "tls", "the server takes logins over TLS only"),
    34: ("unknown", "unexpected", "its user is no name that this directory knows"),
    48: ("unknown", "unexpected", "the server wants another way to log in"),
    49: ("dead", "wrong_secret", ""),
    51: ("unknown", "provider_5xx", "the server is busy"),
    52: ("unknown", "provider_5xx", "the server is not available"),
}
"""Result of a bind -> what it proves."""
_DIRECTORY = {
    "525": ("dead", "", ""),
    "52e": ("dead", "wrong_secret", ""),
    "530": ("live_restricted", "", "it may not log in at this hour"),
    "531": ("live_restricted", "", "it may not log in from here"),
    "532": ("live_restricted", "", "its password has to be changed first"),
    "533": ("dead", "locked", ""),
    "701": ("dead", "expired", ""),
    "773": ("live_restricted", "", "its password has to be changed first"),
    "775": ("unknown", "throttled", "wrong tries have locked the account"),
}
"""Active Directory's reason for 49 -> what it proves."""
_POLICIES = {
    0: ("live_restricted", "", "its password has to be changed first"),
    1: ("dead", "locked", ""),
    2: ("live_restricted", "", "its password has to be changed first"),
}
"""Error of a password policy -> what it proves."""


def account(credential: Credential) -> str:
    """Return whose tries are counted."""
    return account_of(credential)


def plan(credential: Credential, _tools: Tools) -> Iterator[Sent]:
    """Yield the one login."""
    return planned(credential)


def check(credential: Credential, tools: Tools) -> Verdict:
    """Log in."""
    login = login_of(credential)
    if login is None or not login.user:
        return NO_LOGIN
    with connected(login, tools) as line:
        talk = _Talk(line)
        if login.scheme == "ldaps":
            line.secure()
        elif talk.ask(_written(0x77, _written(0x80, _START_TLS)), _EXTENDED).code == 0:
            line.secure(offered=True)
        else:
            line.need_tls()
        bind = _written(0x60, b"\2\1\3", _written(4, login.user.encode()), _written(0x80, login.password.encode()))
        control = _written(0xA0, _written(0x30, _written(4, _POLICY)))
        told = talk.ask(bind + control, _BIND)
        who = talk.ask(_written(0x77, _written(0x80, _WHO_AM_I)), _EXTENDED) if told.code == 0 else None
    reason = re.search(r"\bdata ([0-9a-f]{3}),", told.text) if told.code == 49 else None
    shown = " ".join(filter(None, (f"result {told.code}", f"data {reason[1]}" if reason else "")))
    shown += f" policy {told.policy}" if told.policy >= 0 else ""
    seen = evidence("ldap", credential, tools, login.place, shown)
    identity = Identity(name=login.user, account=login.host.strip("[]"))
    if who is not None:
        if who.code == 0 and not who.value:
            return Verdict("unknown", "unexpected", "the server lets everybody in", None, seen)
        name = who.value.decode("utf-8", "replace").removeprefix("dn:").removeprefix("u:") if who.code == 0 else login.user
        identity = identity._replace(name="".join(c for c in name if c.isprintable())[:200])
        state = _POLICIES.get(told.policy, ("live", "", ""))
    elif reason:
        state = _DIRECTORY.get(reason[1], ("unknown", "unexpected", ""))
    else:
        state = _STATES.get(told.code, ("unknown", "unexpected", ""))
        state = _POLICIES.get(told.policy, state) if told.code == 49 else state
    return Verdict(*state, identity if state[0].startswith("live") else None, seen)


class _Told(NamedTuple):
    """An answer."""

    code: int
    text: str
    """What the server says to it, in its own words."""
    value: bytes = b""
    policy: int = -1
    """Error of the password policy's control, -1 for none."""


class _Talk:
    """Asks and reads one message after the other (BER, https://www.rfc-editor.org/rfc/rfc4511#section-5.1)."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._asked = 0
        self._garbled = NetError(f"{line.host}:{line.port} does not speak LDAP", cause="network")

    def ask(self, operation: bytes, kind: int) -> _Told:
        """Send an operation and return the answer of that kind to it.

        Raises:
            NetError: the answer is none of LDAP.
        """
        self._asked += 1
        self._line.sock.sendall(_written(0x30, _written(2, bytes([self._asked])), operation))
        try:
            return self._read(kind)
        except (ValueError, IndexError):
            raise self._garbled from None

    def _read(self, kind: int) -> _Told:
        head = self._line.exactly(2)
        size = head[1]
        if size > 127:
            size = int.from_bytes(self._line.exactly(size & 127 if size & 127 < 5 else 0), "big")
        if head[0] != 0x30 or not 0 < size <= _LONGEST:
            raise self._garbled
        number, *rest = _parts(self._line.exactly(size))
        if number != (2, bytes([self._asked])) or not rest or rest[0][0] != kind:
            raise self._garbled
        code, _, text, *further = _parts(rest[0][1])
        value = next((value for tag, value in further if tag == 0x8B), b"")
        policy = _policy(rest[1][1]) if len(rest) > 1 and rest[1][0] == 0xA0 else -1
        return _Told(int.from_bytes(code[1], "big"), text[1].decode("utf-8", "replace"), value, policy)


def _policy(controls: bytes) -> int:
    for _, control in _parts(controls):
        oid, *rest = _parts(control)
        if oid[1] == _POLICY and rest:
            return next((error[0] for tag, error in _parts(_parts(rest[-1][1])[0][1]) if tag == 0x81 and error), -1)
    return -1


def _written(tag: int, *pieces: bytes) -> bytes:
    body = b"".join(pieces)
    size = len(body)
    return bytes([tag]) + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + body


def _parts(body: bytes) -> list[tuple[int, bytes]]:
    """Return the tags and bodies that stand one after the other in a body.

    Raises:
        ValueError: they don't fill it.
    """
    out = []
    at = 0
    while at < len(body):
        tag, size = body[at], body[at + 1]
        at += 2
        if size > 127:
            width = size & 127
            size = int.from_bytes(body[at : at + width], "big")
            at += width
        if at + size > len(body):
            raise ValueError
        out.append((tag, body[at : at + size]))
        at += size
    return out
