"""Servers on this machine for tests: each answers what a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple


class Asked(NamedTuple):
    """A request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What a server says."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    parts: Iterator[bytes] | None = None
    """Written one by one in place of a body, until the client leaves."""


class Server(NamedTuple):
    """A running server."""

    port: int
    asked: list[Asked]
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Return its address."""
        return f"{self.scheme}://localhost:{self.port}"

    @property
    def raw(self) -> bytes:
        """Return all that it was sent, to look for a value in it."""
        return b"\n".join(a.path.encode() + repr(a.headers).encode() + a.body for a in self.asked)


@contextmanager
def served(answer: Callable[[Asked], Answer] | Answer, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve until the block ends."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, TimeoutError, ssl.SSLError):
                self.close_connection = True

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            one = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, self.rfile.read(length))
            asked.append(one)
            said = answer(one) if callable(answer) else answer
            self.send_response(said.status)
            for name, value in said.headers:
                self.send_header(name, value)
            if said.parts is None:
                self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            for part in said.parts or ():
                self.wfile.write(part)
                self.wfile.flush()
            if said.parts is not None:
                self.close_connection = True
            elif self.command != "HEAD":
                self.wfile.write(said.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Server(server.server_port, asked, "https" if tls else "http")
    finally:
        server.shutdown()
        server.server_close()
