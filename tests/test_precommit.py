"""The hooks through the pre-commit framework, end to end: it clones this repository, builds it and runs it as git's hook.

It installs out of a folder of wheels that `LEAKGUARD_WHEELS` names (`.ci/run` fills one), never from the network.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from histories import git, repository

ROOT = Path(__file__).parent.parent
WHEELS = os.environ.get("LEAKGUARD_WHEELS", "")
pytestmark = pytest.mark.skipif(
    not WHEELS, reason="LEAKGUARD_WHEELS names no folder of wheels to build this package from (pip wheel --wheel-dir)"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository that holds what a release would: the files that git knows, as they are now."""
    target = repository(tmp_path_factory.mktemp("source") / "leakguard")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, names)):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    git(target, "add", "-A")
    git(target, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "release")
    return target


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder where pre-commit keeps what it built, so that it builds once."""
    return tmp_path_factory.mktemp("pre-commit")


class Project:
    """A throwaway repository whose hooks pre-commit runs."""

    def __init__(self, path: Path, source: Path, store: Path) -> None:
        self.path = repository(path)
        self.env = {
            **os.environ,
            "PRE_COMMIT_HOME": str(store),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": WHEELS,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
        }
        self.source = source
        rev = git(source, "rev-parse", "HEAD")
        ids = "\n".join(f"      - id: {name}" for name in ("leakguard", "leakguard-commit-msg", "leakguard-push"))
        (self.path / ".pre-commit-config.yaml").write_text(
            "default_install_hook_types: [pre-commit, commit-msg, pre-push]\n"
            f"repos:\n  - repo: {source}\n    rev: {rev}\n    hooks:\n{ids}\n"
        )
        self.git("add", ".pre-commit-config.yaml")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.path, env=self.env, capture_output=True, text=True, timeout=500)

    def git(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("git", *words)

    def pre_commit(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "pre_commit", *words)

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)


@pytest.fixture
def project(tmp_path: Path, source: Path, store: Path) -> Project:
    return Project(tmp_path / "project", source, store)


def test_try_repo_blocks_what_is_staged_and_what_is_named_and_passes_what_is_allowed(project, planted, leaks) -> None:
    token = planted.github()
    attempt = ("try-repo", str(project.source), "leakguard")
    project.write("settings.py", f'TOKEN = "{token}"\n')
    project.git("add", "settings.py")
    project.write("settings.py", 'TOKEN = ""\n')
    staged = project.pre_commit(*attempt)
    assert staged.returncode == 1, staged.stdout + staged.stderr
    assert "GitHub personal access token" in staged.stdout
    assert not leaks(staged.stdout + staged.stderr, token)

    project.write("settings.py", f'TOKEN = "{token}"\n')
    project.git("add", "settings.py")
    project.git("commit", "-qm", "as it is")
    assert project.pre_commit(*attempt).returncode == 0
    assert project.pre_commit(*attempt, "--files", "settings.py").returncode == 1
    assert project.pre_commit(*attempt, "--all-files").returncode == 1

    project.write("clean.py", "x = 1\n")
    project.git("add", "clean.py")
    assert project.pre_commit(*attempt).returncode == 0


def test_installed_hooks_judge_commits_messages_and_pushes(project, planted, tmp_path) -> None:
    installed = project.pre_commit("install", "--install-hooks")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    project.write("settings.py", f'TOKEN = "{planted.github()}"\n')
    project.git("add", "settings.py")
    assert project.git("commit", "-qm", "a token").returncode == 1

    told = re.search(r"\(id ([0-9a-f]{8})\)", project.git("commit", "-qm", "again").stderr)
    assert told
    allowed = project.run(sys.executable, "-m", "leakguard", "allow", told[1], "--reason", "made up")
    assert allowed.returncode == 0, allowed.stderr
    project.git("add", ".leakguard/baseline.jsonl")
    done = project.git("commit", "-qm", "allowed")
    assert done.returncode == 0, done.stderr

    project.write("clean.py", "x = 1\n")
    project.git("add", "clean.py")
    assert project.git("commit", "-qm", f"use {planted.github()}").returncode == 1
    assert project.git("commit", "-qm", "a clean change").returncode == 0

    remote = repository(tmp_path / "remote", "--bare")
    project.git("remote", "add", "origin", str(remote))
    assert project.git("push", "-q", "origin", "main").returncode == 0
    project.write("late.py", f'LATE = "{planted.github()}"\n')
    project.git("add", "late.py")
    project.git("commit", "-qnm", "past the hook")
    project.git("rm", "-q", "late.py")
    project.git("commit", "-qnm", "and gone again")
    assert project.git("push", "-q", "origin", "main").returncode == 1
    assert git(remote, "log", "--format=%s", "main").splitlines()[0] == "a clean change"
