"""Hooks that look at commits: what a push brings, and the message of a commit.

A push is looked at commit by commit: every one that the other side lacks, never the difference between two ends, which
hides what one commit added and the next removed. What the other side has is told by the ids that it named and by the
remote's own branches here; on a server, where no ref has moved yet, by all refs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from leakguard.errors import ExitCode, UsageError
from leakguard.gitio.repository import Repository, open_repository
from leakguard.hook._shared import settings, tell
from leakguard.model.blob import Blob, Skipped, StreamProvenance
from leakguard.pipeline import Setup, scan
from leakguard.pipeline import setup as prepare
from leakguard.sources.memory import BytesSource
from leakguard.suppress.identity import id_key

_SCISSORS = b" ------------------------ >8 ------------------------"
POLICY = "LEAKGUARD_PRE_RECEIVE_TIMEOUT"
"""What a server does with a push that could not be looked at in time: `closed` (refuse it, the default), `open`, `queue`."""


def run(stage: str, typed: dict[str, str], arguments: Sequence[str], expired: Callable[[], bool]) -> int:
    """Scan and return the exit code.

    Raises:
        LeakguardError: the arguments don't fit, or git could not be asked.
    """
    if stage == "commit_msg":
        return _message(typed, arguments)
    server = stage == "pre_receive"
    policy = os.environ.get(POLICY, "closed")
    if policy not in {"closed", "open", "queue"}:
        raise UsageError(f"{POLICY} has to be closed, open or queue", hint="closed refuses what could not be looked at in time")
    revisions = _received() if server else _pushed(arguments)
    if not revisions:
        return ExitCode.CLEAN
    repository = open_repository(os.getcwd(), hook=True)
    code, late = _scan(typed, repository, revisions, expired, server=server)
    if server and late and code == ExitCode.INCOMPLETE and policy != "closed":
        return _let_in(repository, revisions, policy)
    if server and code and os.environ.get("GL_ID"):
        sys.stderr.write("GL-HOOK-ERR: LeakGuard refused this push; the lines above say what and why\n")
    return code


def _message(typed: dict[str, str], arguments: Sequence[str]) -> int:
    """Scan a commit message: all that stands before the scissors, since comments may be kept."""
    if len(arguments) != 1:
        raise UsageError(
            "--commit-msg wants the file that holds the message", hint="leakguard-hook --commit-msg .git/COMMIT_EDITMSG"
        )
    try:
        with open(arguments[0], "rb") as f:
            text = f.read()
    except OSError as e:
        raise UsageError(f"{arguments[0]} can't be read: {e.strerror}") from None
    kept = []
    for line in text.split(b"\n"):
        if line[1:].startswith(_SCISSORS):
            break
        kept.append(line)
    repository = open_repository(os.getcwd(), hook=True)
    with repository.contents() as objects:
        config, baseline = settings(typed, _top(repository), objects)
    engine = prepare.build_engine(config, os.environ)
    setup = Setup(engine, config, id_key(os.environ, _top(repository), create=True), prepare.today(), baseline, whole=False)
    report = scan(BytesSource(b"\n".join(kept), "commit message"), setup, roots=[_top(repository)], clock=time.monotonic)
    return tell(report, config, typed)


def _pushed(arguments: Sequence[str]) -> list[str]:
    """Return the revisions that a push brings: from git's lines on standard input, or from the pre-commit framework."""
    remote = arguments[0] if arguments else os.environ.get("PRE_COMMIT_REMOTE_NAME", "")
    if os.environ.get("PRE_COMMIT_TO_REF"):
        new, old = [os.environ["PRE_COMMIT_TO_REF"]], [os.environ.get("PRE_COMMIT_FROM_REF", "")]
    else:
        lines = [line.split() for line in sys.stdin.read().splitlines()]
        if any(len(fields) != 4 for fields in lines):
            raise UsageError("a line on standard input is no pushed ref", hint="--pre-push is called by git's pre-push hook")
        new, old = [fields[1] for fields in lines], [fields[3] for fields in lines]
    new = [oid for oid in new if oid.strip("0")]
    known = [oid for oid in old if oid.strip("0")]
    return [*new, "--not", *known, *([f"--remotes={remote}"] if remote else [])] if new else []


def _received() -> list[str]:
    """Return the revisions that a push brings to a server; its refs have not moved yet."""
    lines = [line.split(" ", 2) for line in sys.stdin.read().splitlines()]
    if any(len(fields) != 3 for fields in lines):
        raise UsageError("a line on standard input is no ref update", hint="--pre-receive is called by git's pre-receive hook")
    new = [fields[1] for fields in lines if fields[1].strip("0")]
    return [*new, "--not", "--all"] if new else []


def _top(repository: Repository) -> str:
    if repository.bare:
        return repository.path
    return os.fsdecode(repository.git("rev-parse", "--show-toplevel").rstrip(b"\n"))


def _scan(
    typed: dict[str, str], repository: Repository, revisions: Sequence[str], expired: Callable[[], bool], *, server: bool
) -> tuple[int, bool]:
    """Return the exit code, and whether the time ran out."""
    from leakguard.sources.history import HistorySource, Scope

    top = _top(repository)
    with repository.contents() as objects:
        config, baseline = settings(typed, top, objects, "HEAD" if server else "")
    engine = prepare.build_engine(config, os.environ)
    exclude = prepare.excluders(config, prepare.today())
    source = HistorySource(
        repository._replace(path=top),
        Scope(("--ignore-missing", *revisions)),
        make_sieve=None,
        exclude=exclude(top) if exclude else None,
        max_size=config.max_size or None,
        depth=config.max_archive_depth,
        expired=expired,
    )
    timed = _Timed(source, expired)
    setup = Setup(engine, config, id_key(os.environ, top, create=not server), prepare.today(), baseline, whole=False)
    try:
        report = scan(timed, setup, roots=[top], clock=time.monotonic, keep=None if "whole_file" in typed else source.is_new)
    finally:
        source.close()
    return tell(report, config, typed), timed.late


class _Timed:
    """A source that ends when the time is up, and says so."""

    def __init__(self, source: Any, expired: Callable[[], bool]) -> None:
        self._source, self._expired = source, expired
        self.late = False
        self.walked = (0, 0)

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield the source's blobs while there is time."""
        for blob in self._source.blobs():
            if self._expired():
                self.late = True
                yield Skipped(
                    StreamProvenance("the rest of the push"), "timeout", by_choice=False, detail="the deadline came first"
                )
                return
            yield blob

    def settle(self, findings: Any) -> Any:
        """Return the findings with their places told in full."""
        return self._source.settle(findings)

    def reopen(self, place: Any) -> Any:
        """Return the bytes of a place again."""
        return self._source.reopen(place)


def _let_in(repository: Repository, revisions: Sequence[str], policy: str) -> int:
    """Accept a push that could not be looked at in time, as the server's owner decided."""
    if policy == "queue":
        folder = os.path.join(repository.common_dir, "leakguard")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = os.path.join(folder, "queue")
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(fd, "a", encoding="ascii") as f:
            f.writelines(oid + "\n" for oid in revisions[: revisions.index("--not")])
        sys.stderr.write(f"leakguard: accepted without a full look, queued in {path} ({POLICY}=queue)\n")
    else:
        sys.stderr.write(f"leakguard: accepted without a full look ({POLICY}=open)\n")
    return ExitCode.CLEAN
