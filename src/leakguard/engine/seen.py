"""What a walk over versions looked at before: runs of lines that stood elsewhere with the same bytes round them.

Git stores a version as a difference to whatever was handy, so siblings insert the same text again and again: of the windows
that deltas open in a long history, three quarters were seen before. `Seen` cuts windows into chunks where a line says so by
itself, and leaves out those that were asked about, bytes and surroundings, and held nothing.

The loops exist in `_native.c` only. Without it, or with `LEAKGUARD_PURE=1`, everything counts as new: the answers are
the same. Keys are 64 bits, made with a secret seed, so that nobody can write a text that collides with another.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence

from leakguard.engine.native import loops as _native

_SLOTS = 1 << 20
"""Keys that are kept, 8 bytes each."""


class Seen:
    """Chunks that hold nothing.

    What a chunk holds depends on its own bytes, `back` bytes before it and `ahead` bytes behind it; to be asked about, it
    needs `before` and `after` bytes round it.
    """

    def __init__(self, back: int, ahead: int, before: int, after: int) -> None:
        self._reach = (back, ahead, before, after)
        self._table = bytearray(8 * _SLOTS if _native else 0)
        self._seed = int.from_bytes(os.urandom(8), "big")

    def fresh(self, data: bytes, windows: Sequence[int]) -> tuple[Sequence[int], bytes]:
        """Return what of the windows (start and end in turn) has to be asked about, as windows, and a note for `learn`."""
        if not _native:
            return windows, b""
        runs, note = _native.fresh(self._table, self._seed, data, array("q", windows), *self._reach)
        return array("q", runs), note

    def learn(self, note: bytes, spans: Iterable[tuple[int, int]]) -> None:
        """Keep that what `fresh` gave held nothing but these spans (start and end)."""
        if _native and note:
            _native.learn(self._table, note, array("q", [edge for span in spans for edge in span]))
