"""A proxy on this machine that plays the providers behind it: it ends TLS itself, answers, and keeps what it was asked."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import NamedTuple

import trustme

from servers import Answer, Asked


class Recorded(NamedTuple):
    """A request to a host behind the proxy."""

    host: str
    """As `CONNECT` named it, with its port."""
    asked: Asked


class Proxy(NamedTuple):
    """A running proxy."""

    port: int
    recorded: list[Recorded]
    authority: trustme.CA

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def recording(answer: Callable[[str, Asked], Answer]) -> Iterator[Proxy]:
    """Serve until the block ends; `answer` is given the host and what it was asked."""
    authority = trustme.CA()
    recorded: list[Recorded] = []
    contexts: dict[str, ssl.SSLContext] = {}
    lock = Lock()

    def context(host: str) -> ssl.SSLContext:
        with lock:
            if host not in contexts:
                contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                authority.issue_cert(host).configure_cert(contexts[host])
            return contexts[host]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        target = ""

        def do_CONNECT(self) -> None:
            self.target = self.path
            self.send_response(200, "Connection established")
            self.end_headers()
            self.wfile.flush()
            self.connection = context(self.path.rpartition(":")[0]).wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb")
            self.close_connection = False

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            one = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            recorded.append(Recorded(self.target, one))
            said = answer(self.target.removesuffix(":443"), one)
            self.send_response(said.status)
            for name, value in said.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)
            self.wfile.flush()

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, TimeoutError, ssl.SSLError):
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield Proxy(server.server_port, recorded, authority)
    finally:
        server.shutdown()
        server.server_close()
