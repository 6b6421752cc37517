"""Which objects of a repository may hold a candidate: all packs by their deltas, then what lies loose."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from leakguard.engine.sieve import Sieve
from leakguard.gitio.pack import BLOB, COMMIT, TAG, DamagedPackError, Pack, ids_of
from leakguard.gitio.repository import Repository
from leakguard.sources._magic import kind_of
from leakguard.sources._memory import Memory
from leakguard.sources._text import HEAD, decoder, read_all, reader, sniff
from leakguard.sources._versions import LIMIT, Sifted, Walk

_KINDS = (BLOB, COMMIT, TAG)
_TAGS = _KINDS.index(TAG)
_LOOSE = 256
"""Loose objects in a shard."""


class Held(NamedTuple):
    """Ids (hex) of objects that have to be read."""

    contents: set[str]
    spans: dict[str, tuple[int, ...]]
    """Where in a content something may stand (start and end in turn); of the others it is not known."""
    bare: set[str]
    """Contents that hold nothing if they are code."""
    texts: set[str]
    """Commits and tags."""
    tags: set[str]
    """Those of them that are tags."""
    binary: set[str]
    walked: int
    bytes: int
    sieve: Sieve | None


def nothing_held() -> Held:
    """Return a value to add to."""
    return Held(set(), {}, set(), set(), set(), set(), 0, 0, None)


def held(
    repository: Repository, sieve: Sieve, jobs: int, progress: Callable[[float], None] | None, memory: Memory | None = None
) -> Held:
    """Sift every object of a repository; what a memory knows is taken from there."""
    there: set[str] = set()
    if memory is not None:
        # named before they are read: a pack that git writes meanwhile is left to the next scan
        there = pack_names(repository)
        _forget_if_lost(repository, memory, there)
    packs, damaged = _packs(repository, memory)
    walks = [Walk(pack, sieve, kind, skip) for pack, skip in packs for kind in _KINDS]
    tasks: list[Callable[[], tuple[int, Sifted | Held]]] = []
    for which, walk in enumerate(walks):
        tasks += [_walk_task(which, walk, roots) for roots in walk.shards()]
    seen = [pack for pack, _skip in packs]
    loose = [
        oid
        for oid in repository.loose()
        if not any(pack.holds(oid) for pack in seen) and (memory is None or bytes.fromhex(oid) not in memory)
    ]
    names = [*loose, *damaged]
    tasks += [_loose_task(repository, sieve, names[at : at + _LOOSE]) for at in range(0, len(names), _LOOSE)]
    out = nothing_held()._replace(sieve=sieve)
    runs: dict[int, list[Sifted]] = {}
    for done, (which, sifted) in enumerate(_run(tasks, jobs), 1):
        if isinstance(sifted, Held):
            out = _add(out, sifted)
        else:
            runs.setdefault(which, []).append(sifted)
            out = out._replace(walked=out.walked + sifted.walked * (which % 3 == 0), bytes=out.bytes + sifted.bytes)
        if progress is not None:
            progress(done / len(tasks))
    for first, (pack, _skip) in zip(range(0, len(walks), 3), packs, strict=True):
        _name(pack, [runs.get(first + kind, []) for kind in range(3)], out)
        if memory is not None:
            memory.add(pack.all_ids())
        pack.close()
    if memory is None:
        return out
    memory.add(map(bytes.fromhex, loose))
    return _remembered(repository, memory, out, there, loose)


def _forget_if_lost(repository: Repository, memory: Memory, packs: set[str]) -> None:
    """Start anew where objects that were looked through are gone (pruned); a repack alone changes nothing."""
    loose = set(repository.loose())
    if memory.known.packs <= packs and memory.known.loose <= loose:
        return
    present = {bytes.fromhex(oid) for oid in loose}
    for index in repository.packs():
        try:
            present.update(ids_of(index, repository.hash_length))
        except (DamagedPackError, OSError):
            continue
    if memory.lacks(present):
        memory.forget()


def _remembered(repository: Repository, memory: Memory, new: Held, packs: set[str], loose: Iterable[str]) -> Held:
    """Add what an earlier scan found, and note what is new."""
    known = memory.known
    memory.known = known = known._replace(
        contents=known.contents | new.contents,
        texts=known.texts | new.texts,
        tags=known.tags | new.tags,
        binary=known.binary | new.binary,
        packs=packs,
        loose=(known.loose | set(loose)) & set(repository.loose()),
    )
    memory.walked += new.walked
    memory.bytes += new.bytes
    memory.spans |= new.spans
    return Held(
        known.contents, memory.spans, new.bare, known.texts, known.tags, known.binary, memory.walked, memory.bytes, new.sieve
    )


def pack_names(repository: Repository) -> set[str]:
    """Name all packs of a repository."""
    return {_pack_name(index) for index in repository.packs()}


def _pack_name(index: str) -> str:
    """Name a pack by what it holds: git names it so, the size guards against another version's way to do that."""
    return f"{os.path.basename(index)} {os.path.getsize(index)} {os.path.getsize(index[:-4] + '.pack')}"


def _name(pack: Pack, runs: list[list[Sifted]], out: Held) -> None:
    """Add the ids of what was found in one pack; `runs` by kind."""
    groups: list[tuple[tuple[set[str], ...], list[int]]] = [
        ((out.contents,), [number for run in runs[0] for number in run.held]),
        ((out.texts,), [number for run in runs[1] for number in run.held]),
        ((out.texts, out.tags), [number for run in runs[_TAGS] for number in run.held]),
        ((out.binary,), [number for run in runs[0] for number in run.binary]),
        # git may know their base from elsewhere; if not, it says so when they are read
        ((out.contents,), pack.unreached()),
    ]
    names = pack.ids(number for _into, numbers in groups for number in numbers)
    for into, numbers in groups:
        for ids in into:
            ids.update(names[number] for number in numbers)
    for run in runs[0]:
        out.spans.update((names[number], spans) for number, spans in run.spans.items())
        out.bare.update(names[number] for number in run.bare)


def every(repository: Repository) -> Held:
    """Return every object without looking into any: the plain way."""
    listed = repository.git("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objecttype) %(objectname)")
    contents, texts, tags = set(), set(), set()
    for line in listed.decode("ascii").splitlines():
        kind, _, oid = line.partition(" ")
        if kind == "blob":
            contents.add(oid)
        elif kind in {"commit", "tag"}:
            texts.add(oid)
            if kind == "tag":
                tags.add(oid)
    return nothing_held()._replace(contents=contents, texts=texts, tags=tags)


def _packs(repository: Repository, memory: Memory | None) -> tuple[list[tuple[Pack, frozenset[int]]], list[str]]:
    """Open all packs that are not known as a whole; of an object that lies in several only the first counts.

    A pack that can't be read is left to git.
    """
    out: list[tuple[Pack, frozenset[int]]] = []
    left: list[str] = []
    for index in repository.packs():
        if memory is not None and _pack_name(index) in memory.known.packs:
            continue
        try:
            pack = Pack(index, repository.hash_length)
        except (DamagedPackError, OSError):
            listed = repository.git(
                "show-index", f"--object-format=sha{'1' if repository.hash_length == 20 else '256'}", input=_bytes(index)
            )
            left += [line.split()[1].decode("ascii") for line in listed.splitlines()]
            continue
        skip: set[int] = set(pack.among(memory)) if memory else set()
        for earlier, _skip in out:
            skip.update(pack.numbers(oid for oid in pack.all_ids() if earlier.holds(oid.hex())))
        out.append((pack, frozenset(skip)))
    return out, left


def _bytes(path: str) -> bytes:
    with open(path, "rb") as f:
        return f.read()


def _walk_task(which: int, walk: Walk, roots: Sequence[int]) -> Callable[[], tuple[int, Sifted | Held]]:
    return lambda: (which, walk.sift(roots))


def _loose_task(repository: Repository, sieve: Sieve, names: Sequence[str]) -> Callable[[], tuple[int, Sifted | Held]]:
    return lambda: (-1, _loose(repository, sieve, names))


def _run(tasks: Sequence[Callable[[], tuple[int, Sifted | Held]]], jobs: int) -> Iterable[tuple[int, Sifted | Held]]:
    import gc

    # a walk makes millions of objects and no circles; looking for them would take a fifth of its time
    enabled = gc.isenabled()
    gc.disable()
    try:
        if jobs < 2 or len(tasks) < 2:
            for task in tasks:
                yield task()
            return
        from leakguard.processes import share_out

        def strip(number: int) -> tuple[int, Sifted | Held]:
            which, found = tasks[number]()
            return which, found._replace(sieve=None) if isinstance(found, Held) else found

        yield from share_out(len(tasks), strip, strip, jobs)
    finally:
        if enabled:
            gc.enable()


def _add(a: Held, b: Held) -> Held:
    return a._replace(
        contents=a.contents | b.contents,
        spans=a.spans | b.spans,
        bare=a.bare | b.bare,
        texts=a.texts | b.texts,
        tags=a.tags | b.tags,
        binary=a.binary | b.binary,
        walked=a.walked + b.walked,
        bytes=a.bytes + b.bytes,
    )


def _loose(repository: Repository, sieve: Sieve, names: Sequence[str]) -> Held:
    """Sift loose objects; what can't be read here is left to git."""
    out = nothing_held()
    unread: list[str] = []
    walked = size = 0
    for oid in names:
        raw = _loose_bytes(repository, oid)
        head, nul, data = raw.partition(b"\0") if raw else (b"", b"", b"")
        kind, _, length = head.partition(b" ")
        if not nul or not length.isdigit() or int(length) != len(data):
            unread.append(oid)
            continue
        _sort(kind.decode("ascii", "replace"), oid, data, sieve, out)
        walked += kind == b"blob"
        size += len(data) * (kind in {b"blob", b"commit", b"tag"})
    if unread:
        with repository.contents() as objects:
            for oid, kind_name, length_, read in objects.each(unread):
                if kind_name in {"missing", "blob"} or length_ > LIMIT:
                    out.contents.add(oid)
                elif kind_name in {"commit", "tag"}:
                    _sort(kind_name, oid, read_all(read), sieve, out)
    return out._replace(walked=walked, bytes=size)


def _loose_bytes(repository: Repository, oid: str) -> bytes:
    for folder in repository.objects:
        try:
            with open(os.path.join(folder, oid[:2], oid[2:]), "rb") as f:
                return zlib.decompressobj().decompress(f.read(), LIMIT)
        except (OSError, zlib.error):
            continue
    return b""


def _sort(kind: str, oid: str, data: bytes, sieve: Sieve, out: Held) -> None:
    if kind not in {"blob", "commit", "tag"}:
        return
    if kind == "blob" and kind_of(data):
        out.contents.add(oid)
        return
    encoding = sniff(data, whole=len(data) <= HEAD)
    if encoding == "binary":
        if kind == "blob":
            out.binary.add(oid)
        return
    if encoding:
        read = decoder(reader(data), encoding)
        data = read_all(read)
    if any(span.held for span in sieve.spans(data)):
        (out.contents if kind == "blob" else out.texts).add(oid)
        if kind == "tag":
            out.tags.add(oid)
