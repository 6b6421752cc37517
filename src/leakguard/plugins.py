"""Plug-ins are found by file name and imported only when named; nothing registers itself."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from leakguard.errors import UsageError


def names(package: str) -> tuple[str, ...]:
    """List the plug-ins of a package (`leakguard.reporters`) without importing them."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations or () if spec else ()
    stems = (name[:-3] for folder in folders for name in os.listdir(folder) if name.endswith(".py"))
    return tuple(sorted(stem.replace("_", "-") for stem in stems if not stem.startswith("_")))


def load(package: str, name: str) -> ModuleType:
    """Import one plug-in.

    Raises:
        UsageError: no such plug-in; the message lists those there are.
    """
    known = names(package)
    if name not in known:
        msg = f"there is no {package.rpartition('.')[2].rstrip('s')} named {name!r}"
        raise UsageError(msg, hint="choose one of: " + ", ".join(known))
    return import_module(f"{package}.{name.replace('-', '_')}")
