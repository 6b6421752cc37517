"""MySQL and MariaDB logins: connect, ask who that is, leave. Nothing is written; one try for each account and day.

The server's number decides (https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html and
https://mariadb.com/docs/server/reference/error-codes): 1045 refuses a user and password, as they come from this address; 3118 and
4151 are accounts that are locked; of its database (1044, 1049) it is asked once it let the user in. TLS is used where the server has it;
no password is handed to a server that asks for it in clear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from leakguard.errors import MissingExtraError, NetError
from leakguard.model.finding import Verdict
from leakguard.model.verdict import Identity
from leakguard.net.message import Sent
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._login import NO_LOGIN, Login, account_of, evidence, login_of, planned
from leakguard.verifiers._socket import Line, connected

LOGIN = True
SUFFIXES = (
    ".rds.amazonaws.com",
    ".psdb.cloud",
    ".aivencloud.com",
    ".mysql.database.azure.com",
    ".db.ondigitalocean.com",
)
"""Hosts of vendors that run MySQL for others."""
_STATES = {
    1045: ("dead", "wrong_secret", "the server refuses this user and password from here"),
    3118: ("dead", "locked", ""),
    4151: ("dead", "locked", ""),
    1049: ("live", "", "the database is gone, the login is not"),
    1044: ("live_restricted", "", "it may not use that database"),
    1203: ("live_restricted", "", "it has as many connections as it may have"),
    1226: ("live_restricted", "", "it has used up what it may ask in an hour"),
    1820: ("live_restricted", "", "its password has to be changed before it may ask anything"),
    1862: ("live_restricted", "", "its password has to be changed before it may ask anything"),
    1040: ("unknown", "provider_5xx", "the server has no connection free"),
    1053: ("unknown", "provider_5xx", "the server stops"),
    1129: ("unknown", "unexpected", "the server takes no connections from here"),
    1130: ("unknown", "unexpected", "the server takes no connections from here"),
    3159: ("unknown", "tls", "the server takes logins over TLS only"),
    3955: ("unknown", "throttled", "wrong tries have locked the account for a while"),
}
"""Number of an error -> what it proves."""
_GRANT = re.compile(r"GRANT ([A-Z][A-Z ,]{0,2000}) ON (\S{1,200}) TO ")


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
    try:
        import pymysql
    except ImportError:
        raise MissingExtraError("logins to MySQL need PyMySQL", hint="pip install 'leakguard[verify-db]'") from None
    with connected(login, tools, SUFFIXES) as line:
        connection = _connection(login, line)
        try:
            connection.connect(line.sock)
            return _live(connection, login, credential, tools)
        except (pymysql.err.OperationalError, pymysql.err.InternalError) as e:
            return _refused(e, login, credential, tools)
        except (pymysql.err.Error, ValueError, IndexError, TypeError, AttributeError, UnicodeError):
            # what the library stumbles over in bytes that are no MySQL
            raise NetError(f"{login.place} does not speak MySQL", cause="network") from None
        finally:
            connection._force_close()  # noqa: SLF001 - its `close` raises where the server was gone first


def _connection(login: Login, line: Line) -> Any:
    from pymysql.connections import Connection

    connection = Connection(
        host=line.host,
        port=line.port,
        user=login.user,
        password=login.password,
        defer_connect=True,
        read_timeout=None,
        charset="utf8mb4",
        program_name="leakguard",
        # these two would send the password as it is
        auth_plugin_map={b"mysql_clear_password": _Refusing, b"dialog": _Refusing},
        # TLS has to be there where clear text may not be; else it is taken where the server has it
        ssl=None if line.clear else line.context(),
    )
    if line.clear:
        connection.ctx = line.context(offered=True)
    return connection


class _Refusing:
    """Takes the place of a way to log in that is not wanted."""

    def __init__(self, _connection: object) -> None: ...

    def authenticate(self, _packet: object) -> object:
        """Refuse.

        Raises:
            NetError: always.
        """
        raise NetError("not logged in: the server asks for the password in clear", cause="tls")


def _live(connection: Any, login: Login, credential: Credential, tools: Tools) -> Verdict:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER(), VERSION()")
        user, version = (str(one or "") for one in cursor.fetchone() or ("", ""))
        cursor.execute("SHOW GRANTS")
        rows = [str(row[0]) for row in cursor.fetchmany(50)]
    # what follows the account in a row may be the hash of its password
    grants = [f"{found[1]} ON {found[2].replace('`', '')}" for row in rows if (found := _GRANT.match(row))]
    decided = f"CURRENT_USER() of {version}" if re.fullmatch(r"[0-9A-Za-z.+~:\-]{1,80}", version) else "CURRENT_USER()"
    seen = evidence("mysql", credential, tools, login.place, decided)
    name, _, _ = user.rpartition("@")
    if name != login.user:
        return Verdict("unknown", "unexpected", "the server lets everybody in", None, seen)
    top = any(grant.endswith(" ON *.*") and re.search(r"\b(ALL PRIVILEGES|SUPER)\b", grant) for grant in grants)
    where = f"{login.host}/{login.database}" if login.database else login.host
    identity = Identity(name=user, type="superuser" if top else "user", account=where, scopes=tuple(grants))
    state, reason, detail = _STATES[number] if (number := _denied(connection, login.database)) else ("live", "", "")
    return Verdict(state, reason, detail, identity, seen)


def _denied(connection: Any, database: str) -> int:
    """Return the number of the error with which a database is refused to who is logged in, 0 where it is not."""
    from pymysql.err import MySQLError

    try:
        if database:
            connection.select_db(database)
    except MySQLError as e:
        if e.args and e.args[0] in (1044, 1049):
            return int(e.args[0])
        raise
    return 0


def _refused(error: Exception, login: Login, credential: Credential, tools: Tools) -> Verdict:
    """Say what a server's error means; its text is not passed on, since it repeats names of ours."""
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, OSError):
        raise cause
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if 2000 <= number < 3000:
        # the client's own: the connection was cut, or TLS is missing
        if number == 2026:
            line = f"{login.place} has no TLS"
            raise NetError(line, cause="tls", hint=f"--allow-host http://{login.place} where it may be asked without") from None
        raise ConnectionError
    state, reason, detail = _STATES.get(number, ("unknown", "unexpected", ""))
    identity = Identity(name=login.user, account=f"{login.host}/{login.database}") if state.startswith("live") else None
    return Verdict(state, reason, detail, identity, evidence("mysql", credential, tools, login.place, f"error {number}"))
