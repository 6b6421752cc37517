"""AMQP 0-9-1 logins (RabbitMQ): open a connection, leave. No channel is opened; one try for each account and day.

What it answers (https://www.rabbitmq.com/docs/access-control and https://www.rabbitmq.com/docs/auth-notification): `tune` takes the login, a close
with 403 refuses it; after it 530 says that a virtual host is not there or not for that user.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from leakguard.errors import NetError
from leakguard.model.finding import Verdict
from leakguard.model.verdict import Identity
from leakguard.net.message import Sent
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._login import NO_LOGIN, Login, account_of, evidence, login_of, planned
from leakguard.verifiers._socket import Line, connected

LOGIN = True
_START, _START_OK, _TUNE, _TUNE_OK, _OPEN, _OPEN_OK, _CLOSE = 10, 11, 30, 31, 40, 41, 50
"""Methods of the class `connection` (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, 1.4)."""
_CONNECTION = 10
_LONGEST = 64 << 10
"""Bytes of a frame."""
_VERSION = re.compile(rb"\x07versionS\0\0\0[\1-\x28]([0-9A-Za-z.+~:\-]{1,40})")


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
        if login.scheme == "amqps":
            line.secure()
        else:
            line.need_tls()
        line.sock.sendall(b"AMQP\0\0\x09\1")
        start = _read(line, _START)
        version = _VERSION.search(start.body)
        if not re.search(rb"\bPLAIN\b", start.body):
            seen = evidence("amqp", credential, tools, login.place, "start")
            return Verdict("unknown", "unexpected", "the server takes no logins by password", None, seen)
        _write(line, _START_OK, _started(login))
        told = _read(line, _TUNE, _CLOSE)
        opened = None
        if told.method == _TUNE:
            _write(line, _TUNE_OK, told.body)
            _write(line, _OPEN, _short(login.database or "/") + b"\0\0")
            opened = _read(line, _OPEN_OK, _CLOSE)
    decided = " ".join(filter(None, ("tune" if opened else f"close {told.code}", f"of {version[1].decode()}" if version else "")))
    seen = evidence("amqp", credential, tools, login.place, decided)
    if opened is not None:
        identity = Identity(name=login.user, type="user", account=f"{login.host}/{(login.database or '/').lstrip('/')}")
        return Verdict(*_opened(opened), identity, seen)
    if told.code == 403 and login.user == "guest":
        return Verdict("unknown", "unexpected", "guest may mostly log in at the server itself only", None, seen)
    if told.code == 403:
        return Verdict("dead", "wrong_secret", "", None, seen)
    return Verdict("unknown", "provider_5xx" if told.code in (320, 506, 541) else "unexpected", "", None, seen)


def _opened(told: _Frame) -> tuple[str, str, str]:
    """Say what an answer for a virtual host proves of a login that was taken."""
    if told.method == _OPEN_OK:
        return "live", "", ""
    if told.code == 530 and b"not found" in told.body:
        return "live", "", "the virtual host is gone, the login is not"
    if told.code in (402, 530):
        return "live_restricted", "", "it may not use that virtual host"
    return "live_restricted", "", "the server opens no connection for it now"


class _Frame(NamedTuple):
    """A method that the server calls."""

    method: int
    body: bytes

    @property
    def code(self) -> int:
        """The code of a close, 0 of others."""
        return int.from_bytes(self.body[:2], "big") if self.method == _CLOSE else 0


def _started(login: Login) -> bytes:
    """Return the arguments of `start-ok`: that a refusal is to be told, then the login."""
    flags = _short("authentication_failure_close") + b"t\1"
    table = _short("capabilities") + b"F" + _long(flags) + _short("product") + b"S" + _long(b"leakguard")
    return _long(table) + _short("PLAIN") + _long(f"\0{login.user}\0{login.password}".encode()) + _short("en_US")


def _short(text: str) -> bytes:
    raw = text.encode()[:255]
    return bytes([len(raw)]) + raw


def _long(raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + raw


def _write(line: Line, method: int, arguments: bytes) -> None:
    body = struct.pack(">HH", _CONNECTION, method) + arguments
    line.sock.sendall(struct.pack(">BHI", 1, 0, len(body)) + body + b"\xce")


def _read(line: Line, *methods: int) -> _Frame:
    """Return the next method, one of those awaited.

    Raises:
        NetError: the server says something else.
    """
    kind, _, size = struct.unpack(">BHI", line.exactly(7))
    raw = line.exactly(size + 1) if kind == 1 and 4 <= size <= _LONGEST else b""
    if (
        raw[:2] != struct.pack(">H", _CONNECTION)
        or raw[-1:] != b"\xce"
        or (method := int.from_bytes(raw[2:4], "big")) not in methods
    ):
        raise NetError(f"{line.host}:{line.port} does not speak AMQP 0-9-1", cause="network")
    return _Frame(method, raw[4:-1])
