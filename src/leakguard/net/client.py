"""The guarded HTTP client: everybody who asks a host over HTTP asks through it.

    with Client(Settings(agent="LeakGuard/1.0 (+https://...)"), ...) as client:
        response = client.ask(request, policy)                        # read whole, 10 s, 256 KiB
        with client.stream(request, policy) as answer: ...            # a download, chunk by chunk

Redirects are answers like others: never followed by `ask`, and by `stream` only with `follow`, each hop guarded and
without the credential. What fails raises `NetError`, which holds no path, header or body.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urljoin

from leakguard.errors import MissingExtraError, NetError
from leakguard.net.limits import Limiter, Rates
from leakguard.net.message import Request, Response, Sent, joined
from leakguard.net.policy import Policy, Target, checked

if TYPE_CHECKING:
    import httpcore2

CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 10.0
BODY_BYTES = 256 << 10
HEADER_BYTES = 32 << 10
IDLE_SECONDS = 30.0
"""Of a download: the longest pause; a download has no deadline of its own."""
HOPS = 5
_KEPT = frozenset({"accept", "range", "if-none-match", "user-agent"})
"""Headers that a hop to a host other than the first still gets."""


class Settings(NamedTuple):
    """How the client behaves, worked out from trusted configuration."""

    agent: str
    """User-Agent: the tool with its version and a contact URL."""
    environ: Mapping[str, str] = {}
    """Where proxies are named."""
    ca_file: str = ""
    """Authorities to trust beside the system's."""
    rates: Rates = Rates()


class Client:
    """Asks hosts, guarded; used from many threads. `noted` is told of each request right before it leaves."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        sleep: Callable[[float], None],
        rng: Random,
        resolve: Callable[[str, int], list[str]] | None = None,
        noted: Callable[[Sent], None] | None = None,
    ) -> None:
        try:
            from leakguard.net import _transport
        except ImportError as e:
            if (e.name or "").partition(".")[0] not in ("httpx2", "httpcore2"):
                raise
            hint = "pip install 'leakguard[verify]'"
            raise MissingExtraError("asking over the network needs httpx2", hint=hint) from None
        self._settings = settings
        self._clock = clock
        self._wall = wall
        self._noted = noted
        self._limits = Limiter(settings.rates, clock, sleep, rng)
        self._told = _transport.told
        self._resolve = resolve or _transport.system_resolve
        self._pools = _transport.Pools(self._resolve, clock, settings.environ, settings.ca_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._pools.close()

    def address(self, host: str, port: int, policy: Policy, usual: int = 0) -> str:
        """Return the address to connect to for what is not HTTP: resolved once, checked, and counted as a request.

        Raises:
            NetError: the host may not be asked, or has no address.
        """
        target = policy.server(host, port, usual or port)
        self._limits.take(f"{target.host}:{port}")
        if self._noted:
            self._noted(Sent(f"{target.host}:{port}", "LOGIN", "", (), "read"))
        try:
            found = self._resolve(target.host, port)
        except OSError:
            raise NetError(f"{target.host} can't be resolved", cause="network", hint="check the name and the network") from None
        return checked(found, host=target.host, internal=target.internal)[0]

    def ask(self, request: Request, policy: Policy, *, total: float = TOTAL_SECONDS, cap: int = BODY_BYTES) -> Response:
        """Send a request and read its answer whole; a redirect is an answer.

        Raises:
            NetError: the host may not be asked, did not answer within `total` seconds, or said more than `cap` bytes.
        """
        target = policy.check(request.url)
        self._limits.take(request.shown.host)
        self._pools.deadline.at = self._clock() + total
        try:
            with self._sent(request, target, {"connect": CONNECT_SECONDS, "read": total, "write": total, "pool": total}) as answer:
                raw = bytearray()
                with self._told(target.host):
                    for chunk in answer.iter_stream():
                        raw += chunk
                        if len(raw) > cap:
                            raise NetError(f"{target.host} said more than {cap >> 10} KiB", cause="too_large")
                headers = joined(_text(answer))
                return Response(answer.status, headers, _plain(bytes(raw), headers, cap, target.host))
        finally:
            self._pools.deadline.at = None

    @contextmanager
    def stream(self, request: Request, policy: Policy, *, follow: Policy | None = None) -> Iterator[Streamed]:
        """Send a request and let its body be read in chunks, with no deadline but `IDLE_SECONDS` between two of them.

        With `follow`, up to `HOPS` redirects of a GET or HEAD are followed to hosts that it lets pass (a registry's blob
        store); whatever identifies us is sent to the first host only. Use `with`, and read before leaving it.

        Raises:
            NetError: as `ask`; also while the body is read.
        """
        hop, target = request, policy.check(request.url)
        for left in range(HOPS, -1, -1):
            self._limits.take(hop.shown.host)
            timeouts = {"connect": CONNECT_SECONDS, "read": IDLE_SECONDS, "write": IDLE_SECONDS, "pool": IDLE_SECONDS}
            with self._sent(hop, target, timeouts) as answer:
                headers = joined(_text(answer))
                where = headers.get("location", "")
                if (
                    follow is None
                    or answer.status not in (301, 302, 303, 307, 308)
                    or not where
                    or hop.method not in ("GET", "HEAD")
                ):
                    yield Streamed(answer.status, headers, self._chunks(answer, target.host))
                    return
            if not left:
                raise NetError(f"{target.host} redirects again and again", cause="network")
            hop, target = _next(request, hop, target, where, policy, follow)

    def _chunks(self, answer: httpcore2.Response, host: str) -> Iterator[bytes]:
        with self._told(host):
            yield from answer.iter_stream()

    @contextmanager
    def _sent(self, request: Request, target: Target, timeouts: dict[str, float]) -> Iterator[httpcore2.Response]:
        import httpx2

        host = request.shown.host
        headers = [("User-Agent", self._settings.agent), ("Accept-Encoding", "identity"), *request.headers]
        try:
            built = httpx2.Request(request.method, request.url, headers=headers, content=request.body or None)
        except (httpx2.InvalidURL, ValueError, TypeError):
            raise NetError(f"the request to {target.host} can't be written", cause="network") from None
        built.extensions["timeout"] = timeouts
        if self._noted:
            self._noted(request.shown)
        try:
            with self._told(target.host):
                answer = self._pools.handle(built, target)
        except NetError as e:
            if e.cause in ("network", "timeout", "tls"):
                self._limits.failed(host)
            raise
        try:
            _short(answer, target.host)
            self._limits.answered(host, answer.status, joined(_text(answer)), self._wall())
            yield answer
        except NetError as e:
            if e.cause in ("network", "timeout"):
                self._limits.failed(host)
            raise
        finally:
            answer.close()


class Streamed(NamedTuple):
    """An answer whose body is still to be read."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


def _next(first: Request, hop: Request, target: Target, where: str, policy: Policy, follow: Policy) -> tuple[Request, Target]:
    """Return the request of a redirect: guarded, and without what identifies us once it leaves the first host."""
    url = urljoin(hop.url, where)
    try:
        there = policy.check(url)
    except NetError:
        there = follow.check(url)
    start = policy.check(first.url)
    if target.scheme == "https" and there.scheme != "https":
        raise NetError(f"not asked {there.host}: a redirect from TLS to plain text", cause="host_not_allowed")
    same = (there.scheme, there.host, there.port) == (start.scheme, start.host, start.port) and hop.headers == first.headers
    headers = first.headers if same else tuple(h for h in hop.headers if h[0].lower() in _KEPT)
    return Request(hop.method, url, headers, b"", "/{redirect}", hop.kind), there


def _short(answer: httpcore2.Response, host: str) -> None:
    if sum(len(name) + len(value) for name, value in answer.headers) > HEADER_BYTES:
        raise NetError(f"{host} sent more than {HEADER_BYTES >> 10} KiB of headers", cause="too_large")


def _text(answer: httpcore2.Response) -> Iterator[tuple[str, str]]:
    for name, value in answer.headers:
        yield name.decode("latin-1"), value.decode("latin-1")


def _plain(raw: bytes, headers: Mapping[str, str], cap: int, host: str) -> bytes:
    """Return the body without its coding; some servers compress what nobody asked them to."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding in ("", "identity") or not raw:
        return raw
    if coding in ("gzip", "x-gzip", "deflate"):
        try:
            body = zlib.decompressobj(47).decompress(raw, cap + 1)
        except zlib.error:
            raise NetError(f"{host} sent a body that can't be unpacked", cause="network") from None
        if len(body) <= cap:
            return body
        raise NetError(f"{host} said more than {cap >> 10} KiB", cause="too_large")
    raise NetError(f"{host} sent a body in a coding that nobody asked for", cause="network")
