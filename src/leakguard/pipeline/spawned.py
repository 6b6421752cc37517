"""Workers by spawn: the portable way, for platforms and programs where a fork is not safe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leakguard.engine.compiled import undump
from leakguard.engine.scan import Engine
from leakguard.model.blob import Passed
from leakguard.pipeline.workers import Item, Tally, scan_shard, strip
from leakguard.ports import Shard

_engine: Engine | None = None
"""The engine of a worker process; set once by `_start`, never in the parent."""
_proof_key = b""


def share_out(
    shards: Sequence[Shard], engine: Engine, tally: Tally, jobs: int, proof_key: bytes
) -> Iterator[tuple[int, list[Item | Passed]]]:
    """Yield each shard's number and items, in order."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    args = (engine.rules.dump(), *engine.settings, proof_key)
    with ProcessPoolExecutor(jobs, get_context("spawn"), _start, args) as pool:
        for number, (items, theirs) in enumerate(pool.map(_work, shards)):
            tally.add(theirs)
            yield number, items


def _start(
    dumped: tuple[object, ...], level: str, portable: bool, skip: frozenset[str], pairs: frozenset[str], proof_key: bytes
) -> None:
    global _engine, _proof_key  # noqa: PLW0603 - one engine a worker process
    rules = undump(dumped)
    assert rules is not None, "parent and worker are one version"
    _engine = Engine(rules, level=level, portable=portable, skip=skip)
    _engine.pairs = pairs
    _proof_key = proof_key


def _work(shard: Shard) -> tuple[list[Item | Passed], Tally]:
    if _engine is None:
        msg = "a worker was not started"
        raise RuntimeError(msg)
    tally = Tally()
    return [strip(item, _proof_key) for item in scan_shard(shard, _engine, tally)], tally
