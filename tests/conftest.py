"""Safe by construction: no test reaches a home, a setting, a key or a network of the person who runs it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, settings

from leakguard.ruleset import templates

settings.register_profile(
    "leakguard", deadline=None, derandomize=bool(os.environ.get("CI")), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("leakguard")


_READ = {
    "NO_COLOR", "FORCE_COLOR", "COLUMNS", "CI", "PRE_COMMIT",
    "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "BITBUCKET_BUILD_NUMBER", "CIRCLECI", "JENKINS_URL",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a home of its own and none of the variables that tools read."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("LEAKGUARD_", "GIT_", "XDG_")) or name in _READ:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name in ("CONFIG", "CACHE", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ada@acme.example")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach this machine only."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "local"
        if host not in {"127.0.0.1", "::1", "localhost", "local"}:
            msg = f"a test tried to reach {host}"
            raise AssertionError(msg)
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


class Planted:
    """Credentials that nobody ever used, made at run time; nothing secret-shaped stands in a file."""

    def __init__(self, seed: int = 7) -> None:
        self._rng = Random(seed)

    def make(self, template: str) -> str:
        """Fill a template."""
        return templates.expand(template, self._rng)

    def github(self) -> str:
        """Return a GitHub token whose checksum fits."""
        return self.make("ghp_${body=base62:30}${crc32_base62:body}")

    def stripe(self) -> str:
        """Return a Stripe live key."""
        return self.make("sk_live_${base62:32}")

    def password(self) -> str:
        """Return a password as a person chooses one."""
        return self.make("${upper:2}${lower:5}!${digits:4}${lower:2}")

    def aws(self) -> tuple[str, str]:
        """Return an access key id and its secret."""
        return self.make("AKIA${base32:16}"), self.make("${base64:40}")

    def pem(self) -> str:
        """Return a private key block."""
        return self.make("${pem:RSA PRIVATE KEY}")

    def random(self, length: int = 40) -> str:
        """Return a machine-made value without a form."""
        return self.make("${base62:%d}" % length)


@pytest.fixture
def planted() -> Planted:
    """Make credentials."""
    return Planted()


def runs(value: str, public: int = 0) -> Iterator[str]:
    """Yield every form in which five bytes of a value would be a leak: as they are, base64, hex, percent, reversed."""
    from base64 import b64encode

    body = value.encode()[public:]
    for form in (body, body[::-1]):
        text = form.decode("latin-1")
        yield from (text[i : i + 5] for i in range(len(text) - 4))
        raw_hex = form.hex()
        yield from (raw_hex[i : i + 10] for i in range(0, len(raw_hex) - 9, 2))
        yield from ("".join(f"%{b:02X}" for b in form[i : i + 5]) for i in range(len(form) - 4))
        for shift in range(3):
            encoded = b64encode(b"\0" * shift + form).decode()[4:-4]
            yield from (encoded[i : i + 8] for i in range(len(encoded) - 7))


@pytest.fixture
def tools() -> Iterator[object]:
    """Return what a verifier may use, on this machine."""
    import time

    from leakguard.net.client import Client, Settings
    from leakguard.verifiers._contract import Tools

    with Client(Settings("LeakGuard/0"), clock=time.monotonic, wall=time.time, sleep=time.sleep, rng=Random(1)) as client:
        yield Tools(client.ask, client.address, time.time)


@pytest.fixture
def leaks() -> object:
    """Return a function that says whether an output holds bytes of a value."""

    def holds(output: str, value: str, public: int = 0, context: str = "") -> list[str]:
        low = output.lower()
        return [run for run in runs(value, public) if (run in output or (len(run) == 10 and run in low)) and run not in context]

    return holds


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return an empty folder that is scanned."""
    root = tmp_path / "tree"
    root.mkdir()
    return root
