"""Walk folders: every entry once, in a stable order, links not followed, nothing opened.

Invariant: what is not yielded as a file or link is yielded as a `Skipped`, so nothing is left out in silence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from leakguard.gitio import worktree
from leakguard.model.blob import FileProvenance, Skipped

_GIT_FILES = frozenset({"config", "config.worktree", "FETCH_HEAD"})
"""Files of a `.git` folder that hold URLs, which hold tokens; objects are history, not files of the tree."""


_GIT_FOLDERS = frozenset({"logs", "modules", "worktrees"})
_GIT_OTHERS = frozenset({"objects", "hooks", "refs", "info", "lfs"})


class Entry(NamedTuple):
    """A file or link to read; `path` is relative to the root."""

    path: str
    size: int
    link: bool = False


class _Folder(NamedTuple):
    path: str
    """Relative, empty or with `/` at its end."""
    ignored: worktree.IgnoredPaths | None
    below: str
    """Where `ignored` counts from: the path of its work tree."""
    inside_git: bool = False


def walk(root: str, *, ignore: bool, exclude: Callable[[str], str] | None) -> Iterator[Entry | Skipped]:
    """Yield what is below the folder `root`.

    Raises:
        SourceError: git could not say what is ignored.
    """
    top = worktree.ignored(root) if ignore else None
    stack = [_Folder("", top, "")]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(root + os.sep + folder.path if folder.path else root) as found:
                entries = sorted(found, key=_name)
        except OSError as e:
            yield _failed(root, folder.path.rstrip("/"), e)
            continue
        if ignore and folder.path and not folder.inside_git and any(e.name == ".git" for e in entries):
            # a repository inside the tree has rules of its own
            folder = folder._replace(ignored=worktree.ignored(os.path.join(root, folder.path)), below=folder.path)
        hidden = folder.ignored.names(folder.path[len(folder.below) :]) if folder.ignored else None
        below: list[_Folder] = []
        for entry in entries:
            name = entry.name
            path = folder.path + name
            if hidden is not None and name in hidden:
                yield Skipped(FileProvenance(root, path), "ignored", by_choice=True)
                continue
            try:
                if entry.is_symlink():
                    yield Entry(path, 0, link=True)
                elif entry.is_dir(follow_symlinks=False):
                    if name == ".git":
                        yield from _git_folder(root, path)
                    elif exclude is not None and (detail := exclude(path + "/")):
                        yield Skipped(FileProvenance(root, path), "excluded", by_choice=True, detail=detail)
                    else:
                        below.append(folder._replace(path=path + "/"))
                elif entry.is_file(follow_symlinks=False):
                    if exclude is not None and (detail := exclude(path)):
                        yield Skipped(FileProvenance(root, path), "excluded", by_choice=True, detail=detail)
                    else:
                        yield Entry(path, entry.stat(follow_symlinks=False).st_size)
                else:
                    yield Skipped(FileProvenance(root, path), "device", by_choice=True)
            except OSError as e:
                yield _failed(root, path, e)
        stack += reversed(below)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _git_folder(root: str, path: str) -> Iterator[Entry | Skipped]:
    """Yield the files of a `.git` folder that hold URLs or what was typed: configuration, FETCH_HEAD, reflogs."""
    stack = [path]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as found:
                entries = sorted(found, key=_name)
        except OSError as e:
            yield _failed(root, folder, e)
            continue
        logs = folder[len(path) :].split("/")[-1] == "logs" or "/logs/" in folder[len(path) :] + "/"
        below = []
        for entry in entries:
            inner = f"{folder}/{entry.name}"
            try:
                if entry.is_dir(follow_symlinks=False):
                    inside = (
                        logs or entry.name in _GIT_FOLDERS or "/modules" in inner[len(path) :] or "/worktrees" in inner[len(path) :]
                    )
                    if inside and entry.name not in _GIT_OTHERS:
                        below.append(inner)
                elif entry.is_file(follow_symlinks=False) and (logs or entry.name in _GIT_FILES):
                    yield Entry(inner, entry.stat(follow_symlinks=False).st_size)
            except OSError as e:
                yield _failed(root, inner, e)
        stack += reversed(below)


def _failed(root: str, path: str, error: OSError) -> Skipped:
    reason = "vanished" if isinstance(error, FileNotFoundError) else "unreadable"
    return Skipped(FileProvenance(root, path or "."), reason, by_choice=False, detail=error.strerror or type(error).__name__)
