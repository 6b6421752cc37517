"""Objects out of a repository by one `git cat-file --batch`, asked one at a time or in runs.

What git can't give (a missing promisor object, a damaged pack) is an answer, not an end: the caller tells it and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from leakguard.errors import SourceError
from leakguard.gitio import run as git

_RUN = 900
"""Names written at once: with a newline each (SHA-256 too) they fit into a pipe, so that neither side waits for the other."""
_PIECE = 1 << 20


class Missing(Exception):  # noqa: N818 - an answer of git, not an error of ours
    """An object that is named and not there."""


class Objects:
    """Reads objects of one repository; a context manager that ends git."""

    def __init__(self, cwd: str, *, safe: str = "", hook: bool = False) -> None:
        self._start = partial(git.start, ["cat-file", "--batch"], cwd=cwd, safe=safe, hook=hook)
        self._open()

    def _open(self) -> None:
        self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._left = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def restart(self) -> None:
        """Begin anew where a run of answers was left in the middle."""
        self.close()
        self._open()

    def close(self) -> None:
        """End git."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def read(self, name: str, *, limit: int | None = None) -> bytes | None:
        """Return an object's content by id or `:path`; None where it is missing, no blob, or larger than `limit`."""
        self._ask([name])
        kind, size, read = self._next()
        if kind != "blob" or (limit is not None and size > limit):
            self._skip()
            return None
        return b"".join(iter(partial(read, _PIECE), b""))

    def each(self, names: Sequence[str]) -> Iterator[tuple[str, str, int, Callable[[int], bytes]]]:
        """Yield `(name, type, size, read)` in the order of `names`; the type is `missing` where git has no such object.

        `read(n)` gives the next at most n bytes; what is left is skipped when the next one is asked for. The objects that
        were asked for have to be taken to their end before others are.

        Raises:
            SourceError: git ended.
        """
        for first in range(0, len(names), _RUN):
            some = names[first : first + _RUN]
            self._ask(some)
            for name in some:
                yield name, *self._next()
                self._skip()

    def _ask(self, names: Sequence[str]) -> None:
        try:
            self._in.write("".join(name + "\n" for name in names).encode("utf-8", "surrogateescape"))
            self._in.flush()
        except OSError:
            self._ended()

    def _next(self) -> tuple[str, int, Callable[[int], bytes]]:
        head = self._out.readline()
        if not head.endswith(b"\n"):
            self._ended()
        words = head.rsplit(b" ", 2)
        if len(words) == 3 and words[2].strip().isdigit() and words[1] in {b"blob", b"commit", b"tree", b"tag"}:
            self._left = int(words[2])
            if not self._left:
                self._out.read(1)
            return words[1].decode(), self._left, self._piece
        return "missing", 0, self._piece

    def _piece(self, size: int) -> bytes:
        """Read on in the current object; after its last byte stands a newline, which is no content."""
        if not self._left:
            return b""
        piece = self._out.read(min(size, self._left))
        if not piece:
            self._ended()
        self._left -= len(piece)
        if not self._left:
            self._out.read(1)
        return piece

    def _skip(self) -> None:
        while self._piece(_PIECE):
            pass

    def _ended(self) -> None:
        self._process.kill()
        status = self._process.wait()
        stderr = self._process.stderr.read() if self._process.stderr else b""
        if status > 0:
            git.fail("cat-file", status, stderr)
        msg = "git cat-file ended early"
        raise SourceError(msg, hint="run `git fsck` in that folder")
