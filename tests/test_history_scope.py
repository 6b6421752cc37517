"""Ranges of a history, what each place tells, what is told instead of done, and repositories that want to run something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Planted
from histories import commit, git, look, repository, where
from leakguard.model.blob import GitProvenance
from leakguard.sources.history import Scope


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def scan(repo: Path, *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "leakguard", "scan", "--git", "-q", *flags, str(repo)],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=60,
    )


def test_a_place_tells_who_brought_it_when_and_where_it_still_is(repo: Path, planted: Planted) -> None:
    commit(repo, a__py="x = 1\n")
    first = commit(repo, a__py=f'A = "{planted.github()}"\n')
    git(repo, "branch", "old")
    commit(repo, a__py="x = 2\n")
    (finding,) = look(repo).findings
    (place,) = finding.places
    p = place.provenance
    assert isinstance(p, GitProvenance)
    assert (p.path, p.commit, p.author, p.heads) == ("a.py", first, "Ada <ada@acme.example>", ("old",))
    assert p.date
    assert p.blob == git(repo, "rev-parse", f"{first}:a.py")


def test_a_range_reports_only_the_lines_that_it_brought(repo: Path, planted: Planted) -> None:
    old = commit(repo, a__py=f'A = "{planted.github()}"\n')
    commit(repo, a__py=(repo / "a.py").read_text() + "x = 1\n")
    scope = Scope((f"{old}..HEAD",))
    assert look(repo, scope=scope).findings == ()
    commit(repo, a__py=(repo / "a.py").read_text() + f'B = "{planted.github()}"\n')
    assert where(look(repo, scope=scope)) == [("history", "a.py", 3)]


def test_a_merge_brings_only_what_no_parent_had(repo: Path, planted: Planted) -> None:
    old = commit(repo, a__py="x = 1\n")
    git(repo, "checkout", "-qb", "side")
    commit(repo, b__py="side = 1\n")
    git(repo, "checkout", "-q", "main")
    commit(repo, c__py="main = 1\n")
    git(repo, "merge", "-q", "--no-commit", "side")
    (repo / "a.py").write_text(f'A = "{planted.github()}"\n')
    git(repo, "add", "a.py")
    git(repo, "commit", "-qm", "merge")
    (finding,) = look(repo, scope=Scope((f"{old}..HEAD",))).findings
    assert finding.places[0].provenance.commit == git(repo, "rev-parse", "HEAD")  # type: ignore[union-attr]


def test_the_command_line_takes_ranges_branches_dates_and_paths(repo: Path, planted: Planted) -> None:
    old = commit(repo, a__py=f'A = "{planted.github()}"\n')
    git(repo, "checkout", "-qb", "side")
    commit(repo, b__py=f'B = "{planted.github()}"\n')
    git(repo, "checkout", "-q", "main")

    def lines(*flags: str) -> list[str]:
        return [line.split(":")[0] for line in scan(repo, *flags).stdout.splitlines()]

    assert sorted(lines()) == ["a.py", "b.py"]
    assert lines("--since-commit", old) == ["b.py"]
    assert lines("--new-since", "main") == ["b.py"]
    assert lines("--commits", "main..side") == ["b.py"]
    assert lines("--branch", "main") == ["a.py"]
    assert lines("--path", "b.py") == ["b.py"]
    assert lines("--since", "2098-01-01") == []


@pytest.mark.parametrize(
    "flags",
    [
        ["--commits", "nowhere..HEAD"],
        ["--branch", "nowhere"],
        ["--commits", "HEAD"],
        ["--unreachable", "--branch", "main"],
        ["--branch", "--all"],
    ],
)
def test_a_range_that_does_not_exist_is_a_usage_error(repo: Path, flags: list[str]) -> None:
    commit(repo, a__py="x = 1\n")
    assert scan(repo, *flags).returncode == 2


def test_a_range_without_git_is_a_usage_error(repo: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "leakguard", "scan", "--branch", "main", str(repo)], capture_output=True, text=True
    )
    assert (done.returncode, "--git" in done.stderr) == (2, True)


def test_a_folder_that_is_no_repository_is_not_clean(tmp_path: Path) -> None:
    assert scan(tmp_path).returncode == 3


def test_a_shallow_clone_says_so_and_refuses_a_range_beyond_its_border(repo: Path, tmp_path: Path, planted: Planted) -> None:
    old = commit(repo, a__py="x = 1\n")
    for n in range(3):
        commit(repo, a__py=f"x = {n + 2}\n")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", str(clone))
    assert any("shallow" in note for note in look(clone).notes)
    done = scan(clone, "--since-commit", old)
    assert done.returncode == 3
    assert "unshallow" in done.stderr


def test_a_partial_clone_says_so_and_fetches_nothing(repo: Path, tmp_path: Path, planted: Planted) -> None:
    commit(repo, a__py=f'A = "{planted.github()}"\n')
    commit(repo, a__py="x = 1\n")
    git(repo, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{repo}", str(clone))
    before = git(clone, "count-objects", "-v")
    report = look(clone)
    assert any("partial" in note for note in report.notes)
    assert git(clone, "count-objects", "-v") == before


def test_submodules_are_told_and_worktrees_and_bare_repositories_read(repo: Path, tmp_path: Path, planted: Planted) -> None:
    commit(repo, a__py=f'A = "{planted.github()}"\n')
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{git(repo, 'rev-parse', 'HEAD')},vendor/lib")
    git(repo, "commit", "-qm", "module")
    assert any("1 submodule not followed" in note for note in look(repo).notes)
    git(repo, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    (tmp_path / "tree" / "b.py").write_text(f'B = "{planted.github()}"\n')
    git(tmp_path / "tree", "add", "b.py")
    git(tmp_path / "tree", "commit", "-qm", "detached")
    assert len(look(tmp_path / "tree").findings) == 2
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    assert len(look(tmp_path / "bare.git").findings) == 1


def test_a_damaged_object_leaves_the_scan_incomplete(repo: Path, planted: Planted) -> None:
    commit(repo, a__py=f'A = "{planted.github()}"\n')
    blob = git(repo, "rev-parse", "HEAD:a.py")
    path = repo / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    done = scan(repo)
    assert done.returncode == 3


def test_explain_and_allow_find_a_place_in_history_again(repo: Path, planted: Planted) -> None:
    commit(repo, a__py=f'A = "{planted.github()}"\n')
    commit(repo, a__py=None, b__py="x = 1\n")
    found = scan(repo, "--no-baseline").stdout.split()[-1]
    command = [sys.executable, "-m", "leakguard"]
    again = {"capture_output": True, "text": True, "cwd": repo}
    subprocess.run([*command, "scan", "--git", "-q"], **again)
    why = subprocess.run([*command, "explain", found], **again)
    assert (why.returncode, "github-pat-classic" in why.stdout) == (0, True), why.stderr
    assert subprocess.run([*command, "allow", found, "--reason", "gone"], **again).returncode == 0
    assert subprocess.run([*command, "scan", "--git"], **again).returncode == 0


HOSTILE = {
    "core.fsmonitor": "{run}",
    "core.hooksPath": "{hooks}",
    "core.pager": "{run}",
    "core.sshCommand": "{run}",
    "diff.external": "{run}",
    "diff.evil.textconv": "{run}",
    "diff.evil.command": "{run}",
    "filter.evil.clean": "{run}",
    "filter.evil.smudge": "{run}",
    "gpg.program": "{run}",
    "log.showSignature": "true",
    "protocol.ext.allow": "always",
    "remote.origin.url": "ext::{run}",
    "remote.origin.uploadpack": "{run}",
    "remote.origin.promisor": "true",
    "remote.origin.partialclonefilter": "blob:none",
    "extensions.partialClone": "origin",
    "core.repositoryformatversion": "1",
}


def test_a_repository_that_wants_to_run_something_runs_nothing_and_is_scanned_whole(
    repo: Path, tmp_path: Path, planted: Planted
) -> None:
    for n in range(4):
        commit(repo, a__py=f'A = "{planted.github()}"\n', b__py=f"x = {n}\n")
    commit(repo, c__txt="x\n")
    (repo / ".gitattributes").write_text("* diff=evil filter=evil\n")
    ran = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho ran >> {ran}\ncat\n")
    program.chmod(0o755)
    for name in ("pre-commit", "post-index-change", "reference-transaction", "fsmonitor-watchman"):
        (hooks / name).write_text(program.read_text())
        (hooks / name).chmod(0o755)
    gone = git(repo, "rev-parse", "HEAD:c.txt")
    (repo / ".git" / "objects" / gone[:2] / gone[2:]).unlink()
    with open(repo / ".git" / "config", "a") as config:
        for name, value in HOSTILE.items():
            section, key = name.rsplit(".", 1)
            first, _, rest = section.partition(".")
            text = value.format(run=program, hooks=hooks)
            config.write(f"[{first}{f' {chr(34)}{rest}{chr(34)}' if rest else ''}]\n\t{key} = {text}\n")
    done = scan(repo, "--unreachable")
    assert sorted({line.split(":")[0] for line in done.stdout.splitlines()} - {"c.txt"}) == ["a.py"]
    assert len([line for line in done.stdout.splitlines() if line.startswith("a.py")]) == 4
    for command in (["scan", str(repo)], ["scan", "--git", "--commits", "HEAD~2..HEAD", str(repo)]):
        subprocess.run([sys.executable, "-m", "leakguard", *command], cwd=repo, capture_output=True)
    subprocess.run([sys.executable, "-c", "from leakguard.hook import main; main()"], cwd=repo, capture_output=True)
    assert not ran.exists()
