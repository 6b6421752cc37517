"""Logins in URLs: the scheme says which verifier asks (`postgres://` the one for PostgreSQL)."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from leakguard import plugins
from leakguard.model.finding import Verdict
from leakguard.net.message import Sent
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._login import login_of

LOGIN = True
SCHEMES = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "mongodb": "mongodb",
    "redis": "redis",
    "rediss": "redis",
    "amqp": "amqp",
    "amqps": "amqp",
    "sqlserver": "mssql",
    "mssql": "mssql",
    "ldap": "ldap",
    "ldaps": "ldap",
    "smtp": "smtp",
    "smtps": "smtp",
    "imap": "imap",
    "imaps": "imap",
    "ftp": "ftp",
    "ftps": "ftp",
    "ssh": "ssh",
    "sftp": "ssh",
}
"""Scheme -> module of this package; one that is not there yet is told as unverifiable."""


def _module(credential: Credential) -> ModuleType | None:
    login = login_of(credential)
    name = SCHEMES.get(login.scheme, "") if login else ""
    return plugins.load("leakguard.verifiers", name) if name in plugins.names("leakguard.verifiers") else None


def account(credential: Credential) -> str:
    """Return whose tries are counted; empty where nothing is asked."""
    module = _module(credential)
    return str(module.account(credential)) if module else ""


def plan(credential: Credential, tools: Tools) -> Iterable[Sent]:
    """Yield what the scheme's verifier would send."""
    module = _module(credential)
    return module.plan(credential, tools) if module else ()


def check(credential: Credential, tools: Tools) -> Verdict:
    """Let the scheme's verifier ask."""
    module = _module(credential)
    if module is None:
        login = login_of(credential)
        return Verdict("unverifiable", "", f"nothing here asks {login.scheme}:// logins" if login else "no login stands round it")
    verdict: Verdict = module.check(credential, tools)
    return verdict
