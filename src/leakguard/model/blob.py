"""What is scanned: `Blob`, where it came from (`Provenance`), and what was not scanned (`Skipped`)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

STRINGS = "strings"
"""Name of the encoding of a program: its printable strings at their places, a newline for each other byte."""


class FileProvenance(NamedTuple):
    """A file of a folder scan, or a file named alone (then `root` is its folder)."""

    root: str
    """Absolute path of the folder that was named, as given by the operating system (surrogateescape)."""
    path: str
    """Relative to `root`, `/` between parts."""
    kind: str = "file"
    """`file`, or `link`: the target text of a symbolic link."""


class StreamProvenance(NamedTuple):
    """Bytes that can't be read twice: standard input, a library call."""

    name: str
    kind: str = "stream"


class GitProvenance(NamedTuple):
    """An object of a repository's history."""

    root: str
    """Absolute path of the repository that was named."""
    path: str
    """In the tree; empty for what has none (a commit's message)."""
    kind: str = "history"
    """`history`: a file's content; `commit`, `tag`: an object's own text; `path-name`, `ref-name`: a name."""
    blob: str = ""
    """Id of the object."""
    commit: str = ""
    """Id of the first commit that brought it to this path; empty: no commit that was looked at did."""
    time: int = 0
    """When that commit was made, seconds since 1970."""
    author: str = ""
    date: str = ""
    """When its change was written, ISO 8601."""
    heads: tuple[str, ...] = ()
    """Branches that still hold this very content at this path."""


class ImageProvenance(NamedTuple):
    """A container image, or one layer of it."""

    root: str
    """Absolute path of the folder that its file lies in; of others the registry or the engine."""
    path: str
    """Name of that file or folder; of others the image as it was named."""
    kind: str = "image"
    layer: str = ""
    """Digest of the layer, or its path in an archive; empty: the image's configuration."""


Outer: TypeAlias = FileProvenance | StreamProvenance | GitProvenance | ImageProvenance
"""What is read as it is."""

INSIDE = "!/"
"""Stands between a container and what is inside it, as in URLs of jars: `dist/app.jar!/lib/db.jar!/db.properties`."""


class MemberProvenance(NamedTuple):
    """Something inside a container: an archive's member, a document's page, a layer's file, an export's message."""

    outer: Outer
    inner: tuple[str, ...]
    """Names on the way in, outermost first: `("lib/db.jar", "db.properties")`."""
    facts: tuple[tuple[str, str], ...] = ()
    """What else says where it is, by name: `("page", "3")`, `("channel", "ops")`, `("layer", "sha256:...")`."""
    kind: str = "member"

    @property
    def root(self) -> str:
        """The container's root, or the stream's name."""
        return self.outer.name if isinstance(self.outer, StreamProvenance) else self.outer.root

    @property
    def path(self) -> str:
        """The container's path and the names on the way in."""
        return INSIDE.join((path_in(self.outer), *self.inner))


Provenance: TypeAlias = Outer | MemberProvenance


def outermost(provenance: Provenance) -> Outer:
    """Return what was read: the container that lies in no other, or the thing itself."""
    return provenance.outer if isinstance(provenance, MemberProvenance) else provenance


def path_in(provenance: Provenance) -> str:
    """Return the path below the root, empty where there is none."""
    return provenance.name if isinstance(provenance, StreamProvenance) else provenance.path


def is_again(provenance: Provenance) -> bool:
    """Whether a later run can read it by its path: no stream, and no image of a registry or an engine."""
    outer = outermost(provenance)
    return not isinstance(outer, StreamProvenance) and (not isinstance(outer, ImageProvenance) or outer.root.startswith("/"))


def is_file(provenance: Provenance) -> bool:
    """Whether it is a file's content, now or in history, so that path settings, marks and baselines speak of it."""
    outer = outermost(provenance)
    return isinstance(outer, FileProvenance) or (isinstance(outer, GitProvenance) and outer.kind == "history")


class Part(NamedTuple):
    """A stretch of a text that a reader made: a page, a cell, a message."""

    offset: int
    """Bytes of the made text before it."""
    text_line: int
    """Line of the made text, from 1, in which it begins."""
    facts: tuple[tuple[str, str], ...] = ()
    line: int = 1
    column: int = 1
    """Where it begins for people: in the page or cell, or in the file that it was read from."""
    flat: bool = False
    """It is one line there, however many it makes here (a string of JSON); else it begins a line here and has as many there."""


class Blob(NamedTuple):
    """A run of bytes to scan: a whole small file or one chunk of a big one.

    Chunks overlap: a chunk owns the matches that begin at or after `own_start` and before `own_end` (offsets into
    `data`), so that each match is reported once, seen whole and with its context.
    """

    data: bytes
    """UTF-8 or unknown bytes; text of other encodings arrives as UTF-8 with `encoding` set."""
    provenance: Provenance
    offset: int = 0
    """Bytes of the (decoded) input before `data`."""
    first_line: int = 1
    first_column: int = 1
    """Line and column, from 1, of the first character of `data`."""
    own_start: int = 0
    own_end: int | None = None
    """None: to the end."""
    encoding: str = ""
    """Empty for bytes as they are; else what was decoded (`utf-16-le`, ...)."""
    preview: bool = False
    """What has come so far of a stream that pauses: told at once, and scanned again with what follows."""
    focus: Sequence[int] | None = None
    """Where it may hold anything (start and end in turn, ascending and apart); None: not known."""
    parts: Sequence[Part] = ()
    """What the input consists of, by offset, where places are told by more than a line; of a `MemberProvenance` only."""
    origin: Origin | None = None
    """Where `data` stood, if it is not what was read; then only `own_start` and `own_end` are positions in `data`."""

    def __repr__(self) -> str:
        return f"<Blob {self.provenance} at {self.offset}, {len(self.data)} bytes>"


class Origin(NamedTuple):
    """Where bytes stood that something was taken out of."""

    source: Blob
    """What was read."""
    at: Sequence[int]
    """Ascending positions in the bytes that are left, the first 0 ..."""
    moved: Sequence[int]
    """... and how much further on the bytes from there on stand in the source."""
    ways: tuple[str, ...]
    """Decoders of `engine/written.py` that make of the source's bytes of a span those that are left."""
    facts: Callable[[int], tuple[tuple[str, str], ...]]
    """What says where a position in the source is: `(("step", "Run tests"),)`."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the source the bytes of a span stood, from the first to the last of them."""
        first = bisect_right(self.at, start) - 1
        last = bisect_right(self.at, end - 1) - 1 if end > start else first
        return start + self.moved[first], max(start, end - 1) + self.moved[last] + (end > start)

    def left(self, place: int) -> int:
        """Return where what stands at or behind a place of the source begins in what is left."""
        low, high = 0, len(self.at)
        while low < high:
            middle = (low + high) // 2
            if self.at[middle] + self.moved[middle] <= place:
                low = middle + 1
            else:
                high = middle
        if not low:
            return 0
        found = place - self.moved[low - 1]
        return min(found, self.at[low]) if low < len(self.at) else found


class Passed(NamedTuple):
    """What a piece of a big input says about where the next one begins; the last thing that a piece yields."""

    lines: int
    """Line ends in it."""
    columns: int
    """Characters behind the last of them, or all of it where there is none."""
    facts: tuple[tuple[str, str], ...] = ()
    """What says where its end is; empty: what said so before still holds."""


class Skipped(NamedTuple):
    """Something that was not scanned, walking the same pipe as a finding."""

    provenance: Provenance
    reason: str
    """One of `REASONS`."""
    by_choice: bool
    """False: it should have been read and could not be, so the run is incomplete."""
    detail: str = ""
    """What the operating system said; no scanned bytes."""
    number: int = 1
    """How many things a collapsed entry stands for (an ignored folder is one)."""


class Gone(NamedTuple):
    """Answer of `Source.reopen` where the bytes can't be had again."""

    why: str


REASONS = {
    "ignored": "ignored by .gitignore",
    "excluded": "excluded by path settings",
    "binary": "binary",
    "device": "device, FIFO or socket",
    "max-size": "larger than --max-size",
    "submodule": "submodule",
    "extra": "needs an optional package",
    "unreadable": "could not be read",
    "vanished": "vanished while scanning",
    "changed": "changed while scanning",
    "truncated": "ended before its size",
    "timeout": "took too long",
    "loop": "symbolic link loop",
    "damaged": "damaged",
    "encrypted": "encrypted",
    "budget": "beyond the limits for containers",
    "elsewhere": "kept elsewhere by its vendor",
}
"""Reason code -> words for people."""
