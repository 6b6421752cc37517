"""Work shared out to forked processes: they inherit what was prepared, take the next number from a pipe, answer at the end.

Only for a process with one thread (a command); the caller decides that. What a worker that died had taken is done again
here, so a number is never lost. Rejected: `concurrent.futures`, which starts threads and takes 40 ms to import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

R = TypeVar("R")
_NUMBER = 4
"""Bytes of a number in the pipe."""
_PIPE_ROOM = 16000
"""Numbers that fit into a pipe of 64 kB; more are handed out in runs."""


def cores() -> int:
    """Return how many processes this one may keep busy."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_out(count: int, work: Callable[[int], R], here: Callable[[int], R], jobs: int) -> Iterator[R]:
    """Yield the results for the numbers below `count`, in no order: `work(n)` in a child (picklable), `here(n)` in this process."""
    step = -(-count // _PIPE_ROOM)
    queue_out, queue_in = os.pipe()
    numbers = range(0, count, step or 1)
    for first in numbers:
        os.write(queue_in, first.to_bytes(_NUMBER, "big"))
    os.close(queue_in)
    workers: list[tuple[int, int]] = []
    done: set[int] = set()
    try:
        for _ in range(min(jobs, count) - 1):
            result_out, result_in = os.pipe()
            pid = os.fork()
            if pid == 0:
                _child(queue_out, result_in, count, step, work)
            os.close(result_in)
            workers.append((pid, result_out))
        while (mine := _next(queue_out)) is not None:
            done.add(mine)
            for number in range(mine, min(mine + step, count)):
                yield here(number)
        while workers:
            pid, result = workers[-1]
            answer: tuple[list[R], set[int]] | None = _collect(result)
            workers.pop()
            os.close(result)
            os.waitpid(pid, 0)
            if answer is not None:
                done |= answer[1]
                yield from answer[0]
        for lost in sorted(set(numbers) - done):
            for number in range(lost, min(lost + step, count)):
                yield here(number)
    finally:
        os.close(queue_out)
        for pid, result in workers:
            _end(pid, result)


def _next(queue: int) -> int | None:
    raw = os.read(queue, _NUMBER)
    return int.from_bytes(raw, "big") if len(raw) == _NUMBER else None


def _child(queue: int, result: int, count: int, step: int, work: Callable[[int], R]) -> None:
    """Run as a worker; never returns."""
    code = 1
    try:
        import gc
        import pickle

        gc.disable()  # it makes hundreds of thousands of objects that last to its end, and hardly a circle

        results: list[R] = []
        taken: set[int] = set()
        while (first := _next(queue)) is not None:
            results += [work(number) for number in range(first, min(first + step, count))]
            taken.add(first)
        with open(result, "wb", closefd=False) as out:
            pickle.dump((results, taken), out, protocol=pickle.HIGHEST_PROTOCOL)
        code = 0
    except BaseException:  # noqa: BLE001, S110 - the parent does again what this worker had and meets the error itself
        pass
    finally:
        os._exit(code)


def _collect(result: int) -> Any:
    import pickle

    with open(result, "rb", closefd=False) as pipe:
        raw = pipe.read()
    try:
        return pickle.loads(raw)  # noqa: S301 - written by our own child
    except (EOFError, pickle.UnpicklingError):
        return None


def _end(pid: int, result: int) -> None:
    from contextlib import suppress
    from signal import SIGKILL

    with suppress(OSError):
        os.kill(pid, SIGKILL)
    with suppress(OSError):
        os.waitpid(pid, 0)
    os.close(result)
