"""What git knows about a work tree: where its top is and which untracked files it ignores.

Invariant: a tracked file is never ignored, whatever `.gitignore` says, because git is asked for untracked ones only.
Rejected: reading `.gitignore` ourselves; its rules also stand in `.git/info/exclude` and the user's own configuration, and
only the index knows what is tracked.
"""

from __future__ import annotations

import os

from leakguard.gitio import run as git


class IgnoredPaths:
    """The untracked entries below one folder that git ignores; a folder that is ignored whole is one entry."""

    __slots__ = ("_by_folder", "_count")

    def __init__(self, paths: list[str]) -> None:
        """Take paths relative to the folder, `/` between parts, a folder with or without `/` at its end."""
        self._by_folder: dict[str, set[str]] = {}
        for path in paths:
            folder, slash, name = path.rstrip("/").rpartition("/")
            self._by_folder.setdefault(folder + slash, set()).add(name)
        self._count = len(paths)

    def names(self, folder: str) -> set[str] | None:
        """Return the ignored names in `folder` (relative, empty or with `/` at its end), or None."""
        return self._by_folder.get(folder)

    def __len__(self) -> int:
        return self._count


def toplevel(path: str) -> str | None:
    """Return the nearest folder at or above `path` that holds a `.git`, or None; asks the file system, not git."""
    folder = os.path.abspath(path)
    while True:
        if os.path.lexists(os.path.join(folder, ".git")):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def ignored(root: str) -> IgnoredPaths | None:
    """Return what git ignores below the folder `root`; None where `root` is in no work tree or git is not installed.

    A root that is ignored as a whole was named on purpose: nothing below it counts as ignored.

    Raises:
        SourceError: git failed, so it is not known what is ignored.
    """
    real = os.path.realpath(root)
    top = toplevel(real)
    if top is None or ".git" in real[len(top) :].split(os.sep) or git.executable() is None:
        return None
    listed = git.run(["ls-files", "-o", "-i", "--exclude-standard", "--directory", "-z"], cwd=real, safe=top)
    paths = [os.fsdecode(path) for path in listed.split(b"\0") if path not in {b"", b"./"}]
    return IgnoredPaths(paths)
