"""What every commit changed, out of one `git log`: commit, time, and each path's new and old content.

A merge is told by what differs from all its parents (`-c`): what it took over from one of them was told where it came from.
"""

from __future__ import annotations

import os
import sys
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
        if status := self._process.wait():
            self._errors.seek(0)
            git.fail("log", status, self._errors.read())
        self._out.seek(0)
        return parse(_tokens(self._out))


def _tokens(file: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := file.read(1 << 20):
        *whole, rest = (rest + block).split(b"\0")
        yield from whole
    if rest:
        yield rest


def parse(tokens: Iterator[bytes]) -> Iterator[Commit | Change]:
    """Read the fields of `git log` with `ARGUMENTS`."""
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    for token in tokens:
        if token[:1] == b":" and token[1:2] != b":":
            # one parent, as nearly always: columns of fixed width
            line, middle = token.decode("ascii"), (len(token) + 13) // 2
            before = (line[15:middle],) if line[15:middle].strip("0") else ()
            yield Change(next(tokens).decode(encoding, errors), line[8:14], line[middle + 1 : -2], before)
            continue
        head = token.lstrip(b"\n")
        if head.startswith(b"\2"):
            oid, _, time = head[1:].decode("ascii").partition(" ")
            yield Commit(oid, int(time))
        elif head.startswith(b":"):
            fields = head.decode("ascii").split(" ")
            parents = len(fields[0]) - len(fields[0].lstrip(":"))
            ids = fields[parents + 1 : 2 * parents + 2]
            old = tuple(oid for oid in ids[:parents] if oid.strip("0"))
            yield Change(os.fsdecode(next(tokens)), fields[parents], ids[parents], old)
