"""`install`, `uninstall` and `doctor` on real repositories, with real commits and pushes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from conftest import Planted

Run = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).parent.parent
HOOKS = ["pre-commit", "commit-msg", "pre-push", "pre-receive"]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a `leakguard-hook` of this checkout, and git, on a PATH with nothing else of ours."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "leakguard-hook"
    script.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c 'from leakguard.hook import main; main()' \"$@\"\n")
    script.chmod(0o755)
    ours = os.path.dirname(sys.executable)
    rest = [p for p in os.environ["PATH"].split(os.pathsep) if p != ours and not (Path(p) / "leakguard-hook").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), *rest]))
    return folder


@pytest.fixture
def repo(tmp_path: Path, programs: Path) -> Path:
    """Return a repository with one commit, in a folder whose name holds a space and more."""
    root = tmp_path / "répo of Ada's"
    root.mkdir()
    git(root, "init", "-q", "-b", "main", "--template=")
    (root / "app.py").write_text("x = 1\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let git read and write the settings of the test's own home."""
    file = Path(os.environ["HOME"]) / "gitconfig"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
    return file


def run(cwd: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(args, cwd=cwd, capture_output=True, text=True, env={**os.environ, **env}, timeout=60)


def git(cwd: Path, *args: str) -> str:
    done = run(cwd, "git", *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lg(cwd: Path, *args: str, code: int = 0, **env: str) -> str:
    """Run leakguard; everything it said."""
    done = run(cwd, sys.executable, "-m", "leakguard", *args, **env)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def commit(repo: Path, text: str, message: str = "change", **env: str) -> subprocess.CompletedProcess[str]:
    (repo / "settings.py").write_text(text)
    git(repo, "add", "settings.py")
    return run(repo, "git", "commit", "-m", message, **env)


def hook(path: Path, text: str, mode: int = 0o755) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text + "\n")
    path.chmod(mode)
    return path.read_bytes()


def told(output: str, name: str) -> str:
    """Return what doctor says of one hook, with the reason in the line below."""
    lines = output.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(name + " "))
    below = lines[at + 1] if at + 1 < len(lines) else ""
    return lines[at][len(name) :].strip() + (" " + below.strip() if below.startswith(" " * 12) else "")


def test_a_commit_with_a_secret_is_blocked_and_a_clean_one_passes(repo, planted: Planted, leaks) -> None:
    lg(repo, "install")
    token = planted.github()
    done = commit(repo, f'TOKEN = "{token}"\n')
    assert done.returncode != 0
    assert "settings.py:1:10" in done.stdout + done.stderr
    assert not leaks(done.stdout + done.stderr, token, public=4)
    assert commit(repo, "x = 2\n").returncode == 0


def test_a_message_with_a_secret_is_blocked(repo, planted: Planted) -> None:
    lg(repo, "install", "commit-msg")
    assert commit(repo, "x = 2\n", f"use {planted.github()}").returncode != 0
    assert commit(repo, "x = 2\n", "use a token").returncode == 0


def test_a_push_with_a_secret_is_blocked(repo, tmp_path, planted: Planted) -> None:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(repo, "remote", "add", "origin", str(tmp_path / "remote.git"))
    lg(repo, "install", "pre-push")
    assert run(repo, "git", "push", "origin", "main").returncode == 0
    commit(repo, f'TOKEN = "{planted.github()}"\n')
    commit(repo, "x = 2\n")
    assert run(repo, "git", "push", "origin", "main").returncode != 0


def test_a_server_refuses_a_push_with_a_secret(repo, tmp_path, planted: Planted) -> None:
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    git(repo, "remote", "add", "origin", str(remote))
    hook(remote / "hooks" / "pre-receive", "cat > refs.txt")
    lg(remote, "install", "pre-receive")
    assert run(repo, "git", "push", "origin", "main").returncode == 0
    assert (remote / "refs.txt").read_text() == f"{'0' * 40} {git(repo, 'rev-parse', 'HEAD').strip()} refs/heads/main\n"
    commit(repo, f'TOKEN = "{planted.github()}"\n')
    assert run(repo, "git", "push", "origin", "main").returncode != 0


def test_a_hook_that_is_there_goes_on_running_first_and_either_blocks(repo, planted: Planted) -> None:
    hook(repo / ".git/hooks/pre-commit", 'echo theirs >> log; test ! -e stop || exit 7\ntest "$#" = 0')
    lg(repo, "install")
    assert commit(repo, "x = 2\n").returncode == 0
    assert commit(repo, f'TOKEN = "{planted.github()}"\n').returncode != 0
    (repo / "stop").touch()
    done = commit(repo, "x = 3\n")
    assert done.returncode != 0
    assert "leakguard" not in done.stderr
    assert (repo / "log").read_text().split() == ["theirs"] * 3


def test_both_links_get_the_arguments_and_the_whole_input_of_a_push(repo, tmp_path, programs) -> None:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(repo, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(repo, "branch", "side")
    hook(repo / ".git/hooks/pre-push", 'echo "$@" > theirs; cat >> theirs')
    lg(repo, "install", "pre-push")
    hook(programs / "leakguard-hook", 'shift; echo "$@" > ours; cat >> ours')
    git(repo, "push", "-q", "origin", "main", "side")
    assert (repo / "theirs").read_text() == (repo / "ours").read_text()
    assert len((repo / "ours").read_text().splitlines()) == 3


def test_a_hook_that_reads_no_input_takes_none_of_it_from_ours(repo, programs) -> None:
    path = repo / ".git/hooks/pre-push"
    hook(path, "exit 0")
    lg(repo, "install", "pre-push")
    hook(programs / "leakguard-hook", "cat > ours")
    lines = "".join(f"refs/heads/{i:0200} {'1' * 40} refs/heads/{i} {'0' * 40}\n" for i in range(2000))
    done = subprocess.run([str(path), "origin", "url"], cwd=repo, input=lines, text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert (repo / "ours").read_text() == lines


def test_installing_twice_changes_nothing(repo) -> None:
    theirs = hook(repo / ".git/hooks/pre-commit", "exit 0")
    lg(repo, "install", *HOOKS)
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (repo / ".git/hooks").iterdir()}
    lg(repo, "install", *HOOKS)
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (repo / ".git/hooks").iterdir()} == before
    assert before["pre-commit.before-leakguard"][0] == theirs


@pytest.mark.parametrize("mode", [0o755, 0o644, 0o700])
def test_uninstall_puts_back_exactly_what_was_there(repo, mode) -> None:
    path = repo / ".git/hooks/pre-commit"
    theirs = hook(path, "exit 0", mode)
    lg(repo, "install", "pre-commit", "pre-push")
    assert "pre-push" in lg(repo, "uninstall")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (theirs, mode)
    assert [p.name for p in path.parent.iterdir()] == ["pre-commit"]


def test_uninstall_leaves_hooks_of_others_alone(repo) -> None:
    theirs = hook(repo / ".git/hooks/pre-commit", "exit 0")
    assert "no hook of ours" in lg(repo, "uninstall")
    assert "is not ours" in lg(repo, "uninstall", "pre-commit", code=2)
    assert (repo / ".git/hooks/pre-commit").read_bytes() == theirs


def test_a_link_of_a_hook_stays_a_link(repo) -> None:
    hook(repo / "theirs.sh", "exit 0")
    (repo / ".git/hooks").mkdir()
    (repo / ".git/hooks/pre-commit").symlink_to("../../theirs.sh")
    lg(repo, "install")
    assert commit(repo, "x = 2\n").returncode == 0
    lg(repo, "uninstall")
    assert os.readlink(repo / ".git/hooks/pre-commit") == "../../theirs.sh"


def test_two_foreign_hooks_are_not_guessed_at(repo) -> None:
    path = repo / ".git/hooks/pre-commit"
    hook(path, "exit 0")
    lg(repo, "install")
    theirs = hook(path, "exit 1")
    assert "join the two" in lg(repo, "install", code=2)
    assert path.read_bytes() == theirs
    assert "no longer calls us" in told(lg(repo, "doctor", code=1), "pre-commit")


def test_a_worktree_and_a_hookspath_of_the_repository_are_honoured(repo, tmp_path, planted: Planted) -> None:
    git(repo, "worktree", "add", "-q", str(tmp_path / "other"), "-b", "other")
    lg(tmp_path / "other", "install")
    assert commit(tmp_path / "other", f'TOKEN = "{planted.github()}"\n').returncode != 0
    git(repo, "config", "core.hooksPath", ".githooks")
    (repo / "sub").mkdir()
    assert "commit it" in lg(repo / "sub", "install")
    assert "program=''" in (repo / ".githooks/pre-commit").read_text()
    assert commit(repo, f'TOKEN = "{planted.github()}"\n').returncode != 0


@pytest.mark.parametrize(
    ("path", "text", "hint"),
    [
        (".husky/_/pre-commit", ". h", ".husky/pre-commit"),
        (".git/hooks/pre-commit", "# File generated by pre-commit: https://pre-commit.com", ".pre-commit-config.yaml"),
        (".git/hooks/pre-commit", 'call_lefthook run "pre-commit" "$@"', "lefthook.yml"),
    ],
)
def test_a_folder_that_another_tool_manages_is_told_apart(repo, path, text, hint) -> None:
    theirs = hook(repo / path, text)
    if "husky" in path:
        git(repo, "config", "core.hooksPath", ".husky/_")
    assert hint in lg(repo, "install", code=2)
    assert (repo / path).read_bytes() == theirs
    lg(repo, "install", "--force")
    assert (repo / (path + ".before-leakguard")).read_bytes() == theirs


def test_a_missing_program_blocks_unless_that_is_allowed(repo, programs) -> None:
    lg(repo, "install")
    (programs / "leakguard-hook").unlink()
    done = commit(repo, "x = 2\n")
    assert done.returncode != 0
    assert "install" in done.stderr
    assert "was not found" in told(lg(repo, "doctor", code=3), "pre-commit")
    assert told(lg(repo, "doctor", code=1, LEAKGUARD_HOOK_MISSING="allow"), "pre-commit").startswith("does not block")
    assert commit(repo, "x = 2\n", LEAKGUARD_HOOK_MISSING="allow").returncode == 0


def test_doctor_proves_every_hook_and_leaves_nothing_behind(repo) -> None:
    lg(repo, "install", *HOOKS)
    hook(repo / ".git/hooks/pre-commit.before-leakguard", "touch ran")
    output = lg(repo, "doctor")
    assert all(told(output, name).startswith("blocks ") for name in HOOKS)
    assert not (repo / "ran").exists()
    assert "ghp_" not in output
    assert not list(Path(os.environ["XDG_STATE_HOME"]).rglob("last-run*"))


def test_doctor_says_when_nothing_is_installed(repo, tmp_path) -> None:
    assert "nothing is installed" in lg(repo, "doctor", code=3)
    assert "nothing is installed" in lg(tmp_path, "doctor", code=3)


def test_doctor_finds_a_shadowed_hook(repo) -> None:
    lg(repo, "install")
    git(repo, "config", "core.hooksPath", "elsewhere")
    assert "shadowed: core.hooksPath (local)" in told(lg(repo, "doctor", code=1), "pre-commit")


def test_doctor_finds_a_hook_that_is_not_executable(repo) -> None:
    lg(repo, "install", "pre-commit", "commit-msg")
    (repo / ".git/hooks/pre-commit").chmod(0o644)
    output = lg(repo, "doctor", code=1)
    assert "not executable" in told(output, "pre-commit")
    assert told(output, "commit-msg").startswith("blocks ")
    lg(repo, "install")
    lg(repo, "doctor")


@pytest.mark.parametrize(("old", "new", "code"), [("exec ", "exit 0; ", 1), ("exec ", "exit 1; ", 3)])
def test_doctor_finds_a_link_that_was_changed(repo, old, new, code) -> None:
    lg(repo, "install")
    path = repo / ".git/hooks/pre-commit"
    path.write_text(path.read_text().replace(old, new))
    assert not told(lg(repo, "doctor", code=code), "pre-commit").startswith("blocks")


def test_doctor_finds_a_link_that_another_tool_moved_away(repo) -> None:
    lg(repo, "install")
    path = repo / ".git/hooks/pre-commit"
    path.rename(path.with_name("pre-commit.old"))
    hook(path, "exit 0")
    assert "pre-commit.old" in told(lg(repo, "doctor", code=1), "pre-commit")


def test_global_hooks_block_everywhere_and_let_a_repository_keep_its_own(repo, settings, planted: Planted) -> None:
    for name in ("pre-commit", "post-commit"):
        hook(repo / ".git/hooks" / name, f"echo {name} >> log")
    lg(repo, "install", "--global", "pre-commit", "pre-push")
    before = settings.read_bytes()
    lg(repo, "install", "--global", "pre-commit", "pre-push")
    assert settings.read_bytes() == before
    assert commit(repo, f'TOKEN = "{planted.github()}"\n').returncode != 0
    assert commit(repo, "x = 2\n").returncode == 0
    assert (repo / "log").read_text().split() == ["pre-commit", "pre-commit", "post-commit"]
    output = lg(repo, "doctor")
    assert told(output, "pre-push").startswith("blocks ")
    assert told(output, "commit-msg") == "not installed"
    assert "for all repositories" in lg(repo, "install", code=2)


def test_a_repository_that_hides_the_global_hooks_is_told(repo, settings) -> None:
    lg(repo, "install", "--global")
    git(repo, "config", "core.hooksPath", ".githooks")
    assert "shadowed" in told(lg(repo, "doctor", code=1), "pre-commit")
    lg(repo, "install")
    lg(repo, "doctor")


def test_uninstall_global_takes_the_setting_back_with_the_last_hook(repo, settings) -> None:
    git(repo, "config", "--global", "user.email", "ada@acme.example")
    before = settings.read_text()
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "leakguard" / "hooks"
    lg(repo, "install", "--global", "pre-commit", "pre-push")
    lg(repo, "uninstall", "--global", "pre-push")
    assert "hooksPath" in settings.read_text()
    assert told(lg(repo, "doctor"), "pre-push") == "not installed"
    lg(repo, "uninstall", "--global")
    assert "hooksPath" not in settings.read_text()
    assert before.strip() in settings.read_text()
    assert not folder.exists()


def test_a_hookspath_that_somebody_set_is_never_changed(repo, settings, tmp_path) -> None:
    git(repo, "config", "--global", "core.hooksPath", str(tmp_path / "team"))
    before = settings.read_bytes()
    assert "another folder" in lg(repo, "install", "--global", code=2)
    assert "every repository" in lg(repo, "install", code=2)
    assert settings.read_bytes() == before
    lg(repo, "install", "--force")
    assert (tmp_path / "team/pre-commit").exists()


def test_settings_that_are_no_file_are_not_written_to(repo) -> None:
    assert os.environ["GIT_CONFIG_GLOBAL"] == os.devnull
    assert "is no file" in lg(repo, "install", "--global", code=2)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize("name", HOOKS)
def test_the_plain_shims_block_and_fail_closed(repo, programs, name) -> None:
    target = repo / ".git/hooks" / name
    target.parent.mkdir()
    target.symlink_to(ROOT / "hooks" / name)
    assert told(lg(repo, "doctor"), name).startswith("blocks ")
    assert "already" in lg(repo, "install", name)
    (programs / "leakguard-hook").unlink()
    assert run(repo, str(target)).returncode == 3
    assert run(repo, str(target), LEAKGUARD_HOOK_MISSING="allow").returncode == 0


def test_the_hooks_of_the_framework_call_what_exists() -> None:
    hooks = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert set(hooks) == {"leakguard", "leakguard-push", "leakguard-commit-msg"}
    for entry in hooks.values():
        assert entry["language"] == "python"
        assert entry["minimum_pre_commit_version"] == "3.2.0"
        words = entry["entry"].split()
        done = run(ROOT, sys.executable, "-c", "from leakguard.hook import main; main()", *words[1:], "--help")
        assert (words[0], done.returncode) == ("leakguard-hook", 0)
