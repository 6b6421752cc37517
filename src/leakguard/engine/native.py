"""The engine's compiled loops, `_native.c`: there where the wheel was built with a C compiler, unless `LEAKGUARD_PURE=1`."""

from __future__ import annotations

import os
from typing import Any

loops: Any = None
"""The module, or None: then its callers do the same work in Python or leave it out, with the same results."""
if not os.environ.get("LEAKGUARD_PURE"):
    try:
        from leakguard.engine import _native  # type: ignore[attr-defined]  # built where a compiler is
    except ImportError:
        pass
    else:
        loops = _native


def newlines(data: bytes, start: int, end: int) -> int:
    """Count the line feeds in a span."""
    return loops.newlines(data, start, end) if loops is not None else data.count(b"\n", start, end)
