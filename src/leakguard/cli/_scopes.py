"""Whether a run may verify. A person who types `--verify` at a terminal says by that what is theirs; elsewhere (CI, hooks,
cron, agents) trusted settings have to, and a fork's pull request is never verified: its author would choose what is asked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Refused(NamedTuple):
    """Nothing may be asked."""

    reason: str
    """`fork` or `out_of_scope`, as in a verdict."""
    words: str


def refusal(targets: Sequence[str], scopes: Sequence[str], environ: Mapping[str, str], *, images: bool) -> Refused | None:
    """Return why nothing of these targets (paths, images, or `-`) may be verified, None where it may."""
    from leakguard.gitio import ci

    if why := ci.fork(environ):
        return Refused("fork", f"{why}; verification is left to a run after the merge")
    if ci.attended(environ) and _at_terminal():
        return None
    for target in targets:
        if why := _foreign(target, scopes, images=images):
            return Refused("out_of_scope", why)
    return None


def _at_terminal() -> bool:
    """Whether a person sits there: one of the three streams is a terminal, the others may be piped."""
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def _foreign(target: str, scopes: Sequence[str], *, images: bool) -> str:
    from leakguard.config import git_top
    from leakguard.config.scopes import covered, slug
    from leakguard.gitio.repository import remote

    names = []
    if target == "-":
        names = ["-"]
    elif images and not os.path.lexists(target):
        names = [slug(f"https://{target.partition('@')[0]}")]
    else:
        path = os.path.realpath(target)
        names = [path]
        top = git_top(path if os.path.isdir(path) else os.path.dirname(path)) or (path if _bare(path) else "")
        if top and (url := slug(remote(top))):
            names.append(url)
    if any(covered(name, scopes) for name in names):
        return ""
    name = names[-1] or target
    missing = f'[verify] scopes = ["{name}"] in your own settings, or in a file named with --config or --trusted-config, lets it'
    if not scopes:
        return f"no person asks here, and no trusted settings say what is yours; {missing}"
    return f"{'standard input' if name == '-' else name} is in no scope; {missing}"


def _bare(path: str) -> bool:
    return os.path.isfile(os.path.join(path, "HEAD")) and os.path.isdir(os.path.join(path, "objects"))
