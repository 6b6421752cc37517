"""A login to a server as it stands round a password: a URL (`postgres://user:password@host:5432/db`) or Go's name of a MySQL
database (`user:password@tcp(host:3306)/db`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from leakguard.model.finding import Verdict
from leakguard.model.verdict import Evidence
from leakguard.net.message import Sent
from leakguard.net.policy import Policy
from leakguard.verifiers._contract import Credential, Tools

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]{1,30})://(?P<user>[^\s:/@\"'<>`]{0,128}):(?P<password>[^\s\"'<>`]{1,256}?)@"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z_.\-]{1,253})(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^\s\"'<>`?#]{0,256})?(?:\?(?P<query>[^\s\"'<>`#]{0,512}))?"
)
_DSN = re.compile(
    r"(?<![^\s\"'`=])(?P<user>[^\s:/@\"'<>`=]{1,128}):(?P<password>[^\s\"'<>`]{1,256}?)@tcp\("
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z_.\-]{1,253})(?::(?P<port>[0-9]{1,5}))?\)(?:/(?P<path>[^\s\"'<>`?#/]{0,64}))?"
)
"""https://github.com/go-sql-driver/mysql#dsn-data-source-name: nothing in it is written in percents."""

PORTS = {
    "postgres": 5432,
    "postgresql": 5432,
    "mysql": 3306,
    "mariadb": 3306,
    "redis": 6379,
    "rediss": 6379,
    "smtp": 587,  # where logins are taken (RFC 6409); 25 is for servers among themselves
    "smtps": 465,
    "imap": 143,
    "imaps": 993,
    "ftp": 21,
    "ftps": 990,
    "ldap": 389,
    "ldaps": 636,
    "amqp": 5672,
    "amqps": 5671,
}
"""Scheme -> port, where a URL names none."""


class Login(NamedTuple):
    """Where to log in, and as whom; the password stays with the credential."""

    scheme: str
    """Lower-case, without a driver (`postgresql+psycopg` is `postgresql`)."""
    user: str
    host: str
    port: int
    """The scheme's own where the URL names none; 0 where that is not known."""
    database: str
    options: tuple[tuple[str, str], ...] = ()
    password: str = ""
    """As the server expects it: percent escapes taken out."""

    def __repr__(self) -> str:
        return f"<Login {self.scheme}://{self.host}:{self.port}>"

    @property
    def place(self) -> str:
        """Its server as `host:port`."""
        return f"{self.host.strip('[]')}:{self.port}"


def login_of(credential: Credential) -> Login | None:
    """Return the login whose password a credential is, None where none stands round it."""
    values = credential.values()
    secret, around = values["secret"], values.get("around", "")
    for found in _URL.finditer(around):
        if found["password"] != secret:
            continue
        scheme = found["scheme"].lower().partition("+")[0]
        return Login(
            scheme=scheme,
            user=unquote(found["user"]),
            host=found["host"].lower(),
            port=_port(found["port"], scheme),
            database=unquote((found["path"] or "/")[1:]),
            options=tuple(parse_qsl(found["query"] or "")),
            password=unquote(secret),
        )
    for found in _DSN.finditer(around):
        if found["password"] == secret:
            host, port = found["host"].lower(), _port(found["port"], "mysql")
            return Login("mysql", found["user"], host, port, found["path"] or "", (), secret)
    return None


def _port(written: str | None, scheme: str) -> int:
    port = int(written or PORTS.get(scheme, 0))
    return port if port < 65536 else 0


def reach(login: Login, tools: Tools, suffixes: tuple[str, ...] = ()) -> str:
    """Return the checked address of a login's server.

    A host that stands beside a credential has to be allowed by a person, or to end in one of a vendor's `suffixes`.

    Raises:
        NetError: it may not be asked, or can't be resolved.
    """
    usual = PORTS.get(login.scheme, login.port)
    policy = Policy(suffixes=suffixes, allowed=tuple(a._replace(port=a.port or usual) for a in tools.allowed))
    return tools.address(login.host.strip("[]"), login.port, policy)


NO_LOGIN = Verdict("unknown", "no_partner", "its host and user were not found")


def account_of(credential: Credential) -> str:
    """Return what the lockout guard counts tries of, and verdicts are kept for: one account, whatever its database."""
    login = login_of(credential)
    return f"{login.user}@{login.place}" if login else ""


def planned(credential: Credential) -> Iterator[Sent]:
    """Yield the one login."""
    login = login_of(credential)
    if login:
        yield Sent(login.place, "LOGIN", "", (), "read")


def evidence(verifier: str, credential: Credential, tools: Tools, place: str, decided: str) -> tuple[Evidence, ...]:
    """Return the record of one login; `decided` holds nothing that the server says in its own words."""
    now = datetime.fromtimestamp(tools.wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (Evidence(now, verifier, credential.check.version, place, "LOGIN", decided=decided),)
