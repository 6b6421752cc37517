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
    import json

    from leakguard.config.scopes import covered

    names = ["-"] if target == "-" else _image(target) if images else _named(target)
    if any(covered(name, scopes) for name in names):
        return ""
    name = json.dumps(names[-1], ensure_ascii=False)  # what stands in a path or a remote may not steer a terminal
    missing = f"[verify] scopes = [{name}] in your own settings, or in a file named with --config or --trusted-config, lets it"
    if not scopes:
        return f"no person asks here, and no trusted settings say what is yours; {missing}"
    return f"{'standard input' if target == '-' else name} is in no scope; {missing}"


def _named(target: str) -> list[str]:
    """Return the names of a file or folder: its own path, and where its repository was cloned from."""
    from leakguard.config import git_top
    from leakguard.config.scopes import slug
    from leakguard.gitio.repository import remote

    path = os.path.realpath(target)
    top = git_top(path if os.path.isdir(path) else os.path.dirname(path)) or (path if _bare(path) else "")
    url = slug(remote(top)) if top else ""
    return [path, url] if url else [path]


def _image(target: str) -> list[str]:
    """Return the name of an image with its registry, without tag and digest; the path of one in a file."""
    from leakguard.sources.image.reference import reference, wanted

    image = wanted(target)
    if image.where == "archive":
        return _named(image.name)
    named = reference(image.name)
    host = "docker.io" if named.login == "index.docker.io" else named.host.partition(":")[0]
    return [f"{host}/{named.repository}"]


def _bare(path: str) -> bool:
    return os.path.isfile(os.path.join(path, "HEAD")) and os.path.isdir(os.path.join(path, "objects"))
