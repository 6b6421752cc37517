"""Verification where no person asks: only what trusted settings call ours, and never a fork's pull request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import Planted
from histories import commit, git, repository
from leakguard.cli._scopes import refusal
from leakguard.config import load
from leakguard.config.scopes import covered, read, slug
from leakguard.errors import ConfigError
from leakguard.gitio import ci
from servers import Answer, Asked, Server, served

OURS = "https://github.com/Acme/shop.git"


@pytest.fixture
def repo(tmp_path: Path, planted: Planted) -> Path:
    """Return a clone of ours whose last commit brings a token."""
    work = repository(tmp_path / "work")
    git(work, "remote", "add", "origin", OURS)
    commit(work, a__py="x = 1\n")
    commit(work, b__py=f'TOKEN = "{planted.github()}"\n')
    return work


@pytest.fixture
def provider(planted: Planted) -> Iterator[Server]:
    """Serve GitHub's `GET /user`, for which the planted token is live."""
    token = Planted().github()

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("authorization") == f"Bearer {token}":
            return Answer(200, b'{"id": 7, "login": "ada", "type": "User"}')
        return Answer(401, b'{"message": "Bad credentials"}')

    with served(answer) as server:
        yield server


def leakguard(cwd: Path, *args: str, terminal: bool = False, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "leakguard", *args]
    if not terminal:
        return subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, env=os.environ | env
        )
    ours, theirs = os.openpty()
    try:
        return subprocess.run(command, cwd=cwd, stdin=theirs, capture_output=True, text=True, timeout=120, env=os.environ | env)
    finally:
        os.close(ours)
        os.close(theirs)


def settings(path: Path, *scopes: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[verify]\nscopes = {json.dumps(scopes)}\n")
    return str(path)


def pull(path: Path, head: int | None, base: int = 1) -> dict[str, str]:
    """Return what GitHub sets for a pull request from one repository to another."""
    event = {"pull_request": {"head": {"repo": head and {"id": head}}, "base": {"sha": "", "repo": {"id": base}}}}
    path.write_text(json.dumps(event))
    return {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request_target", "GITHUB_EVENT_PATH": str(path)}


def state(done: subprocess.CompletedProcess[str]) -> str:
    return str(json.loads(done.stdout)["findings"][0]["verification"]["state"])


def test_a_person_at_a_terminal_names_by_typing_verify_what_is_theirs(repo: Path, provider: Server) -> None:
    done = leakguard(repo, "scan", "--verify", "-f", "json", "--endpoint", f"github={provider.url}", terminal=True)
    assert state(done) == "live"


@pytest.mark.parametrize("env", [{}, {"CI": "true"}, {"GIT_EXEC_PATH": "/usr/lib/git-core"}, {"PRE_COMMIT": "1"}])
def test_without_a_person_nothing_is_asked_unless_settings_say_that_it_is_ours(
    repo: Path, provider: Server, env: dict[str, str]
) -> None:
    flags = ("--verify", "-f", "json", "--fail-on", "live", "--endpoint", f"github={provider.url}")
    done = leakguard(repo, "scan", *flags, terminal=bool(env), **env)
    assert provider.asked == []
    assert state(done) == "skipped_by_policy"
    assert done.returncode == 4, "what could not be asked never looks clean"
    assert leakguard(repo, "scan", *flags, "--allow-unknown", terminal=bool(env), **env).returncode == 0


def test_what_is_missing_is_told_with_the_line_to_write(repo: Path) -> None:
    done = leakguard(repo, "scan", "--verify")
    assert '[verify] scopes = ["github.com/acme/shop"]' in done.stdout
    assert "UNVERIFIED" in done.stdout
    plan = json.loads(leakguard(repo, "scan", "--verify", "--plan", "-f", "json").stdout)
    assert plan["requests"] == []
    assert "trusted settings" in plan["refused"]


def test_ci_verifies_what_a_named_file_calls_ours_and_blocks_on_what_is_live(repo: Path, provider: Server, tmp_path: Path) -> None:
    mine = settings(tmp_path / "mine.toml", "github.com/acme")
    flags = ("--verify", "--fail-on", "live", "-f", "json", "--endpoint", f"github={provider.url}")
    env = pull(tmp_path / "event.json", 1)
    done = leakguard(repo, "ci", *flags, "--trusted-config", mine, "--new-since", "HEAD~1", **env)
    assert (done.returncode, state(done)) == (1, "live"), done.stderr
    other = settings(tmp_path / "other.toml", "github.com/acme/other", "github.com/acme/sho", "gitlab.com/acme")
    done = leakguard(repo, "ci", *flags, "--trusted-config", other, "--new-since", "HEAD~1", **env)
    assert (done.returncode, state(done)) == (4, "skipped_by_policy")
    assert '"github.com/acme/shop\\" is in no scope' in done.stdout


def test_a_forks_pull_request_is_scanned_and_never_verified_whatever_settings_say(
    repo: Path, provider: Server, tmp_path: Path
) -> None:
    mine = settings(tmp_path / "mine.toml", "github.com/acme", str(repo))
    leakguard(repo, "scan", "--verify", "--config", mine, "--endpoint", f"github={provider.url}")
    assert provider.asked, "so that a verdict is known, which is not told either"
    provider.asked.clear()
    flags = ("--verify", "--fail-on", "live", "-f", "json", "--config", mine, "--endpoint", f"github={provider.url}")
    done = leakguard(repo, "ci", *flags, "--new-since", "HEAD~1", terminal=True, **pull(tmp_path / "event.json", 2))
    assert provider.asked == []
    assert (done.returncode, state(done)) == (4, "skipped_by_policy")
    assert "the change comes from a fork" in json.loads(done.stdout)["findings"][0]["verification"]["words"]


def test_the_scanned_repository_can_not_call_itself_ours(repo: Path, provider: Server) -> None:
    inside = settings(repo / ".leakguard.toml", "github.com/acme", str(repo))
    flags = ("--verify", "-f", "json", "--endpoint", f"github={provider.url}")
    for more in ((), ("--config", inside), ("--trusted-config", inside)):
        assert state(leakguard(repo, "scan", *flags, *more)) == "skipped_by_policy"
    assert provider.asked == []


def test_your_own_scopes_count_also_where_a_repository_has_settings(repo: Path, provider: Server) -> None:
    (repo / ".leakguard.toml").write_text('level = "strict"\n')
    settings(Path(os.environ["XDG_CONFIG_HOME"], "leakguard", "config.toml"), "github.com/acme")
    config = load(str(repo), {}, os.environ)
    assert config.level == "strict"
    assert config.verify is not None
    assert config.verify.scopes == ("github.com/acme",)
    done = leakguard(repo, "verify", "--path", "b.py", "-f", "json", "--endpoint", f"github={provider.url}")
    assert state(done) == "live"


def test_a_text_of_standard_input_is_of_no_repository(repo: Path, tmp_path: Path) -> None:
    mine = settings(tmp_path / "mine.toml", "github.com/acme", str(repo))
    done = leakguard(repo, "scan", "-", "--verify", "--plan", "--config", mine)
    assert "standard input is in no scope" in done.stdout


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/shop",
        "https://github.com/Acme/Shop.git/",
        "https://ada:q7q7q7q7@github.com:443/acme/shop.git?x#y",
        "git@github.com:acme/shop.git",
        "github.com:acme/shop",
        "ssh://git@github.com:22/acme/shop.git",
        "git+ssh://git@github.com/acme/shop",
    ],
)
def test_however_a_repository_was_cloned_it_is_the_same(url: str) -> None:
    assert slug(url) == "github.com/acme/shop"
    assert covered(slug(url), [read("github.com/acme")])
    assert covered(slug(url), [read("https://github.com/acme/shop.git")])
    assert covered(slug(url), [read("github.com/acme/*")])


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com.evil.example/acme/shop",
        "https://github.com@evil.example/acme/shop",
        "https://evil.example/github.com/acme/shop",
        "https://github.com/acme-evil/shop",
        "https://github.com/evil/acme/shop",
        "https://github.com/acme/../evil/shop",
        "github.com@evil.example:acme/shop",
        "file:///srv/github.com/acme/shop",
        "file://github.com/acme/shop",
        "../github.com/acme/shop",
        "/srv/acme/shop",
        "",
    ],
)
def test_what_only_looks_like_ours_is_not(url: str) -> None:
    assert not covered(slug(url), [read("github.com/acme")])


@pytest.mark.parametrize("word", ["github.com", "https://github.com/", "acme/shop", "src/app", "~nobody-q7/x", "./x", ""])
def test_a_scope_that_names_too_much_or_nothing_is_an_error(tmp_path: Path, word: str) -> None:
    path = settings(tmp_path / "mine.toml", word)
    with pytest.raises(ConfigError):
        load(str(tmp_path / "tree"), {"config": path}, {})


def test_a_folder_covers_what_lies_in_it_and_not_its_neighbour(tmp_path: Path) -> None:
    scope = read(str(tmp_path / "src"))
    assert covered(os.path.realpath(tmp_path / "src" / "app"), [scope])
    assert covered(os.path.realpath(tmp_path / "src"), [scope])
    assert not covered(os.path.realpath(tmp_path / "src2"), [scope])
    (tmp_path / "src").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "src" / "link").symlink_to(tmp_path / "elsewhere")
    assert not covered(os.path.realpath(tmp_path / "src" / "link"), [scope])


@pytest.mark.parametrize(
    ("image", "scope"),
    [
        ("registry.acme.example/team/app:1.4", "registry.acme.example/team"),
        ("registry.acme.example:5000/team/app:1.4", "registry.acme.example/team/app"),
        ("docker://registry.acme.example/team/app@sha256:" + "0" * 64, "registry.acme.example/team/app"),
        ("acme/app", "docker.io/acme"),
        ("redis:7", "docker.io/library"),
    ],
)
def test_an_image_is_ours_by_its_registry_and_name(image: str, scope: str) -> None:
    env = {"CI": "false", "PRE_COMMIT": "1"}
    assert refusal([image], [read(scope)], env, images=True) is None
    refused = refusal([image], [read("registry.acme.example/te"), read("docker.io/acm")], env, images=True)
    assert refused is not None
    assert refused.reason == "out_of_scope"


def test_of_several_targets_each_has_to_be_ours(tmp_path: Path) -> None:
    env = {"PRE_COMMIT": "1"}
    ours, theirs = str(tmp_path / "ours"), str(tmp_path / "theirs")
    assert refusal([ours, ours + "/x"], [read(ours)], env, images=False) is None
    assert refusal([ours, theirs], [read(ours)], env, images=False) is not None


def test_a_remote_can_not_steer_a_terminal(repo: Path) -> None:
    git(repo, "remote", "set-url", "origin", "https://github.com/acme/\x1b[2Jshop")
    done = leakguard(repo, "scan", "--verify", "--plan")
    assert "\x1b" not in done.stdout
    assert "shop" not in done.stdout


GITLAB = {"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "4", "CI_MERGE_REQUEST_PROJECT_ID": "1"}
EXTERNAL = {"GITLAB_CI": "true", "CI_EXTERNAL_PULL_REQUEST_IID": "4", "CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY": "acme/shop"}
AZURE = {"TF_BUILD": "True", "BUILD_REASON": "PullRequest", "SYSTEM_PULLREQUEST_PULLREQUESTID": "4"}
CIRCLE, JENKINS = {"CIRCLECI": "true"}, {"JENKINS_URL": "x"}
FORKS = [
    GITLAB | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"},
    GITLAB,
    EXTERNAL | {"CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY": "eve/shop"},
    AZURE | {"SYSTEM_PULLREQUEST_ISFORK": "True"},
    AZURE,
    CIRCLE | {"CIRCLE_PR_REPONAME": "shop", "CIRCLE_PR_USERNAME": "eve"},
    CIRCLE | {"CIRCLE_BRANCH": "pull/4"},
    JENKINS | {"CHANGE_ID": "4", "CHANGE_FORK": "eve"},
    JENKINS | {"ghprbPullId": "4"},
    {"CI": "true"},
    {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": "/nowhere"},
]
OWN = [
    GITLAB | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1"},
    {"GITLAB_CI": "true", "CI_COMMIT_BEFORE_SHA": "1"},
    EXTERNAL | {"CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY": "acme/shop"},
    AZURE | {"SYSTEM_PULLREQUEST_ISFORK": "False"},
    {"TF_BUILD": "True", "BUILD_REASON": "IndividualCI"},
    CIRCLE | {"CIRCLE_BRANCH": "pulls/4"},
    JENKINS | {"CHANGE_ID": "4"},
    {"BITBUCKET_BUILD_NUMBER": "1", "BITBUCKET_PR_ID": "4"},
    {"CI": "false"},
    {},
]


@pytest.mark.parametrize("env", FORKS)
def test_each_providers_word_for_a_fork_is_known_and_silence_is_no_denial(env: dict[str, str]) -> None:
    assert ci.fork(env)


@pytest.mark.parametrize("env", OWN)
def test_a_change_of_our_own_is_no_forks(env: dict[str, str]) -> None:
    assert ci.fork(env) == ""


@pytest.mark.parametrize(
    ("event", "forked"),
    [
        ({"pull_request": {"head": {"repo": {"id": 2}}, "base": {"repo": {"id": 1}}}}, True),
        ({"pull_request": {"head": {"repo": None}, "base": {"repo": {"id": 1}}}}, True),
        ({"pull_request": {"head": {"repo": {"id": 1}}, "base": {"repo": {"id": 1}}}}, False),
        ({"pull_request": {}}, True),
        ({"pull_request": "x"}, True),
        ({"workflow_run": {"head_repository": {"id": 2}}, "repository": {"id": 1}}, True),
        ({"workflow_run": {"head_repository": {"id": 1}}, "repository": {"id": 1}}, False),
        ({"issue": {"pull_request": {"url": "x"}}, "comment": {}}, True),
        ({"before": "1", "repository": {"id": 1}}, False),
    ],
)
def test_on_github_the_event_says_where_a_change_comes_from(tmp_path: Path, event: dict[str, object], forked: bool) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))
    assert bool(ci.fork({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path)})) is forked


def test_a_pull_request_whose_event_says_nothing_of_it_may_be_a_forks(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text('{"action": "opened"}')
    env = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path)}
    assert ci.fork(env | {"GITHUB_REF": "refs/pull/4/merge"})
    assert ci.fork(env | {"GITHUB_EVENT_NAME": "pull_request_review"})
    assert not ci.fork(env)


def test_a_token_in_the_url_of_the_remote_is_not_told(repo: Path, leaks: Callable[..., list[str]]) -> None:
    token = Planted(9).random()
    git(repo, "remote", "set-url", "origin", f"https://ci:{token}@github.com/acme/shop.git")
    done = leakguard(repo, "scan", "--verify", "-v")
    assert "github.com/acme/shop" in done.stdout
    assert leaks(done.stdout + done.stderr, token) == []
