"""Servers of others that tests start on this machine, each in a folder of its own that goes with it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest
import trustme

REQUIRED = bool(os.environ.get("LEAKGUARD_REQUIRE_SERVICES"))
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Debian keeps daemons outside of a person's PATH."""


def needed(program: str, package: str) -> str:
    """Return where a program is; a test without it is skipped, or fails where services are required."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:{SYSTEM}")
    if not found:
        assert not REQUIRED, f"apt-get install {package}"
        pytest.skip(f"{program} is not installed here (Debian's {package})")
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def temporary(prefix: str) -> Iterator[Path]:
    """Return a folder with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(command: Sequence[object], port: int, folder: Path, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a server in the foreground for the time of a block that starts when it listens."""
    log = folder / "log"
    env = {"PATH": f"{os.environ['PATH']}:{SYSTEM}", "LC_ALL": "C", "HOME": str(folder), **(env or {})}
    with log.open("wb") as out:
        process = subprocess.Popen([*map(str, command)], cwd="/", stdout=out, stderr=out, env=env)
    try:
        _wait(port, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(log.read_text("utf-8", "replace")[-2000:])


@contextmanager
def silent() -> Iterator[int]:
    """Listen on a port, take connections and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def certified(folder: Path) -> str:
    """Write a certificate of localhost; returns the file of its authority."""
    ca = trustme.CA()
    made = ca.issue_cert("localhost")
    made.private_key_pem.write_to_path(folder / "key")
    for i, blob in enumerate(made.cert_chain_pems):
        blob.write_to_path(folder / "cert", append=bool(i))
    ca.cert_pem.write_to_path(folder / "ca")
    return str(folder / "ca")


@contextmanager
def scripted(*answers: str) -> Iterator[tuple[int, list[str]]]:
    """Say one answer to each line, the first as a greeting, then leave; gives the port and what was heard."""
    heard: list[str] = []

    def talk() -> None:
        peer = server.accept()[0]
        with peer, peer.makefile("rb") as lines, suppress(OSError):
            for i, answer in enumerate(answers):
                if i:
                    heard.append(lines.readline().decode().rstrip("\r\n"))
                tag = next((h.partition(" ")[0] for h in reversed(heard) if " " in h), "")
                peer.sendall(answer.replace("TAG", tag).replace("\n", "\r\n").encode() + b"\r\n")
            heard.extend(line.decode().rstrip("\r\n") for line in lines)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=talk, daemon=True)
        thread.start()
        yield server.getsockname()[1], heard
        thread.join(10)


@contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """Say one answer to whatever is sent, one after the other, then leave; gives the port."""

    def talk() -> None:
        peer = server.accept()[0]
        with peer, suppress(OSError):
            for answer in answers:
                peer.recv(65536)
                peer.sendall(answer)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=talk, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@contextmanager
def registry(folder: Path, auth: str = "") -> Iterator[str]:
    """Run a real registry of images; gives its address."""
    port = free_port()
    (folder / "registry.yml").write_text(
        f"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {folder}/registry\n"
        f"http:\n  addr: 127.0.0.1:{port}\n{auth}"
    )
    command = [needed("docker-registry", "docker-registry"), "serve", folder / "registry.yml"]
    with running(command, port, folder):
        yield f"localhost:{port}"
