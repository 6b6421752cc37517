"""The pre-commit hook: what is staged, out of the index; what is named and not staged, from disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from leakguard.errors import ExitCode
from leakguard.gitio.objects import Objects
from leakguard.gitio.staged import staged, top_level
from leakguard.hook._shared import settings, tell
from leakguard.pipeline import Setup, scan
from leakguard.pipeline import setup as prepare
from leakguard.sources.staged import StagedSource
from leakguard.suppress.identity import id_key


def run(typed: dict[str, str], files: Sequence[str], expired: Callable[[], bool]) -> int:
    """Scan what is staged and what is named; print what blocks; return the exit code."""
    cwd = os.getcwd()
    top = top_level(cwd)
    found = staged(cwd)
    named = {os.path.relpath(os.path.abspath(f), top).replace(os.sep, "/") for f in files}
    changes = [c for c in found.changes if c.path in named] if files else found.changes
    disk = sorted(named - {c.path for c in found.changes})
    if not changes and not disk:
        return ExitCode.CLEAN
    with Objects(cwd, hook=True) as objects:
        return _scan(typed, top, changes, found.gone, disk, objects, expired)


def _scan(
    typed: dict[str, str],
    top: str,
    changes: Sequence[Any],
    gone: Sequence[str],
    disk: Sequence[str],
    objects: Any,
    expired: Callable[[], bool],
) -> int:
    config, baseline = settings(typed, top, objects)
    engine = prepare.build_engine(config, os.environ)
    config = config._replace(notes=(*config.notes, *prepare.unknown_rules(config, engine)))
    exclude = prepare.excluders(config, prepare.today())
    leaves_out = exclude(top) if exclude else None
    max_size, depth = config.max_size or None, config.max_archive_depth
    source = StagedSource(top, changes, gone, objects, expired=expired, exclude=leaves_out, max_size=max_size, depth=depth)
    setup = Setup(engine, config, id_key(os.environ, top, create=True), prepare.today(), baseline, whole=False)
    report = scan(
        _Both(source, _Disk(top, disk, leaves_out, max_size, depth, expired)),
        setup,
        roots=[top],
        clock=time.monotonic,
        keep=None if "whole_file" in typed else source.is_new,
    )
    return tell(report, config, typed)


class _Disk:
    """Paths that were named and are not staged: read from disk, shown relative to the top level."""

    def __init__(
        self,
        top: str,
        paths: Sequence[str],
        exclude: Callable[[str], str] | None,
        max_size: int | None,
        depth: int,
        expired: Callable[[], bool],
    ) -> None:
        self._top, self._paths, self._exclude, self._max_size, self._expired = top, paths, exclude, max_size, expired
        self._depth = depth

    def blobs(self) -> Iterator[Any]:
        """Yield the blobs of each path."""
        if not self._paths:
            return
        import stat

        from leakguard.model.blob import FileProvenance, Skipped
        from leakguard.sources._walk import Entry, failed
        from leakguard.sources.files import FileShard

        for path in self._paths:
            provenance = FileProvenance(self._top, path)
            if self._exclude is not None and (why := self._exclude(path)):
                yield Skipped(provenance, "excluded", by_choice=True, detail=why)
                continue
            if self._expired():
                yield Skipped(provenance, "timeout", by_choice=False, detail="the deadline came first")
                continue
            try:
                status = os.lstat(os.path.join(self._top, path))
            except OSError as e:
                yield failed(provenance, e)
                continue
            if stat.S_ISDIR(status.st_mode):
                yield Skipped(provenance, "submodule", by_choice=True, detail="a folder; leakguard scan reads folders")
                continue
            entry = Entry(path, status.st_size, stat.S_ISLNK(status.st_mode))
            yield from FileShard(self._top, (entry,), self._max_size, self._depth, status.st_size).blobs()

    def reopen(self, place: Any) -> Any:
        """Return the bytes of a place again."""
        from leakguard.sources.files import reopen

        return reopen(place)


class _Both:
    """What is staged, then what was named."""

    def __init__(self, index: Any, disk: _Disk) -> None:
        self._index, self._disk = index, disk

    def blobs(self) -> Iterator[Any]:
        """Yield the blobs of both."""
        yield from self._index.blobs()
        yield from self._disk.blobs()

    def reopen(self, place: Any) -> Any:
        """Return the bytes of a place again."""
        return (self._index if place.provenance.kind == "staged" else self._disk).reopen(place)
