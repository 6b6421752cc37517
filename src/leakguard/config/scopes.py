"""What is ours: the repositories, organisations, folders and images that trusted settings name.

A scope is a host with the beginning of a path in whole parts (`github.com/acme` covers `github.com/acme/app`, however it was
cloned), a folder written from its root, or `-` for standard input. A host alone is refused: all the world is on
github.com.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

_SCP = re.compile(r"(?:[^/@:]+@)?(?P<host>\[[0-9a-fA-F:]+\]|[^/:@\[\]]+):(?!//)(?P<path>.+)")
"""`git@github.com:acme/app.git`, as git reads what has no scheme."""
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*://(?:[^/@]*@)?(?P<host>\[[0-9a-fA-F:]+\]|[^/:@\[\]]+)(?::[0-9]*)?/+(?P<path>.+)")

_SLUG = re.compile(r"[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+(?::[0-9]+)?/")
"""`github.com/acme`; a host without a dot has to be written as a URL."""


def slug(url: str) -> str:
    """Return `host/path` of a repository's URL, lower-case, without user, password, port and `.git`; empty where it has no host."""
    found = _URL.fullmatch(url) or _SCP.fullmatch(url)
    if not found or url.startswith("file:") or not url.isprintable():
        return ""
    parts = [part for part in re.split(r"[?#]", found["path"])[0].lower().split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        return ""
    parts[-1] = parts[-1].removesuffix(".git")
    return "/".join([found["host"].lower(), *parts])


def read(word: str) -> str:
    """Return a scope as it is compared; empty where it is none."""
    if word == "-":
        return word
    path = os.path.expanduser(word)
    if os.path.isabs(path):
        return os.path.realpath(path)
    stem = word.rstrip("/").removesuffix("/*")
    return slug(f"https://{stem}") if _SLUG.match(stem) else slug(stem)


def covered(name: str, scopes: Iterable[str]) -> bool:
    """Whether a scope covers what `slug` or `os.path.realpath` returned, or `-`."""
    return bool(name) and any(name == scope or name.startswith(scope.rstrip("/" + os.sep) + _sep(scope)) for scope in scopes)


def _sep(scope: str) -> str:
    return os.sep if os.path.isabs(scope) else "/"
