"""A second scan reads only what is new, and says what a full scan says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import Planted
from histories import commit, git, look, places, repository
from leakguard.config import Config
from leakguard.engine.sieve import Sieve
from leakguard.gitio.repository import open_repository
from leakguard.model.finding import Report
from leakguard.pipeline import Setup, scan
from leakguard.pipeline.setup import build_engine, today
from leakguard.sources._memory import open_memory
from leakguard.sources.history import HistorySource, Scope
from leakguard.suppress.identity import IdKey


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


class Counted(Sieve):
    """A sieve that knows how much it was asked about."""

    bytes = 0

    def spans(self, data: bytes, windows: object = None) -> list:  # type: ignore[override, type-arg]
        Counted.bytes += len(data)
        return super().spans(data, windows)  # type: ignore[arg-type]


def again(repo: Path, cache: Path, *, level: str = "balanced", unreachable: bool = False) -> Report:
    """Scan with what the scan before left."""
    config = Config(level=level, baseline="")
    engine = build_engine(config, os.environ)
    opened = open_repository(str(repo))
    memory = open_memory(opened, engine, {"LEAKGUARD_CACHE_DIR": str(cache)}, unreachable=unreachable)
    Counted.bytes = 0
    source = HistorySource(opened, Scope(unreachable=unreachable), make_sieve=lambda: Counted(engine), memory=memory)
    try:
        return scan(source, Setup(engine, config, IdKey(b"k" * 32, "run"), today()), clock=time.monotonic)
    finally:
        source.close()


def equal(report: Report, full: Report) -> None:
    """Everything but the marks new and known, and the time it took."""
    assert places(report) == places(full)
    assert report.skipped == full.skipped
    assert report.notes == full.notes
    assert report.coverage._replace(seconds=0) == full.coverage._replace(seconds=0)


def test_a_second_scan_reads_nothing_and_reports_everything(repo: Path, tmp_path: Path, planted: Planted) -> None:
    commit(repo, a__py=f'A = "{planted.github()}"\n', b__py="x = 1\n" * 500)
    commit(repo, a__py="gone = 1\n")
    first = again(repo, tmp_path / "cache")
    assert Counted.bytes > 3000
    assert [f.known for f in first.findings] == [False]
    second = again(repo, tmp_path / "cache")
    assert Counted.bytes < 100
    assert [f.known for f in second.findings] == [True]
    equal(second, look(repo))


def test_what_is_new_is_marked_new_and_what_was_known_stays(repo: Path, tmp_path: Path, planted: Planted) -> None:
    commit(repo, a__py=f'A = "{planted.github()}"\n')
    again(repo, tmp_path / "cache")
    commit(repo, b__py=f'B = "{planted.github()}"\n')
    report = again(repo, tmp_path / "cache")
    assert sorted((f.places[0].provenance.path, f.known) for f in report.findings) == [("a.py", True), ("b.py", False)]  # type: ignore[union-attr]
    equal(report, look(repo))


def test_a_known_content_at_a_new_path_is_told_with_it(repo: Path, tmp_path: Path, planted: Planted) -> None:
    text = f'A = "{planted.github()}"\n'
    commit(repo, a__py=text)
    again(repo, tmp_path / "cache")
    commit(repo, copy__py=text)
    report = again(repo, tmp_path / "cache")
    assert [p.provenance.path for p in report.findings[0].places] == ["a.py", "copy.py"]  # type: ignore[union-attr]
    equal(report, look(repo))


def test_a_deleted_branch_takes_its_findings_with_it(repo: Path, tmp_path: Path, planted: Planted) -> None:
    commit(repo, a__py="x = 1\n")
    git(repo, "checkout", "-qb", "side")
    commit(repo, b__py=f'B = "{planted.github()}"\n')
    git(repo, "checkout", "-q", "main")
    assert again(repo, tmp_path / "cache").findings
    git(repo, "branch", "-qD", "side")
    report = again(repo, tmp_path / "cache")
    assert report.findings == ()
    equal(report, look(repo))
    git(repo, "reflog", "expire", "--expire=now", "--all")
    git(repo, "gc", "-q", "--prune=now")
    equal(again(repo, tmp_path / "cache"), look(repo))


def test_a_repack_costs_no_second_reading(repo: Path, tmp_path: Path, planted: Planted) -> None:
    for n in range(5):
        commit(repo, a__py=f'A = "{planted.github()}"\n' + "x = 1\n" * 200 * n)
    again(repo, tmp_path / "cache")
    git(repo, "repack", "-qad")
    report = again(repo, tmp_path / "cache")
    assert Counted.bytes < 100
    equal(report, look(repo))


def test_another_level_reads_everything_again(repo: Path, tmp_path: Path, planted: Planted) -> None:
    commit(repo, a__py=f'A = "{planted.github()}"\n' + "x = 1\n" * 500)
    again(repo, tmp_path / "cache")
    equal(again(repo, tmp_path / "cache", level="all"), look(repo, level="all"))
    assert Counted.bytes > 3000


def test_reflogs_and_dangling_objects_are_remembered_apart(repo: Path, tmp_path: Path, planted: Planted) -> None:
    commit(repo, a__py="x = 1\n")
    commit(repo, b__py=f'B = "{planted.github()}"\n')
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    assert again(repo, tmp_path / "cache").findings == ()
    everything = again(repo, tmp_path / "cache", unreachable=True)
    assert len(everything.findings) == 1
    equal(again(repo, tmp_path / "cache", unreachable=True), look(repo, scope=Scope(unreachable=True)))
    equal(again(repo, tmp_path / "cache"), look(repo))


def test_messages_names_and_submodules_are_told_again(repo: Path, tmp_path: Path, planted: Planted) -> None:
    token = planted.github()
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    commit(repo, f"use {token}", **{f"{planted.github()}": "x\n"})
    first = again(repo, tmp_path / "cache")
    commit(repo, a__py="x = 2\n")
    second = again(repo, tmp_path / "cache")
    assert {f.id for f in second.findings} == {f.id for f in first.findings}
    assert any("submodule" in note for note in second.notes)
    equal(second, look(repo))


def test_the_memory_holds_ids_and_nothing_else(repo: Path, tmp_path: Path, planted: Planted, leaks: object) -> None:
    token = planted.github()
    commit(repo, f"message {token}", **{"telling-name.py": f'A = "{token}"\n'})
    again(repo, tmp_path / "cache")
    (kept,) = [p for p in (tmp_path / "cache").iterdir() if p.name.startswith("history-")]
    raw = kept.read_bytes()
    assert b"telling-name" not in raw
    assert not leaks(raw.decode("latin-1"), token)  # type: ignore[operator]
    assert kept.stat().st_mode & 0o077 == 0


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.sampled_from(["commit", "branch", "merge", "drop", "repack"])),
        max_size=8,
    )
)
def test_any_sequence_of_changes_and_scans_equals_a_full_scan(
    steps: list[tuple[str, int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    repo = repository(folder / "repo")
    planted = Planted()
    values = [f'T = "{planted.github()}"\n' for _ in range(3)] + ["x = 1\n"]
    commit(repo, a__py="start = 1\n")
    for n, (name, which, what) in enumerate(steps):
        if what == "branch":
            git(repo, "branch", "-f", f"b{which}")
        elif what == "merge" and git(repo, "branch", "--list", f"b{which}"):
            git(repo, "merge", "-q", "-X", "ours", "--no-edit", f"b{which}")
        elif what == "drop" and git(repo, "branch", "--list", f"b{which}"):
            git(repo, "branch", "-qD", f"b{which}")
        elif what == "repack":
            git(repo, "repack", "-qad")
        else:
            commit(repo, **{f"{name}__py": values[which] + f"# {n}\n" * which})
        equal(again(repo, folder / "cache"), look(repo))


def test_the_command_line_says_new_and_known_and_takes_no_range(repo: Path, planted: Planted) -> None:
    commit(repo, a__py=f'A = "{planted.github()}"\n')

    def run(*flags: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "leakguard", "scan", "--git", "--incremental", *flags, str(repo)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert "new since the scan before" in run().stdout
    known = run()
    assert known.returncode == 1
    assert "known from the scan before" in known.stdout
    assert json.loads(run("-f", "jsonl").stdout)["known"] is True
    assert json.loads(run("-f", "sarif").stdout)["runs"][0]["results"][0]["baselineState"] == "unchanged"
    refused = run("--branch", "main")
    assert refused.returncode == 2
    assert "--incremental" in refused.stderr
