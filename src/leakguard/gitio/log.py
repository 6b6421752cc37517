"""What every commit changed, out of one `git log`: commit, time, and each path's new and old content.

A merge is told by what differs from all its parents (`-c`): what it took over from one of them was told where it came from.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

from leakguard.gitio import run as git
from leakguard.gitio.repository import Repository

ARGUMENTS = ("-c", "--raw", "-z", "--no-abbrev", "--root", "--no-renames", "--ignore-submodules=none", "--format=%x02%H %ct")
GITLINK = "160000"


class Commit(NamedTuple):
    """A commit that is told before its changes."""

    id: str
    time: int
    """Seconds since 1970, the committer's clock."""


class Change(NamedTuple):
    """What a commit made of one path."""

    path: str
    mode: str
    new: str
    """Id of the content; only zeros where the path was deleted."""
    old: tuple[str, ...]
    """Ids of the content in those parents that have the path."""


class Log:
    """A `git log` that runs beside other work, into a file that nobody else sees."""

    def __init__(
        self, repository: Repository, revisions: Sequence[str], paths: Sequence[str] = (), names: Sequence[str] = ()
    ) -> None:
        """Start git; `names` are further revisions, of any number."""
        import subprocess
        import tempfile

        self._out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        limit = ["--full-history"] if paths else []
        args = ["log", *ARGUMENTS, *limit, *(["--stdin"] if names else []), *revisions, "--", *paths]
        asked: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - git holds it open
        asked.write("".join(name + "\n" for name in names).encode("ascii"))
        asked.seek(0)
        self._process = subprocess.Popen(  # noqa: S603 - no shell, absolute program
            git.command(args, safe=repository.path),
            cwd=repository.path,
            env=git.environment(hook=repository.hook),
            stdin=asked,
            stdout=self._out,
            stderr=self._errors,
        )
        asked.close()

    def close(self) -> None:
        """End git and forget what it said."""
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._errors.close()

    def entries(self) -> Iterator[Commit | Change]:
        """Yield each commit, then its changes; waits for git to end; may be asked again.

        Raises:
            SourceError: git failed.
        """
        return (change_of(head, path) if path else commit_of(head) for head, path in self.heads())

    def heads(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the same as git said it: of a commit with an empty path, of a change with the path.

        Of a long history few changes matter, so that most need not be taken apart; see `new_of`, `change_of`, `commit_of`.
        """
        if status := self._process.wait():
            self._errors.seek(0)
            git.fail("log", status, self._errors.read())
        self._out.seek(0)
        return _heads(_tokens(self._out))


def _tokens(file: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := file.read(1 << 20):
        *whole, rest = (rest + block).split(b"\0")
        yield from whole
    if rest:
        yield rest


def _heads(tokens: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for token in tokens:
        head = token if token[:1] == b":" else token.lstrip(b"\n")
        if head[:1] == b":":
            yield head, next(tokens)
        elif head[:1] == b"\2":
            yield head, b""


def commit_of(head: bytes) -> Commit:
    """Return the commit of which git said `head`."""
    oid, _, time = head[1:].decode("ascii").partition(" ")
    return Commit(oid, int(time))


def new_of(head: bytes) -> bytes:
    """Return the id (hex) of what a change made."""
    return head.rsplit(b" ", 2)[1]


def maybe_gitlink(head: bytes) -> bool:
    """Whether a change may have made a submodule."""
    return b" 160000 " in head


def change_of(head: bytes, path: bytes) -> Change:
    """Return the change of which git said `head` about a path."""
    fields = head.decode("ascii").split(" ")
    parents = len(fields[0]) - len(fields[0].lstrip(":"))
    ids = fields[parents + 1 : 2 * parents + 2]
    old = tuple(oid for oid in ids[:parents] if oid.strip("0"))
    return Change(os.fsdecode(path), fields[parents], ids[parents], old)
