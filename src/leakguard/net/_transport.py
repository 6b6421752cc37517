"""Connections: name resolution, the address guard and deadlines, below httpx2.

This stands at the place that httpcore2 gives for it, the network backend: each name is resolved once, every address is
checked, and exactly a checked one is connected to, while TLS and `Host` go on using the name. Transports are called
without `httpx2.Client`, which would follow redirects, keep cookies, read ~/.netrc and log URLs.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed does not list it

import httpcore2
import httpx2

from leakguard.errors import ConfigError, NetError
from leakguard.net.policy import Target, checked, literal

Resolve = Callable[[str, int], list[str]]


def system_resolve(host: str, port: int) -> list[str]:
    """Return every address of a host, as the system resolves it."""
    return [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Deadline(threading.local):
    """When the request of this thread has to be done; connections of other threads have their own."""

    at: float | None = None

    def cut(self, timeout: float | None, clock: Callable[[], float]) -> float | None:
        """Return a time-out that ends no later than the deadline."""
        if self.at is None:
            return timeout
        left = self.at - clock()
        if left <= 0:
            raise httpcore2.ReadTimeout("deadline")
        return left if timeout is None else min(timeout, left)


class _Stream(httpcore2.NetworkStream):
    """A connection whose every operation ends at the deadline."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: Deadline, clock: Callable[[], float]) -> None:
        self._inner = inner
        self._deadline = deadline
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.cut(timeout, self._clock))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.cut(timeout, self._clock))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._deadline.cut(timeout, self._clock))
        return _Stream(inner, self._deadline, self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """Connects to checked addresses only; `proxy` is the one host that configuration vouches for."""

    def __init__(
        self, resolve: Resolve, deadline: Deadline, clock: Callable[[], float], *, internal: bool, proxy: str = ""
    ) -> None:
        self._resolve = resolve
        self._deadline = deadline
        self._clock = clock
        self._internal = internal
        self._proxy = proxy
        self._system = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        internal = self._internal or (self._proxy != "" and host == self._proxy)
        try:
            found = [host] if literal(host) else self._resolve(host, port)
        except OSError:
            raise NetError(f"{host} can't be resolved", cause="network", hint="check the name and the network") from None
        failure: Exception = httpcore2.ConnectError()
        for address in checked(found, host=host, internal=internal)[:4]:
            try:
                inner = self._system.connect_tcp(
                    address, port, self._deadline.cut(timeout, self._clock), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as e:
                failure = e
            else:
                return _Stream(inner, self._deadline, self._clock)
        raise failure


def proxy_for(url: httpx2.URL, environ: Mapping[str, str]) -> str:
    """Return the proxy that the environment names for a URL, empty for none (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`)."""
    low = {name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy")}
    if url.scheme == "http" and "REQUEST_METHOD" in environ:
        low.pop("http_proxy", None)  # in CGI a caller sets it: httpoxy
    proxy = low.get(f"{url.scheme}_proxy") or low.get("all_proxy") or ""
    if not proxy or proxy_bypass_environment(url.netloc.decode("ascii"), {"no": low.get("no_proxy", "")}):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


class Pools:
    """Connection pools: hosts that were allowed by a person never share one with hosts that were not."""

    def __init__(self, resolve: Resolve, clock: Callable[[], float], environ: Mapping[str, str], ca_file: str) -> None:
        self.deadline = Deadline()
        self._resolve = resolve
        self._clock = clock
        self._environ = environ
        self._ca_file = ca_file
        self._pools: dict[tuple[bool, str], httpcore2.ConnectionPool] = {}
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None

    def handle(self, request: httpx2.Request, target: Target) -> httpcore2.Response:
        """Send a request and return the answer with its body unread."""
        url = request.url
        inner = httpcore2.Request(
            request.method,
            httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        return self._pool(target.internal, proxy_for(url, self._environ)).handle_request(inner)

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.close()

    def _pool(self, internal: bool, proxy: str) -> httpcore2.ConnectionPool:
        with self._lock:
            if (internal, proxy) not in self._pools:
                self._tls = self._tls or self._context()
                parsed = _proxy(proxy) if proxy else None
                host = parsed.url.host.decode("ascii") if parsed else ""
                self._pools[internal, proxy] = httpcore2.ConnectionPool(
                    ssl_context=self._tls,
                    proxy=parsed,
                    max_connections=64,
                    max_keepalive_connections=32,
                    keepalive_expiry=15,
                    network_backend=_Backend(self._resolve, self.deadline, self._clock, internal=internal, proxy=host),
                )
            return self._pools[internal, proxy]

    def _context(self) -> ssl.SSLContext:
        if not self._ca_file:
            return httpx2.create_ssl_context()
        context = httpx2.create_ssl_context()
        try:
            context.load_verify_locations(cafile=self._ca_file)
        except (OSError, ssl.SSLError) as e:
            raise ConfigError(f"{self._ca_file}: no certificates could be read", hint="name a PEM file of certificates") from e
        return context


def _proxy(raw: str) -> httpcore2.Proxy:
    try:
        url = httpx2.URL(raw)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in ("http", "https", "socks5", "socks5h") or not url.host:
        raise ConfigError("the proxy that the environment names is no URL", hint="write HTTPS_PROXY=http://proxy.example:3128")
    auth = (url.username, url.password) if url.username or url.password else None
    core = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/")
    return httpcore2.Proxy(core, auth)


@contextmanager
def told(host: str) -> Iterator[None]:
    """Turn every error of the HTTP libraries into a `NetError` that holds the host only."""
    try:
        yield
    except NetError:
        raise
    except (httpcore2.TimeoutException, httpx2.TimeoutException):
        raise NetError(f"{host} did not answer in time", cause="timeout") from None
    except httpcore2.ConnectError as e:
        if isinstance(e.__cause__ or e.__context__, ssl.SSLError):
            hint = "name its authority with SSL_CERT_FILE or net.ca_file"
            raise NetError(f"{host} has no certificate that is trusted here", cause="tls", hint=hint) from None
        raise NetError(f"{host} can't be connected to", cause="network") from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError, httpx2.HTTPError, OSError):
        raise NetError(f"the connection to {host} failed", cause="network") from None
