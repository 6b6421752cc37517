"""Connections to servers that are not HTTP: to a checked address only, with a deadline for the whole of a login.

A password goes in clear only where nobody else can listen (an address that is not public) or where a person wrote
`--allow-host http://HOST:PORT`. TLS from the first byte (`rediss://`, `imaps://`) is always checked against the name; TLS that a
server offers on the way is checked too where clear text would be refused, and taken unchecked where it would not.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from threading import Event, Timer

from leakguard.errors import ConfigError, NetError
from leakguard.net.client import CONNECT_SECONDS, TOTAL_SECONDS
from leakguard.net.policy import is_public
from leakguard.verifiers._contract import Tools
from leakguard.verifiers._login import PORTS, Login, reach


class Line:
    """A connection to a login's server."""

    def __init__(self, sock: socket.socket, host: str, port: int, tools: Tools, clear: bool) -> None:
        self.sock = sock
        self.host = host
        self.port = port
        self.clear = clear
        """A password may be sent without TLS."""
        self._tools = tools

    def context(self, *, offered: bool = False) -> ssl.SSLContext:
        """Return what TLS is made with; `offered`: by a server that is also spoken to in clear, where that is allowed."""
        context = ssl.create_default_context()
        if self._tools.ca_file:
            try:
                context.load_verify_locations(cafile=self._tools.ca_file)
            except (OSError, ssl.SSLError) as e:
                hint = "name a PEM file of certificates"
                raise ConfigError(f"{self._tools.ca_file}: no certificates could be read", hint=hint) from e
        if offered and self.clear:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def secure(self, *, offered: bool = False) -> None:
        """Speak TLS from here on."""
        self.sock = self.context(offered=offered).wrap_socket(self.sock, server_hostname=self.host)

    def exactly(self, size: int) -> bytes:
        """Read a number of bytes.

        Raises:
            EOFError: the server left first.
        """
        out = b""
        while len(out) < size:
            piece = self.sock.recv(size - len(out))
            if not piece:
                raise EOFError
            out += piece
        return out

    def need_tls(self) -> None:
        """Refuse to send a password in clear.

        Raises:
            NetError: it would go over a public network.
        """
        if not self.clear:
            where = f"{self.host}:{self.port}"
            hint = f"--allow-host http://{where} where it may be sent in clear"
            raise NetError(f"not asked {where}: it takes the password only in clear", cause="tls", hint=hint)


@contextmanager
def connected(login: Login, tools: Tools, suffixes: tuple[str, ...] = ()) -> Iterator[Line]:
    """Connect to a login's server for the time of a block.

    Raises:
        NetError: it may not be asked, can't be reached, or did not end within `TOTAL_SECONDS`.
    """
    address = reach(login, tools, suffixes)
    host, port, usual = login.host.strip("[]"), login.port, PORTS.get(login.scheme)
    asked = any(a.scheme == "http" and a.host == host and (a.port or usual) == port for a in tools.allowed)
    late, shown = Event(), f"{host}:{port}"
    with _told(shown, late):
        raw = socket.create_connection((address, port), CONNECT_SECONDS)
    # a second handle on the connection: libraries wrap the first in TLS and close it as they like
    guard = raw.dup()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            guard.shutdown(socket.SHUT_RDWR)

    timer = Timer(TOTAL_SECONDS, cut)
    timer.daemon = True
    timer.start()
    raw.settimeout(TOTAL_SECONDS)
    line = Line(raw, host, port, tools, clear=asked or not is_public(ip_address(address.partition("%")[0])))
    try:
        with _told(shown, late):
            yield line
    finally:
        timer.cancel()
        with suppress(OSError):
            guard.shutdown(socket.SHUT_RDWR)
        guard.close()
        with suppress(OSError):
            line.sock.close()


@contextmanager
def _told(host: str, late: Event) -> Iterator[None]:
    """Turn every error of a connection into a `NetError` that holds the host only."""
    try:
        yield
    except NetError:
        raise
    except (OSError, EOFError) as e:
        if late.is_set() or isinstance(e, TimeoutError):
            raise NetError(f"{host} did not answer in time", cause="timeout") from None
        if isinstance(e, ssl.SSLError):
            hint = "name its authority with SSL_CERT_FILE or net.ca_file"
            raise NetError(f"{host} has no TLS that is trusted here", cause="tls", hint=hint) from None
        raise NetError(f"the connection to {host} failed", cause="network") from None
