"""What the last run here found: places and ready baseline lines for `explain` and `allow`, no values, no frames.

One file a work tree in the user's state folder, 0600; read only where it is this user's own regular file.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from typing import Any

from leakguard.config import git_top, user_folder
from leakguard.errors import UsageError
from leakguard.model.blob import GitProvenance, MemberProvenance, StreamProvenance, outermost, path_in
from leakguard.model.finding import Finding, Place, Report
from leakguard.suppress.baseline import create

_LEAST = 4


def path_for(cwd: str, environ: Mapping[str, str]) -> str:
    """Return the file for this work tree, or nothing where there is no home."""
    from hashlib import blake2b

    folder = user_folder(environ, "XDG_STATE_HOME", ".local/state")
    if not folder:
        return ""
    where = git_top(cwd) or cwd
    return os.path.join(folder, f"last-run-{blake2b(os.fsencode(where), digest_size=8).hexdigest()}.json")


def save(report: Report, cwd: str, environ: Mapping[str, str]) -> None:
    """Write what `explain` and `allow` need; a home that can't be written is no error."""
    path = path_for(cwd, environ)
    if not path:
        return
    data = {"v": 1, "findings": [_entry(f) for f in report.findings]}
    part = f"{path}.{os.getpid()}.part"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "w", encoding="utf-8", errors="backslashreplace") as f:
            json.dump(data, f)
        os.replace(part, path)
    except OSError:
        return


def _entry(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "rule": finding.rule.id,
        "preview": finding.preview,
        "places": [_place(p) for p in finding.places[:50]],
        "baseline": create([finding]),
    }


def _place(place: Place) -> dict[str, Any]:
    p = place.provenance
    outer = outermost(p)
    stream = isinstance(outer, StreamProvenance)
    return {
        "root": "" if isinstance(outer, StreamProvenance) else os.fsencode(outer.root).decode("utf-8", "surrogateescape"),
        "path": "" if stream or place.blob_id else path_in(outer),
        "inside": [] if place.blob_id or not isinstance(p, MemberProvenance) else list(p.inner),
        "stream": path_in(p) if stream else "",
        "blob": outer.blob if isinstance(outer, GitProvenance) else "",
        "kind": outer.kind,
        "line": place.start_line,
        "part": place.part,
    }


def load(cwd: str, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """Read the last run; None where there is none that can be trusted."""
    path = path_for(cwd, environ)
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)) if path else -1
    except OSError:
        return None
    if fd < 0:
        return None
    with open(fd, "rb") as f:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or (hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o077)):
            return None
        try:
            data = json.loads(f.read().decode("utf-8", "surrogateescape"))
        except ValueError:
            return None
    return data if isinstance(data, dict) and isinstance(data.get("findings"), list) else None


def find(data: Mapping[str, Any], prefix: str) -> dict[str, Any] | None:
    """Return the finding whose id begins so, or None.

    Raises:
        UsageError: the prefix is too short or fits several.
    """
    wanted = prefix.lower().replace("-", "")
    if len(wanted) < _LEAST or any(c not in "0123456789abcdef" for c in wanted):
        raise UsageError(f"{prefix!r} is no id", hint="an id has 16 hex digits; its first 4 or more will do")
    fitting = [f for f in data["findings"] if f["id"].startswith(wanted)]
    if len(fitting) > 1:
        raise UsageError(
            f"{prefix} fits {len(fitting)} findings", hint="give more digits: " + ", ".join(f["id"] for f in fitting[:6])
        )
    entry: dict[str, Any] | None = fitting[0] if fitting else None
    return entry
