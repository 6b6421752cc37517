"""The key under which ids are computed, and the id itself.

Invariant: an id says nothing about a value to anyone without the key, and no unkeyed hash leaves the program.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import NamedTuple

from leakguard.config import user_folder
from leakguard.errors import ConfigError
from leakguard.secret import Secret

_LENGTH = 32
_LEAST = 16


class IdKey(NamedTuple):
    """A key and who shares it."""

    key: bytes
    scope: str
    """`team`, `repository`, `user`, or `run`: nobody can compute these ids again."""


def finding_id(key: bytes, secret: Secret) -> str:
    """Return the first 16 hex digits of HMAC-SHA256(key, value)."""
    from hmac import digest

    return digest(key, secret.reveal(), "sha256").hex()[:16]


def id_key(environ: Mapping[str, str], repo_root: str | None, *, create: bool) -> IdKey:
    """Return the key: the team's (variable or file), the repository's, the user's, else one of this run.

    `create` writes a user's key where there is none; a home that can't be written is no error.

    Raises:
        ConfigError: a key that was named is missing, too short, or readable by others.
    """
    if text := environ.get("LEAKGUARD_ID_KEY"):
        return IdKey(_usable(text.encode(), "LEAKGUARD_ID_KEY"), "team")
    if path := environ.get("LEAKGUARD_ID_KEY_FILE"):
        key = _read(path, strict=True)
        if key is None:
            msg = f"LEAKGUARD_ID_KEY_FILE names {path}, which is not there"
            raise ConfigError(msg, hint="write the team's key there, mode 0600")
        return IdKey(_usable(key, path), "team")
    if repo_root:
        path = os.path.join(repo_root, ".leakguard", "id.key")
        key = _read(path, strict=True)
        if key is not None:
            return IdKey(_usable(key, path), "repository")
    folder = user_folder(environ, "XDG_CONFIG_HOME", ".config")
    if folder:
        path = os.path.join(folder, "id.key")
        key = _read(path, strict=False)
        if key is None and create:
            key = _create(folder, path)
        if key is not None and len(key) >= _LEAST:
            return IdKey(key, "user")
    return IdKey(os.urandom(_LENGTH), "run")


def _usable(key: bytes, where: str) -> bytes:
    key = key.strip()
    if len(key) < _LEAST:
        msg = f"the key in {where} is shorter than {_LEAST} characters"
        raise ConfigError(msg, hint="make one: python3 -c 'import secrets; print(secrets.token_hex(32))'")
    return key


def _read(path: str, *, strict: bool) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        if not strict:
            return None
        msg = f"{path}: {e.strerror}"
        raise ConfigError(msg, hint="a key is a regular file, mode 0600") from None
    with open(fd, "rb") as f:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or (os.name == "posix" and status.st_mode & 0o077):
            if not strict:
                return None
            msg = f"{path} can be read by others"
            raise ConfigError(msg, hint=f"chmod 600 {path}")
        return f.read(4096).strip()


def _create(folder: str, path: str) -> bytes | None:
    """Write a new key whole and at once; whoever was first wins."""
    key = os.urandom(_LENGTH).hex().encode()
    part = f"{path}.{os.getpid()}.part"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "wb") as f:
            f.write(key + b"\n")
        try:
            os.link(part, path)
        except FileExistsError:
            return _read(path, strict=False)
        finally:
            os.unlink(part)
    except OSError:
        return None
    return key
