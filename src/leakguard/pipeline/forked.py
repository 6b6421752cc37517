"""Workers by fork: they inherit engine and shards, take the next shard's number from a pipe, send their results at the end."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterator, Sequence

from leakguard.engine.scan import Engine
from leakguard.pipeline.workers import Item, Tally, scan_all, strip
from leakguard.ports import Shard

_NUMBER = struct.Struct("=i")
_PIPE_ROOM = 16000
"""Numbers that fit into a pipe of 64 kB; more shards are handed out in runs."""


def share_out(shards: Sequence[Shard], engine: Engine, tally: Tally, jobs: int, proof_key: bytes) -> Iterator[Item]:
    """Yield items of all shards; the parent works too. What a worker that died had taken is scanned again here."""
    step = -(-len(shards) // _PIPE_ROOM)
    queue_out, queue_in = os.pipe()
    for first in range(0, len(shards), step):
        os.write(queue_in, _NUMBER.pack(first))
    os.close(queue_in)
    workers: list[tuple[int, int]] = []
    done: set[int] = set()
    try:
        for _ in range(jobs - 1):
            result_out, result_in = os.pipe()
            pid = os.fork()
            if pid == 0:
                _work(queue_out, result_in, shards, step, engine, proof_key)
            os.close(result_in)
            workers.append((pid, result_out))
        while (mine := _next(queue_out)) is not None:
            done.add(mine)
            for shard in shards[mine : mine + step]:
                yield from scan_all(shard, engine, tally)
        while workers:
            pid, result = workers[-1]
            answer = _collect(result)
            workers.pop()
            os.waitpid(pid, 0)
            if answer is None:
                continue
            items, theirs, taken = answer
            tally.add(theirs)
            done |= taken
            yield from items
        for first in range(0, len(shards), step):
            if first not in done:
                for shard in shards[first : first + step]:
                    yield from scan_all(shard, engine, tally)
    finally:
        os.close(queue_out)
        for pid, result in workers:
            _end(pid, result)


def _next(queue: int) -> int | None:
    raw = os.read(queue, _NUMBER.size)
    return _NUMBER.unpack(raw)[0] if len(raw) == _NUMBER.size else None


def _work(queue: int, result: int, shards: Sequence[Shard], step: int, engine: Engine, proof_key: bytes) -> None:
    """Run as a worker; never returns."""
    code = 1
    try:
        tally = Tally()
        items: list[Item] = []
        taken: set[int] = set()
        while (first := _next(queue)) is not None:
            for shard in shards[first : first + step]:
                items += (strip(item, proof_key) for item in scan_all(shard, engine, tally))
            taken.add(first)
        with open(result, "wb", closefd=False) as out:
            pickle.dump((items, tally, taken), out, protocol=pickle.HIGHEST_PROTOCOL)
        code = 0
    except BaseException:  # noqa: BLE001, S110 - the parent scans again what this worker had and meets the error itself
        pass
    finally:
        os._exit(code)


def _collect(result: int) -> tuple[list[Item], Tally, set[int]] | None:
    with open(result, "rb") as pipe:
        raw = pipe.read()
    try:
        answer: tuple[list[Item], Tally, set[int]] = pickle.loads(raw)  # noqa: S301 - written by our own child
    except (EOFError, pickle.UnpicklingError):
        return None
    return answer


def _end(pid: int, result: int) -> None:
    from contextlib import suppress
    from signal import SIGKILL

    with suppress(OSError):
        os.close(result)
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, SIGKILL)
        os.waitpid(pid, 0)
