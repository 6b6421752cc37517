"""Git is asked what it ignores, through a runner that lets a hostile repository run nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from leakguard.errors import SourceError
from leakguard.gitio import run as gitio
from leakguard.gitio.worktree import ignored, toplevel
from leakguard.model.blob import Blob, Skipped
from leakguard.sources.files import FilesSource


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's and the system's git configuration out."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def git(folder: Path, *args: str) -> str:
    """Run git as a user would, to prepare a repository."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {"GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *args], cwd=folder, env=env, check=True, capture_output=True, text=True
    )
    return done.stdout


def repository(folder: Path, ignore: str = "", **tracked: str) -> Path:
    """Make a repository with a `.gitignore` and tracked files (`a_txt="..."` is a.txt)."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q")
    for name, text in tracked.items():
        (folder / name.replace("_", ".")).write_text(text)
    git(folder, "add", "-f", ".")
    (folder / ".gitignore").write_text(ignore)
    git(folder, "add", "-f", ".gitignore")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return folder


def scan(root: Path, *, ignore: bool = True) -> tuple[set[str], dict[str, str]]:
    """Return the paths read outside `.git`, and path -> reason of those skipped."""
    items = list(FilesSource([str(root)], ignore=ignore).blobs())
    paths = {i.provenance.path for i in items if isinstance(i, Blob)}  # type: ignore[union-attr]
    return (
        {p for p in paths if ".git" not in p.split("/")},
        {i.provenance.path: i.reason for i in items if isinstance(i, Skipped)},  # type: ignore[union-attr]
    )


def test_gitignore_hides_untracked_files_and_never_a_tracked_one(tmp_path: Path) -> None:
    """A folder of which nothing else is left counts once."""
    root = repository(tmp_path / "r", "*.log\nbuild/\n", tracked_log="t", kept_txt="k")
    (root / "new.log").write_text("n")
    (root / "new.txt").write_text("n")
    (root / "build" / "deep").mkdir(parents=True)
    (root / "build" / "deep" / "x").write_text("x")
    (root / "sub").mkdir()
    (root / "sub" / "other.log").write_text("o")

    read, skipped = scan(root)

    assert read == {".gitignore", "tracked.log", "kept.txt", "new.txt"}
    assert skipped == {"new.log": "ignored", "build": "ignored", "sub": "ignored"}
    assert scan(root, ignore=False)[1] == {}


def test_a_tracked_file_in_an_ignored_folder_is_read(tmp_path: Path) -> None:
    """Only the untracked rest of the folder is ignored."""
    root = repository(tmp_path / "r", "out/\n")
    (root / "out").mkdir()
    (root / "out" / "tracked").write_text("t")
    git(root, "add", "-f", "out/tracked")
    (root / "out" / "untracked").write_text("u")

    read, skipped = scan(root)

    assert "out/tracked" in read
    assert skipped == {"out/untracked": "ignored"}


def test_a_folder_below_the_top_is_scanned_with_the_rules_of_the_whole(tmp_path: Path) -> None:
    """Ignored paths are relative to what was named; a link to it makes no difference."""
    root = repository(tmp_path / "r", "*.log\n")
    (root / "sub").mkdir()
    (root / "sub" / "a.log").write_text("a")
    (root / "sub" / "a.txt").write_text("a")
    (tmp_path / "link").symlink_to(root / "sub")

    assert scan(root / "sub") == scan(tmp_path / "link") == ({"a.txt"}, {"a.log": "ignored"})


def test_an_ignored_folder_or_file_that_is_named_is_read(tmp_path: Path) -> None:
    """Naming it says that it is meant."""
    root = repository(tmp_path / "r", "build/\n*.log\n")
    (root / "build").mkdir()
    (root / "build" / "x").write_text("x")
    (root / "a.log").write_text("a")

    assert scan(root / "build") == ({"x"}, {})
    assert scan(root / "a.log") == ({"a.log"}, {})


def test_a_repository_inside_another_has_rules_of_its_own(tmp_path: Path) -> None:
    """Neither the outer rules apply inside nor the inner ones outside."""
    outer = repository(tmp_path / "r", "*.out\n")
    inner = repository(outer / "lib" / "inner", "*.in\n")
    for folder in outer, inner:
        (folder / "a.out").write_text("o")
        (folder / "a.in").write_text("i")

    read, skipped = scan(outer)

    assert {"a.in", "lib/inner/a.out"} <= read
    assert skipped == {"a.out": "ignored", "lib/inner/a.in": "ignored"}


def test_ignored_names_with_odd_bytes_are_ignored(tmp_path: Path) -> None:
    """Names come NUL-separated and unquoted."""
    root = repository(tmp_path / "r", "*.log\n")
    for name in [b"caf\xe9.log", b"new\nline.log", b'"quoted".log']:
        (Path(os.fsdecode(os.fsencode(root) + b"/" + name))).write_text("x")

    assert list(scan(root)[1].values()) == ["ignored"] * 3


def test_outside_of_a_work_tree_nothing_is_ignored(tmp_path: Path) -> None:
    """A `.gitignore` without a repository is a file."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / ".gitignore").write_text("*\n")

    assert toplevel(str(tmp_path / "plain")) is None
    assert ignored(str(tmp_path / "plain")) is None
    assert scan(tmp_path / "plain") == ({".gitignore"}, {})


def test_without_git_nothing_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk needs no git; the runner says what to install."""
    root = repository(tmp_path / "r", "*.log\n")
    (root / "a.log").write_text("a")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert scan(root)[0] == {".gitignore", "a.log"}
    with pytest.raises(SourceError, match="not installed") as error:
        gitio.run(["version"], cwd=str(root))
    assert error.value.hint


def test_a_program_named_git_in_the_scanned_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH with `.` or an empty part does not mean the scanned folder."""
    root = repository(tmp_path / "r")
    trap(root / "git", tmp_path / "ran")
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", f".::{os.environ['PATH']}")

    ignored(str(root))

    assert not (tmp_path / "ran").exists()


def test_a_broken_repository_stops_no_scan_hides_nothing_and_is_noted(tmp_path: Path) -> None:
    """Where git can't say what is ignored, nothing is."""
    root = repository(tmp_path / "r", "*.log\n")
    (root / "a.log").write_text("a")
    (root / "lib").mkdir()
    (root / "lib" / ".git").write_text("no gitfile")
    (root / "lib" / "b.log").write_text("b")
    (root / "lib" / ".gitignore").write_text("*.log\n")

    source = FilesSource([str(root)])
    read = {item.provenance.path for item in source.blobs() if isinstance(item, Blob)}  # type: ignore[union-attr]

    assert {"lib/b.log", "lib/.git"} <= read
    assert "a.log" not in read
    assert len(source.notes) == 1
    assert "nothing is ignored" in source.notes[0]


def test_of_the_git_folder_only_what_holds_urls_is_read(tmp_path: Path) -> None:
    """Configuration, FETCH_HEAD and reflogs, of submodules too; objects, refs, hooks and index are no files of the tree."""
    root = repository(tmp_path / "r", a_txt="a")
    (root / ".git" / "FETCH_HEAD").write_text("x")
    (root / ".git" / "config.worktree").write_text("x")
    module = root / ".git" / "modules" / "libs" / "one"
    (module / "objects" / "ab").mkdir(parents=True)
    (module / "objects" / "config").write_text("no")
    (module / "config").write_text("x")
    (module / "HEAD").write_text("x")

    for start, prefix in (root, ".git/"), (root / ".git", ""):
        items = list(FilesSource([str(start)]).blobs())
        found = {i.provenance.path for i in items} - {"a.txt", ".gitignore"}  # type: ignore[union-attr]

        assert found >= {
            prefix + name for name in ["config", "config.worktree", "FETCH_HEAD", "logs/HEAD", "modules/libs/one/config"]
        }
        assert all(
            path.startswith((f"{prefix}logs/", f"{prefix}modules/libs/one/config", f"{prefix}config", f"{prefix}FETCH_HEAD"))
            for path in found
        )


def test_a_git_file_is_read(tmp_path: Path) -> None:
    """Of a submodule or further work tree `.git` is a file."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / ".git").write_text("gitdir: elsewhere")

    items = list(FilesSource([str(tmp_path / "w")]).blobs())

    assert [i.provenance.path for i in items] == [".git"]  # type: ignore[union-attr]


def trap(path: Path, witness: Path) -> None:
    """Make a program that leaves a witness when it is run."""
    path.write_text(f"#!/bin/sh\necho ran > '{witness}'\n")
    path.chmod(0o755)


def test_what_a_hostile_configuration_names_is_not_run(tmp_path: Path) -> None:
    """core.fsmonitor, hooks, pager, external diff and textconv stay silent."""
    root = repository(tmp_path / "r", "*.log\n", a_txt="a\n")
    (root / ".gitattributes").write_text("* diff=evil filter=evil\n")
    witness, program = tmp_path / "ran", tmp_path / "trap"
    trap(program, witness)
    git(root, "status")
    for name in [
        "core.fsmonitor", "core.pager", "pager.ls-files", "diff.external", "diff.evil.command", "diff.evil.textconv", "core.sshCommand",
        "gpg.program", "filter.evil.smudge", "core.askPass", "core.editor",
    ]:  # fmt: skip
        git(root, "config", name, str(program))
    git(root, "config", "core.hooksPath", str(tmp_path))
    for hook in ["post-index-change", "query-watchman"]:
        trap(tmp_path / hook, witness)
    witness.unlink(missing_ok=True)
    (root / "b.log").write_text("b")

    assert scan(root)[1] == {"b.log": "ignored"}
    out = gitio.run(["diff-tree", "-p", "--root", "HEAD"], cwd=str(root), safe=str(root))
    gitio.run(["log", "-p", "-1"], cwd=str(root), safe=str(root))
    gitio.run(["show", "HEAD"], cwd=str(root), safe=str(root))

    assert b"+a" in out
    assert not witness.exists()
    git(root, "status")
    assert witness.exists(), "the trap works"


def test_the_environment_keeps_no_git_variable_but_those_of_a_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan started from a hook looks at the path it was given, not at the commit at hand."""
    monkeypatch.setenv("GIT_DIR", "/elsewhere/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", "/elsewhere/index")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "/bin/evil")
    monkeypatch.setenv("GIT_SSH_COMMAND", "/bin/evil")

    plain, hook = gitio.environment(), gitio.environment(hook=True)

    assert {n for n in plain if n.startswith("GIT_")} == {
        "GIT_NO_LAZY_FETCH",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OPTIONAL_LOCKS",
        "GIT_TERMINAL_PROMPT",
    }
    assert (hook["GIT_DIR"], hook["GIT_INDEX_FILE"]) == ("/elsewhere/.git", "/elsewhere/index")
    assert not {"GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND"} & hook.keys()


def test_a_scan_writes_nothing_into_the_repository(tmp_path: Path) -> None:
    """No lock, no refreshed index."""
    root = repository(tmp_path / "r", "*.log\n", a_txt="a")
    (root / "b.log").write_text("b")
    os.utime(root / "a.txt", (1, 1))
    before = {p: p.stat().st_mtime_ns for p in (root / ".git").rglob("*")}

    scan(root)

    assert {p: p.stat().st_mtime_ns for p in (root / ".git").rglob("*")} == before


def test_errors_name_the_cause_and_never_a_value_of_the_configuration(tmp_path: Path) -> None:
    """Git quotes configuration values in its messages, and those may hold tokens."""
    root = repository(tmp_path / "r")
    value = "zq" * 20
    git(root, "config", "core.bare", value)

    with pytest.raises(SourceError) as error:
        ignored(str(root))

    assert value not in error.value.message + error.value.hint
    assert error.value.hint
    with pytest.raises(SourceError, match="not a git repository"):
        gitio.run(["ls-files"], cwd=str(tmp_path))


def test_a_git_that_hangs_is_ended(tmp_path: Path) -> None:
    """A FIFO in the place of a `.gitignore` must not hold the scan for ever."""
    root = repository(tmp_path / "r")
    (root / ".gitignore").unlink()
    os.mkfifo(root / ".git" / "pipe")
    git(root, "config", "core.excludesFile", str(root / ".git" / "pipe"))

    with pytest.raises(SourceError, match="longer than"):
        gitio.run(["ls-files", "-o", "-i", "--exclude-standard", "-z"], cwd=str(root), timeout=0.3)


def test_input_is_fed_and_output_is_bytes(tmp_path: Path) -> None:
    """`run` and `start` both speak bytes."""
    root = repository(tmp_path / "r", a_txt="a\n")

    oid = gitio.run(["hash-object", "--stdin"], cwd=str(root), input=b"a\n").strip()
    with gitio.start(["cat-file", "--batch"], cwd=str(root), safe=str(root)) as process:
        out, _ = process.communicate(oid + b"\n")

    assert out == oid + b" blob 2\na\n\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a repository that belongs to somebody else")
def test_a_repository_of_another_user_is_asked_what_it_ignores(tmp_path: Path) -> None:
    """A mounted checkout in a CI container belongs to another user; that path, and no other, is trusted for the call."""
    root = repository(tmp_path / "r", "*.log\n")
    (root / "a.log").write_text("a")
    for path in [root, *root.rglob("*")]:
        os.chown(path, 12345, -1)

    assert scan(root)[1] == {"a.log": "ignored"}
    with pytest.raises(SourceError, match="belongs to somebody else"):
        gitio.run(["ls-files"], cwd=str(root))
