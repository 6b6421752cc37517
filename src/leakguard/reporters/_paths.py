"""Paths as forges want them: relative to the base, `/` between parts."""

from __future__ import annotations

import os

from leakguard.model.blob import FileProvenance, Provenance, outermost, path_in
from leakguard.ports import ReportOptions
from leakguard.reporters._escape import clean, path_of


def relative(provenance: Provenance, options: ReportOptions) -> str:
    """Return a path relative to `options.base_path` where it stands below it, else to its own root; cleaned."""
    outer = outermost(provenance)
    if not isinstance(outer, FileProvenance):
        return path_of(provenance)
    if options.base_path:
        path = os.path.relpath(os.path.join(outer.root, outer.path), options.base_path).replace(os.sep, "/")
        if not path.startswith("../"):
            return clean(path + path_in(provenance).removeprefix(outer.path))
    return clean(path_in(provenance))


def level(severity: str) -> str:
    """Return SARIF's and GitHub's word for a severity."""
    return {"critical": "error", "high": "error", "medium": "warning"}.get(severity, "note")


def message(name: str, preview: str, part: str, wanted: str) -> str:
    """Return the sentence that every forge shows."""
    what = name if part == wanted else f"{part.replace('_', ' ').capitalize()} of {name}"
    return f"{what} ({preview}). Rotate it at the provider; removing the line does not revoke it."
