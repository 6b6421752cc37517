"""What a person names: a file, a folder, an image in a registry or in an engine. Prefixes are the ones that skopeo knows."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from leakguard.errors import UsageError

_PREFIXES = {
    "docker-archive": "archive",
    "oci-archive": "archive",
    "oci": "archive",
    "docker": "registry",
    "registry": "registry",
    "docker-daemon": "docker-daemon",
    "podman": "podman",
}
"""Prefix -> where the image is; a file or folder tells by itself how it is laid out."""

_HINT = "name a file, a folder or an image as in registry.example/team/app:1.4"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
"""Digests that can be checked; the grammar of names and tags is the one of the distribution specification."""
_LONGEST = 255
"""Characters of a repository's name."""
_HUB = "docker.io"
_HUB_HOST = "registry-1.docker.io"


class Wanted(NamedTuple):
    """One image, or all of one file."""

    word: str
    """As it was typed."""
    where: str
    """`archive` (a file or a folder), `registry`, `docker-daemon`, `podman`; empty: wherever it is found first."""
    name: str
    """A path, or a reference."""
    part: str = ""
    """Of a file that holds several: a tag or a digest."""


class Reference(NamedTuple):
    """An image in a registry."""

    host: str
    """With its port, if one was named."""
    repository: str
    tag: str
    digest: str
    scheme: str = "https"

    @property
    def login(self) -> str:
        """The name under which docker keeps the login."""
        return "index.docker.io" if self.host == _HUB_HOST else self.host

    @property
    def version(self) -> str:
        """What a manifest is asked for by: the digest where there is one."""
        return self.digest or self.tag


def wanted(word: str) -> Wanted:
    """Read what was typed.

    Raises:
        UsageError: it is neither a file nor a name.
    """
    if not word or "\0" in word:
        raise UsageError("an image's name is empty or holds a NUL", hint=_HINT)
    prefix, colon, rest = word.partition(":")
    where = _PREFIXES.get(prefix, "") if colon else ""
    if where == "archive":
        return Wanted(word, where, *_file(rest))
    if where:
        return Wanted(word, where, reference_word(rest.removeprefix("//") if where == "registry" else rest))
    if os.path.lexists(word):
        return Wanted(word, "archive", word)
    if word.startswith((".", "/", "~")) or word.endswith((".tar", ".tar.gz", ".tgz")):
        raise UsageError(f"there is no {_shown(word)}", hint="check the path")
    return Wanted(word, "registry" if "://" in word else "", reference_word(word))


def _file(rest: str) -> tuple[str, str]:
    """Cut `PATH` or `PATH:PART`, where either may hold colons: the shortest path that is there counts."""
    if os.path.lexists(rest):
        return rest, ""
    for colon in (m.start() for m in re.finditer(":", rest)):
        if colon and os.path.lexists(rest[:colon]):
            return rest[:colon], rest[colon + 1 :].removeprefix("@")
    raise UsageError(f"there is no {_shown(rest)}", hint="check the path")


def reference_word(word: str) -> str:
    """Return a reference as it was typed, if it is one.

    Raises:
        UsageError: it is none.
    """
    reference(word)
    return word


def reference(word: str) -> Reference:
    """Read the name of an image as docker does; `http://` before it asks its registry in clear.

    Raises:
        UsageError: it is no such name.
    """
    scheme, there, plain = word.partition("://")
    if not there:
        scheme, plain = "", word
    plain, _, digest = plain.partition("@")
    name, _, tag = plain.rpartition(":") if ":" in plain.rpartition("/")[2] else (plain, "", "")
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first.startswith("[") or there):
        host, repository = first.lower(), rest
    else:
        host, repository = _HUB, name
    if host in {_HUB, "index.docker.io", _HUB_HOST}:
        host = _HUB_HOST
        repository = repository if "/" in repository else f"library/{repository}"
    fits = len(repository) <= _LONGEST and _REPOSITORY.fullmatch(repository)
    if not fits or (tag and not _TAG.fullmatch(tag)) or (digest and not DIGEST.fullmatch(digest)) or scheme not in _SCHEMES:
        raise UsageError(f"{_shown(word)} is no image", hint=_HINT)
    return Reference(host, repository, tag or ("" if digest else "latest"), digest, scheme or ("http" if _local(host) else "https"))


_SCHEMES = {"", "http", "https"}


def _local(host: str) -> bool:
    """Whether it is this machine, where registries speak in clear unless told otherwise."""
    bare = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    return bare == "localhost" or bare.startswith("127.") or bare == "[::1]"


def _shown(word: str) -> str:
    """Return what was typed, without a login that stands in it."""
    return re.sub(r"//[^/@]*@", "//", word[:300]).encode("utf-8", "backslashreplace").decode()
