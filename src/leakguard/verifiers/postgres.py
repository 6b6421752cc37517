"""PostgreSQL logins: connect, ask who that is, leave. Nothing is written; one try for each account and day.

The server's SQLSTATE decides (https://www.postgresql.org/docs/current/errcodes-appendix.html): 28P01 is a wrong password, 28000 a
login that is refused for another reason (a role that may not log in, or `pg_hba.conf`), 3D000 a missing database, which the server
only tells whom it let in. TLS is asked for and used where the server has it, as libpq's `sslmode=prefer` does, since the
password travels in a challenge, never in clear, unless the server asks for it in clear: then only over TLS.
"""

from __future__ import annotations

from collections.abc import Iterator

from leakguard.errors import MissingExtraError
from leakguard.model.finding import Verdict
from leakguard.model.verdict import Identity
from leakguard.net.message import Sent
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._login import NO_LOGIN, Login, account_of, evidence, login_of, planned, reach

LOGIN = True
SUFFIXES = (
    ".rds.amazonaws.com",
    ".neon.tech",
    ".supabase.co",
    ".aivencloud.com",
    ".postgres.database.azure.com",
    ".db.ondigitalocean.com",
)
"""Hosts of vendors that run PostgreSQL for others."""
_SECONDS = 10
_QUERY = (
    "select current_user, current_database(), coalesce((select rolvaliduntil::text from pg_roles where rolname = current_user), ''),"
    " (select rolsuper from pg_roles where rolname = current_user)"
)


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
        import psycopg
    except ImportError:
        raise MissingExtraError("logins to PostgreSQL need psycopg", hint="pip install 'leakguard[verify-db]'") from None
    address = reach(login, tools, SUFFIXES)
    asked = dict(login.options).get("sslmode", "")
    try:
        with psycopg.connect(
            host=login.host.strip("[]"),
            hostaddr=address,
            port=login.port,
            user=login.user,
            password=login.password,
            dbname=login.database or login.user,
            sslmode=asked if asked in ("require", "verify-ca", "verify-full") else "prefer",
            connect_timeout=_SECONDS,
            application_name="leakguard",
            client_encoding="utf8",
            options="-c default_transaction_read_only=on -c statement_timeout=5000",
            passfile="",
            require_auth="scram-sha-256,md5" if asked not in ("require", "verify-ca", "verify-full") else None,
        ) as connection:
            row = connection.execute(_QUERY).fetchone()
    except psycopg.Error as e:
        return _refused(e, login, credential, tools)
    user, database, until, top = row or ("", "", "", False)
    identity = Identity(
        name=str(user),
        type="superuser" if top else "role",
        account=f"{login.host}/{database}",
        expires="" if until == "infinity" else until,
    )
    return Verdict("live", "", "", identity, evidence("postgres", credential, tools, login.place, "current_user"))


def _refused(error: object, login: Login, credential: Credential, tools: Tools) -> Verdict:
    """Say what a server's error means; its text is not passed on, since it repeats names of ours."""
    state = str(getattr(error, "sqlstate", None) or _state_of(str(error)))
    seen = evidence("postgres", credential, tools, login.place, f"SQLSTATE {state}" if state else "no answer")
    identity = Identity(name=login.user, account=f"{login.host}/{login.database}")
    if state == "28P01":
        return Verdict("dead", "wrong_secret", "", None, seen)
    if state == "28000" and "not permitted to log in" in str(error):
        return Verdict("dead", "locked", "", None, seen)
    if state == "3D000":
        return Verdict("live", "", "the database is gone, the login is not", identity, seen)
    if state in ("42501", "53300", "57P03"):
        told = {
            "42501": "it may not connect to that database",
            "53300": "the server has no connection free",
            "57P03": "the server starts or stops",
        }
        return Verdict("live_restricted", "", told[state], identity, seen) if state == "42501" else Verdict("unknown", "provider_5xx", told[state], None, seen)  # fmt: skip
    if state == "28000":
        return Verdict("unknown", "unexpected", "the server takes no such login from here", None, seen)
    return Verdict("unknown", "timeout" if "timeout" in str(error) else "network", "", None, seen)


_TEXTS = {
    "password authentication failed": "28P01",
    "is not permitted to log in": "28000",
    "no pg_hba.conf entry": "28000",
    "permission denied for database": "42501",
    "too many clients": "53300",
    "the database system is": "57P03",
}
"""libpq gives no SQLSTATE for what fails while connecting: the server's English words, which it always has at hand."""


def _state_of(text: str) -> str:
    if "does not exist" in text and 'database "' in text:
        return "3D000"
    return next((state for words, state in _TEXTS.items() if words in text), "")
