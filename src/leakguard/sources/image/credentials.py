"""Logins to registries, where docker and podman keep them: their files, and the helpers that those name.

A helper is asked as docker asks it: `docker-credential-NAME get`, the registry through its input, the login from its
output; nothing of it stands in an argument list.
"""

from __future__ import annotations

import binascii
import json
import os
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from leakguard.errors import SourceError

_LARGEST = 1 << 20
_SECONDS = 30.0
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN_USER = "<token>"  # noqa: S105 - the name by which helpers say that the secret is an identity token
_HUB = "index.docker.io"


class Login(NamedTuple):
    """How to tell a registry who asks."""

    user: str
    secret: str
    token: bool = False
    """The secret is an identity token, which an access token is given for."""

    def __repr__(self) -> str:
        return "<Login>"


def login(host: str, repository: str, environ: Mapping[str, str]) -> Login | None:
    """Return the login for an image in a registry, None where nobody keeps one.

    Raises:
        SourceError: a file or helper that should know one can't be read.
    """
    for path in _files(environ):
        data = _settings(path)
        if data is None:
            continue
        helpers = data.get("credHelpers")
        named = helpers.get(host) if isinstance(helpers, dict) else None
        store = data.get("credsStore")
        for helper in (named, store):
            if isinstance(helper, str) and helper and (found := _asked(helper, host, environ)):
                return found
        auths = data.get("auths")
        if isinstance(auths, dict) and (found := _kept(auths, host, repository)):
            return found
    return None


def _files(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield where logins are kept, the most particular first."""
    home = environ.get("HOME") or os.path.expanduser("~")
    if environ.get("REGISTRY_AUTH_FILE"):
        yield environ["REGISTRY_AUTH_FILE"]
    yield os.path.join(environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker"), "config.json")
    if environ.get("XDG_RUNTIME_DIR"):
        yield os.path.join(environ["XDG_RUNTIME_DIR"], "containers", "auth.json")
    yield os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "containers", "auth.json")


def _settings(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            raw = file.read(_LARGEST + 1)
        data = json.loads(raw) if len(raw) <= _LARGEST else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        raise SourceError(f"{path} can't be read: {e.strerror}", hint="check its permissions") from None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise SourceError(f"{path} is no JSON object", hint="`docker login` writes it anew")
    return data


def _kept(auths: dict[str, Any], host: str, repository: str) -> Login | None:
    """Return the login of the entry that fits best: podman's may name a repository below the host."""
    parts = repository.split("/")
    wanted = ["/".join([host, *parts[:n]]) for n in range(len(parts), -1, -1)]
    entries = {_plain(key): value for key, value in auths.items() if isinstance(value, dict)}
    for key in wanted:
        entry = entries.get(key)
        if entry is None:
            continue
        if isinstance(entry.get("identitytoken"), str) and entry["identitytoken"]:
            return Login("", entry["identitytoken"], token=True)
        if found := _pair(entry):
            return found
    return None


def _plain(key: str) -> str:
    """Return a key of `auths` as host and path; docker writes URLs for some."""
    key = key.partition("://")[2] or key
    host, _, path = key.partition("/")
    return host if path.rstrip("/") in {"", "v1", "v2"} else f"{host}/{path.rstrip('/')}"


def _pair(entry: dict[str, Any]) -> Login | None:
    auth, user, password = entry.get("auth"), entry.get("username"), entry.get("password")
    if isinstance(auth, str) and auth:
        try:
            user, _, password = b64decode(auth, validate=True).decode("utf-8").rstrip("\0").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise SourceError("a login in docker's config.json can't be read", hint="`docker login` writes it anew") from None
    if isinstance(user, str) and user and isinstance(password, str) and password:
        return Login(user, password)
    return None


def _asked(helper: str, host: str, environ: Mapping[str, str]) -> Login | None:
    """Return what a helper knows."""
    import subprocess

    program = f"docker-credential-{helper}"
    path = _program(program, environ) if _HELPER.fullmatch(helper) else None
    if path is None:
        raise SourceError(f"the credential helper {helper[:64]!r} is not there", hint="install it, or `docker login` without it")
    url = f"https://{_HUB}/v1/" if host == _HUB else host
    try:
        done = subprocess.run(  # noqa: S603 - named by the user's own settings, without a shell
            [path, "get"], input=url.encode(), capture_output=True, timeout=_SECONDS, check=False, env=dict(environ)
        )
    except (OSError, subprocess.TimeoutExpired):
        raise SourceError(f"{program} does not answer", hint="run it by hand, or `docker login` without it") from None
    if done.returncode:
        if b"not found" in done.stdout or b"not found" in done.stderr:
            return None  # the helpers' own word for a registry that they do not know
        raise SourceError(
            f"{program} ended with {done.returncode}", hint="run it by hand; its words may hold a login, so they are not shown"
        )
    try:
        data = json.loads(done.stdout[:_LARGEST])
    except (ValueError, RecursionError):
        data = None
    user, secret = (data.get("Username"), data.get("Secret")) if isinstance(data, dict) else (None, None)
    if not isinstance(user, str) or not isinstance(secret, str):
        raise SourceError(f"{program} gave no login", hint="run it by hand, or `docker login` without it")
    return Login("" if user == _TOKEN_USER else user, secret, user == _TOKEN_USER) if secret else None


def _program(name: str, environ: Mapping[str, str]) -> str | None:
    """Return a program's path; a relative part of PATH would mean the current folder, which may be hostile."""
    for folder in environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isabs(folder) and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None
