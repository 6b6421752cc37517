"""Which commits a CI job is about and whether they come from a fork, as each provider tells it in its variables.

Facts: GitHub "Variables reference" and "Webhook events and payloads"; GitLab "Predefined CI/CD variables"; Jenkins
"Pipeline: using environment variables" and the Git and Branch API plug-ins; Azure "Predefined variables"; Bitbucket
"Variables and secrets"; CircleCI "Project values and variables".
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import NamedTuple

from leakguard.errors import SourceError, UsageError
from leakguard.gitio.repository import Repository


class Range(NamedTuple):
    """What to look at."""

    provider: str
    revisions: tuple[str, ...]
    """For `git log`; `("--all",)`: everything."""
    words: str


class _Job(NamedTuple):
    """What a provider says: candidates for the base, the best one first, and the commit that is built."""

    provider: str
    head: str
    bases: tuple[str, ...]
    fix: str
    """How to get a clone that is deep enough."""


def find_range(environ: Mapping[str, str], repository: Repository) -> Range:
    """Return the commits that a job is about.

    Raises:
        UsageError: no provider is recognised.
        SourceError: the clone is too shallow for the range; the hint is the provider's own fix.
    """
    job = _job(environ)
    head = commit(repository, job.head or "HEAD") or commit(repository, "HEAD")
    if head is None:
        raise SourceError("there is no commit here yet", hint="check out the repository first")
    missing = []
    for name in job.bases:
        base = commit(repository, name)
        if base is None:
            missing.append(name)
            continue
        if base == head:
            continue
        _deep_enough(repository, head, base, job)
        return Range(job.provider, (head, f"^{base}"), f"what {head[:12]} has and {name[:60]} has not")
    if missing and repository.shallow:
        raise SourceError(f"the clone is too shallow: {missing[0][:60]} is not in it", hint=job.fix)
    why = f"{missing[0][:60]} is gone" if missing else "the job names nothing to compare with"
    if repository.shallow:
        raise SourceError(f"the clone is shallow, and {why}, so all of history is wanted", hint=job.fix)
    return Range(job.provider, ("--all",), f"everything, since {why}")


def commit(repository: Repository, name: str) -> str | None:
    """Return the commit that a variable names; variables hold what strangers choose, so it is a name and nothing else."""
    if not name.strip("0") or name.startswith("-"):
        return None
    try:
        said = repository.git("rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}")
    except SourceError:
        return None
    return said.decode("ascii").strip() or None


def _deep_enough(repository: Repository, head: str, base: str, job: _Job) -> None:
    """Refuse a range that reaches the border of a shallow clone: what lies beyond might belong to it."""
    if not repository.shallow:
        return
    ends = set(repository.git("rev-list", "--max-parents=0", head, f"^{base}").decode("ascii").split())
    with open(os.path.join(repository.common_dir, "shallow"), encoding="ascii") as f:
        border = set(f.read().split())
    if ends & border:
        raise SourceError("the clone is too shallow: the range reaches its border", hint=job.fix)


def attended(environ: Mapping[str, str]) -> bool:
    """Whether neither a CI job nor a hook of git runs this."""
    hook = any(environ.get(name) for name in ("GIT_EXEC_PATH", "GIT_INDEX_FILE", "PRE_COMMIT"))
    return not hook and not _is_ci(environ)


def _is_ci(environ: Mapping[str, str]) -> bool:
    known = ("GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "BITBUCKET_BUILD_NUMBER", "CIRCLECI", "JENKINS_URL")
    return any(map(environ.get, known)) or environ.get("CI", "").lower() not in ("", "0", "false")


def fork(e: Mapping[str, str]) -> str:
    """Return why this job's change comes from a fork or may do so; empty where its provider says that it does not, or no CI runs.

    Facts, beside those above: GitHub "Events that trigger workflows"; GitLab "Merge request pipelines"; Azure
    "Build variables"; Bitbucket "Pipeline start conditions" (a fork's pull request starts none in the destination);
    CircleCI "Build open source projects"; Jenkins `CHANGE_FORK` of Branch API, `ghprb*` of the pull request builder.
    """
    if e.get("GITHUB_ACTIONS"):
        return _github_fork(e)
    if e.get("GITLAB_CI"):
        if e.get("CI_MERGE_REQUEST_IID") or e.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"):
            return _unlike(e.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"), e.get("CI_MERGE_REQUEST_PROJECT_ID"))
        if e.get("CI_EXTERNAL_PULL_REQUEST_IID"):
            return _unlike(e.get("CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY"), e.get("CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY"))
        return ""
    if e.get("TF_BUILD"):
        pull = e.get("SYSTEM_PULLREQUEST_PULLREQUESTID") or e.get("BUILD_REASON") == "PullRequest"
        said = e.get("SYSTEM_PULLREQUEST_ISFORK", "").lower()
        return _FORK if said == "true" else _UNTOLD if pull and said != "false" else ""
    if e.get("BITBUCKET_BUILD_NUMBER"):
        return ""
    if e.get("CIRCLECI"):
        names = ("CIRCLE_PR_NUMBER", "CIRCLE_PR_REPONAME", "CIRCLE_PR_USERNAME")
        return _FORK if any(map(e.get, names)) or e.get("CIRCLE_BRANCH", "").startswith("pull/") else ""
    if e.get("JENKINS_URL"):
        return _FORK if e.get("CHANGE_FORK") else _UNTOLD if e.get("ghprbPullId") else ""
    return (
        "this CI is not known here, so that a fork's change can't be told (CI= in front of the command says that it is none)"
        if _is_ci(e)
        else ""
    )


_FORK = "the change comes from a fork"
_UNTOLD = "the job does not say whether its change comes from a fork"


def _unlike(head: object, base: object) -> str:
    return _UNTOLD if not base else "" if head == base else _FORK


def _github_fork(e: Mapping[str, str]) -> str:
    """Compare where a pull request comes from with where it goes, by id; a fork that was deleted has none."""
    event = _event(e)
    if not event:
        return _UNTOLD
    if "pull_request" in event:
        return _unlike(_found(event, "pull_request", "head", "repo", "id"), _found(event, "pull_request", "base", "repo", "id"))
    if "workflow_run" in event:
        return _unlike(_found(event, "workflow_run", "head_repository", "id"), _found(event, "repository", "id"))
    pull = e.get("GITHUB_REF", "").startswith("refs/pull/") or e.get("GITHUB_EVENT_NAME", "").startswith("pull_request")
    return _UNTOLD if pull or _found(event, "issue", "pull_request") else ""


def _job(e: Mapping[str, str]) -> _Job:
    if e.get("GITHUB_ACTIONS"):
        return _github(e)
    if e.get("GITLAB_CI"):
        target = e.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME") or e.get("CI_DEFAULT_BRANCH", "")
        bases = (e.get("CI_MERGE_REQUEST_DIFF_BASE_SHA", ""), e.get("CI_COMMIT_BEFORE_SHA", ""), _remote(target))
        return _made("gitlab", e.get("CI_COMMIT_SHA", ""), bases, "set GIT_DEPTH: 0 in the job's variables")
    if e.get("TF_BUILD"):
        bases = (_remote(e.get("SYSTEM_PULLREQUEST_TARGETBRANCH", "")), "refs/remotes/origin/HEAD", "")
        return _made("azure", e.get("BUILD_SOURCEVERSION", ""), bases, "set fetchDepth: 0 at the checkout step")
    if e.get("BITBUCKET_BUILD_NUMBER"):
        bases = (
            e.get("BITBUCKET_PR_DESTINATION_COMMIT", ""),
            _remote(e.get("BITBUCKET_PR_DESTINATION_BRANCH", "")),
            "refs/remotes/origin/HEAD",
        )
        return _made("bitbucket", e.get("BITBUCKET_COMMIT", ""), bases, "set clone: depth: full in bitbucket-pipelines.yml")
    if e.get("CIRCLECI"):
        bases = (e.get("LEAKGUARD_BASE", ""), e.get("CIRCLE_BASE_REVISION", ""), "refs/remotes/origin/HEAD")
        return _made("circleci", e.get("CIRCLE_SHA1", ""), bases, "use checkout with method: full")
    if e.get("JENKINS_URL"):
        bases = (_remote(e.get("CHANGE_TARGET", "")), e.get("GIT_PREVIOUS_SUCCESSFUL_COMMIT", ""), e.get("GIT_PREVIOUS_COMMIT", ""))
        return _made("jenkins", e.get("GIT_COMMIT", ""), bases, "switch off the shallow clone in the job's Git settings")
    raise UsageError("no CI provider is recognised by its variables", hint="leakguard ci --new-since origin/main")


def _event(e: Mapping[str, str]) -> dict[str, object]:
    try:
        with open(e.get("GITHUB_EVENT_PATH", ""), encoding="utf-8") as f:
            loaded = json.load(f)
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _github(e: Mapping[str, str]) -> _Job:
    event = _event(e)
    bases = (
        _text(event, "pull_request", "base", "sha"),
        _text(event, "merge_group", "base_sha"),
        _text(event, "before"),
        _remote(e.get("GITHUB_BASE_REF", "")),
        _remote(_text(event, "repository", "default_branch")),
    )
    return _made("github", e.get("GITHUB_SHA", ""), bases, "set fetch-depth: 0 at actions/checkout")


def _found(event: object, *keys: str) -> object:
    for key in keys:
        event = event.get(key) if isinstance(event, dict) else None
    return event


def _text(event: object, *keys: str) -> str:
    found = _found(event, *keys)
    return found if isinstance(found, str) else ""


def _remote(branch: str) -> str:
    name = branch.removeprefix("refs/heads/")
    return f"refs/remotes/origin/{name}" if name else ""


def _made(provider: str, head: str, bases: tuple[str, ...], fix: str) -> _Job:
    return _Job(provider, head, tuple(base for base in bases if base.strip("0")), fix)
