"""The engine's compiled loops: there where the wheel was built with a C compiler, unless `LEAKGUARD_PURE=1`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

loops: Any = None
"""`_native.c`, or None: then its callers do the same work in Python or leave it out, with the same results."""
hits: Any = None
"""`_hits_native.c`, or None."""
logs: Any = None
"""`_logs_native.c`, or None."""
_encoded: Any = None
if not os.environ.get("LEAKGUARD_PURE"):
    try:
        # built where a compiler is
        from leakguard.engine import _encoded_native, _hits_native, _logs_native, _native  # type: ignore[attr-defined]
    except ImportError:
        pass
    else:
        loops, hits, logs, _encoded = _native, _hits_native, _logs_native, _encoded_native
if _encoded is None:
    from leakguard.engine import encoded

    _encoded = encoded

runs: Callable[[bytes, Sequence[int], bool, bool], bytes] = _encoded.runs
unescape: Callable[[bytes, bytes], tuple[bytes, bytes]] = _encoded.unescape
strings: Callable[[bytes], bytes] = _encoded.strings
"""See these in `encoded.py`."""


def newlines(data: bytes, start: int, end: int) -> int:
    """Count the line feeds in a span."""
    return logs.newlines(data, start, end) if logs is not None else data.count(b"\n", start, end)
