"""Walk folders: every entry once, in a stable order, links not followed, nothing opened.

Invariant: what is not yielded as a file or link is yielded as a `Skipped`, so nothing is left out in silence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from leakguard.errors import SourceError
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


def walk(root: str, *, ignore: bool, exclude: Callable[[str], str] | None, notes: list[str]) -> Iterator[Entry | Skipped]:
    """Yield what is below the folder `root`; `notes` takes what people should know and no single entry tells."""
    if os.path.basename(root) == ".git":
        yield from _git_folder(root, "")
        return
    stack = [_Folder("", _ignored(root, notes) if ignore else None, "")]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(root + os.sep + folder.path if folder.path else root) as found:
                entries = sorted(found, key=_name)
        except OSError as e:
            yield failed(FileProvenance(root, folder.path.rstrip("/") or "."), e)
            continue
        if ignore and folder.path and any(e.name == ".git" for e in entries):
            # a repository inside the tree has rules of its own
            folder = folder._replace(ignored=_ignored(os.path.join(root, folder.path), notes), below=folder.path)
        hidden = folder.ignored.names(folder.path[len(folder.below) :]) if folder.ignored else None
        below: list[_Folder] = []
        for entry in entries:
            name = entry.name
            path = folder.path + name
            if hidden is not None and name in hidden:
                yield Skipped(FileProvenance(root, path), "ignored", by_choice=True)
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if name == ".git":
                        yield from _git_folder(root, path)
                    elif exclude is not None and (detail := exclude(path + "/")):
                        yield Skipped(FileProvenance(root, path), "excluded", by_choice=True, detail=detail)
                    else:
                        below.append(folder._replace(path=path + "/"))
                elif exclude is not None and (detail := exclude(path)):
                    yield Skipped(FileProvenance(root, path), "excluded", by_choice=True, detail=detail)
                else:
                    yield _entry(root, path, entry)
            except OSError as e:
                yield failed(FileProvenance(root, path), e)
        stack += reversed(below)


def _ignored(folder: str, notes: list[str]) -> worktree.IgnoredPaths | None:
    """Ask git; where it can't say, nothing is ignored, so that a broken repository hides nothing and stops no scan."""
    try:
        return worktree.ignored(folder)
    except SourceError as e:
        shown = folder.rstrip("/").encode("utf-8", "backslashreplace").decode()
        notes.append(f"nothing is ignored in {shown}: {e.message}")
        return None


def _entry(root: str, path: str, entry: os.DirEntry[str]) -> Entry | Skipped:
    if entry.is_file(follow_symlinks=False):
        return Entry(path, entry.stat(follow_symlinks=False).st_size)
    if entry.is_symlink():
        return Entry(path, 0, link=True)
    return Skipped(FileProvenance(root, path), "device", by_choice=True)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _git_folder(root: str, path: str) -> Iterator[Entry | Skipped]:
    """Yield the files of a `.git` folder that hold URLs or what was typed: configuration, FETCH_HEAD, reflogs; also those
    of submodules (`modules/**`) and further work trees. `path` is empty where the root itself is the `.git` folder.
    """
    stack = [path + "/" if path else ""]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(root + os.sep + folder) as found:
                entries = sorted(found, key=_name)
        except OSError as e:
            yield failed(FileProvenance(root, folder.rstrip("/") or "."), e)
            continue
        parts = folder[len(path) :].strip("/").split("/")
        logs, deeper = "logs" in parts, parts[0] in _GIT_FOLDERS
        below = []
        for entry in entries:
            inner = folder + entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    if logs or entry.name in _GIT_FOLDERS or (deeper and entry.name not in _GIT_OTHERS):
                        below.append(inner + "/")
                elif logs or entry.name in _GIT_FILES:
                    yield _entry(root, inner, entry)
            except OSError as e:
                yield failed(FileProvenance(root, inner), e)
        stack += reversed(below)


def failed(provenance: FileProvenance, error: OSError) -> Skipped:
    """Return the skip for what could not be opened or read, in the operating system's words."""
    gone = isinstance(error, FileNotFoundError | NotADirectoryError)
    detail = error.strerror or type(error).__name__
    return Skipped(provenance, "vanished" if gone else "unreadable", by_choice=False, detail=detail)
