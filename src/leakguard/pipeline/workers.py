"""Run the engine over a source, in this process or shared out to several.

Workers return candidates without their secrets; the parent opens each place again and cuts the value itself, so no value
crosses a pipe. A worker is forked where a command runs on its own with one thread (1 ms and shared memory instead of
80 ms to start Python and import everything again), spawned in every other case; never forked after a thread started.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from leakguard.engine.scan import Engine
from leakguard.model.blob import Blob, Gone, Passed, Skipped
from leakguard.model.finding import Candidate
from leakguard.ports import Shard, Source, Splittable
from leakguard.processes import cores
from leakguard.secret import Secret

WORTH_BYTES = 3 << 20
"""Input below which a second process costs more than it saves."""
WORTH_SHARDS = 4
MUCH_BYTES = 500 << 20
"""Input for which one set of all gates is worth to be built, if none was kept."""
WORTH_ANYWAY = 16 << 20
"""Input from which on two shards, each a big file or archive, are shared out."""


class Tally:
    """What was read; the only thing here that changes. No dataclass: `dataclasses` takes longer to import than a hook's scan."""

    __slots__ = ("below", "bytes", "files")

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0
        self.below = 0

    def add(self, other: Tally) -> None:
        """Add what a worker read."""
        self.files += other.files
        self.bytes += other.bytes
        self.below += other.below


class Preview(NamedTuple):
    """A candidate of a stream that pauses; it comes again."""

    candidate: Candidate


class Unpaired(NamedTuple):
    """What may count with something in another file of its folder; see `engine.pair`."""

    candidate: Candidate


Item = Candidate | Skipped | Preview | Unpaired


def run(source: Source, engine: Engine, tally: Tally, *, jobs: int, forks: bool) -> Iterator[Item]:
    """Yield candidates (with their secrets) and skips; `jobs` 0 means as many as there are cores."""
    wanted = jobs or cores()
    if wanted < 2 or not isinstance(source, Splittable):
        yield from scan_all(source, engine, tally)
        return
    shards: list[Shard] = []
    for item in source.shards():
        if isinstance(item, Skipped):
            yield item
        else:
            shards.append(item)
    size = sum(s.size for s in shards)
    if size < WORTH_BYTES or len(shards) < (WORTH_SHARDS if size < WORTH_ANYWAY else 2):
        for shard in shards:
            yield from scan_all(shard, engine, tally)
        return
    if forks and hasattr(os, "fork"):
        from leakguard.pipeline.forked import share_out
    else:
        from leakguard.pipeline.spawned import share_out
    if forks and size >= MUCH_BYTES:
        from leakguard.ruleset.store import join

        join(engine.rules, os.environ)
        engine.expect_much()
    proof_key = os.urandom(16)
    restored = _Restored(source, proof_key)
    for scanned in _whole(share_out(shards, engine, tally, min(wanted, len(shards)), proof_key), shards):
        if isinstance(scanned, Candidate):
            yield restored.of(scanned)
        elif isinstance(scanned, Unpaired):
            whole = restored.of(scanned.candidate)
            yield Unpaired(whole) if isinstance(whole, Candidate) else whole
        else:
            yield scanned


def _whole(results: Iterator[tuple[int, list[Item | Passed]]], shards: Sequence[Shard]) -> Iterator[Item]:
    """Yield the items of all shards; those of pieces of one input once all of them are there."""
    held: dict[int, list[Item | Passed]] = {}
    for number, items in results:
        if hasattr(shards[number], "follows"):
            held[number] = items
        else:
            yield from (item for item in items if not isinstance(item, Passed))
    if held:
        from leakguard.pipeline.pieces import joined

        yield from joined(held, shards)


def scan_all(source: Source, engine: Engine, tally: Tally) -> Iterator[Item]:
    """Scan the blobs of a source one after the other."""
    for item in scan_shard(source, engine, tally):
        if not isinstance(item, Passed):
            yield item


def scan_shard(source: Source, engine: Engine, tally: Tally) -> Iterator[Item | Passed]:
    """Scan the blobs of a source that may be a piece of an input."""
    for blob in source.blobs():
        if isinstance(blob, Blob):
            yield from _scan(blob, engine, tally)
        else:
            yield blob


def _scan(blob: Blob, engine: Engine, tally: Tally) -> Iterator[Item]:
    scanned = engine.scan(blob)
    if blob.preview:
        yield from map(Preview, scanned.candidates)
        return
    tally.files += blob.offset == 0
    tally.bytes += _owned(blob)
    tally.below += scanned.below
    yield from scanned.candidates
    yield from map(Unpaired, scanned.alone)
    if scanned.cut:
        yield Skipped(blob.provenance, "budget", by_choice=False, detail=scanned.cut)
    if scanned.slow:
        yield Skipped(blob.provenance, "timeout", by_choice=False, detail="rules given up here: " + ", ".join(sorted(scanned.slow)))


def _owned(blob: Blob) -> int:
    if blob.origin is not None:
        # counted as they were read
        blob = blob.origin.source
    return (len(blob.data) if blob.own_end is None else blob.own_end) - blob.own_start


def strip(item: Item | Passed, proof_key: bytes) -> Item | Passed:
    """Take the secret out of a candidate that leaves a worker; a keyed hash remains to notice a file that changed."""
    if isinstance(item, Unpaired):
        return Unpaired(_stripped(item.candidate, proof_key))
    return _stripped(item, proof_key) if isinstance(item, Candidate) else item


def _stripped(candidate: Candidate, proof_key: bytes) -> Candidate:
    if candidate.secret is None:
        return candidate
    return candidate._replace(secret=None, values=(), proof=_proof(candidate.secret.reveal(), proof_key))


def _proof(value: bytes, key: bytes) -> bytes:
    from hashlib import blake2b

    return blake2b(value, key=key, digest_size=16).digest()


class _Restored:
    """Gives candidates of workers their secrets back; a value that stands in many places is read at one of them."""

    def __init__(self, source: Source, proof_key: bytes) -> None:
        self._source = source
        self._proof_key = proof_key
        self._known: dict[tuple[str, bytes], Secret] = {}

    def of(self, candidate: Candidate) -> Candidate | Skipped:
        """Open the place again and cut the value, unless equal bytes (only they have an equal proof) are here already."""
        if candidate.secret is not None:
            return candidate
        from leakguard.engine.scan import cut
        from leakguard.engine.written import unwrap

        same = (candidate.rule.id, candidate.proof)
        if same not in self._known:
            value = self._source.reopen(candidate.place)
            if isinstance(value, Gone):
                return Skipped(candidate.place.provenance, "vanished", by_choice=False, detail=value.why)
            try:
                secret = cut(candidate.rule, unwrap(value, candidate.place.via))
            except ValueError:
                return Skipped(candidate.place.provenance, "changed", by_choice=False)
            if _proof(secret.reveal(), self._proof_key) != candidate.proof:
                return Skipped(candidate.place.provenance, "changed", by_choice=False)
            self._known[same] = secret
        return candidate._replace(secret=self._known[same], proof=b"")
