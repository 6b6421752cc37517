"""Hooks that look at commits: a push is judged by every commit that it brings, a message by its words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Planted
from test_hook import git, stage

Run = Callable[..., "subprocess.CompletedProcess[str]"]
ZERO = "0" * 40
MAIN = "from leakguard.hook import main; main()"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Return a repository whose first commit stands on a remote."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "remote.git")
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    git(root, "remote", "add", "origin", str(tmp_path / "remote.git"))
    stage(root, "app.py", "import os\n")
    git(root, "commit", "-qm", "first")
    git(root, "push", "-q", "origin", "main")
    return root


@pytest.fixture
def hook(repo: Path) -> Run:
    def run(*args: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", MAIN, *args],
            cwd=repo,
            input=stdin,
            capture_output=True,
            text=True,
            env={**os.environ, **env},
            timeout=60,
        )

    return run


def commit(repo: Path, name: str, text: str, message: str = "change") -> str:
    stage(repo, name, text)
    git(repo, "commit", "-qm", message)
    return git(repo, "rev-parse", "HEAD").strip()


def push_line(repo: Path, old: str = ZERO, branch: str = "main") -> str:
    return f"refs/heads/{branch} {git(repo, 'rev-parse', branch).strip()} refs/heads/{branch} {old}\n"


def test_a_secret_that_a_later_commit_removes_blocks_the_push(repo, hook, planted: Planted, leaks) -> None:
    old = git(repo, "rev-parse", "HEAD").strip()
    token = planted.github()
    first = commit(repo, "a.py", f'TOKEN = "{token}"\n')
    commit(repo, "a.py", "TOKEN = None\n")
    done = hook("--pre-push", "origin", "url", stdin=push_line(repo, old))
    assert done.returncode == 1
    assert first[:12] in done.stdout
    assert not leaks(done.stdout + done.stderr, token, public=4)


def test_a_new_branch_is_looked_at_from_where_it_left_the_remote(repo, hook, planted: Planted) -> None:
    git(repo, "checkout", "-qb", "side")
    commit(repo, "a.py", f'TOKEN = "{planted.github()}"\n')
    assert hook("--pre-push", "origin", "url", stdin=push_line(repo, branch="side")).returncode == 1


def test_what_the_remote_has_already_does_not_block(repo, hook, planted: Planted) -> None:
    commit(repo, "a.py", f'TOKEN = "{planted.github()}"\n')
    git(repo, "push", "-q", "origin", "main")
    old = git(repo, "rev-parse", "HEAD").strip()
    commit(repo, "a.py", (repo / "a.py").read_text() + "x = 1\n")
    done = hook("--pre-push", "origin", "url", stdin=push_line(repo, old))
    assert (done.returncode, done.stdout) == (0, "")


def test_a_remote_id_that_is_not_here_is_no_error(repo, hook, planted: Planted) -> None:
    commit(repo, "a.py", f'TOKEN = "{planted.github()}"\n')
    assert hook("--pre-push", "origin", "url", stdin=push_line(repo, "1" * 40)).returncode == 1


@pytest.mark.parametrize("line", ["", f"(delete) {ZERO} refs/heads/side {'1' * 40}\n"])
def test_a_push_of_nothing_is_clean(hook, line) -> None:
    assert hook("--pre-push", "origin", "url", stdin=line).returncode == 0


def test_a_secret_in_a_pushed_message_blocks(repo, hook, planted: Planted) -> None:
    old = git(repo, "rev-parse", "HEAD").strip()
    commit(repo, "a.py", "x = 1\n", f"use {planted.github()}")
    done = hook("-q", "--pre-push", "origin", "url", stdin=push_line(repo, old))
    assert done.returncode == 1
    assert done.stdout.startswith("commit ")


def test_the_pre_commit_framework_names_the_range_in_its_variables(repo, hook, planted: Planted) -> None:
    old = git(repo, "rev-parse", "HEAD").strip()
    new = commit(repo, "a.py", f'TOKEN = "{planted.github()}"\n')
    variables = {"PRE_COMMIT_FROM_REF": old, "PRE_COMMIT_TO_REF": new, "PRE_COMMIT_REMOTE_NAME": "origin"}
    assert hook("--pre-push", **variables).returncode == 1


def test_a_line_that_is_no_ref_is_a_usage_error(hook) -> None:
    done = hook("--pre-push", "origin", "url", stdin="what\n")
    assert done.returncode == 2


def test_a_push_that_takes_too_long_is_incomplete(repo, hook) -> None:
    old = git(repo, "rev-parse", "HEAD").strip()
    commit(repo, "a.py", "x = 1\n")
    assert hook("--deadline", "0.000001", "--pre-push", "origin", "url", stdin=push_line(repo, old)).returncode == 3


def test_a_message_is_judged_up_to_the_scissors(repo, hook, planted: Planted) -> None:
    message = repo / ".git" / "COMMIT_EDITMSG"
    scissors = "# ------------------------ >8 ------------------------\n"
    message.write_text(f"fix\n\n{scissors}+TOKEN = {planted.github()}\n")
    assert hook("--commit-msg", str(message)).returncode == 0
    message.write_text(f"fix {planted.github()}\n\n{scissors}")
    done = hook("--commit-msg", str(message))
    assert done.returncode == 1
    assert "commit message:1:5" in done.stdout


def test_a_message_that_can_not_be_read_is_told(hook) -> None:
    done = hook("--commit-msg", "/nonexistent/message")
    assert done.returncode == 2


@pytest.fixture
def server(repo: Path) -> Path:
    """Return the remote with our hook in it."""
    remote = repo.parent / "remote.git"
    script = remote / "hooks" / "pre-receive"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{MAIN}" --pre-receive\n')
    script.chmod(0o755)
    return remote


def push(repo: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "push", "origin", "HEAD"], cwd=repo, capture_output=True, text=True, env={**os.environ, **env}, timeout=60
    )


def test_a_server_refuses_a_push_that_brings_a_secret(repo, server, planted: Planted, leaks) -> None:
    token = planted.github()
    commit(repo, "a.py", f'TOKEN = "{token}"\n')
    commit(repo, "a.py", "TOKEN = None\n")
    done = push(repo, GL_ID="user-1")
    assert done.returncode != 0
    assert "a.py:1:10" in done.stderr
    assert "GL-HOOK-ERR: " in done.stderr
    assert not leaks(done.stdout + done.stderr, token, public=4)


def test_a_server_accepts_a_clean_push_a_deletion_and_what_it_has(repo, server, planted: Planted) -> None:
    commit(repo, "a.py", "x = 1\n")
    assert push(repo).returncode == 0
    git(repo, "checkout", "-qb", "side")
    assert push(repo).returncode == 0
    assert subprocess.run(["git", "push", "origin", ":side"], cwd=repo, capture_output=True).returncode == 0


@pytest.mark.parametrize(("policy", "accepted"), [("closed", False), ("open", True), ("queue", True)])
def test_a_server_that_runs_out_of_time_does_what_its_owner_decided(repo, server, policy, accepted) -> None:
    new = commit(repo, "a.py", "x = 1\n")
    done = push(repo, LEAKGUARD_HOOK_DEADLINE="0.000001", LEAKGUARD_PRE_RECEIVE_TIMEOUT=policy)
    assert (done.returncode == 0) is accepted, done.stderr
    queue = server / "leakguard" / "queue"
    assert (queue.read_text().split() if queue.exists() else []) == ([new] if policy == "queue" else [])


def test_a_push_can_not_silence_itself(repo, server, planted: Planted) -> None:
    stage(repo, ".leakguard.toml", 'disabled_rules = ["github-pat-classic"]\n')
    commit(repo, "a.py", f'TOKEN = "{planted.github()}"\n')
    assert push(repo).returncode != 0
