"""The engine's compiled loops, `_native.c` and `_hits_native.c`.

They are there where the wheel was built with a C compiler, unless `LEAKGUARD_PURE=1`.
"""

from __future__ import annotations

import os
from typing import Any

loops: Any = None
"""The module, or None: then its callers do the same work in Python or leave it out, with the same results."""
hits: Any = None
"""The one about hits."""
if not os.environ.get("LEAKGUARD_PURE"):
    try:
        from leakguard.engine import _hits_native, _native  # type: ignore[attr-defined]  # built where a compiler is
    except ImportError:
        pass
    else:
        loops, hits = _native, _hits_native
