"""`leakguard scan` as a person runs it: what is told, where it goes, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Planted

FORMATS = ("text", "json", "jsonl", "sarif", "junit", "gitlab", "github", "csv", "markdown", "html")


def leakguard(*args: str, cwd: Path, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "leakguard", *args],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env={**os.environ, **env},
        check=False,
        timeout=120,
    )


def found(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, object]]:
    """Return the findings of a `-f jsonl` run."""
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def test_a_clean_folder_is_quiet_and_ends_with_0(tree: Path) -> None:
    """One line of verdict, one of coverage."""
    (tree / "a.py").write_text("print('hello')\n")

    done = leakguard("scan", cwd=tree)

    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[0] == " ✔ no leaks found"
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == b""


def test_a_leak_is_told_with_its_place_and_ends_with_1(tree: Path, planted: Planted) -> None:
    """Rule, masked value, path, line, column and the next steps."""
    token = planted.github()
    (tree / "sub").mkdir()
    (tree / "sub" / "app.py").write_text(f"# client\nTOKEN = '{token}'\n")

    done = leakguard("scan", ".", cwd=tree)

    out = done.stdout.decode()
    assert done.returncode == 1
    assert "github-pat-classic · critical" in out
    assert "sub/app.py:2:10" in out
    assert "ghp_••••" + token[-4:] in out
    assert "leakguard allow" in out


def test_one_credential_in_three_places_is_one_finding(tree: Path, planted: Planted) -> None:
    """All places are listed, in stable order."""
    token = planted.stripe()
    for name in ("b.py", "a.py", "c.env"):
        (tree / name).write_text(f"key = '{token}'\n")

    (finding,) = found(leakguard("scan", "-f", "jsonl", cwd=tree))

    assert [p["path"] for p in finding["locations"]] == ["a.py", "b.py", "c.env"]


def test_the_parts_of_a_credential_are_named(tree: Path, planted: Planted) -> None:
    """An access key id beside its secret is part of that finding and no finding of its own."""
    key_id, secret = planted.aws()
    (tree / "credentials").write_text(f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n")

    (finding,) = found(leakguard("scan", "-f", "jsonl", cwd=tree))

    assert finding["rule"] == "aws-secret-access-key"
    assert {(p["part"], p["start_line"]) for p in finding["locations"]} == {("key_id", 2), ("secret_access_key", 3)}


def test_standard_input_is_scanned_under_its_name(tree: Path, planted: Planted) -> None:
    """`-` reads a stream; its place has no path."""
    done = leakguard(
        "scan", "-", "--stdin-name", "build.log", "-f", "jsonl", cwd=tree, stdin=f"+ export GH={planted.github()}\n".encode()
    )

    (finding,) = found(done)
    assert finding["locations"][0]["path"] is None
    assert finding["locations"][0]["root"] == "build.log"
    assert done.returncode == 1


def test_a_path_that_is_not_there_is_a_usage_error(tree: Path) -> None:
    """The message names it, the exit code is 2."""
    done = leakguard("scan", "nope", cwd=tree)

    assert done.returncode == 2
    assert b"there is no nope" in done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-f", "xml"], "there is no format 'xml'"),
        (["-o", "a", "-o", "b"], "2 -o but 1 -f"),
        (["-f", "json", "-f", "csv"], "share standard output"),
        (["-o", "no/such/folder/x"], "can't be written"),
        (["--fail-on", "live"], "needs to know what is live"),
        (["--stdin-name", "x"], "goes with `-`"),
        (["--level", "loud"], "loud"),
        (["--max-size", "many"], "max_size"),
        (["--rule", "no-such-rule"], "no-such-rule"),
        (["--rules-version", "99"], "99"),
        (["--config", "missing.toml"], "missing.toml"),
        (["--rules", "missing.toml"], "missing.toml"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_scanned(tree: Path, args: list[str], words: str) -> None:
    """Exit 2, the reason on standard error, nothing on standard output."""
    done = leakguard("scan", *args, cwd=tree)

    assert (done.returncode, done.stdout) == (2, b"")
    assert words in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_the_nth_output_belongs_to_the_nth_format(tree: Path, tmp_path: Path, planted: Planted) -> None:
    """One scan, several reports, each whole and for its owner's eyes only."""
    (tree / "a.py").write_text(f"t = '{planted.github()}'\n")
    sarif, csv = tmp_path / "a.sarif", tmp_path / "b.csv"

    done = leakguard("scan", "-f", "sarif", "-o", str(sarif), "-f", "csv", "-o", str(csv), "-f", "text", cwd=tree)

    assert json.loads(sarif.read_text())["version"] == "2.1.0"
    assert csv.read_text().startswith("id,rule,")
    assert "github-pat-classic" in done.stdout.decode()
    assert {oct(p.stat().st_mode & 0o777) for p in (sarif, csv)} == {"0o600"}


@pytest.mark.parametrize(
    ("flags", "code"),
    [([], 1), (["--exit-zero"], 0), (["--fail-on", "none"], 0), (["--fail-on", "critical"], 1), (["--fail-on", "low"], 1)],
)
def test_fail_on_decides_what_counts(tree: Path, planted: Planted, flags: list[str], code: int) -> None:
    """Severities count from the one that is named upward."""
    (tree / "a.py").write_text(f"t = '{planted.github()}'\n")

    assert leakguard("scan", *flags, cwd=tree).returncode == code


def test_a_place_in_tests_lowers_the_severity_not_the_score(tree: Path, planted: Planted) -> None:
    """The same token in a test is one step less severe."""
    token = planted.github()
    (tree / "app.py").write_text(f"t = '{token}'\n")
    (tree / "tests").mkdir()
    (tree / "tests" / "app.py").write_text(f"t = '{planted.github()}'\n")

    by_path = {f["locations"][0]["path"]: f for f in found(leakguard("scan", "-f", "jsonl", cwd=tree))}

    assert by_path["app.py"]["severity"] == "critical"
    assert by_path["tests/app.py"]["severity"] == "high"
    assert by_path["app.py"]["score"] == by_path["tests/app.py"]["score"]


def test_every_awkward_file_is_told_and_the_rest_is_scanned(tree: Path, planted: Planted) -> None:
    """Binary, empty, huge, invalid UTF-8, UTF-16, CRLF, NUL, FIFO, links, deep: nothing stops the scan, nothing is lost."""
    tokens = {name: planted.github() for name in ("invalid", "utf16", "utf16be", "crlf", "nul", "deep", "huge", "link")}
    (tree / "empty").write_bytes(b"")
    (tree / "binary.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    (tree / "invalid.txt").write_bytes(b"\xff\xfe\xfa not utf \xe9\n" + f"t={tokens['invalid']}\n".encode())
    (tree / "utf16.ps1").write_bytes(f"$t = '{tokens['utf16']}'\r\n".encode("utf-16"))
    (tree / "utf16be.txt").write_bytes(f"é\nt = '{tokens['utf16be']}'\n".encode("utf-16-be"))
    (tree / "crlf.ini").write_bytes(f"[a]\r\nt={tokens['crlf']}\r\n".encode())
    (tree / "nul.log").write_bytes(b"ok\0 line\n" * 3 + b"x" * 200 + f"\nt={tokens['nul']}\n".encode())
    (tree / "huge.min.js").write_bytes(b"a=1;" * 2_000_000 + f"t='{tokens['huge']}';".encode() + b"b=2;" * 10)
    deep = tree
    for _ in range(60):
        deep = deep / "d"
        deep.mkdir()
    (deep / "deep.txt").write_text(f"t={tokens['deep']}\n")
    os.mkfifo(tree / "pipe")
    (tree / "loop").symlink_to("loop")
    (tree / "outside").symlink_to("/etc")
    (tree / "url").symlink_to(f"https://x:{tokens['link']}@acme.example/")

    done = leakguard("scan", "-f", "json", cwd=tree)

    report = json.loads(done.stdout)
    places = {loc["path"].split("/")[-1]: loc for f in report["findings"] for loc in f["locations"]}
    assert set(places) == {"invalid.txt", "utf16.ps1", "utf16be.txt", "crlf.ini", "nul.log", "huge.min.js", "deep.txt", "url"}
    assert (places["utf16.ps1"]["start_line"], places["utf16.ps1"]["start_column"]) == (1, 7)
    assert (places["utf16be.txt"]["start_line"], places["utf16be.txt"]["start_column"]) == (2, 6)
    assert places["huge.min.js"]["start_column"] == 8_000_000 + 4
    assert places["url"]["kind"] == "link"
    assert {(s["path"], s["reason"], s["by_choice"]) for s in report["skipped"]} == {
        ("binary.png", "binary", True),
        ("pipe", "device", True),
    }
    assert (done.returncode, report["complete"]) == (1, True)


def test_a_file_that_can_not_be_read_makes_the_scan_incomplete(tree: Path, tmp_path: Path) -> None:
    """Could not look is never clean: exit 3, the file and the reason are told."""
    (tree / "a.txt").write_text("x\n")
    (tree / "gone.txt").write_text("x\n")
    script = tmp_path / "run.py"
    script.write_text(
        "import os, sys\nreal = os.open\n"
        "def opened(path, *a, **k):\n"
        "    if str(path).endswith('gone.txt'): raise FileNotFoundError(2, 'No such file or directory')\n"
        "    if str(path).endswith('a.txt'): raise PermissionError(13, 'Permission denied')\n"
        "    return real(path, *a, **k)\n"
        "os.open = opened\nfrom leakguard.cli import main\nmain(['scan', sys.argv[1]])\n"
    )

    done = subprocess.run([sys.executable, str(script), str(tree)], capture_output=True, check=False, timeout=60)

    out = done.stdout.decode()
    assert done.returncode == 3
    assert "no leaks found in what could be read" in out
    assert "a.txt: could not be read (Permission denied)" in out
    assert "gone.txt: vanished while scanning" in out


def test_fail_on_skip_takes_choices_for_incomplete_too(tree: Path) -> None:
    """A binary file is fine unless somebody says it is not."""
    (tree / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)

    assert leakguard("scan", cwd=tree).returncode == 0
    assert leakguard("scan", "--fail-on-skip", cwd=tree).returncode == 3


def test_gitignore_hides_untracked_files_only(tree: Path, planted: Planted) -> None:
    """A tracked file is scanned whatever .gitignore says; --no-ignore scans all."""
    git = ["git", "-C", str(tree)]
    subprocess.run([*git, "init", "-q"], check=True)
    (tree / ".gitignore").write_text("*.env\nbuild/\n")
    (tree / "tracked.env").write_text(f"A={planted.github()}\n")
    (tree / "local.env").write_text(f"A={planted.github()}\n")
    (tree / "build").mkdir()
    (tree / "build" / "x.js").write_text(f"a='{planted.github()}'\n")
    subprocess.run([*git, "add", "-f", "tracked.env"], check=True)

    names = [f["locations"][0]["path"] for f in found(leakguard("scan", "-f", "jsonl", cwd=tree))]
    everything = [f["locations"][0]["path"] for f in found(leakguard("scan", "--no-ignore", "-f", "jsonl", cwd=tree))]
    told = leakguard("scan", cwd=tree).stdout.decode()

    assert names == ["tracked.env"]
    assert sorted(everything) == ["build/x.js", "local.env", "tracked.env"]
    assert "2 ignored by .gitignore" in told


def test_tokens_in_git_configuration_and_reflogs_are_found(tree: Path, planted: Planted) -> None:
    """`.git/config`, FETCH_HEAD and reflogs hold URLs; objects are not read."""
    subprocess.run(["git", "-C", str(tree), "init", "-q"], check=True)
    config = tree / ".git" / "config"
    config.write_text(config.read_text() + f'[remote "origin"]\n\turl = https://bot:{planted.github()}@git.acme.example/x.git\n')
    (tree / ".git" / "FETCH_HEAD").write_text(f"{'0' * 40}\t\tbranch 'main' of https://x:{planted.github()}@git.acme.example/x\n")
    (tree / ".git" / "objects" / "zz").write_text(planted.github())

    names = {f["locations"][0]["path"] for f in found(leakguard("scan", "-f", "jsonl", cwd=tree))}

    assert names == {".git/config", ".git/FETCH_HEAD"}


def test_several_processes_find_what_one_finds(tree: Path, planted: Planted) -> None:
    """Forked, spawned or alone: the same findings with the same ids."""
    for i in range(60):
        (tree / f"f{i:02}.txt").write_text("filler line of text\n" * 4000 + (f"t = {planted.github()}\n" if i % 7 == 0 else ""))
    spawn = (
        "import leakguard, sys\n"
        "def go():\n"
        "    r = leakguard.scan_path(sys.argv[1], leakguard.Config(jobs=2))\n"
        "    print(sorted((f.id, f.rule.id, f.places[0].provenance.path, f.preview) for f in r.findings), r.coverage.files, r.coverage.bytes)\n"
        "if __name__ == '__main__': go()\n"
    )
    script = tree.parent / "spawn.py"
    script.write_text(spawn)

    one = found(leakguard("scan", "-j", "1", "-f", "jsonl", cwd=tree))
    two = found(leakguard("scan", "-j", "2", "-f", "jsonl", cwd=tree))
    three = subprocess.run([sys.executable, str(script), str(tree)], capture_output=True, check=True, timeout=120).stdout.decode()

    assert len(one) == 9
    assert one == two
    assert all(f"'{f['id']}', '{f['rule']}'" in three for f in one)
    assert " 60 " in three


def test_ids_are_the_same_in_each_run_and_differ_between_keys(tree: Path, planted: Planted) -> None:
    """The key of a team makes ids that all its machines share."""
    (tree / "a.py").write_text(f"t = '{planted.github()}'\n")

    first, again = (found(leakguard("scan", "-f", "jsonl", cwd=tree))[0]["id"] for _ in range(2))
    team = found(leakguard("scan", "-f", "jsonl", cwd=tree, LEAKGUARD_ID_KEY="k" * 32))[0]["id"]

    assert first == again
    assert team != first
    assert len(str(team)) == 16


@pytest.mark.parametrize("home", ["", "/proc/1/nonexistent", "/dev/null"])
def test_a_missing_or_read_only_home_is_no_reason_to_fail(tree: Path, planted: Planted, home: str) -> None:
    """Nothing can be kept, everything is found; the ids say that they hold for this run."""
    (tree / "a.py").write_text(f"t = '{planted.github()}'\n")
    env = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"), "")

    done = leakguard("scan", "-f", "json", cwd=tree, HOME=home, **env)

    assert done.returncode == 1
    assert json.loads(done.stdout)["id_scope"] == "run"
    assert b"Traceback" not in done.stderr


def test_a_path_that_holds_a_secret_is_masked(tree: Path, planted: Planted) -> None:
    """The place then carries an id of its path."""
    token = planted.github()
    folder = tree / f"backup-{token}"
    folder.mkdir()
    (folder / "a.py").write_text(f"t = '{token}'\n")

    done = leakguard("scan", "-f", "jsonl", cwd=tree)

    assert token[8:14] not in done.stdout.decode()
    (finding,) = found(done)
    assert finding["locations"][0]["path"] == "backup-••••/a.py"
    assert finding["locations"][0]["blob_id"]


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_holds_bytes_of_a_secret(tree: Path, planted: Planted, leaks: object, form: str) -> None:
    """Token, password, key block, basic header, pair: no run of five bytes beyond a public prefix, in any usual encoding."""
    token, password, pem, plain = planted.github(), planted.password(), planted.pem(), planted.random()
    key_id, secret = planted.aws()
    text = (
        f"GITHUB_TOKEN={token}\nDB_PASSWORD={password}\nAWS_ACCESS_KEY_ID={key_id}\nAWS_SECRET_ACCESS_KEY={secret}\nAPI_SECRET_KEY={plain}\n"
        f"# {password} {plain}\n{pem}\nurl=postgres://app:{password}@db.acme.example/x\n"
    )
    (tree / "a.env").write_text(text)
    (tree / f"{token}.env").write_text(f"DB_PASSWORD={password}\n")
    (tree / "min.js").write_text("var a=1;" * 900 + f"x={{api_secret:'{plain}',password:'{password}'}};" + "b=2;" * 900)

    done = leakguard("scan", "-f", form, "--verbose", cwd=tree)

    out = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 1
    for value, public in ((token, 4), (password, 0), (secret, 0), (plain, 0), (pem[31:-29].replace("\n", ""), 0)):
        assert leaks(out, value, public) == []  # type: ignore[operator]


def test_a_crash_tells_where_and_nothing_of_the_data(tree: Path, tmp_path: Path, planted: Planted) -> None:
    """A bug of ours ends with 70; its message holds types and lines only."""
    token = planted.github()
    (tree / "a.py").write_text(f"t = '{token}'\n")
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nimport leakguard.engine.place as s\n"
        "def broken(*a, **k): raise ValueError(repr(a))\n"
        "s.frame = broken\nfrom leakguard.cli import main\nmain(['scan', sys.argv[1]])\n"
    )

    done = subprocess.run([sys.executable, str(script), str(tree)], capture_output=True, check=False, timeout=60)

    assert done.returncode == 70
    assert b"a bug of ours (ValueError)" in done.stderr
    assert token[8:13].encode() not in done.stderr + done.stdout


def test_a_closed_pipe_is_no_error(tree: Path, planted: Planted) -> None:
    """`leakguard scan | head -1` ends in peace."""
    for i in range(50):
        (tree / f"{i}.py").write_text(f"t = '{planted.github()}'\n")

    done = subprocess.run(
        f"{sys.executable} -m leakguard scan | head -1", shell=True, cwd=tree, capture_output=True, check=False, timeout=60
    )

    assert b"Traceback" not in done.stderr
    assert b"Broken" not in done.stderr


def test_narrow_ascii_and_colourless_terminals_are_served(tree: Path, planted: Planted) -> None:
    """COLUMNS, NO_COLOR and an ASCII locale are honoured; commands are never cut."""
    (tree / "a.py").write_text(f"t = '{planted.github()}'\n")

    narrow = leakguard("scan", cwd=tree, COLUMNS="44").stdout.decode()
    ascii_only = leakguard("scan", cwd=tree, PYTHONIOENCODING="ascii").stdout
    colored = leakguard("scan", "--color", "always", cwd=tree).stdout.decode()
    plain = leakguard("scan", cwd=tree, NO_COLOR="1", FORCE_COLOR="1").stdout.decode()

    assert all(len(line) <= 44 or "leakguard " in line for line in narrow.splitlines())
    assert "leakguard rules show github-pat-classic" in narrow
    assert ascii_only.isascii()
    assert "\x1b[" in colored
    assert "\x1b[" not in plain


def test_next_steps_that_are_printed_are_commands_that_run(tree: Path, planted: Planted) -> None:
    """Each command runs as pasted and the finding is gone after the last."""
    (tree / "a.py").write_text(f"t = '{planted.github()}'\n")
    out = leakguard("scan", cwd=tree).stdout.decode()
    commands = [line.split("leakguard ", 1)[1] for line in out.splitlines() if " leakguard " in line]
    import shlex

    assert len(commands) == 3
    for command in commands:
        assert leakguard(*shlex.split(command), cwd=tree).returncode == 0, command
    assert leakguard("scan", cwd=tree).returncode == 0


def test_an_escape_sequence_in_a_file_name_or_line_does_not_reach_the_terminal(tree: Path, planted: Planted) -> None:
    """Control characters and bidi marks are dropped from what is shown."""
    (tree / "a\x1b[31m\u202e.py").write_text(f"t = '{planted.github()}' # \x1b]0;x\x07 \u202e\n")

    out = leakguard("scan", cwd=tree).stdout.decode()

    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\x07" not in out


def test_a_report_into_a_pipe_goes_through_it_and_leaves_it_a_pipe(tree: Path, planted: Planted, tmp_path: Path) -> None:
    (tree / "a.env").write_text(f"T={planted.github()}\n")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen([sys.executable, "-m", "leakguard", "scan", "-f", "json", "-o", str(pipe), str(tree)]) as running:
        report = json.loads(pipe.read_text())
    assert running.returncode == 1
    assert len(report["findings"]) == 1
    assert pipe.is_fifo()
