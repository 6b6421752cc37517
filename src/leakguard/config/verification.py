"""The `[verify]` table of a settings file that is trusted: what is ours, which hosts and what may be asked, what is a trap.

Invariant: it counts in a file that a person named (`--config`, `--trusted-config`) or that is the user's own; the settings of a
scanned repository can't set a host, allow a request, name a trap or call itself ours.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from leakguard.config.values import near
from leakguard.errors import ConfigError

_CLASSES = ("mint", "write", "billable", "notify")


class VerifySettings(NamedTuple):
    """What verification may do."""

    allow_hosts: tuple[str, ...] = ()
    """Hosts found beside credentials that may be asked; see `net.policy.allow`."""
    allow: tuple[str, ...] = ()
    """Classes of requests beside `read`."""
    endpoints: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Provider -> base URLs that are asked in place of the provider's own hosts."""
    canary_accounts: tuple[str, ...] = ()
    canary_hosts: tuple[str, ...] = ()
    ca_file: str = ""
    """Authorities to trust beside the system's."""
    max_requests: int = 0
    """Requests of one run; 0: no limit."""
    max_pairs: int = 0
    """Partners tried with one value; 0: the usual number."""
    scopes: tuple[str, ...] = ()
    """What is ours, as `scopes.read` returns it: verified also where no person asks."""


def read(table: object, where: str) -> VerifySettings:
    """Return what a `[verify]` table means.

    Raises:
        ConfigError: a key or a value is wrong; the file is named.
    """
    if not isinstance(table, dict):
        _wrong(where, "verify", "a table")
    keys = VerifySettings._fields
    values: dict[str, object] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in keys:
            raise ConfigError(
                f"{where}: unknown key 'verify.{key[:60]}'{near(name, keys)}", hint="the keys are: " + ", ".join(keys)
            )
        if name in ("max_requests", "max_pairs"):
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                _wrong(where, name, "a whole number")
            values[name] = value
        elif name == "ca_file":
            if not isinstance(value, str):
                _wrong(where, name, "a path")
            values[name] = value
        elif name == "endpoints":
            if not isinstance(value, dict):
                _wrong(where, name, "a table of provider = URL")
            values[name] = tuple((p, _words(u, where, name)) for p, u in sorted(value.items()))
        elif name == "scopes":
            values[name] = tuple(_scope(word, where) for word in _words(value, where, name))
        else:
            values[name] = _words(value, where, name)
    settings = VerifySettings(**values)  # type: ignore[arg-type]  # each was checked above
    if not set(settings.allow) <= set(_CLASSES):
        _wrong(where, "allow", "of " + ", ".join(_CLASSES))
    if any(not url.startswith(("https://", "http://")) for _, urls in settings.endpoints for url in urls):
        _wrong(where, "endpoints", "a table of provider = URL, https:// or http://")
    return settings


def _scope(word: str, where: str) -> str:
    from leakguard.config.scopes import read as read_scope

    found = read_scope(word)
    if not found:
        raise ConfigError(
            f"{where}: verify.scopes names {word[:60]!r}, which is no repository, organisation or folder",
            hint='write "github.com/acme", "gitlab.acme.example/team/app", "/srv/repositories", "~/src" or "-" (standard input)',
        )
    return found


def _words(value: object, where: str, name: str) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(w, str) and w for w in words):
        _wrong(where, name, "a list of strings")
    return tuple(words)


def _wrong(where: str, name: str, wanted: str) -> NoReturn:
    raise ConfigError(f"{where}: verify.{name} has to be {wanted}" if name != "verify" else f"{where}: verify has to be {wanted}")
