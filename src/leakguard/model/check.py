"""How a credential is verified: the `[rule.verify]` table of a rule, read (docs/verification.md describes it)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Scalar = str | int | float | bool
Path = str
"""Where a value stands in an answer: `user.id`, `errors.0.code`, `orgs.*.name`, `header:x-oauth-scopes`."""


class Criterion(NamedTuple):
    """What an answer has to be to prove a state: all of it."""

    status: tuple[int, ...]
    has: tuple[Path, ...] = ()
    """JSON fields that hold something (not null, not empty)."""
    equals: tuple[tuple[Path, tuple[Scalar, ...]], ...] = ()
    """JSON fields that hold one of these values; written `is`."""
    like: tuple[tuple[Path, tuple[str, ...]], ...] = ()
    """JSON fields whose text holds one of these, without case."""
    header: tuple[tuple[str, str], ...] = ()
    """Headers whose value holds this, without case; `*`: any."""
    text: tuple[str, ...] = ()
    """What a body that is no HTML page holds, without case: one of these."""
    reason: str = ""
    """Why it is dead."""


class Example(NamedTuple):
    """An answer as the vendor documents it."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


class Step(NamedTuple):
    """One request of a check, with what its answer means."""

    method: str
    url: str
    """Template with `${name}` for values."""
    kind: str = "read"
    """What it does, one of `net.message.CLASSES`."""
    headers: tuple[tuple[str, str], ...] = ()
    basic: str = ""
    """Template `user:password` of basic authentication."""
    form: tuple[tuple[str, str], ...] = ()
    json: Any = None
    body: str | None = None
    live: tuple[Criterion, ...] = ()
    restricted: tuple[Criterion, ...] = ()
    dead: tuple[Criterion, ...] = ()
    identity: tuple[tuple[str, Path], ...] = ()
    take: tuple[tuple[str, Path], ...] = ()
    """Values for later steps."""
    examples: tuple[tuple[str, Example], ...] = ()
    """State (`live`, `restricted`, `dead`) -> answer."""


class Check(NamedTuple):
    """How one rule's credentials are verified."""

    rule: str
    provider: str
    source: str = ""
    """The vendor's page that says so."""
    steps: tuple[Step, ...] = ()
    hosts: tuple[str, ...] = ()
    """What `${host}` stands for, each in turn: regions of one provider; and the pinned hosts."""
    suffixes: tuple[str, ...] = ()
    """`.acme.example`: below it a host may be that stands beside the credential."""
    vars: tuple[tuple[str, str], ...] = ()
    """Name -> regular expression whose group is cut out of the value."""
    in_url: bool = False
    """The vendor takes the value in the URL only."""
    rate: float = 0.0
    """Requests a second that the provider takes; 0: the usual rate."""
    control: bool = True
    """A made-up credential may be asked to see that the provider tells one from the other."""
    unverifiable: str = ""
    """Why there is no safe check."""
    code: str = ""
    """Verifier in `verifiers/` that does it."""
    options: Mapping[str, Any] = {}
    """What that one is told."""
    version: str = ""
    """Digest of the table: a changed one asks again."""
    file: str = ""
    line: int = 0
