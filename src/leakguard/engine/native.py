"""The engine's compiled loops, `_native.c` and `_encoded_native.c`: there where the wheel was built with a C compiler, unless
`LEAKGUARD_PURE=1`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
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


def _encoded() -> Any:
    if loops is not None:
        try:
            from leakguard.engine import _encoded_native  # type: ignore[attr-defined]  # as above
        except ImportError:
            pass
        else:
            return _encoded_native
    from leakguard.engine import encoded

    return encoded


_module = _encoded()
runs: Callable[[bytes, Sequence[int], bool, bool], bytes] = _module.runs
unescape: Callable[[bytes, bytes], tuple[bytes, bytes]] = _module.unescape
strings: Callable[[bytes], bytes] = _module.strings
"""See these in `encoded.py`."""
