"""A repository as files: where its objects lie, and what git says about it in one call."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from leakguard.errors import SourceError
from leakguard.gitio import run as git
from leakguard.gitio.objects import Objects

_ALTERNATES = 5
"""Repositories may borrow from each other this deep, as git has it."""


class Repository(NamedTuple):
    """What a scan of history needs to know of a repository."""

    path: str
    """The folder that was named, absolute."""
    git_dir: str
    common_dir: str
    hash_length: int
    """Bytes of an object id: 20, or 32 with SHA-256."""
    bare: bool
    shallow: bool
    partial: bool
    """Objects may be missing on purpose; they are never fetched."""
    objects: tuple[str, ...]
    """Object folders: its own, then those it borrows from."""
    hook: bool = False
    """Git's variables for hooks count: the repository at hand, with what a push brings and is not accepted yet."""

    def packs(self) -> list[str]:
        """Return the index files of all packs, the largest pack first."""
        found = {}
        for folder in self.objects:
            packs = os.path.join(folder, "pack")
            for name in os.listdir(packs) if os.path.isdir(packs) else ():
                pack = os.path.join(packs, name[:-4] + ".pack")
                if name.endswith(".idx") and os.path.isfile(pack):
                    found[os.path.join(packs, name)] = os.path.getsize(pack)
        return sorted(found, key=lambda index: (-found[index], index))

    def loose(self) -> Iterator[str]:
        """Yield the ids of objects that lie in files of their own."""
        digits = "0123456789abcdef"
        for folder in self.objects:
            for first in digits:
                for second in digits:
                    try:
                        names = os.listdir(os.path.join(folder, first + second))
                    except OSError:
                        continue
                    yield from (first + second + name for name in names if len(name) == 2 * self.hash_length - 2)

    def git(self, *args: str, input: bytes | None = None, timeout: float = git.TIMEOUT) -> bytes:  # noqa: A002 - subprocess's name
        """Run git here; see `gitio.run`."""
        return git.run(args, cwd=self.path, input=input, timeout=timeout, safe=self.path, hook=self.hook)

    def contents(self) -> Objects:
        """Start to read objects; a context manager."""
        return Objects(self.path, safe=self.path, hook=self.hook)


def open_repository(path: str, *, hook: bool = False) -> Repository:
    """Look at the repository at or above a folder.

    Raises:
        SourceError: there is none, or git can't read it.
    """
    folder = os.path.abspath(path)
    if not os.path.isdir(folder):
        raise SourceError(f"{path} is no folder", hint="name a repository: a work tree, or a bare one")
    asked = ["--absolute-git-dir", "--git-common-dir", "--show-object-format", "--is-bare-repository", "--is-shallow-repository"]
    said = git.run(["rev-parse", *asked], cwd=folder, safe=folder, hook=hook).split(b"\n")
    git_dir = os.fsdecode(said[0])
    common = os.path.join(folder, os.fsdecode(said[1]))
    objects = os.path.join(common, "objects")
    return Repository(
        path=folder,
        git_dir=git_dir,
        common_dir=os.path.normpath(common),
        hash_length={b"sha1": 20, b"sha256": 32}[said[2]],
        bare=said[3] == b"true",
        shallow=said[4] == b"true",
        partial=_partial(objects),
        objects=tuple(_borrowed(objects)),
        hook=hook,
    )


def remote(folder: str) -> str:
    """Return the URL from which the repository at a folder was cloned: of `origin`, or of its only remote; empty where there is none.

    It may hold a token. Only the repository's own configuration counts, and of several URLs of a remote none.
    """
    try:
        said = git.run(["config", "--local", "-z", "--get-regexp", r"^remote\..*\.url$"], cwd=folder, safe=folder)
    except SourceError:
        return ""
    urls: dict[str, set[str]] = {}
    for row in said.decode("utf-8", "replace").split("\0"):
        name, _, url = row.partition("\n")
        if name:
            urls.setdefault(name, set()).add(url)
    found = urls.get("remote.origin.url") or (next(iter(urls.values())) if len(urls) == 1 else set())
    return next(iter(found)) if len(found) == 1 else ""


def _partial(objects: str) -> bool:
    packs = os.path.join(objects, "pack")
    return os.path.isdir(packs) and any(name.endswith(".promisor") for name in os.listdir(packs))


def _borrowed(objects: str) -> list[str]:
    """Return an object folder and those it borrows from, each once."""
    out: list[str] = []
    queue = [(os.path.normpath(objects), 0)]
    while queue:
        folder, depth = queue.pop(0)
        if folder in out or not os.path.isdir(folder):
            continue
        out.append(folder)
        if depth >= _ALTERNATES:
            continue
        try:
            with open(os.path.join(folder, "info", "alternates"), "rb") as f:
                lines = f.read(1 << 16).splitlines()
        except OSError:
            continue
        named = [os.fsdecode(line) for line in lines if line.strip() and not line.startswith((b"#", b'"'))]
        queue += [(os.path.normpath(os.path.join(folder, name)), depth + 1) for name in named]
    return out
