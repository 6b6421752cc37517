"""What an earlier scan of the same repository looked through, so that the next one reads only what is new.

Kept are ids alone: of the objects looked through, of those that may hold something, of the commits that brought them, and
of the findings told. No path, no name, no content. What may hold something is read again each time, so that the report is
the one of a whole scan; a changed rule, level or LeakGuard looks through everything again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from leakguard._version import __version__
from leakguard.engine.scan import Engine
from leakguard.engine.weights import LEVELS, WEIGHTS
from leakguard.errors import SourceError
from leakguard.gitio.repository import Repository
from leakguard.ruleset import store


class Known(NamedTuple):
    """Ids (hex, packs by name) that an earlier scan left."""

    contents: set[str]
    """Contents that may hold something."""
    texts: set[str]
    """Commits and tags that may."""
    tags: set[str]
    binary: set[str]
    packs: set[str]
    """Packs all of which was looked through."""
    loose: set[str]
    """Objects looked through that lay in files of their own."""
    commits: set[str]
    """Those that say where held contents, telling names and submodules stood first."""
    tips: set[str]
    """Where the refs were; what leads to them is known."""
    findings: set[str]


class Memory:
    """The memory of one repository; `path` empty: nothing is kept."""

    def __init__(self, path: str, about: bytes, hash_length: int) -> None:
        self._path = path
        self._about = about
        self._length = hash_length
        self.known = Known(*(set() for _ in Known._fields))
        self.spans: dict[str, tuple[int, ...]] = {}
        """Where in held contents something may stand."""
        self.walked = self.bytes = 0
        self._seen: set[bytes] = set()
        raw = store.read_kept(path, about) if path else None
        if raw is not None:
            self._load(raw)

    def _load(self, raw: bytes) -> None:
        head, _, ids = raw.partition(b"\n")
        try:
            data: dict[str, Any] = json.loads(head)
            known = Known(*(set(data[name]) for name in Known._fields))
            spans = {oid: tuple(map(int, at)) for oid, at in data["spans"].items()}
            self.walked, self.bytes = int(data["walked"]), int(data["bytes"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        self.known, self.spans = known, spans
        self._seen = {ids[at : at + self._length] for at in range(0, len(ids), self._length)}

    def __contains__(self, oid: object) -> bool:
        """Whether an object was looked through."""
        return oid in self._seen

    def __bool__(self) -> bool:
        """Whether there was an earlier scan that counts."""
        return bool(self._seen)

    def forget(self) -> None:
        """Drop all but which findings were told: the repository lost objects, and a whole scan says what is left."""
        self.known = Known(*(set() for _ in Known._fields))._replace(findings=self.known.findings)
        self.spans = {}
        self.walked = self.bytes = 0
        self._seen = set()

    def lacks(self, present: Iterable[bytes]) -> bool:
        """Whether something that was looked through is not among the objects that are there now."""
        return bool(self._seen.difference(present))

    def add(self, ids: Iterable[bytes]) -> None:
        """Note objects that were looked through now."""
        self._seen.update(ids)

    def still_leads(self, repository: Repository, revisions: list[str]) -> bool:
        """Whether all that earlier tips led to is still in scope, so that only what came after them has to be listed."""
        if not self.known.tips:
            return False
        asked = "".join(tip + "\n" for tip in sorted(self.known.tips)).encode("ascii")
        try:
            return not repository.git("rev-list", "-1", "--stdin", "--not", *revisions, input=asked)
        except SourceError:
            return False  # a tip is gone

    def save(self) -> None:
        """Keep everything for the next scan; a folder that can't be written is no error."""
        if not self._path:
            return
        head = {name: sorted(ids) for name, ids in self.known._asdict().items()} | {
            "walked": self.walked,
            "bytes": self.bytes,
            "spans": self.spans,
        }
        ids = b"".join(sorted(self._seen))
        store.write_kept(self._path, self._about, json.dumps(head).encode("ascii") + b"\n" + ids)


def open_memory(repository: Repository, engine: Engine, environ: Mapping[str, str], *, unreachable: bool) -> Memory:
    """Return what is known of a repository under these rules and settings."""
    from hashlib import blake2b

    folder = store.folder(environ)
    try:
        with open(os.path.join(repository.common_dir, "shallow"), "rb") as f:
            border = f.read()
    except OSError:
        border = b""
    level, _portable, skip, _pairs = engine.settings
    weights = [*WEIGHTS.items(), *LEVELS.items()]
    told = [__version__, engine.rules.digest, engine.name, level, sorted(skip), weights, *repository.objects]
    digest = blake2b(repr(told).encode("utf-8", "surrogateescape") + border, digest_size=16).hexdigest()
    scope = os.fsencode(os.path.realpath(repository.common_dir)) + b"\0unreachable" * unreachable
    name = blake2b(scope, digest_size=8).hexdigest()
    path = os.path.join(folder, f"history-{name}.bin") if folder else ""
    return Memory(path, digest.encode("ascii"), repository.hash_length)
