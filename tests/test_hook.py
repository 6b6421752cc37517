"""`leakguard-hook` on real repositories: what is staged decides, not what lies in the work tree."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def git(repo: Path, *args: str, **more: str) -> str:
    done = subprocess.run(["git", *args], cwd=repo, capture_output=True, text=True, env={**os.environ, **more})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Return a repository with one commit."""
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "app.py").write_text("import os\n\n\ndef main():\n    return os.getcwd()\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


@pytest.fixture
def hook(repo: Path) -> Run:
    def run(*args: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from leakguard.hook import main; main()", *args],
            cwd=cwd or repo,
            capture_output=True,
            text=True,
            env={**os.environ, **env},
            timeout=60,
        )

    return run


def stage(repo: Path, name: str, text: str | bytes) -> None:
    path = repo / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    git(repo, "add", name)


def test_a_staged_secret_blocks_although_the_work_tree_is_clean(repo, hook, planted, leaks):
    token = planted.github()
    stage(repo, "settings.py", f'TOKEN = "{token}"\n')
    (repo / "settings.py").write_text('TOKEN = ""\n')
    done = hook()
    assert done.returncode == 1
    assert "settings.py:1:10" in done.stdout
    assert not leaks(done.stdout + done.stderr, token, public=4)


def test_a_secret_that_is_only_in_the_work_tree_does_not_block(repo, hook, planted):
    stage(repo, "settings.py", 'TOKEN = ""\n')
    (repo / "settings.py").write_text(f'TOKEN = "{planted.github()}"\n')
    done = hook()
    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_staged_is_clean_and_silent(hook):
    done = hook()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_old_line_of_a_changed_file_blocks_only_with_whole_file(repo, hook, planted):
    stage(repo, "old.py", f'TOKEN = "{planted.github()}"\n')
    git(repo, "commit", "-qm", "leak")
    stage(repo, "old.py", (repo / "old.py").read_text() + "x = 1\n")
    assert hook("-q").returncode == 0
    done = hook("-q", "--whole-file")
    assert (done.returncode, done.stdout.split(":")[:2]) == (1, ["old.py", "1"])


def test_a_changed_line_with_an_old_secret_blocks(repo, hook, planted):
    token = planted.github()
    stage(repo, "old.py", f'TOKEN = "{token}"\n')
    git(repo, "commit", "-qm", "leak")
    stage(repo, "old.py", f'GITHUB = "{token}"\n')
    assert hook("-q").returncode == 1


def test_other_line_ends_make_no_line_new(repo, hook, planted):
    stage(repo, "old.py", f'TOKEN = "{planted.github()}"\nx = 1\n')
    git(repo, "commit", "-qm", "leak")
    stage(repo, "old.py", (repo / "old.py").read_bytes().replace(b"\n", b"\r\n"))
    assert hook("-q").returncode == 0


def test_a_moved_file_is_not_new(repo, hook, planted):
    stage(repo, "old.py", f'TOKEN = "{planted.github()}"\nx = 1\n')
    git(repo, "commit", "-qm", "leak")
    git(repo, "mv", "old.py", "new.py")
    assert hook("-q").returncode == 0


def test_deletions_mode_changes_and_submodules_are_nothing_to_read(repo, hook, planted):
    stage(repo, "old.py", f'TOKEN = "{planted.github()}"\n')
    stage(repo, "gone.py", f'TOKEN = "{planted.github()}"\n')
    git(repo, "commit", "-qm", "leak")
    git(repo, "rm", "-q", "gone.py")
    git(repo, "update-index", "--chmod=+x", "old.py")
    head = git(repo, "rev-parse", "HEAD").strip()
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{head},vendor/lib")
    done = hook()
    assert (done.returncode, done.stdout) == (0, "")


def test_the_first_commit_of_a_repository_is_scanned(tmp_path, hook, planted):
    root = tmp_path / "fresh"
    root.mkdir()
    git(root, "init", "-q")
    stage(root, "a.py", f'TOKEN = "{planted.github()}"\n')
    assert hook("-q", cwd=root).returncode == 1


def test_a_named_file_that_is_not_staged_is_read_from_disk(repo, hook, planted):
    (repo / "loose.py").write_text(f'TOKEN = "{planted.github()}"\n')
    stage(repo, "b.py", "x = 1\n")
    done = hook("-q", "loose.py", "b.py")
    assert (done.returncode, done.stdout.split(":")[0]) == (1, "loose.py")


def test_a_named_file_that_is_not_there_leaves_the_run_incomplete(hook):
    done = hook("missing.py")
    assert done.returncode == 3
    assert "missing.py" in done.stdout


def test_a_folder_below_the_top_level_sees_all_that_is_staged(repo, hook, planted):
    (repo / "sub").mkdir()
    stage(repo, "a.py", f'TOKEN = "{planted.github()}"\n')
    done = hook("-q", cwd=repo / "sub")
    assert (done.returncode, done.stdout.split(":")[0]) == (1, "a.py")


def test_another_index_is_honoured(repo, hook, planted, tmp_path):
    other = str(tmp_path / "index")
    (repo / "a.py").write_text(f'TOKEN = "{planted.github()}"\n')
    git(repo, "read-tree", "HEAD", GIT_INDEX_FILE=other)
    git(repo, "add", "a.py", GIT_INDEX_FILE=other)
    assert hook("-q").returncode == 0
    assert hook("-q", GIT_INDEX_FILE=other).returncode == 1


def test_in_a_merge_only_lines_new_against_every_parent_count(repo, hook, planted):
    git(repo, "checkout", "-qb", "side")
    stage(repo, "side.py", f'TOKEN = "{planted.github()}"\n')
    stage(repo, "app.py", "side\n")
    git(repo, "commit", "-qm", "side")
    git(repo, "checkout", "-q", "main")
    stage(repo, "app.py", "main\n")
    git(repo, "commit", "-qm", "main")
    subprocess.run(["git", "merge", "-q", "side"], cwd=repo, capture_output=True)
    stage(repo, "app.py", "both\n")
    assert hook("-q").returncode == 0
    stage(repo, "app.py", f'both = "{planted.github()}"\n')
    done = hook("-q")
    assert (done.returncode, done.stdout.split(":")[0]) == (1, "app.py")


def test_settings_and_baseline_come_out_of_the_index(repo, hook, planted):
    stage(repo, "a.py", f'TOKEN = "{planted.github()}"\n')
    (repo / ".leakguard.toml").write_text('disabled_rules = ["github-pat-classic", "generic-secret"]\n')
    assert hook("-q").returncode == 1
    git(repo, "add", ".leakguard.toml")
    assert hook("-q").returncode == 0


def test_a_finding_that_was_allowed_passes(repo, hook, planted):
    stage(repo, "a.py", f'TOKEN = "{planted.github()}"\n')
    found = hook("-q").stdout.split()[-1]
    allow = [sys.executable, "-m", "leakguard", "allow", found, "--reason", "a test"]
    assert subprocess.run(allow, cwd=repo, capture_output=True).returncode == 0
    assert hook("-q").returncode == 1, "the baseline is not staged yet"
    git(repo, "add", ".leakguard/baseline.jsonl")
    assert hook("-q").returncode == 0


def test_a_deadline_that_passes_says_what_was_left(repo, hook, planted):
    stage(repo, "a.py", f'TOKEN = "{planted.github()}"\n')
    done = hook("--deadline", "0.000001")
    assert done.returncode == 3
    assert "a.py" in done.stdout


@pytest.mark.parametrize("args", [["--deadline", "soon"], ["--nope"], ["--level"], ["--level", "loud"]])
def test_arguments_that_do_not_fit_are_usage_errors(repo, hook, args):
    stage(repo, "b.py", "x = 1\n")
    done = hook(*args)
    assert done.returncode == 2
    assert done.stderr.startswith("leakguard: ")


def test_outside_of_a_repository_nothing_looks_clean(tmp_path, hook):
    done = hook(cwd=tmp_path)
    assert done.returncode == 3
    assert "git" in done.stderr


def test_utf16_empty_and_binary_contents_are_handled(repo, hook, planted):
    stage(repo, "wide.txt", f'TOKEN = "{planted.github()}"\n'.encode("utf-16"))
    stage(repo, "empty.txt", b"")
    stage(repo, "pixels.bin", bytes(range(256)) * 40)
    done = hook("-q")
    assert (done.returncode, done.stdout.split(":")[0]) == (1, "wide.txt")


def test_names_that_are_not_utf8_are_scanned(repo, hook, planted):
    name = os.fsdecode(b"caf\xe9.py")
    stage(repo, name, f'TOKEN = "{planted.github()}"\n')
    assert hook("-q").returncode == 1


HEAVY = {
    "click",
    "json",
    "tomllib",
    "dataclasses",
    "inspect",
    "logging",
    "asyncio",
    "git",
    "email",
    "socket",
    "ssl",
    "tempfile",
    "pathlib",
}


def test_a_clean_commit_imports_nothing_heavy(repo, planted):
    stage(repo, "b.py", "x = 1\n")
    code = "import sys\ntry:\n    from leakguard.hook import main; main([])\nexcept SystemExit: pass\nprint(*sys.modules)"
    env = {**os.environ}
    subprocess.run([sys.executable, "-c", code], cwd=repo, env=env, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import sys; sys.path[:0]=%r\n" % sys.path + code],
        cwd=repo,
        env=env,
        capture_output=True,
        text=True,
    )
    modules = set(done.stdout.split())
    assert "leakguard.sources.staged" in modules
    assert not modules & HEAVY
