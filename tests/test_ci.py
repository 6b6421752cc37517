"""`leakguard ci`: each provider's variables name the range, and a range that can't be seen never looks clean."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from conftest import Planted
from histories import commit, git, repository

ROOT = Path(__file__).parents[1]
ZERO = "0" * 40
Run = Callable[..., "subprocess.CompletedProcess[str]"]
VARIABLES = re.compile(r"GITHUB_|GITLAB_|CI_|CIRCLE|TF_BUILD|BITBUCKET_|JENKINS_|BUILD_|SYSTEM_|CHANGE_")


@pytest.fixture
def work(tmp_path: Path, planted: Planted) -> Path:
    """Return a clone whose main branch holds an old leak."""
    origin = repository(tmp_path / "origin")
    commit(origin, old__py=f'OLD = "{planted.github()}"\n')
    commit(origin, a__py="x = 1\n")
    git(tmp_path, "clone", "-q", f"file://{origin}", "work")
    return tmp_path / "work"


@pytest.fixture
def ci(work: Path) -> Run:
    def run(*args: str, folder: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not VARIABLES.match(name)}
        command = [sys.executable, "-m", "leakguard", "ci", "-q", *args]
        return subprocess.run(command, cwd=folder or work, capture_output=True, text=True, env={**clean, **env}, timeout=60)

    return run


def event(tmp_path: Path, **content: object) -> str:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(content))
    return str(path)


def variables(provider: str, tmp_path: Path, base: str, head: str) -> dict[str, str]:
    """Return what a provider sets for a change from `base` to `head` that goes to main."""
    pull = {"pull_request": {"base": {"sha": base}}}
    return {
        "github-pull": {"GITHUB_ACTIONS": "true", "GITHUB_SHA": head, "GITHUB_EVENT_PATH": event(tmp_path, **pull)},
        "github-push": {
            "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": head,
            "GITHUB_EVENT_PATH": event(tmp_path, before=base, after=head),
        },
        "github-new-branch": {
            "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": head,
            "GITHUB_EVENT_PATH": event(tmp_path, before=ZERO, repository={"default_branch": "main"}),
        },
        "gitlab-merge": {"GITLAB_CI": "true", "CI_COMMIT_SHA": head, "CI_MERGE_REQUEST_DIFF_BASE_SHA": base},
        "gitlab-push": {"GITLAB_CI": "true", "CI_COMMIT_SHA": head, "CI_COMMIT_BEFORE_SHA": base},
        "gitlab-new-branch": {
            "GITLAB_CI": "true",
            "CI_COMMIT_SHA": head,
            "CI_COMMIT_BEFORE_SHA": ZERO,
            "CI_DEFAULT_BRANCH": "main",
        },
        "jenkins-change": {"JENKINS_URL": "x", "GIT_COMMIT": head, "CHANGE_TARGET": "main"},
        "jenkins-build": {"JENKINS_URL": "x", "GIT_COMMIT": head, "GIT_PREVIOUS_SUCCESSFUL_COMMIT": base},
        "azure": {"TF_BUILD": "True", "BUILD_SOURCEVERSION": head, "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main"},
        "bitbucket": {"BITBUCKET_BUILD_NUMBER": "1", "BITBUCKET_COMMIT": head, "BITBUCKET_PR_DESTINATION_COMMIT": base[:12]},
        "circleci": {"CIRCLECI": "true", "CIRCLE_SHA1": head, "CIRCLE_BASE_REVISION": base},
    }[provider]


PROVIDERS = [
    "github-pull", "github-push", "github-new-branch", "gitlab-merge", "gitlab-push", "gitlab-new-branch",
    "jenkins-change", "jenkins-build", "azure", "bitbucket", "circleci",
]  # fmt: skip


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_change_is_judged_by_all_its_commits_and_not_by_what_was_there(
    work: Path, ci: Run, tmp_path: Path, planted: Planted, provider: str
) -> None:
    base = git(work, "rev-parse", "HEAD")
    git(work, "checkout", "-qb", "change")
    clean = commit(work, b__py="y = 1\n")
    done = ci(**variables(provider, tmp_path, base, clean))
    assert done.returncode == 0, done.stdout + done.stderr
    commit(work, b__py=f'B = "{planted.github()}"\n')
    head = commit(work, b__py="y = 2\n")
    done = ci("-f", "text", **variables(provider, tmp_path, base, head))
    assert (done.returncode, done.stdout.split(":")[0]) == (1, "b.py")
    assert provider.split("-", maxsplit=1)[0] in done.stderr


def test_a_push_whose_base_is_gone_is_compared_with_the_default_branch(
    work: Path, ci: Run, tmp_path: Path, planted: Planted
) -> None:
    git(work, "checkout", "-qb", "change")
    head = commit(work, b__py=f'B = "{planted.github()}"\n')
    gone = event(tmp_path, before="1" * 40, repository={"default_branch": "main"})
    done = ci("-f", "text", GITHUB_ACTIONS="true", GITHUB_SHA=head, GITHUB_EVENT_PATH=gone)
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 1)


def test_a_job_that_names_nothing_gets_all_of_history(work: Path, ci: Run) -> None:
    done = ci("-f", "text", JENKINS_URL="x", GIT_COMMIT=git(work, "rev-parse", "HEAD"))
    assert (done.returncode, done.stdout.split(":")[0]) == (1, "old.py")
    assert "everything" in done.stderr


@pytest.mark.parametrize(
    ("env", "fix"),
    [
        ({"GITHUB_ACTIONS": "true"}, "fetch-depth: 0"),
        ({"GITLAB_CI": "true", "CI_COMMIT_BEFORE_SHA": "{base}"}, "GIT_DEPTH: 0"),
        ({"TF_BUILD": "True"}, "fetchDepth: 0"),
        ({"BITBUCKET_BUILD_NUMBER": "1", "BITBUCKET_PR_DESTINATION_COMMIT": "{base}"}, "depth: full"),
        ({"CIRCLECI": "true", "CIRCLE_BASE_REVISION": "{base}"}, "method: full"),
        ({"JENKINS_URL": "x", "GIT_PREVIOUS_COMMIT": "{base}"}, "shallow clone"),
    ],
)
def test_a_clone_too_shallow_for_the_range_exits_3_and_says_how_to_deepen_it(
    work: Path, ci: Run, tmp_path: Path, env: dict[str, str], fix: str
) -> None:
    origin = tmp_path / "origin"
    base = git(origin, "rev-parse", "HEAD~1")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{origin}", "shallow")
    git(tmp_path / "shallow", "remote", "set-head", "origin", "-d")
    done = ci(folder=tmp_path / "shallow", **{name: value.format(base=base) for name, value in env.items()})
    assert done.returncode == 3, done.stderr
    assert fix in done.stderr


def test_without_a_provider_the_range_has_to_be_said(work: Path, ci: Run, planted: Planted) -> None:
    done = ci()
    assert (done.returncode, "--new-since" in done.stderr) == (2, True)
    git(work, "checkout", "-qb", "change")
    commit(work, b__py=f'B = "{planted.github()}"\n')
    assert ci("--new-since", "main").returncode == 1
    assert ci("--new-since", "nowhere").returncode == 2


@pytest.mark.parametrize("hostile", ["--upload-pack=touch ran", "$(touch ran)", "; touch ran", "--output=ran", "-h"])
def test_variables_that_strangers_choose_are_names_and_nothing_else(work: Path, ci: Run, hostile: str) -> None:
    for env in (
        {"JENKINS_URL": "x", "CHANGE_TARGET": hostile, "GIT_COMMIT": hostile},
        {"GITLAB_CI": "true", "CI_COMMIT_SHA": hostile, "CI_COMMIT_BEFORE_SHA": hostile, "CI_DEFAULT_BRANCH": hostile},
    ):
        assert ci(**env).returncode == 1, "all of history, with the old leak"
    assert not (work / "ran").exists()


def test_github_gets_annotations_and_a_summary_gitlab_its_report(
    work: Path, ci: Run, tmp_path: Path, planted: Planted, leaks: Callable[..., list[str]]
) -> None:
    base = git(work, "rev-parse", "HEAD")
    token = planted.make("ghp_${body=base62:30}${crc32_base62:body}")
    git(work, "checkout", "-qb", "change")
    head = commit(work, b__py=f'B = "{token}"\n')
    page = tmp_path / "summary.md"
    done = ci(**variables("github-push", tmp_path, base, head), GITHUB_STEP_SUMMARY=str(page))
    assert done.stdout.startswith("::error ")
    assert "github-pat-classic" in page.read_text()
    ci(**variables("gitlab-push", tmp_path, base, head))
    report = (work / "gl-secret-detection-report.json").read_text()
    assert json.loads(report)["vulnerabilities"][0]["location"]["commit"]["sha"] == head
    assert not leaks(done.stdout + page.read_text() + report, token, public=4)


def test_the_action_and_the_component_use_options_that_exist() -> None:
    help_text = subprocess.run([sys.executable, "-m", "leakguard", "ci", "--help"], capture_output=True, text=True).stdout
    action = (ROOT / "action.yml").read_text()
    steps = yaml.safe_load(action)["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert not [script for script in scripts if "${{" in script], "an input never becomes part of a script"
    component = list(yaml.safe_load_all((ROOT / "templates" / "leakguard.yml").read_text()))
    scripts += component[1]["leakguard"]["script"]
    for script in scripts:
        for option in re.findall(r"(?<!\S)(--[a-z-]+)", script.partition("leakguard ci")[2]):
            assert option in help_text
