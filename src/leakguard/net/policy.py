"""Where a request may go: by name before anything is sent, by address before a connection is made.

A name passes when a rule pins it, when it ends in a suffix that a rule lists, or when a person or trusted configuration
allows it. Every address that the name resolves to must be a public one, and exactly a checked address is connected to,
so that a name can't be rebound in between. Only a host that was allowed by a person may stand on a private address or
speak plain HTTP; addresses that hand out a machine's own credentials are refused to everybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from leakguard.errors import NetError, UsageError

_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9\-]{0,61}[a-z0-9])?")
_METADATA = frozenset(map(ip_address, ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192",
                                       "fd00:ec2::254", "fd20:ce::254")))  # fmt: skip
"""Where clouds hand a machine its own credentials."""
_NOT_PUBLIC = tuple(map(ip_network, ("fec0::/10", "64:ff9b:1::/48", "192.88.99.0/24", "5f00::/16")))
"""What `is_global` lets pass in some versions of Python."""
_NAT64 = ip_network("64:ff9b::/96")


class Target(NamedTuple):
    """Where a URL leads, once a policy let it pass."""

    scheme: str
    host: str
    port: int
    internal: bool
    """Allowed by a person: may stand on a private address."""


class Allowed(NamedTuple):
    """A host that a person allowed."""

    scheme: str
    """`https`, or `http` where it was written so."""
    host: str
    port: int | None
    """None: the scheme's own."""


class Policy(NamedTuple):
    """The hosts that one purpose may reach."""

    hosts: frozenset[str] = frozenset()
    """Pinned names, lower-case; `name:port` where the port is not 443."""
    suffixes: tuple[str, ...] = ()
    """`.example.com`: names below it, at the port 443."""
    allowed: tuple[Allowed, ...] = ()
    public: bool = False
    """Any public host over TLS, for what carries no credential (a blob store that a registry points to)."""

    def check(self, url: str) -> Target:
        """Return where a URL leads.

        Raises:
            NetError: it may not be asked (`host_not_allowed`); the message holds the host at most.
        """
        parts = _split(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        for one in self.allowed:
            if (one.scheme, one.host, one.port or _PORTS[one.scheme]) == (parts.scheme, host, port):
                return Target(parts.scheme, host, port, internal=True)
        if parts.scheme != "https":
            raise _refused(
                host, "only https is used", f"--allow-host {parts.scheme}://{parts.netloc} where that host may be asked in clear"
            )
        if literal(host):
            if self.public and port == 443 and is_public(ip_address(host)):
                return Target("https", host, port, internal=False)
            raise _refused(host, "it is an address, not a name", f"--allow-host {host}")
        if not _NAME.fullmatch(host):
            raise _refused("", "it has no proper host name")
        name = host if port == 443 else f"{host}:{port}"
        if name in self.hosts or (port == 443 and (self.public or any(_below(host, s) for s in self.suffixes))):
            return Target("https", host, port, internal=False)
        raise _refused(name, "no rule names that host", f"--allow-host {name}")

    def server(self, host: str, port: int, usual: int) -> Target:
        """Return where a server that speaks something else than HTTP is; `usual` is the port of its kind.

        Raises:
            NetError: it may not be asked (`host_not_allowed`).
        """
        host = host.strip("[]").lower()
        if any(one.host == host and (one.port or usual) == port for one in self.allowed):
            return Target("tcp", host, port, internal=True)
        if _NAME.fullmatch(host) and not literal(host) and any(_below(host, s) for s in self.suffixes):
            return Target("tcp", host, port, internal=False)
        raise _refused(f"{host}:{port}", "nobody allowed that host", f"--allow-host {host}:{port}")


def allow(word: str) -> Allowed:
    """Read what `--allow-host` takes: `host`, `host:port`, or either after `http://`.

    Raises:
        UsageError: it is no host.
    """
    hint = "write a host as in gitlab.acme.example, [::1]:8443 or http://localhost:5000"
    try:
        parts = urlsplit(word if "://" in word else f"https://{word}")
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise UsageError("--allow-host names no host", hint=hint) from None
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in _PORTS or not plain or not (literal(host) or _NAME.fullmatch(host)):
        raise UsageError("--allow-host names no host", hint=hint)
    return Allowed(parts.scheme, host, port)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("", "it is no proper URL") from None
    # control characters and spaces are dropped by one parser and sent by another
    if any(c <= " " or c in "\\\x7f" for c in url) or "#" in url or not url.isascii():
        raise _refused("", "it is no proper URL")
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise _refused("", "it is no proper URL")
    if "@" in parts.netloc:
        raise _refused("", "a user or password stands in it")
    return parts


def _below(host: str, suffix: str) -> bool:
    return host.endswith(suffix) and len(host) > len(suffix)


def _refused(host: str, why: str, way: str = "") -> NetError:
    hint = f"{way} lets it pass" if way else ""
    return NetError(f"not asked{f' {host}' if host else ''}: {why}", cause="host_not_allowed", hint=hint)


def literal(host: str) -> bool:
    """Whether a host is written as an address."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def checked(addresses: Iterable[str], *, host: str, internal: bool) -> list[str]:
    """Return the addresses of a host if every one of them may be connected to.

    Raises:
        NetError: one may not, or there is none.
    """
    out = list(dict.fromkeys(addresses))
    for address in out:
        ip = ip_address(address.partition("%")[0])
        if _inner(ip) in _METADATA or ip in _METADATA:
            raise _refused(host, "it leads to an address that hands out a machine's own credentials")
        if not internal and not is_public(ip):
            raise _refused(host, "it leads to an address that is not public", f"--allow-host {host}")
    if not out:
        raise NetError(f"{host} has no address", cause="network")
    return out


def is_public(ip: IPv4Address | IPv6Address) -> bool:
    """Whether an address, and the IPv4 address inside of it where there is one, is reachable by everybody."""
    inner = _inner(ip)
    if inner is not ip:
        # a v4 address in v6 clothes: only the well-known NAT64 prefix is a route that networks use
        return ip in _NAT64 and is_public(inner)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip in _METADATA or any(ip in net for net in _NOT_PUBLIC))


def _inner(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that a v6 one wraps: mapped, compatible, NAT64, 6to4, Teredo."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip.ipv4_mapped:
        return ip.ipv4_mapped
    if ip.sixtofour:
        return ip.sixtofour
    if ip.teredo:
        return ip.teredo[1]
    if ip in _NAT64 or (int(ip) >> 32 == 0 and int(ip) > 1):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
