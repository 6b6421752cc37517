"""Build hook: puts the parsed rules into the wheel, and the compiled loops of walks over history where a C compiler is.

Without a compiler, with LEAKGUARD_PURE=1 or where compiling fails the wheel is a pure one, which finds the same, slower.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = (
    "leakguard/gitio/_delta_native",
    "leakguard/gitio/_pack_native",
    "leakguard/engine/_native",
    "leakguard/engine/_hits_native",
    "leakguard/engine/_encoded_native",
    "leakguard/engine/_logs_native",
)
"""Modules with a twin in Python beside them."""


class LeakGuardBuild(BuildHookInterface):  # type: ignore[type-arg]
    """Adds what is made when a wheel is built; an editable install reads `rules/` itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the index with the loader of this very checkout, and compile."""
        self._made = tempfile.mkdtemp()
        folder = os.path.join(self.root, "src") if version == "editable" else self._made
        libraries = {name: library for name in NATIVE if (library := self._compiled(name, folder))}
        if version == "editable":
            return
        sys.path.insert(0, os.path.join(self.root, "src"))
        from leakguard.ruleset import index

        path = os.path.join(self._made, index.NAME)
        with open(path, "w", encoding="utf-8") as f:
            f.write(index.make(os.path.join(self.root, "rules")))
        build_data["force_include"][path] = f"leakguard/rules/{index.NAME}"
        for name, library in libraries.items():
            build_data["force_include"][library] = name + ".abi3.so"
            build_data["pure_python"] = False
            # built against Python's stable interface: one wheel for every version from 3.11 on
            build_data["tag"] = f"cp311-abi3-{_platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the temporary files."""
        shutil.rmtree(self._made, ignore_errors=True)

    def _compiled(self, name: str, folder: str) -> str:
        """Compile a module below `folder`; an empty string where that can't be."""
        if os.environ.get("LEAKGUARD_PURE") or os.name != "posix" or sysconfig.get_config_var("Py_GIL_DISABLED"):
            return ""
        target = os.path.join(folder, *name.split("/")) + ".abi3.so"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
        shared = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared", "-fPIC"]
        source = os.path.join(self.root, "src", *name.split("/")) + ".c"
        include = sysconfig.get_path("include")
        try:
            subprocess.run(  # noqa: S603 - the compiler that built this Python
                [*compiler, "-O2", *shared, f"-I{include}", source, "-o", target], check=True, capture_output=True, timeout=120
            )
        except (OSError, subprocess.SubprocessError):
            self.app.display_info("no C compiler or no Python headers: building a pure wheel")
            return ""
        return target


def _platform() -> str:
    """Return this machine's tag for wheels."""
    from packaging.tags import sys_tags

    return next(tag.platform for tag in sys_tags() if "manylinux" not in tag.platform and "musllinux" not in tag.platform)
