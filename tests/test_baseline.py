"""The baseline and `allow`: what was accepted stays quiet, what is new is told, and the file gives nothing away."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Planted
from leakguard.errors import ConfigError
from leakguard.suppress.baseline import parse

FUTURE, PAST = "9999-12-31", "2001-01-31"
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture
def run(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of `leakguard` in the scanned folder."""
    cache = str(tmp_path_factory.getbasetemp() / "compiled-rules-of-baseline")

    def leakguard(*args: str, stdin: str = "", code: int = 0) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "leakguard", *args],
            cwd=tree,
            input=stdin,
            env={**os.environ, "LEAKGUARD_CACHE_DIR": cache},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return leakguard


@pytest.fixture
def file(tree: Path) -> Path:
    """Return where the baseline stands."""
    return tree / ".leakguard" / "baseline.jsonl"


def lines(file: Path) -> list[dict[str, Any]]:
    """Read a baseline."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def edit(file: Path, **values: str) -> None:
    """Set keys of every line."""
    file.write_text("".join(json.dumps(line | values) + "\n" for line in lines(file)))


def told(done: Done) -> list[str]:
    """Return the `path:line` of what `scan -q` tells."""
    return [":".join(line.split(":")[:2]) for line in done.stdout.splitlines()]


def first_id(run: Run, code: int = 1) -> str:
    """Scan and return the id of the first finding."""
    return str(json.loads(run("scan", "-f", "jsonl", code=code).stdout.splitlines()[0])["id"])


def test_what_is_there_is_accepted_and_what_is_new_is_told(tree: Path, run: Run, planted: Planted) -> None:
    """The baseline covers exactly its findings: another token on the same line is none of them."""
    old = planted.github()
    (tree / "a.py").write_text(f"A = '{old}'\n")
    run("baseline", "create")
    assert "1 suppressed (1 by baseline)" in run("scan").stdout

    (tree / "a.py").write_text(f"A = '{old}', '{planted.github()}'\n")
    (tree / "b.py").write_text(f"B = '{planted.stripe()}'\n")

    assert told(run("scan", "-q", code=1)) == ["a.py:1", "b.py:1"]
    assert len(run("scan", "-q", "--no-baseline", code=1).stdout.splitlines()) == 3


def test_the_file_holds_no_value_no_place_in_time_and_no_line_number(
    tree: Path, run: Run, file: Path, planted: Planted, leaks: Any
) -> None:
    """Salted hashes, sorted, each with a salt of its own; the same keys whatever day it is."""
    token, key, password, plain = planted.github(), planted.stripe(), planted.password(), planted.random()
    (tree / token).mkdir()
    (tree / "a.env").write_text(f"T={token}\nDB_PASSWORD={password}\nAPI_SECRET_KEY={plain}\n")
    (tree / token / "b.py").write_text(f"\n\nS = '{key}'\nT = '{token}'\n")
    run("baseline", "create")

    text = file.read_text("utf-8")
    for value, public in ((token, 4), (key, 8), (password, 0), (plain, 0)):
        assert leaks(text, value, public) == []
    entries = lines(file)
    assert text.splitlines() == sorted(text.splitlines())
    assert {key for e in entries for key in e} == {"v", "rule", "path", "name", "salt", "hash", "tag"}
    assert len({e["salt"] for e in entries}) == len(entries) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", e["salt"]) for e in entries)
    assert [len(e["hash"]) * 4 for e in entries if "hash" in e] == [96, 96, 96]


def test_of_a_password_only_path_name_and_sixteen_bits_are_kept(tree: Path, run: Run, file: Path, planted: Planted) -> None:
    """Nothing in the file helps to guess it."""
    (tree / "a.env").write_text(f"DB_PASSWORD={planted.password()}\n")
    run("baseline", "create")

    (entry,) = lines(file)
    assert (entry["path"], entry["name"]) == ("a.env", "DB_PASSWORD")
    assert re.fullmatch("[0-9a-f]{4}", entry["tag"])
    assert "hash" not in entry


def test_a_moved_line_stays_covered(tree: Path, run: Run, planted: Planted) -> None:
    """A token wherever it goes, a password within its file and under its name."""
    token, password = planted.github(), planted.password()
    (tree / "a.env").write_text(f"T={token}\nDB_PASSWORD={password}\n")
    run("baseline", "create")

    (tree / "a.env").write_text(f"# new\n\nDB_PASSWORD={password}\n")
    (tree / "moved.py").write_text(f"t = '{token}'\n")
    run("scan")

    (tree / "b.env").write_text(f"DB_PASSWORD={password}\n")
    (tree / "a.env").write_text(f"DB_PASSWORD={password}\nROOT_PASSWORD={password}\n")
    assert told(run("scan", "-q", code=1)) == ["a.env:2", "b.env:1"]


def test_a_changed_value_comes_back(tree: Path, run: Run, planted: Planted) -> None:
    """A new token always; a new password but once in 65,536, so of two at least one."""
    (tree / "a.env").write_text(f"T={planted.github()}\n")
    (tree / "b.env").write_text(f"DB_PASSWORD={planted.password()}\n")
    run("baseline", "create")

    (tree / "a.env").write_text(f"T={planted.github()}\n")
    assert told(run("scan", "-q", code=1)) == ["a.env:1"]
    (tree / "b.env").write_text(f"DB_PASSWORD={planted.password()}\n[two]\nDB_PASSWORD={planted.password()}\n")
    assert {"b.env:1", "b.env:3"} & set(told(run("scan", "-q", code=1)))


def test_a_password_that_stands_under_two_names_has_a_line_for_each(tree: Path, run: Run, file: Path, planted: Planted) -> None:
    """Each place is accepted on its own."""
    password = planted.password()
    (tree / "a.env").write_text(f"DB_PASSWORD={password}\nROOT_PASSWORD={password}\nDB_PASSWORD={password}\n")

    run("baseline", "create")

    assert [e["name"] for e in lines(file)] == ["DB_PASSWORD", "ROOT_PASSWORD"]
    run("scan")


def test_two_branches_merge_as_a_union(tree: Path, run: Run, file: Path, planted: Planted) -> None:
    """Lines of both sides in any order, some of them twice, with CRLF and an empty line between: all count."""
    (tree / "a.py").write_text(f"t = '{planted.github()}'\n")
    run("baseline", "create")
    ours = file.read_text()
    (tree / "b.py").write_text(f"t = '{planted.stripe()}'\n")
    file.unlink()
    run("baseline", "create")
    theirs = file.read_text()

    file.write_bytes((theirs + "\n" + ours + ours).replace("\n", "\r\n").encode())

    assert "2 suppressed" in run("scan").stdout


def test_one_key_writes_and_another_reads(tree: Path, run: Run, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The salt alone keys the hash: a hook without the team's key matches what CI wrote."""
    (tree / "a.env").write_text(f"T={planted.github()}\nDB_PASSWORD={planted.password()}\n")
    monkeypatch.setenv("LEAKGUARD_ID_KEY", "team" * 8)
    run("baseline", "create")
    monkeypatch.delenv("LEAKGUARD_ID_KEY")

    run("scan")


def test_create_refuses_to_replace_and_update_adds_what_is_new(tree: Path, run: Run, file: Path, planted: Planted) -> None:
    """Other lines stay byte for byte, also with keys of a later version; --force starts anew."""
    (tree / "a.py").write_text(f"t = '{planted.github()}'\n")
    run("baseline", "create", "--reason", "legacy")
    edit(file, ticket="SEC-1")
    before = file.read_text()
    (tree / "b.py").write_text(f"t = '{planted.stripe()}'\n")

    assert "is there already" in run("baseline", "create", code=2).stderr
    assert file.read_text() == before
    assert "1 lines added, 2 in" in run("baseline", "update", "--reason", "new").stdout

    assert before in file.read_text().splitlines(keepends=True)
    assert sorted(e["reason"] for e in lines(file)) == ["legacy", "new"]
    assert "0 lines added" in run("baseline", "update").stdout
    run("baseline", "create", "--force")
    assert [e.get("reason") for e in lines(file)] == [None, None]


def test_the_baseline_is_no_finding_of_its_own(tree: Path, run: Run, planted: Planted) -> None:
    """Salts and hashes are not told as leaks, at any level."""
    (tree / "a.env").write_text(f"T={planted.github()}\nDB_PASSWORD={planted.password()}\n")
    run("baseline", "create", "--level", "all")

    run("scan", "--level", "all")


def test_lines_that_cover_nothing_are_noted_and_pruned(tree: Path, run: Run, file: Path, planted: Planted) -> None:
    """A scan of a part of the tree says nothing of the rest; prune keeps what is still there."""
    (tree / "a.py").write_text(f"t = '{planted.github()}'\n")
    (tree / "b.py").write_text(f"t = '{planted.stripe()}'\n")
    run("baseline", "create")
    (tree / "b.py").write_text("t = None\n")

    assert "1 line cover nothing any more; leakguard baseline prune" in run("scan").stdout
    assert "cover nothing" not in run("scan", "a.py").stdout
    assert "1 lines removed, 1 left" in run("baseline", "prune").stdout
    assert [e["rule"] for e in lines(file)] == ["github-pat-classic"]
    assert "cover nothing" not in run("scan").stdout


def test_update_and_prune_without_a_baseline_say_how_to_make_one(run: Run) -> None:
    """Exit 2 with the next step."""
    for command in ("update", "prune", "audit"):
        assert "leakguard baseline create makes one" in run("baseline", command, code=2).stderr


def test_audit_asks_about_each_line_without_a_reason(tree: Path, run: Run, file: Path, planted: Planted, leaks: Any) -> None:
    """A leak loses its line, a false alarm gets its reason, what was skipped is asked again; no value is shown."""
    token, key, password = planted.github(), planted.stripe(), planted.password()
    for name, text in (("a.py", f"t = '{token}'\n"), ("b.py", f"s = '{key}'\n"), ("c.env", f"DB_PASSWORD={password}\n")):
        (tree / name).write_text(text)
    run("baseline", "create")

    done = run("baseline", "audit", stdin="l\nf\nsandbox only\ns\n")

    assert done.stdout.rstrip().endswith("2 of 3 answered")
    for value, public in ((token, 4), (key, 8), (password, 0)):
        assert leaks(done.stdout, value, public) == []
    assert sorted(e.get("reason", "") for e in lines(file)) == ["", "sandbox only"]
    assert len(run("scan", "-q", code=1).stdout.splitlines()) == 1
    assert run("baseline", "audit", stdin="q\n").stdout.rstrip().endswith("0 of 1 answered")
    edit(file, reason="known")
    assert "every covered finding has its reason" in run("baseline", "audit").stdout


def test_allow_adds_a_line_that_counts_until_its_last_day(tree: Path, run: Run, file: Path, planted: Planted) -> None:
    """Any unique prefix of the id; the report then says why it is quiet; after the end it is told again."""
    (tree / "a.py").write_text(f"t = '{planted.github()}'\n")
    done = run("allow", first_id(run)[:8], "--reason", "a test fixture", "--until", FUTURE)

    assert f"is allowed until {FUTURE}" in done.stdout
    assert "git add .leakguard/baseline.jsonl" in done.stdout
    (hidden,) = json.loads(run("scan", "-f", "json").stdout)["suppressed"]
    assert (hidden["by"], hidden["reason"], hidden["until"]) == ("baseline", "a test fixture", FUTURE)

    edit(file, until=PAST)
    report = json.loads(run("scan", "-f", "json", code=1).stdout)
    assert len(report["findings"]) == 1
    assert report["notes"] == ["baseline: 1 line ended (line 1) and cover nothing any more"]


def test_allow_prints_the_line_and_writes_nothing_on_request(tree: Path, run: Run, file: Path, planted: Planted) -> None:
    """For those who put it elsewhere; the line works as pasted."""
    (tree / "a.env").write_text(f"DB_PASSWORD={planted.password()}\n")
    line = run("allow", first_id(run), "--reason", "ok", "--print").stdout

    assert not file.exists()
    file.parent.mkdir()
    file.write_text(line)
    run("scan")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["0123", "--reason", "x"], "the last run here has no finding 0123"),
        (["01", "--reason", "x"], "'01' is no id"),
        (["wxyz", "--reason", "x"], "'wxyz' is no id"),
        (["0123"], "--reason"),
        (["0123", "--reason", "x", "--until", "soon"], "soon"),
        (["0123", "--reason", "x", "--until", PAST], f"{PAST} is over"),
    ],
)
def test_allow_says_what_does_not_fit(
    run: Run, tree: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch, args: list[str], words: str
) -> None:
    """Exit 2, nothing is written."""
    monkeypatch.setenv("LEAKGUARD_ID_KEY", "team" * 8)  # so that the id is the same each time
    (tree / "a.py").write_text(f"t = '{planted.github()}'\n")
    assert not first_id(run).startswith("0123")

    assert words in run("allow", *args, code=2).stderr
    assert not (tree / ".leakguard").exists()


def test_a_prefix_that_fits_several_findings_lists_them(tree: Path, run: Run, planted: Planted) -> None:
    """More digits are asked for, and named."""
    (tree / "a.py").write_text(f"a = '{planted.github()}'\nb = '{planted.stripe()}'\n")
    run("scan", "-q", code=1)
    (state,) = Path(os.environ["XDG_STATE_HOME"]).rglob("last-run-*.json")
    data = json.loads(state.read_text())
    for finding, last in zip(data["findings"], "12", strict=True):
        finding["id"] = "abcd" * 3 + "000" + last
    state.write_text(json.dumps(data))

    message = run("allow", "abcd", "--reason", "x", code=2).stderr

    assert "abcd fits 2 findings" in message
    assert "abcdabcdabcd0001, abcdabcdabcd0002" in message


def test_explain_says_rule_terms_and_why_no_filter_dropped_it(tree: Path, run: Run, planted: Planted, leaks: Any) -> None:
    """Each term with its weight; once allowed it names the filter; the value is never shown."""
    token = planted.github()
    (tree / "a.py").write_text(f"t = '{token}'\n")
    prefix = first_id(run)[:6]

    out = run("explain", prefix).stdout
    assert "github-pat-classic: a token that is told by its form" in out
    assert "a.py:1:6" in out
    assert re.search(r"score +1\.00, the sum of:\n +\+3\.50  has the form of this token\n +\+5\.00  passes its offline check", out)
    assert "none dropped it: no inline mark, no baseline line, no path or rule setting covers it" in out
    assert leaks(out, token, 4) == []

    run("allow", prefix, "--reason", "a fixture")
    assert "suppressed by baseline (baseline line 1): a fixture" in run("explain", prefix).stdout
    (tree / "a.py").write_text("t = None\n")
    assert "is at its places any more" in run("explain", prefix, code=2).stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"v": 1, "rule"', "no baseline line"),
        ("[1, 2]", "no baseline line"),
        ('{"salt": "xyz", "hash": "00"}', "no baseline line"),
        (json.dumps({"salt": "00" * 65, "hash": "00"}), "no baseline line"),
        ("[" * 100_000, "no baseline line"),
        ('{"rule": "x", "path": "a"}', "a line needs salt and hash or tag"),
        ('{"salt": "00", "hash": "00", "until": "tomorrow"}', "no baseline line"),
        ("<<<<<<< HEAD", "a merge left its conflict marks"),
        ("\0\xff", "no baseline line"),
    ],
)
def test_a_broken_line_stops_the_scan_and_is_named(tree: Path, run: Run, file: Path, line: str, words: str) -> None:
    """File and line number, what to do next, exit 2; it is not skipped, since it may have covered something."""
    file.parent.mkdir()
    file.write_text('{"v": 1, "rule": "x", "path": "a", "salt": "00", "hash": "00"}\n' + line + "\n")

    done = run("scan", code=2)

    assert f"baseline.jsonl:2: {words}" in done.stderr
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 2)


def test_an_end_in_another_iso_form_ends_on_the_same_day() -> None:
    """`20010131` is compared as a date, not as text."""
    assert parse('{"salt": "00", "hash": "00", "until": "20260101"}', "x").expired("2026-05-01")


@given(
    st.binary(max_size=80)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps({"salt": v}).encode())
)
def test_no_line_crashes_the_reader(raw: bytes) -> None:
    """It is a line or a named error."""
    text = raw.decode("utf-8", "surrogateescape").strip()
    told = "file:1: "
    try:
        parse(text, "file:1")
    except ConfigError as error:
        told = error.message
    assert told.startswith("file:1: ")


def test_a_password_below_a_folder_that_holds_a_secret_is_covered(run: Run, tree: Path, planted: Planted, leaks) -> None:
    token = planted.github()
    (tree / token).mkdir()
    (tree / token / "db.py").write_text(f'DB_PASSWORD = "{planted.password()}"\n')

    assert run("baseline", "create").returncode == 0
    assert run("scan").returncode == 0
    assert not leaks((tree / ".leakguard" / "baseline.jsonl").read_text(), token, public=4)


def test_prune_removes_a_line_that_ended_though_its_value_is_still_there(run: Run, tree: Path, planted: Planted) -> None:
    (tree / "a.py").write_text(f'TOKEN = "{planted.github()}"\n')
    assert run("baseline", "create", "--reason", "a fixture").returncode == 0
    path = tree / ".leakguard" / "baseline.jsonl"
    line = json.loads(path.read_text())
    path.write_text(json.dumps({**line, "until": "2001-01-31"}) + "\n")

    assert "1 lines removed" in run("baseline", "prune").stdout
    assert path.read_text() == ""
