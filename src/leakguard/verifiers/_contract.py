"""What a verifier is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from leakguard.model.check import Check
from leakguard.model.finding import Verdict
from leakguard.model.rule import Rule
from leakguard.net.message import Request, Response, Sent
from leakguard.net.policy import Allowed, Policy
from leakguard.secret import Secret


class Credential(NamedTuple):
    """One credential with its parts, for the time of its check."""

    rule: Rule
    check: Check
    secret: Secret
    parts: tuple[tuple[str, Secret], ...] = ()
    """Name -> value of each further part that was found."""

    def values(self) -> dict[str, str]:
        """Return every value by its name, as text; the hashed one also as `secret`.

        Raises:
            UnicodeDecodeError: one is no text.
        """
        own = self.secret.reveal().decode("utf-8")
        return {name: part.reveal().decode("utf-8") for name, part in self.parts} | {"secret": own, self.rule.part: own}


class Tools(NamedTuple):
    """What a verifier may use; nothing else reaches a network."""

    ask: Callable[[Request, Policy], Response]
    """Sends one request through the guarded client; raises `NetError`."""
    address: Callable[[str, int, Policy], str]
    """Returns the address to connect to for what is not HTTP, checked; raises `NetError`."""
    wall: Callable[[], float]
    """Seconds since 1970."""
    classes: frozenset[str] = frozenset({"read"})
    """What requests may do; see `net.message.CLASSES`."""
    allowed: tuple[Allowed, ...] = ()
    """Hosts that a person or trusted configuration allowed."""
    endpoints: Mapping[str, tuple[str, ...]] = {}
    """Provider -> base URLs that are asked in place of its own hosts, from trusted configuration."""
    ca_file: str = ""
    """PEM file of further certificate authorities."""


class Verifier(Protocol):
    """A module of this package."""

    LOGIN: bool
    """Too many wrong tries lock the account: one try for each account and day, and never a made-up credential."""

    def plan(self, credential: Credential, tools: Tools) -> Iterable[Sent]:
        """Yield what a check would send, at most; nothing where it needs no network."""

    def check(self, credential: Credential, tools: Tools) -> Verdict:
        """Ask; what fails becomes `unknown` with its cause. A `NetError` may pass."""
