"""Shards shared out to forked workers, which inherit the engine; the parent works too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leakguard.engine.scan import Engine
from leakguard.pipeline.workers import Item, Tally, scan_all, strip
from leakguard.ports import Shard
from leakguard.processes import share_out as fork_out


def share_out(shards: Sequence[Shard], engine: Engine, tally: Tally, jobs: int, proof_key: bytes) -> Iterator[Item]:
    """Yield items of all shards; those of workers come without their secrets."""

    def work(number: int) -> tuple[list[Item], Tally]:
        mine = Tally()
        return [strip(item, proof_key) for item in scan_all(shards[number], engine, mine)], mine

    def here(number: int) -> tuple[list[Item], Tally]:
        mine = Tally()
        return list(scan_all(shards[number], engine, mine)), mine

    for items, read in fork_out(len(shards), work, here, jobs):
        tally.add(read)
        yield from items
