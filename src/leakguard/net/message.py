"""What is asked and what comes back, as plain values; no HTTP library is needed to make or read them.

A request holds a credential in its headers, its body or (where a vendor offers nothing else) its path, so it prints
without them; `template` is its path as it may be shown, recorded and planned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

CLASSES = ("read", "mint", "write", "billable", "notify")
"""What a request does: reads; exchanges a credential for another; changes something; costs money; tells somebody."""


class Request(NamedTuple):
    """One HTTP request."""

    method: str
    url: str
    """Absolute; without user, password and fragment."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    template: str = ""
    """Path with names in place of values (`/bot{secret}/getMe`); empty: the path holds no value."""
    kind: str = "read"
    """One of `CLASSES`."""

    @property
    def shown(self) -> Sent:
        """What may be told of it."""
        host, path = authority_and_path(self.url)
        return Sent(host, self.method, self.template or path, tuple(sorted({n.lower() for n, _ in self.headers})), self.kind)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.shown.host}{self.shown.template}>"


class Sent(NamedTuple):
    """What may be told of a request: for the plan, the evidence and the audit; no value stands in it."""

    host: str
    """With the port where it is not the scheme's own."""
    method: str
    template: str
    headers: tuple[str, ...]
    """Names, lower-case, sorted."""
    kind: str


class Response(NamedTuple):
    """The answer to a request, read whole."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name; of several with one name the values joined by a comma."""
    body: bytes = b""

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self.body)} bytes>"


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name."""
    out: dict[str, str] = {}
    for name, value in headers:
        low = name.lower()
        out[low] = f"{out[low]}, {value}" if low in out else value
    return out


def authority_and_path(url: str) -> tuple[str, str]:
    """Return host (with a port that is not the scheme's own) and path of a URL, without its query."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    own = {"http": 80, "https": 443}.get(parts.scheme)
    return (host if parts.port in (None, own) else f"{host}:{parts.port}"), parts.path or "/"
