"""Parts of one credential that stand apart are told together: in files of one folder, and in versions of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import leakguard
from conftest import Planted
from histories import commit, git, look, repository, same, versions
from leakguard.config import Config
from leakguard.engine.fold import fold
from leakguard.engine.pair import Pairs
from leakguard.engine.scan import FEW, Engine
from leakguard.engine.weights import LEVELS
from leakguard.model.blob import Blob, FileProvenance, GitProvenance, Provenance
from leakguard.model.finding import Candidate, Finding, Report
from leakguard.pipeline import workers
from leakguard.pipeline.setup import build_engine
from leakguard.sources import files
from test_history_incremental import again

FOLDER = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a folder that holds the compiled rules, so that they are compiled once."""
    folder = str(tmp_path_factory.mktemp("kept"))
    build_engine(Config(), {"LEAKGUARD_CACHE_DIR": folder})
    return folder


@pytest.fixture(autouse=True)
def _compiled_once(_own_home: None, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKGUARD_CACHE_DIR", kept)


def scan(root: Path, **contents: str) -> Report:
    """Scan a folder of files (`a__env` is `a.env`)."""
    for name, text in contents.items():
        path = root / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return leakguard.scan_path(root, Config(jobs=1, baseline="", level="all"))


def told(report: Report, rule: str) -> list[tuple[str, str]]:
    """Return part and path of every place of a rule's findings."""
    return [(p.part, p.provenance.path) for f in report.findings if f.rule.id == rule for p in f.places]  # type: ignore[union-attr]


def terms(report: Report, rule: str) -> list[str]:
    """Return the terms of a rule's findings."""
    return [reason.term for f in report.findings if f.rule.id == rule for reason in f.score.reasons]


def test_a_secret_is_told_with_the_key_id_that_stands_in_the_next_file(tree: Path, planted: Planted) -> None:
    key_id, secret = planted.aws()
    report = scan(tree, id=f"aws_access_key_id = {key_id}\n", secret=f"aws_secret_access_key = {secret}\n")

    assert told(report, "aws-secret-access-key") == [("key_id", "id"), ("secret_access_key", "secret")]
    assert "companion:apart" in terms(report, "aws-secret-access-key")


def test_a_pair_takes_no_finding_away_and_changes_no_id(tree: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKGUARD_ID_KEY", "k" * 32)
    key_id, secret = planted.aws()
    first = scan(tree / "a", id=f"aws_access_key_id = {key_id}\n")
    second = scan(tree / "b", secret=f"aws_secret_access_key = {secret}\n")
    both = scan(tree / "c", id=f"aws_access_key_id = {key_id}\n", secret=f"aws_secret_access_key = {secret}\n")

    assert {f.id for f in both.findings} == {f.id for r in (first, second) for f in r.findings}
    assert {f.rule.id for f in both.findings} == {"aws-access-key-id", "aws-secret-access-key"}


def test_parts_in_different_folders_are_strangers(tree: Path, planted: Planted) -> None:
    key_id, secret = planted.aws()
    report = scan(tree, **{"a/id": f"aws_access_key_id = {key_id}\n", "b/secret": f"aws_secret_access_key = {secret}\n"})

    assert told(report, "aws-secret-access-key") == [("secret_access_key", "b/secret")]


def test_parts_far_from_each_other_in_one_file_are_paired(tree: Path, planted: Planted) -> None:
    key_id, secret = planted.aws()
    report = scan(tree, a__env=f"aws_access_key_id = {key_id}\n" + "# a line\n" * 200 + f"aws_secret_access_key = {secret}\n")

    assert told(report, "aws-secret-access-key") == [("key_id", "a.env"), ("secret_access_key", "a.env")]


def test_the_part_in_the_same_file_is_nearer_than_one_in_the_next(tree: Path, planted: Planted) -> None:
    (near, secret), (far, _) = planted.aws(), planted.aws()
    text = f"aws_access_key_id = {near}\n" + "# a line\n" * 200 + f"aws_secret_access_key = {secret}\n"
    report = scan(tree, a__env=f"aws_access_key_id = {far}\n", b__env=text)

    assert told(report, "aws-secret-access-key") == [("key_id", "b.env"), ("secret_access_key", "b.env")]


def test_a_key_id_that_has_its_secret_beside_it_is_not_lent_to_another(tree: Path, planted: Planted) -> None:
    (key_id, secret), (_, other) = planted.aws(), planted.aws()
    pair = f"aws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n"
    report = scan(tree, pair=pair, other=f"aws_secret_access_key = {other}\n")

    (lone,) = (f for f in report.findings if f.places[0].provenance.path == "other")  # type: ignore[union-attr]
    assert len(lone.places) == 1


@pytest.mark.parametrize(("ids", "secrets"), [(FEW + 1, 1), (1, FEW + 1)])
def test_where_many_stand_nothing_tells_which_belong_together(tree: Path, planted: Planted, ids: int, secrets: int) -> None:
    contents = {f"id{n}": f"aws_access_key_id = {planted.aws()[0]}\n" for n in range(ids)}
    contents |= {f"secret{n}": f"aws_secret_access_key = {planted.aws()[1]}\n" for n in range(secrets)}
    report = scan(tree, **contents)

    assert {part for part, _path in told(report, "aws-secret-access-key")} == {"secret_access_key"}
    assert len(report.findings) == ids + secrets


def test_a_rule_that_demands_its_part_takes_it_from_the_next_file(tree: Path, planted: Planted) -> None:
    rule, secret = "github-client-secret-by-id", planted.make("${hex:40}")
    client = {"client__yml": f"client_id: {planted.make('Iv1.${hex:16}')}\n"}
    asks = {"app__env": f"CLIENT_SECRET={secret}\n"}

    assert rule not in {f.rule.id for f in scan(tree / "alone", **asks).findings}
    report = scan(tree / "both", **asks, **client)
    assert told(report, rule) == [("secret", "app.env"), ("client_id", "client.yml")]
    assert [f.rule.id for f in report.findings] == [rule]
    (frame,) = report.findings[0].places[0].frame
    assert secret not in frame.text


def test_a_part_alone_is_no_finding(tree: Path, planted: Planted) -> None:
    assert scan(tree, client__yml=f"client: {planted.make('Iv1.${hex:16}')}\n").findings == ()


def test_a_mark_on_the_key_id_does_not_silence_the_secret_in_another_file(tree: Path, planted: Planted) -> None:
    key_id, secret = planted.aws()
    marked = f"aws_access_key_id = {key_id}  # leakguard: allow\n"
    report = scan(tree, id=marked, secret=f"aws_secret_access_key = {secret}\n")

    assert told(report, "aws-secret-access-key") == [("secret_access_key", "secret")]


def test_reports_name_both_places_and_keep_their_contract(tree: Path, planted: Planted, leaks: object) -> None:
    key_id, secret = planted.aws()
    scan(tree, id=f"aws_access_key_id = {key_id}\n", secret=f"aws_secret_access_key = {secret}\n")
    said = {}
    for form in ("json", "jsonl", "sarif", "text", "html", "csv", "markdown", "gitlab", "github", "junit"):
        program = [sys.executable, "-m", "leakguard", "scan", str(tree), "--format", form]
        done = subprocess.run(program, capture_output=True, text=True, cwd=tree, env={**os.environ, "COLUMNS": "200"}, check=False)
        assert done.returncode == 1, done.stderr
        assert not leaks(done.stdout + done.stderr, secret)  # type: ignore[operator]
        said[form] = done.stdout

    schema = json.loads((FOLDER / "docs" / "schemas" / "report-1.schema.json").read_text())
    jsonschema.validate(json.loads(said["json"]), schema)
    assert "with its key id at id:1" in said["text"]


def test_workers_and_one_process_say_the_same(tree: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORTH_BYTES", "WORTH_SHARDS"):
        monkeypatch.setattr(workers, name, 1)
    monkeypatch.setattr(files, "SHARD_FILES", 1)
    for n in range(4):
        key_id, secret = planted.aws()
        scan(tree, **{f"{n}/id": f"aws_access_key_id = {key_id}\n", f"{n}/secret": f"aws_secret_access_key = {secret}\n"})
    one, several = (leakguard.scan_path(tree, Config(jobs=jobs, baseline="")) for jobs in (1, 2))

    assert told(one, "aws-secret-access-key") == told(several, "aws-secret-access-key")
    assert len(told(one, "aws-secret-access-key")) == 8


def test_a_key_id_in_one_version_and_its_secret_in_another_are_paired(tmp_path: Path, planted: Planted) -> None:
    repo = repository(tmp_path / "repo")
    key_id, secret = planted.aws()
    commit(repo, a__env=f"aws_access_key_id = {key_id}\n")
    commit(repo, a__env=f"aws_secret_access_key = {secret}\n")
    commit(repo, a__env="x = 1\n")

    assert sorted(told(same(repo), "aws-secret-access-key")) == [("key_id", "a.env"), ("secret_access_key", "a.env")]


def test_parts_that_came_to_a_folder_at_different_times_are_paired(tmp_path: Path, planted: Planted) -> None:
    repo = repository(tmp_path / "repo")
    client = planted.make("Iv1.${hex:16}")
    commit(repo, a__env=f"CLIENT_SECRET={planted.make('${hex:40}')}\n")
    commit(repo, a__env=None, client__yml=f"client_id: {client}\n")

    assert told(same(repo), "github-client-secret-by-id") == [("secret", "a.env"), ("client_id", "client.yml")]


def test_of_several_versions_the_one_nearest_in_time_is_named(tmp_path: Path, planted: Planted) -> None:
    repo = repository(tmp_path / "repo")
    ids = [planted.aws()[0] for _ in range(3)]
    secret = f"aws_secret_access_key = {planted.aws()[1]}\n".encode()
    id_of = [{"id": f"aws_access_key_id = {key_id}\n".encode()} for key_id in ids]
    versions(repo, [id_of[0], {"x": b"1"}, {"x": b"2"}, id_of[1], {"secret": secret}, {"x": b"3"}, {"x": b"4"}, id_of[2]])
    report = same(repo)

    (found,) = (f for f in report.findings if f.rule.id == "aws-secret-access-key")
    (part,) = (p.provenance for p in found.places if p.part == "key_id")
    assert isinstance(part, GitProvenance)
    assert part.time == 1_600_000_004


def test_a_part_that_comes_later_is_paired_by_an_incremental_scan(tmp_path: Path, planted: Planted) -> None:
    repo = repository(tmp_path / "repo")
    key_id, secret = planted.aws()
    commit(repo, secret=f"aws_secret_access_key = {secret}\n")
    again(repo, tmp_path / "cache")
    commit(repo, id=f"aws_access_key_id = {key_id}\n")
    for _ in range(2):
        report = again(repo, tmp_path / "cache")
        assert told(report, "aws-secret-access-key") == [("key_id", "id"), ("secret_access_key", "secret")]
        assert told(report, "aws-secret-access-key") == told(look(repo), "aws-secret-access-key")


def test_a_commit_that_stages_both_parts_is_told_both(tmp_path: Path, planted: Planted) -> None:
    repo = repository(tmp_path / "repo")
    key_id, secret = planted.aws()
    commit(repo, secret="x = 1\n" * 30, id="y = 2\n")
    (repo / "secret").write_text("x = 1\n" * 30 + f"aws_secret_access_key = {secret}\n")
    (repo / "id").write_text(f"y = 2\naws_access_key_id = {key_id}\n")
    git(repo, "add", ".")
    program = [sys.executable, "-c", "from leakguard.hook import main; main()"]
    done = subprocess.run(program, cwd=repo, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "with its key id at id:2" in done.stdout


@cache
def engine(*, portable: bool) -> Engine:
    """Build one engine of each kind."""
    return build_engine(Config(level="all", engine="portable" if portable else "auto"), {})


def findings(contents: list[tuple[Provenance, bytes]], *, portable: bool) -> list[Finding]:
    """Return what comes of some contents, whatever finds them."""
    pairs, found = Pairs(LEVELS["all"]), list[Candidate]()
    for provenance, data in contents:
        scanned = engine(portable=portable).scan(Blob(data, provenance))
        found += scanned.candidates
        for candidate in scanned.alone:
            pairs.add(candidate)
    return fold(pairs.join(found)[0], lambda secret: secret.reveal().hex(), lambda _rule, severity, _aliases: severity)


PIECES = [
    "aws_access_key_id = AKIA${base32:16}\n",
    "aws_secret_access_key = ${base64:40}\n",
    "client_id: Iv1.${hex:16}\n",
    "CLIENT_SECRET=${hex:40}\n",
    "# nothing\n" * 80,
]


@given(st.data())
def test_order_and_engine_change_nothing(data: st.DataObject) -> None:
    planted = Planted(data.draw(st.integers(0, 1000)))
    pieces = [planted.make(piece) for piece in PIECES for _ in range(data.draw(st.integers(1, 6)))]
    contents: list[tuple[Provenance, bytes]] = []
    for n in range(data.draw(st.integers(1, 6))):
        path = data.draw(st.sampled_from(["a/x", "a/y", "b/x"]))
        text = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=4))).encode()
        old = GitProvenance("/r", path, blob=f"{n:040}", commit=f"{n:040}", time=data.draw(st.integers(1, 5)))
        contents.append((data.draw(st.sampled_from([FileProvenance("/r", f"{path}{n}"), old])), text))

    def shown(found: list[Finding]) -> object:
        return [(f.id, f.rule.id, round(f.score.value, 9), [(p.part, p.provenance, p.offset) for p in f.places]) for f in found]

    expected = shown(findings(contents, portable=False))
    assert expected == shown(findings(data.draw(st.permutations(contents)), portable=False))
    assert expected == shown(findings(contents, portable=True))
    alone = {f.id for content in contents for f in findings([content], portable=False)}
    assert alone <= {f.id for f in findings(contents, portable=False)}
