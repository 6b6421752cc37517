"""A repository's history: every content once, with the commit that brought it.

    log (what every commit changed) + packs (what may hold a candidate, by their deltas) -> contents, with paths and commits

A content that may hold something is given to the engine whole, once for each path it had; so what is reported is what
reading every content would report. Without a sieve every content is read, which is the plain way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from leakguard.config import ARCHIVE_DEPTH
from leakguard.engine.sieve import Sieve
from leakguard.engine.values import CODE, file_kind
from leakguard.gitio.log import GITLINK, Change, Commit, Log, change_of, commit_of, maybe_gitlink, new_of
from leakguard.gitio.objects import Objects
from leakguard.gitio.repository import Repository
from leakguard.model.blob import Blob, GitProvenance, Gone, MemberProvenance, Skipped, outermost, path_in
from leakguard.model.finding import Candidate, Finding, Place
from leakguard.sources._focus import focused
from leakguard.sources._held import Held, every, held, nothing_held, pack_names
from leakguard.sources._memory import Memory
from leakguard.sources._settle import settle
from leakguard.sources._text import cut, read_all, reader
from leakguard.sources.staged import COMPARED, blobs_of, cut_member, lines_of, member_of

_SHARD = 256
"""Objects that are read in one go, by one `git cat-file`, at most; fewer where that makes too few shares."""


class Scope(NamedTuple):
    """Which part of history counts."""

    revisions: tuple[str, ...] = ("--all",)
    paths: tuple[str, ...] = ()
    unreachable: bool = False
    """Also what no ref leads to: reflogs, stashes, dangling objects, the index."""

    @property
    def whole(self) -> bool:
        """All that any ref leads to; else a range, of which only the lines that it brought count."""
        return self.revisions == ("--all",) and not self.paths


class _Use(NamedTuple):
    """A content at a path, and the first commit that brought it there."""

    commit: str
    time: int
    old: tuple[str, ...]


class Entry(NamedTuple):
    """An object to read, and where it stood."""

    oid: str
    path: str
    commit: str
    time: int
    kind: str = "history"
    spans: tuple[int, ...] = ()
    """Where it may hold something (start and end in turn); empty: anywhere."""


class HistoryShard(NamedTuple):
    """Some objects of one repository: a picklable source."""

    repository: Repository
    entries: tuple[Entry, ...]
    max_size: int | None
    margin: tuple[int, int]
    """Bytes before and after a span that decide what stands there."""
    size: int
    depth: int = ARCHIVE_DEPTH
    """How deep containers are looked into."""
    expired: Callable[[], bool] | None = None
    """Says that the time is up (only in this process)."""

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield each object's content once for each place it had."""
        repository = self.repository
        with repository.contents() as objects:
            read = objects.each([entry.oid for entry in self.entries])
            for entry, (_oid, kind, size, more) in zip(self.entries, read, strict=True):
                provenance = GitProvenance(repository.path, entry.path, entry.kind, entry.oid, entry.commit, entry.time)
                if entry.kind != "history":
                    yield from _text(kind, more, provenance)
                elif kind == "missing":
                    yield Skipped(provenance, "unreadable", by_choice=repository.partial, detail="git has no such object")
                elif self.max_size and size > self.max_size:
                    yield Skipped(provenance, "max-size", by_choice=True, detail=f"{size} bytes")
                elif kind == "blob":
                    for blob in blobs_of(more, provenance, self.depth, size=size, expired=self.expired):
                        yield focused(blob, entry.spans, self.margin) if isinstance(blob, Blob) else blob

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again."""
        with self.repository.contents() as objects:
            return _again(objects, place, self.depth)


class NamesShard(NamedTuple):
    """Names of paths and refs."""

    names: tuple[GitProvenance, ...]
    size: int

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield each name."""
        for provenance in self.names:
            yield Blob(provenance.path.encode("utf-8", "surrogateescape"), provenance)

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again."""
        return _in_name(place)


def _text(kind: str, read: Callable[[int], bytes], provenance: GitProvenance) -> Iterator[Blob]:
    """Yield a commit or tag; of its head only who and what, since ids of other objects are no secrets."""
    if kind not in {"commit", "tag"}:
        return
    text = read_all(read)
    begin = max(0, text.find(b"author " if kind == "commit" else b"tagger "))
    yield Blob(text[begin:], provenance._replace(kind=kind), begin, text.count(b"\n", 0, begin) + 1)


def _again(objects: Objects, place: Place, depth: int) -> bytes | Gone:
    provenance = outermost(place.provenance)
    if not isinstance(provenance, GitProvenance):
        return Gone("it is not of this repository")
    if provenance.kind in {"path-name", "ref-name"}:
        return _in_name(place)
    for _oid, _kind, _size, read in objects.each([provenance.blob]):
        if isinstance(place.provenance, MemberProvenance):
            return cut_member(read_all(read), place, depth)
        found = cut(reader(read_all(read)), place.encoding, place.offset, place.length)
        return Gone("git has no such content any more") if found is None else found
    return Gone("git has no such content any more")


def _in_name(place: Place) -> bytes | Gone:
    value = path_in(place.provenance).encode("utf-8", "surrogateescape")[place.offset : place.offset + place.length]
    return value if len(value) == place.length else Gone("the name is shorter")


class HistorySource:
    """The contents, messages and names of a repository's history.

    `make_sieve` is called once the log runs; None: every content is read. `jobs` processes are forked if `forks` says so.
    """

    def __init__(
        self,
        repository: Repository,
        scope: Scope,
        *,
        make_sieve: Callable[[], Sieve] | None,
        jobs: int = 1,
        forks: bool = False,
        exclude: Callable[[str], str] | None = None,
        max_size: int | None = None,
        depth: int = ARCHIVE_DEPTH,
        expired: Callable[[], bool] | None = None,
        progress: Callable[[float], None] | None = None,
        memory: Memory | None = None,
    ) -> None:
        """`memory` of an earlier scan counts for a whole history with a sieve."""
        self._memory = memory
        self._repository = repository
        self._scope = scope
        self._make_sieve = make_sieve
        self._jobs = jobs
        self._forks = forks
        self._exclude = exclude
        self._max_size = max_size
        self._depth = depth
        self._expired = expired
        self._progress = progress
        self.notes: list[str] = []
        self.walked = (0, 0)
        """Contents and bytes that were looked through here."""
        self._old: dict[tuple[str, str], tuple[str, ...]] = {}
        self._objects: Objects | None = None

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield what may hold a candidate, with its path and commit."""
        for shard in self.shards():
            if isinstance(shard, Skipped):
                yield shard
            else:
                yield from shard.blobs()

    def shards(self) -> Iterator[HistoryShard | NamesShard | Skipped]:
        """Look through everything, then yield what has to be read."""
        repository = self._repository
        logs, tips = self._logs()
        try:
            found = self._look(logs[0])
            self.walked = (found.walked, found.bytes)
            if found.binary:
                yield Skipped(GitProvenance(repository.path, ""), "binary", by_choice=True, number=len(found.binary))
            uses, commits, names, modules = self._uses(logs, found)
        finally:
            for log in logs:
                log.close()
        suspicious = tuple(self._names(names, found.sieve))
        if self._memory is not None:
            firsts = {use.commit for at in uses.values() for use in at.values()} | {
                name.commit for name in suspicious if name.commit
            }
            wanted = firsts | set(modules.values()) | (commits & found.texts)
            self._memory.known = self._memory.known._replace(tips=tips, commits=wanted)
        self._tell(modules)
        entries: list[Entry] = []
        margin = (found.sieve.before, found.sieve.after) if found.sieve else (0, 0)
        for entry in (*self._contents(found, uses), *self._texts(found, commits)):
            if isinstance(entry, Skipped):
                yield entry
            else:
                entries.append(entry)
        # versions of a path build on each other, the older ones on the newer: git has the base of the next one at hand
        entries.sort(key=lambda entry: (entry.path, -entry.time, entry.oid))
        step = max(_SHARD // 4, min(_SHARD, len(entries) // 16))
        for at in range(0, len(entries), step):
            some = tuple(entries[at : at + step])
            yield HistoryShard(repository, some, self._max_size, margin, len(some) << 16, self._depth, self._expired)
        if suspicious:
            yield NamesShard(suspicious, 1)

    def _logs(self) -> tuple[list[Log], set[str]]:
        """Start to list commits: all, or those that are new and those that an earlier scan needs again; and where refs are."""
        repository, scope, memory = self._repository, self._scope, self._memory
        revisions = [*scope.revisions, *(["--reflog"] if scope.unreachable and scope.whole else [])]
        if memory is None:
            return [Log(repository, revisions, scope.paths)], set()
        tips = set(repository.git("rev-list", "--no-walk=unsorted", *revisions).decode("ascii").split())
        # contents that a partial clone has fetched since belong to commits that were listed before
        fetched = repository.partial and pack_names(repository) != memory.known.packs
        if fetched or not memory.still_leads(repository, revisions):
            return [Log(repository, revisions)], tips
        logs = [Log(repository, revisions, names=["^" + tip for tip in sorted(memory.known.tips)])]
        if memory.known.commits:
            logs.append(Log(repository, ["--no-walk=unsorted"], names=sorted(memory.known.commits)))
        return logs, tips

    def _look(self, log: Log) -> Held:
        if not self._scope.whole:
            entries = list(log.entries())
            contents = {entry.new for entry in entries if isinstance(entry, Change)}
            texts = {entry.id for entry in entries if isinstance(entry, Commit)}
            return nothing_held()._replace(contents=contents, texts=texts)
        if self._make_sieve is None:
            return every(self._repository)
        return held(self._repository, self._make_sieve(), self._jobs if self._forks else 1, self._progress, self._memory)

    def _uses(
        self, logs: Sequence[Log], found: Held
    ) -> tuple[dict[str, dict[str, _Use]], set[str], dict[str, Commit], dict[str, str]]:
        """Return the paths of each held content, all commits, every path and submodule with the commit that first had it.

        Of commits made in the same second the id decides, so that the order of the log does not.
        """
        uses: dict[str, dict[str, _Use]] = {}
        commits: set[str] = set()
        firsts: dict[bytes, tuple[int, str]] = {}
        modules: dict[str, str] = {}
        contents = {oid.encode("ascii") for oid in found.contents}
        first = (0, "")
        for head, path in (entry for log in logs for entry in log.heads()):
            if not path:
                commit = commit_of(head)
                commits.add(commit.id)
                first = commit.time, commit.id
                continue
            if path not in firsts or first < firsts[path]:
                firsts[path] = first
            if new_of(head) in contents:
                change = change_of(head, path)
                at = uses.setdefault(change.new, {})
                known = at.get(change.path)
                if known is None or first < (known.time, known.commit):
                    at[change.path] = _Use(first[1], first[0], change.old)
            elif maybe_gitlink(head) and (change := change_of(head, path)).mode == GITLINK:
                modules[change.path] = first[1]
        names = {os.fsdecode(path): Commit(oid, time) for path, (time, oid) in firsts.items()}
        return uses, commits, names, modules

    def _tell(self, modules: Collection[str]) -> None:
        if self._repository.shallow:
            self.notes.append(
                "the clone is shallow: commits before its border were not scanned (git fetch --unshallow brings them)"
            )
        if self._repository.partial:
            self.notes.append("the clone is partial: contents that it lacks were not scanned, and none was fetched")
        if modules:
            self.notes.append(f"{len(modules)} submodule{'s' * (len(modules) > 1)} not followed: scan each repository by itself")

    def _contents(self, found: Held, uses: dict[str, dict[str, _Use]]) -> Iterator[Entry | Skipped]:
        for oid in sorted(found.contents):
            places = uses.get(oid)
            if places is None and not self._scope.unreachable:
                continue
            for path, use in sorted((places or {"": _Use("", 0, ())}).items()):
                if self._exclude is not None and path and (why := self._exclude(path)):
                    provenance = GitProvenance(self._repository.path, path, "history", oid, use.commit, use.time)
                    yield Skipped(provenance, "excluded", by_choice=True, detail=why)
                    continue
                self._old[oid, path] = use.old
                if oid in found.bare and file_kind(path) in CODE:
                    continue
                yield Entry(oid, path, use.commit, use.time, spans=found.spans.get(oid, ()))

    def _texts(self, found: Held, commits: set[str]) -> Iterator[Entry]:
        for oid in sorted(found.texts):
            if oid in commits or self._scope.unreachable or oid in found.tags:
                yield Entry(oid, "", "" if oid in found.tags else oid, 0, "text")

    def _names(self, names: dict[str, Commit], sieve: Sieve | None) -> Iterator[GitProvenance]:
        """Yield names of paths and refs that may hold a secret; without a sieve all of them."""
        root = self._repository.path
        named = [GitProvenance(root, name, "path-name", "", c.id, c.time) for name, c in sorted(names.items())]
        if self._scope.whole:
            refs = self._repository.git("for-each-ref", "--format=%(refname)").decode("utf-8", "surrogateescape").splitlines()
            named += [GitProvenance(root, name, "ref-name") for name in refs]
        return iter(named) if sieve is None else _suspicious(named, sieve)

    def is_new(self, candidate: Candidate) -> bool:
        """Whether one of a candidate's lines stood in no older version of its path; of a whole history every line counts."""
        return any(self._new_place(place) for place in (candidate.place, *candidate.others))

    def _new_place(self, place: Place) -> bool:
        provenance = outermost(place.provenance)
        inner = place.provenance.inner if isinstance(place.provenance, MemberProvenance) else ()
        if self._scope.whole or not isinstance(provenance, GitProvenance) or provenance.kind != "history":
            return True
        old = self._old.get((provenance.blob, provenance.path), ())
        if not old:
            return True
        if self._objects is None:
            self._objects = self._repository.contents()
        texts = [self._objects.read(oid, limit=COMPARED) for oid in (provenance.blob, *old)]
        if inner:
            texts = [text and member_of(text, provenance, inner, self._depth) for text in texts]
        versions = [None if text is None else lines_of(text) for text in texts]
        now = versions[0]
        if now is None:
            return True
        touched = set(now[place.start_line - 1 : place.end_line])
        return all(before is None or not touched.issubset(before) for before in versions[1:])

    def settle(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return findings whose places say who brought them, when, and on which branches they still are.

        With a memory each also says whether the scan before told it, and the memory is kept for the next one.
        """
        settled = settle(self._repository, findings)
        memory = self._memory
        if memory is None:
            return settled
        settled = [f._replace(known=f.id in memory.known.findings) for f in settled]
        memory.known = memory.known._replace(findings={f.id for f in settled})
        memory.save()
        return settled

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again."""
        if self._objects is None:
            self._objects = self._repository.contents()
        return _again(self._objects, place, self._depth)

    def close(self) -> None:
        """End git."""
        if self._objects is not None:
            self._objects.close()
            self._objects = None


def _suspicious(named: Sequence[GitProvenance], sieve: Sieve) -> Iterator[GitProvenance]:
    """Yield those names on whose line something may stand."""
    lines = [p.path.replace("\n", " ").encode("utf-8", "surrogateescape") for p in named]
    text = b"\n\n".join(lines)
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + 2
    from bisect import bisect_left, bisect_right

    wanted: set[int] = set()
    for span in sieve.spans(text):
        if span.held:
            wanted.update(range(max(0, bisect_right(starts, span.start) - 1), bisect_left(starts, span.end)))
    for index in sorted(wanted):
        yield named[index]


def repository_root(repository: Repository) -> str:
    """Return what paths of a repository's history are relative to: the top of its work tree, or the bare repository."""
    if repository.bare:
        return repository.path
    return os.fsdecode(repository.git("rev-parse", "--show-toplevel").rstrip(b"\n"))
