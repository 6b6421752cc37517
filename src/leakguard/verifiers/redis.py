"""Redis logins: AUTH, ask who that is, leave. Nothing is read but the server's own description; one try for each account and day.

What it answers (https://redis.io/docs/latest/commands/auth/): `OK`; `WRONGPASS` to a pair that is wrong or a user that is
disabled, without telling which; before version 6 `invalid password`. A server that lets everybody in, and a user without a
password by its setting `nopass`, take any: then the password proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from leakguard.errors import NetError
from leakguard.model.finding import Verdict
from leakguard.model.verdict import Identity
from leakguard.net.message import Sent
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._login import NO_LOGIN, Login, account_of, evidence, login_of, planned
from leakguard.verifiers._socket import Line, connected

LOGIN = True
SUFFIXES = (".upstash.io", ".redns.redis-cloud.com", ".redis.cache.windows.net", ".aivencloud.com", ".db.ondigitalocean.com")
"""Hosts of vendors that run Redis for others; these are asked over TLS only."""
_LONGEST = 64 << 10
"""Bytes of an answer."""
_BUSY = ("LOADING", "BUSY", "MASTERDOWN", "TRYAGAIN", "ERR max number of clients")


class _Refusal(str):
    """An error that the server answered."""

    __slots__ = ()


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
    with connected(login, tools, SUFFIXES) as line:
        if login.scheme == "rediss":
            line.secure()
        else:
            line.need_tls()
        return _asked(line, login, credential, tools)


def _asked(line: Line, login: Login, credential: Credential, tools: Tools) -> Verdict:
    answers = _Answers(line)

    def ask(*words: str) -> Any:
        line.sock.sendall(_written(*words))
        return answers.read()

    def said(decided: str, state: str, reason: str = "", detail: str = "", identity: Identity | None = None) -> Verdict:
        return Verdict(state, reason, detail, identity, evidence("redis", credential, tools, login.place, decided))

    own = login.user not in ("", "default")
    if not own and ask("PING") == "PONG":
        return said("PING", "unknown", "unexpected", "the server lets everybody in without a password")
    told = ask("AUTH", *([login.user] if login.user else []), login.password)
    if isinstance(told, _Refusal):
        if told.startswith("WRONGPASS"):
            return said("WRONGPASS", "dead")
        if told == "ERR invalid password":
            return said("ERR invalid password", "dead", "wrong_secret")
        if told.startswith(_BUSY):
            return said("AUTH", "unknown", "provider_5xx", "the server is busy")
        return said("AUTH", "unknown", "unexpected", "the server takes no such login from here")
    alive = ask("PING")
    if told != "OK" or (alive != "PONG" and not _denied(alive)):
        # other protocols say OK too
        return said("AUTH", "unknown", "unexpected")
    who = ask("ACL", "WHOAMI")
    name = who if isinstance(who, str) and not isinstance(who, _Refusal) else login.user or "default"
    rights = ask("ACL", "GETUSER", name)
    flags = rights[1] if isinstance(rights, list) and len(rights) > 1 and isinstance(rights[1], list) else []
    if "nopass" in flags:
        return said("ACL GETUSER", "unknown", "unexpected", "that user takes any password")
    info = ask("INFO", "server")
    version = next((row[14:] for row in str(info).splitlines() if row.startswith("redis_version:")), "")
    decided = f"OK of Redis {version}" if version.replace(".", "").isdigit() else "OK"
    database = login.database if login.database.isdigit() else "0"
    identity = Identity(name=name, type="user", account=f"{login.host}/{database}", scopes=_scopes(rights))
    chosen = ask("SELECT", database) if database != "0" else "OK"
    if _denied(chosen):
        return said(decided, "live_restricted", "", "it may not use that database", identity)
    gone = "the database is gone, the login is not" if isinstance(chosen, _Refusal) else ""
    return said(decided, "live", "", gone, identity)


def _denied(told: Any) -> bool:
    return isinstance(told, _Refusal) and told.startswith("NOPERM")


def _scopes(rights: Any) -> tuple[str, ...]:
    """Return the commands that a user may call (`+@all -flushall`), where it may ask for them."""
    pairs = dict(zip(rights[::2], rights[1::2], strict=False)) if isinstance(rights, list) else {}
    commands = pairs.get("commands")
    return tuple(commands.split()[:50]) if isinstance(commands, str) else ()


def _written(*words: str) -> bytes:
    """Return a command as RESP writes it (https://redis.io/docs/latest/develop/reference/protocol-spec/)."""
    raw = [word.encode() for word in words]
    return b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in raw)


class _Answers:
    """The server's answers, at most `_LONGEST` bytes in all."""

    def __init__(self, line: Line) -> None:
        self._file = line.sock.makefile("rb")
        self._left = _LONGEST
        self._garbled = NetError(f"{line.host}:{line.port} does not speak Redis", cause="network")

    def read(self, depth: int = 0) -> Any:
        """Return one answer: a text, a `_Refusal`, a number, a list or None."""
        head = self._file.readline(self._left)
        self._left -= len(head)
        if not head:
            raise EOFError
        kind, rest = head[:1], head[1:].rstrip(b"\r\n").decode("utf-8", "replace")
        if kind == b"+":
            return rest
        if kind == b"-":
            return _Refusal(rest)
        if not rest.removeprefix("-").isdecimal() or len(rest) > 9:
            raise self._garbled
        size = int(rest)
        if kind == b":":
            return size
        if kind not in (b"$", b"*") or size + 2 > self._left or depth > 4:
            raise self._garbled
        if size < 0:
            return None
        if kind == b"*":
            return [self.read(depth + 1) for _ in range(size)]
        raw = self._file.read(size + 2)
        self._left -= len(raw)
        if len(raw) < size + 2:
            raise EOFError
        return raw[:-2].decode("utf-8", "replace")
