"""Logins of config.json, at a real registry of images on this machine and at one of words."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from conftest import Planted
from daemons import needed, registry, temporary
from leakguard.errors import NetError
from leakguard.model.finding import Verdict
from leakguard.net.policy import allow
from leakguard.verifiers import registry as verifier
from leakguard.verifiers._contract import Tools
from logins import credential, leakguard, trust
from servers import Answer, Asked, served

pytestmark = pytest.mark.xdist_group("registry")
PASSWORD = Planted(3).make("${base62:20}")
VERSION = ("Docker-Distribution-Api-Version", "registry/2.0")


class Place(NamedTuple):
    """A registry at an address."""

    host: str

    def config(self, password: str = PASSWORD, indent: int | None = None) -> tuple[str, str]:
        word = b64encode(f"ada:{password}".encode()).decode()
        entry = {f"http://{self.host}": {"auth": word}}
        other = {"ghcr.io": {"auth": b64encode(b"bob:q7q7q7q7").decode()}}
        return json.dumps({"auths": {**other, **entry, "quay.io": other["ghcr.io"]}}, indent=indent), word

    def ask(self, tools: Tools, password: str = PASSWORD, *, classes: tuple[str, ...] = ("read", "mint")) -> Verdict:
        around, word = self.config(password)
        one = credential("docker-config-auth", "docker.toml", word, around=around)
        return verifier.check(one, tools._replace(allowed=(allow(f"http://{self.host}"),), classes=frozenset(classes)))


@pytest.fixture(scope="module")
def real() -> Iterator[Place]:
    """Run a registry that wants a password."""
    with temporary("registry") as folder:
        made = [needed("htpasswd", "apache2-utils"), "-Bbn", "-C", "4", "ada", PASSWORD]
        (folder / "users").write_bytes(subprocess.run(made, check=True, capture_output=True).stdout)
        with registry(folder, f"auth:\n  htpasswd:\n    realm: here\n    path: {folder}/users\n") as address:
            yield Place(address)


def test_a_login_of_a_registry_is_live_or_wrong(tools: Tools, real: Place, planted: Planted) -> None:
    live = real.ask(tools)
    assert (live.state, live.identity and (live.identity.name, live.identity.account)) == ("live", ("ada", real.host))
    wrong = real.ask(tools, planted.make("${base62:20}"))
    assert (wrong.state, wrong.reason) == ("dead", "wrong_secret")
    assert PASSWORD not in repr((live, wrong))


def test_a_registry_open_to_everybody_proves_nothing(tools: Tools, tmp_path: Path) -> None:
    with registry(tmp_path) as address:
        verdict = Place(address).ask(tools)
    assert (verdict.state, verdict.detail) == ("unknown", "the registry lets everybody in")


def test_a_registry_beside_its_login_is_asked_only_where_a_person_allowed_it(tools: Tools, real: Place) -> None:
    around, word = real.config()
    with pytest.raises(NetError) as caught:
        verifier.check(credential("docker-config-auth", "docker.toml", word, around=around), tools)
    assert caught.value.cause == "host_not_allowed"


@pytest.mark.parametrize("indent", [None, 2])
def test_a_login_belongs_to_the_registry_that_its_file_says(indent: int | None) -> None:
    around, word = Place("registry.acme.example").config(indent=indent)
    one = credential("docker-config-auth", "docker.toml", word, around=around)
    assert verifier.account(one) == "ada@registry.acme.example"
    escaped = credential("docker-config-auth", "docker.toml", word, around=json.dumps(around))
    assert verifier.account(escaped) == "ada@registry.acme.example"


def test_a_login_of_several_registries_is_tried_at_none(tools: Tools) -> None:
    word = b64encode(b"ada:q7q7q7q7").decode()
    around = json.dumps({"auths": {"a.acme.example": {"auth": word}, "b.acme.example": {"auth": word}}})
    for rule, value in (("docker-config-auth", word), ("docker-config-json-base64", b64encode(around.encode()).decode())):
        verdict = verifier.check(credential(rule, "docker.toml", value, around=around), tools)
        assert (verdict.state, verdict.reason) == ("unknown", "no_partner")


def test_a_pull_secret_of_one_registry_holds_its_login() -> None:
    for entry in ({"auth": b64encode(b"ada:q7q7q7q7").decode()}, {"username": "ada", "password": "q7q7q7q7"}):
        value = b64encode(json.dumps({"auths": {"https://index.docker.io/v1/": entry}}).encode()).decode()
        assert verifier.account(credential("docker-config-json-base64", "docker.toml", value)) == "ada@registry-1.docker.io"


def test_a_registry_of_tokens_is_asked_where_making_one_is_allowed(tools: Tools) -> None:
    word = b64encode(f"ada:{PASSWORD}".encode()).decode()

    def answer(asked: Asked) -> Answer:
        if asked.path == "/v2/":
            return Answer(401, b"{}", (VERSION, ("WWW-Authenticate", f'Bearer realm="{server.url}/token",service="acme"')))
        good = asked.headers.get("authorization") == f"Basic {word}"
        return Answer(200, b'{"token": "made-of-air"}') if good else Answer(401, b'{"details": "incorrect username or password"}')

    with served(answer) as server:
        place = Place(f"localhost:{server.port}")
        assert place.ask(tools).state == "live"
        assert server.asked[-1].path == "/token?service=acme&account=ada"
        assert place.ask(tools, "q7q7q7q7q7").state == "dead"
        skipped = place.ask(tools, classes=("read",))
        assert (skipped.state, "--allow mint" in skipped.detail) == ("skipped_by_policy", True)


@pytest.mark.parametrize("realm", ["https://tokens.evil.example/token", "https://evil.azurecr.io/token", "https://ghcr.io/token"])
def test_a_login_follows_no_registry_to_another_host(tools: Tools, realm: str) -> None:
    with served(Answer(401, b"{}", (VERSION, ("WWW-Authenticate", f'Bearer realm="{realm}"')))) as server:
        with pytest.raises(NetError) as caught:
            Place(f"localhost:{server.port}").ask(tools)
        assert caught.value.cause == "host_not_allowed"
        assert b"authorization" not in server.raw


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(200, b"{}", (VERSION,)), "unexpected"),
        (Answer(401, b"<html>", (("WWW-Authenticate", 'Basic realm="proxy"'),)), "unexpected"),
        (Answer(401, b"<html>no</html>", (VERSION, ("WWW-Authenticate", 'Basic realm="x"'))), "unexpected"),
        (Answer(503, b"{}", (VERSION,)), "unexpected"),
    ],
)
def test_weather_proves_nothing_of_a_login(tools: Tools, answer: Answer, reason: str) -> None:
    with served(answer) as server:
        verdict = Place(f"localhost:{server.port}").ask(tools)
    assert (verdict.state, verdict.reason) == ("unknown", reason)


def test_a_scan_logs_in_at_the_registry_that_a_file_of_docker_names(
    tree: Path, real: Place, leaks: Callable[..., list[str]]
) -> None:
    trust(str(tree))
    (tree / "config.json").write_text(real.config(indent=2)[0])
    done = leakguard(tree, "scan", "--verify", "-f", "json", "--allow-host", f"http://{real.host}")
    verdicts = [f["verification"] for f in json.loads(done.stdout)["findings"]]
    assert [v["identity"]["account"] for v in verdicts if v["state"] == "live"] == [real.host]
    assert leaks(done.stdout + done.stderr, PASSWORD) == []
