"""Shards shared out to forked workers, which inherit the engine; the parent works too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leakguard.engine.scan import Engine
from leakguard.model.blob import Passed
from leakguard.pipeline.workers import Item, Tally, scan_shard, strip
from leakguard.ports import Shard
from leakguard.processes import share_out as fork_out


def share_out(
    shards: Sequence[Shard], engine: Engine, tally: Tally, jobs: int, proof_key: bytes
) -> Iterator[tuple[int, list[Item | Passed]]]:
    """Yield each shard's number and items; those of workers come without their secrets."""

    def work(number: int) -> tuple[int, list[Item | Passed], Tally]:
        mine = Tally()
        return number, [strip(item, proof_key) for item in scan_shard(shards[number], engine, mine)], mine

    def here(number: int) -> tuple[int, list[Item | Passed], Tally]:
        mine = Tally()
        return number, list(scan_shard(shards[number], engine, mine)), mine

    for number, items, read in fork_out(len(shards), work, here, jobs):
        tally.add(read)
        yield number, items
