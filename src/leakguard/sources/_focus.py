"""Where in a content the engine has to look, once a walk said what it may hold."""

from __future__ import annotations

from collections.abc import Sequence

from leakguard.model.blob import Blob

_LINE = 4096
"""Bytes of a line that a code frame reads."""


def focused(blob: Blob, spans: Sequence[int], margin: tuple[int, int]) -> Blob:
    """Return the blob with its windows: round each span (start and end in turn) its lines, one before and one after.

    Those are the lines that a code frame shows, so every match on them has to be known, to be masked. `margin` is what
    decides a match before and after it. Only what is whole and as it is stored has the spans' positions.
    """
    if not spans or blob.offset or blob.own_end is not None or blob.encoding:
        return blob
    data, size = blob.data, len(blob.data)
    windows: list[int] = []
    for start, end in sorted(zip(spans[::2], spans[1::2], strict=True)):
        low, high = start, min(end, size)
        for _ in range(2):
            found = data.rfind(b"\n", max(0, low - _LINE), low)
            low = found if found >= 0 else max(0, low - _LINE)
            found = data.find(b"\n", high, high + _LINE)
            high = min(size, found + 1 if found >= 0 else high + _LINE)
        low, high = max(0, low - margin[0]), min(size, high + margin[1])
        if windows and low <= windows[-1]:
            windows[-1] = max(windows[-1], high)
        else:
            windows += (low, high)
    return blob._replace(focus=tuple(windows))
