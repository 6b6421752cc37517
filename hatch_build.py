"""Build hook: puts the parsed rules (`leakguard/rules/index.json`) into the wheel."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RuleIndex(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the index to wheels; an editable install reads `rules/` itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the index with the loader of this very checkout."""
        if version == "editable":
            return
        sys.path.insert(0, os.path.join(self.root, "src"))
        from leakguard.ruleset import index

        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json", delete=False) as f:
            f.write(index.make(os.path.join(self.root, "rules")))
        self._made = f.name
        build_data["force_include"][f.name] = f"leakguard/rules/{index.NAME}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the temporary file."""
        if version != "editable":
            os.unlink(self._made)
