"""What is staged: the index against HEAD, and in a merge against every parent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from leakguard.gitio import run as git

_LISTING = ("--raw", "-z", "--no-abbrev", "--no-renames", "--ignore-submodules=none")
GITLINK, SYMLINK = "160000", "120000"


class Change(NamedTuple):
    """One path whose staged content differs from what was committed."""

    path: str
    mode: str
    blob: str
    """Id of the staged content."""
    old: tuple[str, ...]
    """Ids of the same path's content in HEAD and in each merged commit, those that have it."""


class Staged(NamedTuple):
    """The changes to look at and the contents that went away (a moved file's lines are not new)."""

    changes: tuple[Change, ...]
    gone: tuple[str, ...]
    """Ids of blobs whose path was deleted."""


def staged(cwd: str) -> Staged:
    """List what is staged; in a merge only what differs from every parent.

    Raises:
        SourceError: git fails or is missing; then it is not known what is staged.
    """
    head = _listing(["diff", "--cached", *_LISTING], cwd)
    merged = [_listing(["diff", "--cached", *_LISTING, parent], cwd) for parent in _merge_heads(cwd)]
    changes, gone = [], []
    for path, (status, mode, old, new) in head.items():
        if status == "D":
            gone.append(old)
            continue
        if new == old or any(path not in other or other[path][0] == "D" for other in merged):
            continue
        olds = [old, *(other[path][2] for other in merged)]
        changes.append(Change(path, mode, new, tuple(oid for oid in olds if oid.strip("0"))))
    return Staged(tuple(changes), tuple(gone))


def _listing(args: list[str], cwd: str) -> dict[str, tuple[str, str, str, str]]:
    """Return path -> (status, new mode, old id, new id)."""
    return {os.fsdecode(path): rest for path, *rest in raw(git.run(args, cwd=cwd, hook=True))}  # type: ignore[misc]


def raw(output: bytes) -> Iterator[tuple[bytes, str, str, str, str]]:
    """Yield `(path, status, new mode, old id, new id)` of `--raw -z` output without renames."""
    fields = output.split(b"\0")
    for at in range(0, len(fields) - 1, 2):
        _old_mode, mode, old, new, status = fields[at].decode("ascii").lstrip(":").split(" ")
        yield fields[at + 1], status[0], mode, old, new


def _merge_heads(cwd: str) -> list[str]:
    path = os.path.join(git_dir(cwd), "MERGE_HEAD")
    try:
        with open(path, encoding="ascii") as f:
            return f.read().split()
    except OSError:
        return []


def git_dir(cwd: str) -> str:
    """Return the git folder of the work tree at hand, without asking git where its place is plain."""
    named = os.environ.get("GIT_DIR")
    if named:
        return os.path.join(cwd, named)
    folder = cwd
    while True:
        path = os.path.join(folder, ".git")
        if os.path.isdir(path):
            return path
        if os.path.lexists(path):
            break
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        folder = parent
    return os.fsdecode(git.run(["rev-parse", "--absolute-git-dir"], cwd=cwd, hook=True).rstrip(b"\n"))


def top_level(cwd: str) -> str:
    """Return the top of the work tree.

    Raises:
        SourceError: there is none here.
    """
    if not os.environ.get("GIT_DIR") and not os.environ.get("GIT_WORK_TREE"):
        folder = cwd
        while True:
            if os.path.lexists(os.path.join(folder, ".git")):
                return folder
            parent = os.path.dirname(folder)
            if parent == folder:
                break
            folder = parent
    return os.fsdecode(git.run(["rev-parse", "--show-toplevel"], cwd=cwd, hook=True).rstrip(b"\n"))
