"""Run git on a repository whose content and configuration are hostile.

Invariant: a call never runs code, opens a connection, takes a lock or fetches an object because the repository asks for it.
What a flag can't switch off is left to the caller: `filter.*.clean` runs wherever git hashes files of the work tree
(`status`, `diff` without `--cached`, `add`), so those commands are not used.

Git's own words are not passed on, since they quote configuration values, and URLs there hold tokens; the known causes are
translated. Rejected: GitPython here, which takes 82 ms to import and does not keep the environment out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn

from leakguard.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from subprocess import Popen

TIMEOUT = 120.0
"""Seconds; a hostile repository (a FIFO named `.gitignore`) must not hang a scan for ever."""

FLAGS = (
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "protocol.allow=never",
    "-c", "log.showSignature=false",
    "-c", "diff.ignoreSubmodules=all",
    "-c", "core.pager=cat",
)  # fmt: skip

HOOK_VARIABLES = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_PREFIX",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_QUARANTINE_PATH",
    }
)
"""What git tells a hook about the commit or push at hand; a scan of a path keeps no `GIT_*` at all."""

_DIFFING = frozenset({"diff", "diff-tree", "diff-index", "log", "show", "blame"})
"""Commands that would run a `diff.*.command` or `diff.*.textconv` of the configuration."""

_CAUSES = (
    (b"not a git repository", "this is not a git repository", "name a folder inside a repository"),
    (b"dubious ownership", "the repository belongs to somebody else", "run as the owner of the repository"),
    (b"must be run in a work tree", "the repository has no work tree here", "name a folder inside the work tree"),
    (b"bad config", "a git configuration file is wrong", "run `git config --list --show-origin` in that folder"),
    (b"invalid gitfile", "the `.git` file is wrong", "run `git status` in that folder"),
    (b"index file", "the index is damaged", "run `git status` in that folder"),
    (b"bad revision", "there is no such revision", "run `git log` in that folder to see which there are"),
    (b"unknown revision", "there is no such revision", "run `git log` in that folder to see which there are"),
    (b"ermission denied", "permission was denied", "run as a user who may read the repository"),
    (b"unknown option", "this git is too old", "install git 2.30 or newer"),
    (b"unknown switch", "this git is too old", "install git 2.30 or newer"),
)
"""Part of git's message -> what happened, what to do next."""


def environment(*, hook: bool = False) -> dict[str, str]:
    """Return the environment for git: ours without `GIT_*`, in English, without prompts, locks and lazy fetches."""
    kept = HOOK_VARIABLES if hook else frozenset[str]()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in kept}
    clean["GIT_NO_LAZY_FETCH"] = "1"
    clean["GIT_NO_REPLACE_OBJECTS"] = "1"
    clean["GIT_OPTIONAL_LOCKS"] = "0"
    clean["GIT_TERMINAL_PROMPT"] = "0"
    clean["LC_ALL"] = "C"
    return clean


def executable() -> str | None:
    """Return the absolute path of git, or None; relative parts of PATH don't count, they would mean the scanned folder."""
    name = "git.exe" if os.name == "nt" else "git"
    for folder in os.get_exec_path():
        path = os.path.join(folder, name)
        if os.path.isabs(folder) and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def command(args: Sequence[str], *, safe: str = "") -> list[str]:
    """Return the whole command line for `git *args`; `safe` is the one work tree that may belong to another user.

    Raises:
        SourceError: git is not installed.
    """
    git = executable()
    if git is None:
        msg = "git is not installed, or not on PATH"
        raise SourceError(msg, hint="install git; `leakguard scan --no-ignore PATH` needs none")
    owned = ["-c", f"safe.directory={os.path.realpath(safe)}"] if safe else []
    name, *rest = args
    guards = ["--no-ext-diff", "--no-textconv"] if name in _DIFFING else []
    return [git, *FLAGS, *owned, name, *guards, *rest]


def run(
    args: Sequence[str],
    *,
    cwd: str,
    input: bytes | None = None,  # noqa: A002 - subprocess's name for it
    timeout: float = TIMEOUT,
    safe: str = "",
    hook: bool = False,
) -> bytes:
    """Run `git *args` in `cwd` and return what it printed.

    `safe` is the top of the work tree, trusted whoever owns it; `hook` keeps the variables that git gives to hooks.

    Raises:
        SourceError: git is missing, fails or takes longer than `timeout` seconds.
    """
    import subprocess

    feed: dict[str, Any] = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(  # noqa: S603 - no shell, absolute program
            command(args, safe=safe),
            cwd=cwd,
            env=environment(hook=hook),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
            check=False,
            **feed,
        )
    except subprocess.TimeoutExpired:
        msg = f"git {args[0]} took longer than {timeout:g} seconds"
        raise SourceError(msg, hint=f"run `git {args[0]}` in that folder to see why") from None
    except OSError as error:
        msg = f"git {args[0]} could not be started: {error.strerror}"
        raise SourceError(msg) from None
    if done.returncode:
        fail(args[0], done.returncode, done.stderr)
    out: bytes = done.stdout
    return out


def start(args: Sequence[str], *, cwd: str, safe: str = "", hook: bool = False) -> Popen[bytes]:
    """Start `git *args` in `cwd` with pipes on all three ends; the caller reads, waits, and calls `fail` on an error.

    Raises:
        SourceError: git is missing or can't be started.
    """
    import subprocess

    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(  # noqa: S603 - no shell, absolute program
            command(args, safe=safe), cwd=cwd, env=environment(hook=hook), stdin=pipe, stdout=pipe, stderr=pipe
        )
    except OSError as error:
        msg = f"git {args[0]} could not be started: {error.strerror}"
        raise SourceError(msg) from None


def fail(name: str, status: int, stderr: bytes) -> NoReturn:
    """Raise the SourceError for a git command that ended with `status`; of its message only the known causes are told."""
    for part, cause, hint in _CAUSES:
        if part in stderr:
            msg = f"git {name} failed: {cause}"
            raise SourceError(msg, hint=hint)
    msg = f"git {name} failed with status {status}"
    raise SourceError(msg, hint=f"run `git {name}` in that folder to see what it says")
