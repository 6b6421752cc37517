"""A real image, built with buildah, is scanned from an archive, a layout, a registry and an engine: the same is found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from conftest import Planted
from daemons import registry
from images import scan, skips
from servers import Answer, Asked, served

TOOLS = ("buildah", "skopeo", "podman", "docker-registry", "htpasswd")
PASSWORD = "correct horse"

pytestmark = [
    pytest.mark.xdist_group("image"),
    pytest.mark.skipif(
        any(shutil.which(tool) is None for tool in TOOLS) and not os.environ.get("LEAKGUARD_REQUIRE_SERVICES"),
        reason="needs Debian's buildah, podman, skopeo, docker-registry and apache2-utils",
    ),
]

CONTAINERFILE = """FROM scratch
COPY root/ /
ARG BUILD_TOKEN
RUN rm /etc/app.env /opt/conf/*
ENV SERVICE_TOKEN={env}
LABEL note="token {label}"
COPY late/ /
CMD ["serve", "--token={cmd}"]
"""


def run(*command: str | Path, **options: Any) -> str:
    """Run a tool and return what it says."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, f"{command[0]} {command[1]}: {done.stderr[-2000:]}"
    return done.stdout


def storage(folder: Path) -> tuple[str, ...]:
    """Return flags that keep buildah and podman to a folder."""
    return ("--root", str(folder / "storage"), "--runroot", (folder / "run").read_text(), "--storage-driver", "vfs")


def debian(root: Path, planted: Planted) -> None:
    """Copy a small part of this Debian, with a shell that runs, and plant credentials."""
    for program in ("/bin/sh", "/bin/rm"):
        needed = [word for word in run("ldd", program).split() if word.startswith("/")]
        for path in (program, *needed):
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.realpath(path), target)
    shutil.copytree(
        "/etc/apt", root / "etc/apt", ignore=lambda _folder, names: [n for n in names if n.endswith((".conf", "auth.conf.d"))]
    )
    (root / "var/lib/dpkg").mkdir(parents=True)
    shutil.copy("/var/lib/dpkg/status", root / "var/lib/dpkg/status")
    (root / "opt/conf").mkdir(parents=True)
    (root / "etc/app.env").write_text(f"A=1\nTOKEN={planted.github()}\n")
    (root / "opt/conf/db.ini").write_text(f"[db]\ntoken = {planted.github()}\n")
    (root / "srv").mkdir()
    (root / "srv/kept.yaml").write_text(f"kept: yes\n\ntoken: {planted.github()}\n")
    (root / "srv/late.txt").write_text(f"{planted.github()}\n")


@pytest.fixture(scope="module")
def short() -> Iterator[Path]:
    """Make a folder whose path is short: podman takes no run folder of more than 50 characters, nor does a socket."""
    with tempfile.TemporaryDirectory(prefix="lg-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, short: Path) -> Path:
    """Build the image once; returns the folder with its storage."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "run").write_text(str(short))
    planted = Planted(11)
    debian(folder / "root", planted)
    (folder / "late/srv").mkdir(parents=True)
    (folder / "late/srv/late.txt").write_text("nothing any more\n")
    text = CONTAINERFILE.format(env=planted.github(), label=planted.github(), cmd=planted.github())
    (folder / "Containerfile").write_text(text)
    argument = f"BUILD_TOKEN={planted.github()}"
    where = storage(folder)
    run("buildah", *where, "bud", "-q", "--layers", "--isolation", "chroot", "--build-arg", argument, "-t", "team/app:1.4", folder)
    run("buildah", *where, "push", "-q", "team/app:1.4", f"oci:{folder}/layout:1.4")
    run("buildah", *where, "push", "-q", "team/app:1.4", f"docker-archive:{folder}/app.tar:team/app:1.4")
    return folder


def found(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what has to be the same wherever the image lies."""
    told = ("image id", "platform", "layer", "layer digest", "instruction", "in the final image", "step")
    return sorted(
        (
            f["rule"],
            f["preview"],
            "/".join(p["inside"]),
            p["start_line"],
            p["start_column"],
            *(p["facts"].get(name, "") for name in told),
        )
        for f in report["findings"]
        for p in f["locations"]
    )


@pytest.fixture(scope="module")
def expected(built: Path) -> list[tuple[Any, ...]]:
    """Return what is found in the archive."""
    _code, report = scan(built / "app.tar")
    assert skips(report) == []
    return found(report)


def test_what_was_planted_is_found_with_what_became_of_it(expected: list[tuple[Any, ...]]) -> None:
    places = {row[2]: (row[7], row[10]) for row in expected if row[0] == "github-pat-classic"}
    assert places["etc/app.env"] == ("1 of 3", "no, deleted by layer 2 of 3")
    assert places["opt/conf/db.ini"] == ("1 of 3", "no, deleted by layer 2 of 3")
    assert places["srv/late.txt"] == ("1 of 3", "no, overwritten by layer 3 of 3")
    assert places["srv/kept.yaml"] == ("1 of 3", "yes")
    assert {"config/Env", "config/Labels", "config/Cmd"} < set(places)
    assert any(name.startswith("config/history/") for name in places)
    assert any("BUILD_TOKEN=\u2022" in row[9] for row in expected) or all(row[7] != "2 of 3" for row in expected)


def test_a_layout_holds_the_same(built: Path, expected: list[tuple[Any, ...]]) -> None:
    _code, report = scan(f"oci:{built}/layout:1.4")
    assert (found(report), skips(report)) == (expected, [])


def push(built: Path, address: str, *flags: str) -> str:
    """Push the image; returns its name."""
    name = f"{address}/team/app:1.4"
    run("skopeo", "copy", "-q", "--dest-tls-verify=false", *flags, f"oci:{built}/layout:1.4", f"docker://{name}")
    return name


def test_a_registry_open_to_everybody_gives_the_same(built: Path, tmp_path: Path, expected: list[tuple[Any, ...]]) -> None:
    with registry(tmp_path) as address:
        _code, report = scan(push(built, address))
    assert (found(report), skips(report)) == (expected, [])


def test_a_registry_that_wants_a_password_gives_the_same(built: Path, tmp_path: Path, expected: list[tuple[Any, ...]]) -> None:
    run("htpasswd", "-Bbc", tmp_path / "users", "ada", PASSWORD)
    with registry(tmp_path, f"auth:\n  htpasswd:\n    realm: here\n    path: {tmp_path}/users\n") as address:
        name = push(built, address, "--dest-creds", f"ada:{PASSWORD}")
        assert scan(name)[0] == 3, "nobody logged in"
        settings = Path(os.environ["HOME"], ".docker")
        settings.mkdir()
        run("skopeo", "login", "--tls-verify=false", "--authfile", settings / "config.json", "-u", "ada", "-p", PASSWORD, address)
        _code, report = scan(name)
    assert (found(report), skips(report)) == (expected, [])


def token_for(scope: str, key: Any, certificate: bytes, now: int) -> str:
    """Return a token as the distribution specification has it: who gave it, for which registry, what it lets do."""
    from base64 import b64encode

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    access = [{"type": kind, "name": name, "actions": actions.split(",")}] if scope else []
    head = {"typ": "JWT", "alg": "ES256", "x5c": [b64encode(certificate).decode()]}
    claims = {
        "iss": "here",
        "sub": "",
        "aud": "registry",
        "exp": now + 600,
        "nbf": now - 600,
        "iat": now,
        "jti": str(now),
        "access": access,
    }
    body = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, claims))
    r, s = decode_dss_signature(key.sign(body, ec.ECDSA(hashes.SHA256())))
    return (body + b"." + urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).rstrip(b"=")).decode()


def test_a_registry_that_wants_a_token_gives_the_same(built: Path, tmp_path: Path, expected: list[tuple[Any, ...]]) -> None:
    from urllib.parse import parse_qs, urlsplit

    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    authority = trustme.CA()
    leaf = authority.issue_cert("here.example")
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    der = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).public_bytes(serialization.Encoding.DER)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    def give(asked: Asked) -> Answer:
        scope = parse_qs(urlsplit(asked.path).query).get("scope", [""])[0]
        return Answer(200, json.dumps({"token": token_for(scope, key, der, int(time.time()))}).encode())

    with served(give) as tokens:
        auth = (
            f"auth:\n  token:\n    realm: {tokens.url}/token\n    service: registry\n    issuer: here\n"
            f"    rootcertbundle: {tmp_path}/ca.pem\n"
        )
        with registry(tmp_path, auth) as address:
            name = push(built, address)
            before = len(tokens.asked)
            _code, report = scan(name)
            assert len(tokens.asked) == before + 1
    assert (found(report), skips(report)) == (expected, [])


def test_an_engine_gives_the_same(
    built: Path, short: Path, monkeypatch: pytest.MonkeyPatch, expected: list[tuple[Any, ...]]
) -> None:
    path = short / "engine.sock"
    where = storage(built)
    process = subprocess.Popen(
        ["podman", *where, "system", "service", "--time", "0", f"unix://{path}"],
        stdout=subprocess.DEVNULL,
    )
    try:
        while not path.exists():
            assert process.poll() is None, "podman's service did not come up"
            time.sleep(0.05)
        monkeypatch.setenv("CONTAINER_HOST", f"unix://{path}")
        _code, report = scan("podman:localhost/team/app:1.4")
        assert (found(report), skips(report)) == (expected, [])
        _code, bare = scan("localhost/team/app:1.4")
        assert found(bare) == expected, "the engine is asked before a registry"
        code, none = scan("podman:localhost/team/other:1.4")
        assert code == 3
        assert "podman has no image" in none["said"]
    finally:
        process.terminate()
        process.wait()
        path.unlink(missing_ok=True)
