"""Whole-process times in interleaved pairs, and peak memory as the sum of PSS over a process tree (Linux).

Two programs are run in turn, so that what else the machine does hits both; a figure is the median of the pairs' ratios.
"""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Pair(NamedTuple):
    """Medians of an interleaved measurement, in seconds."""

    ours: float
    peer: float
    ratio: float
    """Median of the ratios of each pair."""


def wall(command: Sequence[str], env: dict[str, str] | None = None) -> float:
    """Run a command and return its wall time in seconds; findings (exit code 1 and up) are no error, a crash is."""
    begin = time.perf_counter()
    done = subprocess.run(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False
    )
    took = time.perf_counter() - begin
    if done.returncode < 0 or done.returncode in {2, 70, 126, 127}:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {' '.join(command)}")
    return took


def pairs(
    ours: Sequence[str],
    peer: Sequence[str],
    rounds: int,
    *,
    before: Callable[[], dict[str, str] | None] = lambda: None,
    warm: bool = True,
) -> Pair:
    """Run both in turn; `before` prepares each run (an empty cache) and returns its environment."""
    if warm:
        wall(ours, before())
        wall(peer, before())
    a, b = [], []
    for n in range(rounds):
        for command, times in ((ours, a), (peer, b)) if n % 2 else ((peer, b), (ours, a)):
            times.append(wall(command, before()))
    return Pair(median(a), median(b), median(x / y for x, y in zip(a, b, strict=True)))


def cpu(command: Sequence[str], env: dict[str, str] | None = None) -> float:
    """Run a command and return the CPU time of it and its children in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall(command, env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak(command: Sequence[str], env: dict[str, str] | None = None) -> float:
    """Return the peak, in MiB, of the sum of PSS over the process and its children, sampled every 5 ms."""
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        most = max(most, sum(_pss(pid) for pid in _tree(process.pid)))
        time.sleep(0.005)
    return most / 1024


def _tree(pid: int) -> list[int]:
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                queue += map(int, Path(f"/proc/{one}/task/{task}/children").read_text().split())
        except OSError:
            continue
    return found


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def show(what: str, pair: Pair) -> None:
    """Print one line: both medians and the ratio."""
    print(f"{what:<28} {pair.ours:8.3f} s {pair.peer:8.3f} s   ratio {pair.ratio:.3f}")
