"""Images in registries: who asks, what is sent to whom, and what is checked. Emulated by the distribution specification."""

from __future__ import annotations

import gzip
import json
import os
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Planted
from images import Built, Registry, image, layer, places, scan, skips
from leakguard.sources.image.credentials import login
from leakguard.sources.image.registry import challenge
from servers import Answer, Asked, Server, served

PASSWORD = "correct horse"  # two words, so that no rule takes it for a credential


@pytest.fixture
def app(planted: Planted) -> Built:
    """Return an image with one credential."""
    return image(layer(("a.env", f"A=1\nTOKEN={planted.github()}\n".encode())), pack=gzip.compress, suffix="+gzip")


@pytest.fixture
def store(app: Built) -> Registry:
    """Return a registry that holds it."""
    return Registry(app.blobs, {"1.4": app.manifest})


@pytest.fixture
def server(store: Registry) -> Iterator[Server]:
    """Run it."""
    with served(store) as running:
        yield running


def docker(**settings: object) -> None:
    """Write docker's settings into the home of this test."""
    folder = Path(os.environ["HOME"], ".docker")
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(settings))


def auth(user: str) -> dict[str, str]:
    """Return an entry of docker's settings."""
    return {"auth": b64encode(f"{user}:{PASSWORD}".encode()).decode()}


def name(server: Server, version: str = ":1.4") -> str:
    """Return the image's name."""
    return f"localhost:{server.port}/team/app{version}"


def test_an_image_is_scanned_without_a_login_where_none_is_asked_for(server: Server, app: Built) -> None:
    _code, report = scan(name(server))
    assert places(report) == [("a.env", 2, "1 of 1", "yes")]
    (place,) = (p for f in report["findings"] for p in f["locations"])
    assert place["path"] == f"{name(server)}!/a.env"
    assert place["facts"]["digest"] == app.digest
    assert all("authorization" not in a.headers for a in server.asked)


def test_an_image_may_be_named_by_its_digest(server: Server, app: Built) -> None:
    assert len(scan(name(server, f"@{app.digest}"))[1]["findings"]) == 1


def test_a_registry_that_wants_a_password_gets_the_one_that_docker_keeps(server: Server, store: Registry) -> None:
    store.challenge, store.wanted = 'Basic realm="here"', "Basic " + auth("ada")["auth"]
    docker(auths={f"localhost:{server.port}": auth("ada"), "other.example": auth("eve")})
    assert len(scan(name(server))[1]["findings"]) == 1
    docker()
    code, report = scan(name(server))
    assert code == 3
    assert f"docker login localhost:{server.port}" in report["said"]


@pytest.mark.parametrize("who", ["nobody", "ada", "identity token"])
def test_a_token_is_fetched_from_where_the_registry_says(server: Server, store: Registry, who: str) -> None:
    def token(asked: Asked) -> Answer:
        form = parse_qs(asked.body.decode() if who == "identity token" else urlsplit(asked.path).query)
        assert form["scope"] == ["repository:team/app:pull"]
        assert form["service"] == ["the service"]
        if who == "ada":
            assert b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode() == f"ada:{PASSWORD}"
        elif who == "identity token":
            assert (asked.method, form["refresh_token"], form["grant_type"]) == ("POST", [PASSWORD], ["refresh_token"])
        else:
            assert "authorization" not in asked.headers
        return Answer(200, json.dumps({"access_token" if who == "identity token" else "token": "let.me.in"}).encode())

    host = f"localhost:{server.port}"
    docker(auths={} if who == "nobody" else {host: auth("ada") if who == "ada" else {"identitytoken": PASSWORD}})
    with served(token) as tokens:
        store.challenge = f'Bearer realm="{tokens.url}/token",service="the service",scope="repository:team/app:pull"'
        store.wanted = "Bearer let.me.in"
        assert len(scan(name(server))[1]["findings"]) == 1
        assert len(tokens.asked) == 1


def test_a_helper_is_asked_through_its_input_and_nothing_stands_in_its_arguments(
    server: Server, store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    helper = tmp_path / "docker-credential-vault"
    helper.write_text(
        f"#!{sys.executable}\nimport json, sys\nhost = sys.stdin.read()\nopen({str(kept)!r}, 'w').write(repr((sys.argv[1:], host)))\n"
        f"print(json.dumps({{'ServerURL': host, 'Username': 'ada', 'Secret': {PASSWORD!r}}}))\n"
    )
    helper.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    store.challenge, store.wanted = "Basic", "Basic " + auth("ada")["auth"]
    docker(credHelpers={f"localhost:{server.port}": "vault"})
    assert len(scan(name(server))[1]["findings"]) == 1
    assert kept.read_text() == repr((["get"], f"localhost:{server.port}"))
    docker(credsStore="../vault")
    assert "is not there" in scan(name(server))[1]["said"]


def test_a_blob_store_gets_no_login(server: Server, store: Registry, app: Built) -> None:
    store.challenge, store.wanted = "Basic", "Basic " + auth("ada")["auth"]
    docker(auths={f"localhost:{server.port}": auth("ada")})
    with served(lambda asked: Answer(200, app.blobs[urlsplit(asked.path).path[1:]])) as blobs:
        store.redirect = blobs.url
        code, report = scan(name(server))
        assert code == 3, "a private address that nobody named"
        assert f"--allow-host {blobs.url}" in "".join(detail for _reason, detail in skips(report))
        _code, report = scan("--allow-host", blobs.url, name(server))
        assert len(report["findings"]) == 1
        assert blobs.asked
        assert all("authorization" not in a.headers for a in blobs.asked)


def test_what_does_not_have_its_digest_is_told(server: Server, app: Built, planted: Planted) -> None:
    first = json.loads(app.manifest)["layers"][0]["digest"]
    app.blobs[first] = gzip.compress(layer(("b.env", f"T={planted.github()}\n".encode())))
    code, report = scan(name(server))
    assert places(report) == [("b.env", 1, "1 of 1", "yes")]
    assert len(skips(report)) == 1
    code, report = scan(name(server, "@sha256:" + "0" * 64))
    assert code == 3
    assert "no such image" in report["said"]


def test_a_layer_that_is_not_there_is_told_and_the_rest_scanned(server: Server, app: Built) -> None:
    del app.blobs[json.loads(app.manifest)["layers"][0]["digest"]]
    code, report = scan(name(server))
    assert code == 3
    assert skips(report) == [("unreadable", "localhost:%d has no such blob of the image; check its name and tag" % server.port)]


def test_of_several_images_one_that_can_not_be_had_stops_no_other(server: Server, store: Registry) -> None:
    code, report = scan(name(server, ":nope"), name(server))
    assert len(report["findings"]) == 1
    assert code == 3
    assert "no such image" in skips(report)[0][1]


def test_layers_that_two_images_share_are_fetched_once(server: Server, store: Registry, app: Built) -> None:
    other = image(*app.layers, pack=gzip.compress, suffix="+gzip", author="somebody else")
    store.blobs |= other.blobs
    store.tags["1.5"] = other.manifest
    _code, report = scan(name(server), name(server, ":1.5"))
    (finding,) = report["findings"]
    assert sorted(p["path"] for p in finding["locations"]) == [f"{name(server)}!/a.env", f"{name(server, ':1.5')}!/a.env"]
    fetched = [a.path for a in server.asked if a.path.endswith(json.loads(app.manifest)["layers"][0]["digest"])]
    assert len(fetched) == 1


def test_the_login_that_fits_best_is_taken() -> None:
    docker(auths={"https://index.docker.io/v1/": auth("hub"), "r.example": auth("all"), "r.example/team": auth("team")})

    def who(host: str, repository: str) -> str:
        found = login(host, repository, os.environ)
        return found.user if found else ""

    assert who("index.docker.io", "library/x") == "hub"
    assert who("r.example", "team/app") == "team"
    assert who("r.example", "other/app") == "all"
    assert who("s.example", "app") == ""
    assert "horse" not in repr(login("r.example", "team/app", os.environ))


@given(st.text(max_size=80) | st.builds("Bearer realm={!r},service={}".format, st.text(max_size=9), st.text(max_size=9)))
def test_any_challenge_is_read_or_refused(header: str) -> None:
    told = challenge(header)
    assert told is None or told.basic or told.realm


def test_several_ways_in_are_told_apart() -> None:
    both = challenge('Basic realm="x, Bearer y", Bearer realm="https://a.example/t?x=1,2",service="a b",scope="c"')
    assert both is not None
    assert (both.basic, both.realm, both.service, both.scope) == (False, "https://a.example/t?x=1,2", "a b", "c")
