"""What a walk over versions looked at before: runs of lines that stood elsewhere with the same bytes round them.

Git stores a version as a difference to whatever was handy, so siblings insert the same text again and again: of the windows
that deltas open in a long history, three quarters were seen before. `Seen` cuts windows into chunks where a line says so by
itself, and leaves out those that were asked about, bytes and surroundings, and held nothing.

`Answers` keeps what became of each hit of a rule, with the bytes round it that decide.

The loops exist in `_native.c` and `_hits_native.c` only. Without them, or with `LEAKGUARD_PURE=1`, everything counts as new
and answers are kept in a dictionary: they are the same. Keys are 64 bits, made with a secret seed, so that nobody can write
a text that collides with another.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence

from leakguard.engine.native import hits as _hits
from leakguard.engine.native import loops as _native

_SLOTS = 1 << 20
"""Keys that are kept, 8 bytes each."""

Content = tuple[bytes, bytes | None]
"""Bytes, and the windows of them that are asked about (native 64-bit integers, start and end in turn); None: all."""
Spans = Sequence[tuple[int, int, int]]
"""Number of a content, start, end."""
Note = tuple[bytes, bytes]


class Seen:
    """Chunks that hold nothing.

    What a chunk holds depends on its own bytes, `back` bytes before it and `ahead` bytes behind it; to be asked about, it
    needs `before` and `after` bytes round it. Where encoded text may have begun less than `head` bytes after those before
    it, or further away, it is never left out; with `head` not less than `back` no text is taken for encoded.
    """

    def __init__(self, back: int, ahead: int, before: int, after: int, head: int) -> None:
        self._reach = (back, ahead, before, after, head)
        self._table = bytearray(8 * _SLOTS if _native else 0)
        self._seed = int.from_bytes(os.urandom(8), "big")

    def fresh(self, contents: list[Content]) -> tuple[bytes, array[int], Note]:
        """Return what of the contents has to be asked about, and a note for `learn`, which has to be called.

        That is the text, runs of it each with a newline behind, and three integers a run: number of its content, start, end;
        by number, ascending and apart.
        """
        if not _native:
            return (*_all(contents), (b"", b""))
        text, runs, *note = _native.fresh(self._table, self._seed, contents, *self._reach)
        return text, array("q", runs), (note[0], note[1])

    def learn(self, contents: list[Content], note: Note, spans: Iterable[tuple[int, int, int]]) -> tuple[bytes, array[int]]:
        """Keep that what `fresh` gave held nothing but these spans, told by number; returns what has to be asked yet, as runs.

        A chunk that came twice was given once. Where that held something, so does the other, in its own place.
        """
        if not _native or not note[0]:
            return b"", array("q")
        again = iter(array("q", _native.learn(self._table, *note, array("q", [n for span in spans for n in span]))))
        _back, _ahead, before, after, _head = self._reach
        runs = array("q")
        for which, start, end in zip(again, again, again, strict=True):
            low, high = max(0, start - before), min(len(contents[which][0]), end + after)
            if runs and runs[-3] == which and low <= runs[-1]:
                runs[-1] = max(runs[-1], high)
            else:
                runs.extend((which, low, high))
        return joined(contents, runs), runs


def _all(contents: list[Content]) -> tuple[bytes, array[int]]:
    runs = array("q")
    for which, (data, windows) in enumerate(contents):
        edges = (0, len(data)) if windows is None else array("q", windows)
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            runs.extend((which, start, end))
    return joined(contents, runs), runs


def joined(contents: list[Content], runs: Sequence[int]) -> bytes:
    """Return the bytes of some runs, each with a newline behind it."""
    three = iter(runs)
    return b"".join([contents[which][0][start:end] + b"\n" for which, start, end in zip(three, three, three, strict=True)])


class Answers:
    """What hits of rules came to: a number up to 3 for a rule and the bytes that decide.

    `reach`: for each rule, how many bytes before and behind an anchor decide, and whether a hit that holds nothing counts, too.
    """

    def __init__(self, reach: Sequence[tuple[int, int, bool]]) -> None:
        self._reach = reach
        self._flat = array("i", [int(n) for three in reach for n in three]).tobytes()
        self._table = bytearray(8 * _SLOTS if _hits else 0)
        self._seed = int.from_bytes(os.urandom(8), "big")
        self._known: dict[int, int] = {}

    def of(
        self, contents: list[Content], hits: array[int]
    ) -> tuple[Iterable[tuple[int, int, int, int]], Iterable[tuple[int, int, int, int]]]:
        """Sort hits (number of the content, rule, anchor, in turn) into those not known, with a key for `keep`, and spans.

        A span is the number of its content, start, end, and what it came to.
        """
        if _hits:
            unknown, spans = _hits.answers(self._table, self._seed, contents, hits, self._flat)
            return unknown, spans
        new, old = [], []
        three = iter(hits)
        for which, rule, at in zip(three, three, three, strict=True):
            data = contents[which][0]
            start, end = self.span(rule, at, len(data))
            key = hash((rule, at - start, data[start:end]))
            held = self._known.get(key)
            if held is None:
                new.append((which, rule, at, key))
            elif held or self._reach[rule][2]:
                old.append((which, start, end, held))
        return new, old

    def span(self, rule: int, at: int, size: int) -> tuple[int, int]:
        """Return the bytes that decide about a hit in a content of some size."""
        back, ahead, _watched = self._reach[rule]
        return max(0, at - back), min(size, at + ahead)

    def watched(self, rule: int) -> bool:
        """Whether a hit of a rule that holds nothing counts, too."""
        return self._reach[rule][2]

    def keep(self, key: int, held: int) -> None:
        """Remember what a hit came to."""
        if _hits:
            _hits.keep(self._table, key, held)
            return
        if len(self._known) > _SLOTS:
            self._known.clear()
        self._known[key] = held
