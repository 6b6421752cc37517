"""Containers are looked into wherever they come from: a pipe, a repository's history, what is staged, a library call."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

import leakguard
from conftest import Planted
from containers import streamed_zip, tarred, zipped
from histories import commit, git, repository, same, where
from leakguard.config import load as load_config
from leakguard.gitio.objects import Objects
from leakguard.gitio.staged import staged
from leakguard.model.blob import Blob, Skipped
from leakguard.model.finding import Candidate, Place
from leakguard.sources.history import Scope
from leakguard.sources.memory import BytesSource
from leakguard.sources.staged import StagedSource
from leakguard.sources.stream import StreamSource


def texts(items: object) -> dict[str, bytes]:
    """Return what was read, by place."""
    return {
        "!/".join((item.provenance.outer.name, *item.provenance.inner)): item.data  # type: ignore[union-attr]
        for item in items  # type: ignore[attr-defined]
        if isinstance(item, Blob)
    }


def test_an_archive_on_standard_input_is_looked_into(tmp_path: Path, planted: Planted) -> None:
    data = gzip.compress(tarred(("etc/app.env", f"A=1\nTOKEN={planted.github()}\n".encode())))
    command = [sys.executable, "-m", "leakguard", "scan", "-", "-f", "json", "--stdin-name", "x.tar.gz"]
    report = json.loads(subprocess.run(command, input=data, capture_output=True, cwd=tmp_path).stdout)
    assert [p["path"] for f in report["findings"] for p in f["locations"]] == ["x.tar.gz!/etc/app.env"]
    shallow = subprocess.run([*command, "--max-archive-depth", "0"], input=data, capture_output=True, cwd=tmp_path)
    assert shallow.returncode == 0
    assert [skip["reason"] for skip in json.loads(shallow.stdout)["skipped"]] == ["binary"]


def test_depth_counts_what_lies_within_each_other_and_the_rest_is_told(tmp_path: Path) -> None:
    inner = zipped(("deep.txt", b"deep\n"))
    (tmp_path / "a.zip").write_bytes(zipped(("near.txt", b"near\n"), ("inner.zip", inner)))
    (tmp_path / ".leakguard.toml").write_text("max_archive_depth = 1\n")
    report = leakguard.scan_path(tmp_path, load_config(str(tmp_path)))
    assert [(s.provenance.path, s.reason, s.by_choice) for s in report.skipped] == [("a.zip!/inner.zip", "budget", False)]
    assert report.coverage.files == 2


def test_a_zip_in_a_pipe_is_read_without_its_index() -> None:
    data = streamed_zip(("a.txt", b"one\n" * 9), ("b.txt", b"two\n"))
    held = texts(StreamSource(io.BytesIO(data), "in").blobs())
    assert held == {"in!/a.txt": b"one\n" * 9, "in!/b.txt": b"two\n"}


def test_bytes_given_to_the_library_are_looked_into(planted: Planted) -> None:
    report = leakguard.scan_bytes(zipped(("app.env", f"TOKEN={planted.github()}\n".encode())), name="upload.zip")
    assert [p.provenance.path for f in report.findings for p in f.places] == ["upload.zip!/app.env"]


def test_a_prompt_or_message_is_never_taken_for_an_archive() -> None:
    assert [type(item) for item in BytesSource(zipped(("a.txt", b"x")), "commit message").blobs()] == [Skipped]


def test_history_finds_in_containers_what_the_plain_way_finds(tmp_path: Path, planted: Planted) -> None:
    repo = repository(tmp_path / "repo")
    token = f"A=1\nTOKEN={planted.github()}\n".encode()
    for number in range(6):
        padding = b"".join(b"line %d of %d\n" % (n, number) for n in range(300))
        files = {"app__tar": tarred(("pad.txt", padding), ("app.env", token)), "plain__txt": padding}
        if number == 3:
            files |= {"once__zip": zipped(("x/y.env", token)), "gone__tar__gz": gzip.compress(files["app__tar"])}
        commit(repo, **files)
    git(repo, "repack", "-qadf")
    report = same(repo)
    found = where(report)
    assert [path for _kind, path, _line in found].count("app.tar!/app.env") == 6
    assert {path for _kind, path, _line in found} == {"app.tar!/app.env", "once.zip!/x/y.env", "gone.tar.gz!/app.env"}
    (place, *_rest) = [p for f in report.findings for p in f.places if p.provenance.path.startswith("once.zip")]
    assert place.provenance.outer.commit  # type: ignore[union-attr]
    assert place.provenance.outer.author.startswith("Ada")  # type: ignore[union-attr]


def test_a_range_reports_only_the_lines_that_are_new_in_a_container(tmp_path: Path, planted: Planted) -> None:
    repo = repository(tmp_path / "repo")
    old, new = (f"T={planted.github()}\n".encode() for _ in range(2))
    first = commit(repo, a__zip=zipped(("a.env", old)))
    commit(repo, a__zip=zipped(("a.env", old + new)))
    report = same(repo, Scope((f"{first}..HEAD",)))
    assert [(p.provenance.path, p.start_line) for f in report.findings for p in f.places] == [("a.zip!/a.env", 2)]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Make a repository with a committed archive and a staged one."""
    repo = repository(tmp_path / "repo")
    commit(repo, a__zip=zipped(("a.env", b"old line\n")))
    (repo / "a.zip").write_bytes(zipped(("a.env", b"old line\nnew line\n")))
    git(repo, "add", "a.zip")
    return repo


def test_what_is_staged_in_a_container_is_read_and_only_new_lines_count(index: Path) -> None:
    with Objects(str(index), hook=True) as objects:
        found = staged(str(index))
        source = StagedSource(str(index), found.changes, found.gone, objects, expired=lambda: False)
        (blob,) = [item for item in source.blobs() if isinstance(item, Blob)]
        assert (blob.provenance.path, blob.data) == ("a.zip!/a.env", b"old line\nnew line\n")

        def candidate(line: int, offset: int) -> Candidate:
            place = Place(blob.provenance, line, line, 1, 9, offset, 8)
            return Candidate(None, None, place, (), None)  # type: ignore[arg-type]

        assert not source.is_new(candidate(1, 0))
        assert source.is_new(candidate(2, 9))
        assert source.reopen(candidate(2, 9).place) == b"new line"


def test_the_deadline_of_a_hook_ends_a_container_and_is_told(index: Path) -> None:
    asked: list[int] = []

    def expired() -> bool:
        asked.append(1)
        return len(asked) > 1

    with Objects(str(index), hook=True) as objects:
        found = staged(str(index))
        source = StagedSource(str(index), found.changes, found.gone, objects, expired=expired)
        (skip,) = [item for item in source.blobs() if isinstance(item, Skipped)]
    assert (skip.reason, skip.by_choice) == ("timeout", False)
