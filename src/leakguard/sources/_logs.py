r"""Tell build logs from other text by content, and say in which job and step of one a place is.

A log arrives at the engine without its noise (`engine/logs.py`) and with where it stood. What is no log pays for a look at its first bytes.

Sources: docs.github.com ("Using workflow run logs": an archive holds `1_build.txt` for a job and `build/3_Run tests.txt` for a
step; `##[group]Run`), docs.gitlab.com/ci/jobs/job_logs (`section_start:TIME:NAME[OPTIONS]\r\e[0K`), learn.microsoft.com
(Azure Pipelines: `##[section]Starting: NAME`), jenkins.io (pipeline: `[Pipeline] { (STAGE)`), docs.travis-ci.com (folds:
`travis_fold:start:NAME\r\e[0K`), buildkite.com/docs/pipelines/managing-log-output (`--- `, `+++ `, `~~~ `).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial

from leakguard.model.blob import Blob, Origin, Provenance, StreamProvenance, path_in
from leakguard.sources._text import HEAD

_FIRST = frozenset(b"0123456789[\xef")
"""Bytes with which a prefix begins that no program's text has so often that a look at it would cost."""
_SAMPLE = 40
"""Lines that decide whether most have a prefix."""
_LEAST_WIDTH = 79
"""Shorter lines of one length are a key's or a table's."""
_NAMED = (".log", ".out", ".txt", ".typescript", "/log", "stdin")
_LINE = 400
"""Bytes of a line that may name a step."""

Facts = tuple[tuple[str, str], ...]


def understood(blobs: Iterable[Blob]) -> Iterator[Blob]:
    """Yield the chunks of one input; those of a log as its text."""
    reader: Reader | None = None
    for blob in blobs:
        if reader is None:
            reader = Reader(blob.data, blob.provenance)
        yield reader.read(blob)
        if blob.preview and not blob.offset:
            reader = None  # what follows tells better what it is


def looks_like_log(head: bytes, provenance: Provenance) -> bool:
    """Whether runners or terminals wrote something between the text; what is no log is told from it by a few bytes."""
    if head[:1] and head[0] in _FIRST and _most(head):
        return True
    if head.find(27, 0, HEAD) >= 0:
        return True
    tab = head.find(b"\t", 0, 100)
    if (tab > 0 or head.find(b" | ", 0, 100) > 0) and _most(head):
        return True
    if isinstance(provenance, StreamProvenance) or path_in(provenance).lower().endswith(_NAMED):
        return _most(head) or bool(_patterns()["marks"].search(head, 0, HEAD)) or wrapped_at(head, provenance) > 0
    return False


def text_of(blob: Blob) -> Blob:
    """Return the only chunk of an input as its text."""
    if not looks_like_log(blob.data, blob.provenance) and blob.data.find(27) < 0:
        return blob
    return Reader(blob.data, blob.provenance).read(blob)


def _most(head: bytes) -> bool:
    lines = head[:HEAD].split(b"\n")[:_SAMPLE]
    lines = [line for line in (lines[:-1] if len(lines) > 1 else lines) if line.strip()]
    prefix = _patterns()["prefix"]
    return bool(lines) and sum(bool(prefix.match(line)) for line in lines) * 2 > len(lines)


def wrapped_at(head: bytes, provenance: Provenance) -> int:
    """Return the width at which a terminal broke the lines, 0 where none did: none is longer, several end there within a word."""
    if not isinstance(provenance, StreamProvenance) and not path_in(provenance).lower().endswith(_NAMED):
        return 0
    lines = [line.rstrip(b"\r") for line in head[:HEAD].split(b"\n")][:-1]
    width = max(map(len, lines), default=0)
    if width < _LEAST_WIDTH:
        return 0
    token, prefix = _patterns()["token"], _patterns()["prefix"]
    broken = sum(
        len(line) == width and bool(token.match(line[-1:])) and bool(token.match(after[:1])) and not prefix.match(after)
        for line, after in zip(lines, lines[1:], strict=False)
    )
    return width if broken >= 2 else 0


@cache
def _patterns() -> dict[str, re.Pattern[bytes]]:
    from leakguard.engine.logs import PREFIX, TIME

    return {
        "prefix": re.compile(rb"(?:\x1b[^\n]{1,40}?)?(?:" + PREFIX + rb")"),
        "marks": re.compile(rb"section_start:[0-9]+:|\[Pipeline\] |##\[(?:group|section)\]|travis_fold:start:"),
        "columns": re.compile(rb"([^\t\n\x1b]{1,100})\t([^\t\n\x1b]{1,200})\t(?:\xef\xbb\xbf)?" + TIME),
        "token": re.compile(rb"[0-9A-Za-z+/=_.~-]"),
        "step": re.compile(
            rb"##\[group\](?P<run>Run [^\r\n]+)|##\[section\]Starting: (?P<starting>[^\r\n]+)|##\[section\]Finishing: (?P<finishing>[^\r\n]+)"
            rb"|section_start:[0-9]+:(?P<section>[^\r\n\[]+)|section_end:[0-9]+:(?P<ended>[^\r\n\[]+)"
            rb"|travis_fold:start:(?P<fold>[^\r\n]+)|travis_fold:end:(?P<folded>[^\r\n]+)"
            rb"|\[Pipeline\] \{ \((?P<stage>[^\r\n]+)\)|\A(?:---|\+\+\+|~~~) (?P<group>[^\r\n]+)"
        ),
    }


_ENDS = frozenset({"finishing", "ended", "folded"})


class Reader:
    """Reads the chunks of one input one after the other; it is a log if its head looks like one's."""

    def __init__(self, head: bytes, provenance: Provenance) -> None:
        self._log = looks_like_log(head, provenance)
        self._width = wrapped_at(head, provenance) if self._log else 0
        self._named = named(path_in(provenance)) if self._log else ()
        self._before: tuple[Blob, Sequence[int], Facts] | None = None

    def read(self, blob: Blob) -> Blob:
        """Return the text of the next chunk (a preview is no next one)."""
        if not self._log and blob.data.find(27) < 0:
            return blob
        from leakguard.engine.logs import clean

        text = clean(blob.data, begins=blob.first_column == 1, prefixes=self._log, width=self._width)
        carried = self.step_at(blob.offset)
        facts = partial(self._facts, blob, text.marks, carried)
        origin = Origin(blob, text.at, text.moved, ("log", "wrapped log"), facts)
        if self._log and not blob.preview:
            self._before = (blob, text.marks, carried)
        return blob._replace(
            data=text.data,
            own_start=origin.left(blob.own_start) if blob.own_start else 0,
            own_end=None if blob.own_end is None else origin.left(blob.own_end),
            origin=origin,
        )

    def step_at(self, offset: int) -> Facts:
        """Return the step that an offset into the log is in, as far as what was read tells."""
        if self._before is None:
            return ()
        blob, marks, carried = self._before
        return _step(blob, marks, offset - blob.offset) or carried

    def _facts(self, blob: Blob, marks: Sequence[int], carried: Facts, at: int) -> Facts:
        if not self._log:
            return ()
        begin = blob.data.rfind(b"\n", 0, at) + 1
        if columns := _patterns()["columns"].match(blob.data, begin, begin + 2 * _LINE):
            return (("job", _shown(columns[1])), ("step", _shown(columns[2])))
        if any(name == "step" for name, _value in self._named):
            return self._named
        return (*self._named, *(_step(blob, marks, at) or carried))


def _step(blob: Blob, marks: Sequence[int], at: int) -> Facts:
    """Return the step that the last line before `at` names."""
    for place in reversed(marks[: bisect_left(marks, at)]):
        stop = blob.data.find(b"\n", place, place + _LINE)
        line = blob.data[place : stop if stop >= 0 else place + _LINE]
        found = [*_patterns()["step"].finditer(line)]
        if found and (kind := found[-1].lastgroup):
            name = _shown(found[-1][kind])
            return (("step", f"after {name}" if kind in _ENDS else name),)
    return ()


def _shown(raw: bytes) -> str:
    from leakguard.engine.logs import text_of

    return text_of(raw).strip().decode("utf-8", "replace")


def named(path: str) -> Facts:
    """Return job and step as the names in an archive of GitHub's and Azure's tell them: `1_build.txt`, `build/3_Run tests.txt`."""
    found = re.search(r"(?:(?P<job>[^/!]+)/)?(?P<number>[0-9]+)_(?P<name>[^/]+)\.txt\Z", path)
    if not found:
        return ()
    if found["job"]:
        return (("job", found["job"]), ("step", f"{found['number']} {found['name']}"))
    return (("job", found["name"]),)
