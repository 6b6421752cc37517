"""Verification from the command line, against providers on this machine: what is sent, told, kept, and the exit code."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Planted
from logins import leakguard, trust
from servers import Answer, Asked, served

SOURCE = {
    "live": Answer(
        200,
        b'{"id": 7, "login": "ada", "type": "User", "company": "Acme"}',
        (("X-OAuth-Scopes", "repo, user"), ("X-GitHub-Request-Id", "R1")),
    ),
    "dead": Answer(401, b'{"message": "Bad credentials"}'),
    "waf": Answer(403, b"<!DOCTYPE html><html>blocked</html>", (("Content-Type", "text/html"),)),
}


def github(*live: str, otherwise: str = "dead") -> Callable[[Asked], Answer]:
    """Return GitHub's API as it is documented: `GET /user` names whose a token is."""

    def answer(asked: Asked) -> Answer:
        if asked.path != "/user":
            return Answer(404, b'{"message": "Not Found"}')
        return SOURCE["live" if asked.headers.get("authorization", "").removeprefix("Bearer ") in live else otherwise]

    return answer


@pytest.fixture(autouse=True)
def _ours(tree: Path) -> None:
    """Say that the scanned folder is ours: no person sits at these runs."""
    trust(str(tree), "-")


@pytest.fixture
def token(planted: Planted, tree: Path) -> str:
    """Write a token into the tree and return it."""
    value = planted.github()
    (tree / "a.env").write_text(f"GITHUB_TOKEN={value}\n")
    return value


def test_a_scan_tells_what_is_live_whose_it_is_and_nothing_of_the_value(
    tree: Path, token: str, leaks: Callable[..., list[str]]
) -> None:
    with served(github(token)) as provider:
        done = leakguard(tree, "scan", "--verify", "-v", "--endpoint", f"github={provider.url}")
    assert done.returncode == 1
    for words in ("● LIVE", "live", "is ada of Acme (User)", "may repo, user", "200 id login", "(request R1)"):
        assert words in done.stdout
    assert leaks(done.stdout + done.stderr, token, 4) == []
    home = [p for p in Path(os.environ["HOME"]).rglob("*") if p.is_file() and p.suffix in (".sqlite", ".json")]
    assert {p.suffix for p in home} == {".sqlite", ".json"}
    assert all(leaks(p.read_bytes().decode("latin-1"), token, 4) == [] for p in home)
    assert all(token not in asked.path for asked in provider.asked)


@pytest.mark.parametrize("form", ["json", "jsonl", "sarif", "html", "markdown", "csv", "gitlab", "github", "junit"])
def test_every_format_tells_the_verdict_or_holds_its_tongue_but_never_the_value(
    tree: Path, token: str, form: str, leaks: Callable[..., list[str]]
) -> None:
    with served(github(token)) as provider:
        done = leakguard(tree, "scan", "--verify", "-f", form, "--endpoint", f"github={provider.url}")
    assert done.returncode == 1
    assert leaks(done.stdout + done.stderr, token, 4) == []
    if form in ("json", "jsonl", "sarif"):
        assert '"state": "live"' in done.stdout.replace('":"', '": "')
        assert "ada" in done.stdout


def test_json_holds_identity_and_evidence_and_fits_its_schema(tree: Path, token: str) -> None:
    import jsonschema

    with served(github(token)) as provider:
        done = leakguard(tree, "scan", "--verify", "-f", "json", "--endpoint", f"github={provider.url}")
    document = json.loads(done.stdout)
    schema = json.loads((Path(__file__).parents[1] / "docs/schemas/report-1.schema.json").read_text())
    jsonschema.validate(document, schema)
    told = document["findings"][0]["verification"]
    assert told["identity"] == {"id": "7", "name": "ada", "type": "User", "account": "Acme", "scopes": ["repo", "user"]}
    assert told["evidence"][0]["decided"] == "200 id login"
    assert len(told["evidence"][0]["response_sha256"]) == 64


@pytest.mark.parametrize(
    ("answer", "flags", "code"),
    [
        ("live", (), 1),
        ("dead", (), 0),
        ("waf", (), 4),
        ("waf", ("--allow-unknown",), 0),
    ],
)
def test_ci_can_block_on_live_leaks_alone(tree: Path, token: str, answer: str, flags: tuple[str, ...], code: int) -> None:
    known = (token,) if answer == "live" else ()
    with served(github(*known, otherwise="dead" if answer == "live" else answer)) as provider:
        done = leakguard(tree, "scan", "--verify", "--fail-on", "live", *flags, "--endpoint", f"github={provider.url}")
    assert done.returncode == code, done.stdout + done.stderr
    assert "github-pat-classic" in done.stdout, "a finding stays, whatever its check said"


def test_a_plan_sends_nothing_and_names_what_would_be_sent(tree: Path, token: str) -> None:
    with served(github(token)) as provider:
        flags = ("--verify", "--endpoint", f"github={provider.url}")
        plan = leakguard(tree, "scan", *flags, "--plan", "-f", "json")
        assert provider.asked == []
        requests = json.loads(plan.stdout)["requests"]
        leakguard(tree, "scan", *flags)
        sent = [(a.headers["host"], a.method, a.path) for a in provider.asked]
    assert sorted((r["host"], r["method"], r["path"]) for r in requests) == sorted(sent)
    assert {r["class"] for r in requests} == {"read"}
    text = leakguard(tree, "scan", "--verify", "--plan").stdout
    assert "api.github.com" in text
    assert "nothing was sent" in text


def test_the_last_run_is_verified_by_id_and_once_only(tree: Path, token: str) -> None:
    found = json.loads(leakguard(tree, "scan", "-f", "json").stdout)["findings"][0]["id"]
    with served(github(token)) as provider:
        first = leakguard(tree, "verify", found[:8], "--endpoint", f"github={provider.url}")
        again = leakguard(tree, "verify", "--endpoint", f"github={provider.url}")
        assert len(provider.asked) == 2
    assert (first.returncode, again.returncode) == (1, 1)
    assert "LIVE" in again.stdout


def test_a_value_on_standard_input_is_verified_under_its_rule(
    tree: Path, planted: Planted, leaks: Callable[..., list[str]]
) -> None:
    token = planted.github()
    with served(github(token)) as provider:
        done = leakguard(
            tree, "verify", "--stdin", "--rule", "github-pat-classic", "--endpoint", f"github={provider.url}", stdin=token
        )
    assert done.returncode == 1
    assert "LIVE" in done.stdout
    assert leaks(done.stdout + done.stderr, token, 4) == []


def test_a_redirect_takes_the_token_nowhere(tree: Path, token: str) -> None:
    with served(Answer()) as foreign, served(lambda _: Answer(302, headers=(("Location", foreign.url + "/user"),))) as provider:
        done = leakguard(tree, "scan", "--verify", "--endpoint", f"github={provider.url}")
    assert "UNVERIFIED" in done.stdout
    assert foreign.asked == []


def test_settings_of_the_scanned_repository_name_no_host(tree: Path, token: str) -> None:
    with served(github(token)) as evil:
        (tree / ".leakguard.toml").write_text(f'[verify.endpoints]\ngithub = "{evil.url}"\n')
        done = leakguard(tree, "scan", "--verify", "--plan")
    assert "localhost" not in done.stdout
    assert "api.github.com" in done.stdout
    done = leakguard(tree, "scan")
    assert "[verify] counts only in" in done.stdout


def test_settings_that_a_person_names_do(tree: Path, token: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        f'[verify]\nscopes = ["{tree}"]\nallow_hosts = ["db.acme.example"]\n'
        '[verify.endpoints]\ngithub = "https://ghe.acme.example/api/v3"\n'
    )
    done = leakguard(tree, "scan", "--verify", "--plan", "--trusted-config", str(mine))
    assert "ghe.acme.example" in done.stdout
    assert "/api/v3/user" in done.stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("scan", "--fail-on", "live"), "add --verify"),
        (("scan", "--plan"), "--plan goes with --verify"),
        (("scan", "--allow-host", "a.example"), "--allow-host goes with --verify"),
        (("scan", "--verify", "--endpoint", "github"), "PROVIDER=URL"),
        (("scan", "--verify", "--allow-host", "https://u:p@a.example"), "names no host"),
        (("verify", "--stdin", "abcd"), "--stdin goes without"),
    ],
)
def test_what_does_not_fit_together_is_told(tree: Path, token: str, args: tuple[str, ...], told: str) -> None:
    done = leakguard(tree, *args)
    assert done.returncode == 2
    assert told in done.stderr


def test_every_host_for_a_firewall_is_listed(tree: Path) -> None:
    hosts = leakguard(tree, "verify", "--hosts").stdout.split()
    assert {"api.github.com", "gitlab.com", "sts.amazonaws.com", "slack.com"} <= set(hosts)
    assert all("$" not in host and "/" not in host for host in hosts)
