"""Settings: which of them wins, what is refused, what a scanned repository may not do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Planted
from leakguard.config import FILE, load
from leakguard.errors import ConfigError
from leakguard.ruleset.files import RULES_VERSION

FUTURE, PAST = "9999-12-31", "2001-01-31"
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]

NEW_RULE = """
[provider]
id = "acme"
name = "Acme"
references = ["https://docs.acme.example/tokens"]
rotate = "Roll it."

[[rule]]
id = "acme-key"
name = "Acme key"
severity = "high"
kind = "api_key"
format = "acme_${base62:40}"
since = 2
examples = ["KEY=${secret}"]
counter_examples = ["acme_${base62:7}"]
"""


@pytest.fixture
def run(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of `leakguard` in the scanned folder."""
    cache = str(tmp_path_factory.getbasetemp() / "compiled-rules-of-config")

    def leakguard(*args: str, code: int = 0, **env: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "leakguard", *args],
            cwd=tree,
            env={**os.environ, "LEAKGUARD_CACHE_DIR": cache, **env},
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
def leaky(tree: Path, planted: Planted) -> Path:
    """Plant a token in app.py, a key in sub/pay.py."""
    (tree / "app.py").write_text(f"T = '{planted.github()}'\n")
    (tree / "sub").mkdir()
    (tree / "sub" / "pay.py").write_text(f"S = '{planted.stripe()}'\n")
    return tree


def report(done: Done) -> dict[str, Any]:
    """Read a `-f json` report."""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rules(done: Done) -> list[str]:
    """Return the rules of the findings that are told."""
    return sorted(f["rule"] for f in report(done)["findings"])


def shown(done: Done, setting: str) -> tuple[str, str]:
    """Return value and origin of a setting as `config show` prints them."""
    (line,) = (line.split(None, 2) for line in done.stdout.splitlines() if line.split()[0] == setting)
    return line[1], line[2]


def test_each_setting_is_shown_with_its_origin(leaky: Path, run: Run) -> None:
    """A default, a file, a variable; the files that were read stand at the end."""
    (leaky / FILE).write_text('level = "strict"\njobs = 2\n')

    done = run("config", "show", LEAKGUARD_JOBS="3")

    assert shown(done, "engine") == ("auto", "default")
    assert shown(done, "level") == ("strict", FILE)
    assert shown(done, "jobs") == ("3", "LEAKGUARD_JOBS")
    assert f"read {leaky / FILE}" in done.stdout


def test_flags_win_over_variables_over_the_own_file_over_pyproject_over_the_users(leaky: Path, run: Run) -> None:
    """Taken away one after the other, the next one counts; files are never mixed."""
    user = Path(os.environ["XDG_CONFIG_HOME"]) / "leakguard" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('fail_on = "low"\nlevel = "all"\n')
    (leaky / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.leakguard]\nfail-on = "none"\n')
    (leaky / FILE).write_text('fail_on = "medium"\n')

    run("scan", "--fail-on", "none", code=0, LEAKGUARD_FAIL_ON="low")
    assert shown(run("config", "show", LEAKGUARD_FAIL_ON="high"), "fail_on") == ("high", "LEAKGUARD_FAIL_ON")
    assert shown(run("config", "show"), "fail_on") == ("medium", FILE)
    run("scan", code=1)
    (leaky / FILE).unlink()
    assert shown(run("config", "show"), "fail_on") == ("none", "pyproject.toml")
    assert shown(run("config", "show"), "level") == ("balanced", "default")
    run("scan", code=0)
    (leaky / "pyproject.toml").write_text('[project]\nname = "x"\n# [tool.leakguard] is not here\n')
    assert shown(run("config", "show"), "fail_on") == ("low", str(user))


def test_a_named_file_counts_in_place_of_the_one_found(leaky: Path, run: Run, tmp_path: Path) -> None:
    """By flag or by variable."""
    (leaky / FILE).write_text('disabled_rules = ["github-pat-classic", "stripe-secret-key"]\n')
    other = tmp_path / "other.toml"
    other.write_text('disabled_rules = ["stripe-secret-key"]\n')

    assert rules(run("scan", "-f", "json")) == []
    assert rules(run("scan", "-f", "json", "--config", str(other), code=1)) == ["github-pat-classic"]
    (leaky / FILE).unlink()
    (leaky / FILE).mkdir()
    assert rules(run("scan", "-f", "json", code=1, LEAKGUARD_CONFIG=str(other))) == ["github-pat-classic"]


def test_outside_of_git_no_folder_above_is_asked(leaky: Path, run: Run) -> None:
    """A folder above may belong to anyone; inside of git the top level's file counts for every part."""
    (leaky / FILE).write_text('disabled_rules = ["stripe-secret-key"]\n')

    run("scan", "sub", code=1)
    (leaky / ".git").mkdir()
    run("scan", "sub", code=0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('levle = "strict"', "unknown key 'levle'; did you mean 'level'?"),
        ('[[path]]\npattern = ["x"]', "unknown key path.'pattern'; did you mean 'patterns'?"),
        ('level = "loud"', "level has to be one of strict, balanced, all"),
        ("jobs = -1", "jobs has to be a whole number of at least 0"),
        ("jobs = true", "jobs has to be a whole number"),
        ('max_size = "many"', "max_size has to be a size"),
        ('disabled_rules = "x"', "disabled_rules has to be a list of strings"),
        ('[severity]\nx = "fatal"', "severity of 'x' has to be one of"),
        ('[[path]]\nreason = "x"', "a [[path]] without patterns"),
        ('[[path]]\npatterns = ["x"]\nuntil = "soon"', "path.until has to be a date"),
        ('[[path]]\npatterns = ["#x"]', "is a comment and matches nothing"),
        ("[path]\npatterns = []", "path has to be a list of tables"),
        ("level = ", "not valid TOML at line 1"),
        ("fail-on = 'any'\nfail_on = 'none'", "set twice"),
        ("a = " + "[" * 5000, "nested too deeply"),
        ('extends = [{ file = "https://acme.example/p.toml", sha256 = "00" }]', "a policy is a file, not a URL"),
        ('extends = [{ file = "/etc/hostname", sha256 = "00" }]', "has to end in .toml"),
        ('extends = ["policy.toml"]', "extends has to be a list of tables"),
        ('lock = ["everything"]', "lock names 'everything', which is no key"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_file_and_key(leaky: Path, run: Run, text: str, words: str) -> None:
    """Exit 2 before anything is scanned, in both kinds of file."""
    (leaky / FILE).write_text(text + "\n")

    done = run("scan", code=2)

    assert f"{leaky / FILE}: " in done.stderr
    assert words in done.stderr
    assert done.stdout == ""


def test_an_unknown_key_of_pyproject_is_told_too(leaky: Path, run: Run) -> None:
    """With the name of that file."""
    (leaky / "pyproject.toml").write_text("[tool.leakguard]\nverbose = true\n")

    assert f"{leaky / 'pyproject.toml'}: unknown key 'verbose'" in run("scan", code=2).stderr


def test_a_wrong_variable_is_told_by_name_and_not_repeated(leaky: Path, run: Run) -> None:
    """What it holds may be anything."""
    done = run("scan", code=2, LEAKGUARD_LEVEL="mistaken-value")

    assert "LEAKGUARD_LEVEL: level has to be one of" in done.stderr
    assert "mistaken-value" not in done.stderr


def test_a_path_setting_without_rules_leaves_files_out_and_counts_them(leaky: Path, run: Run) -> None:
    """They are not read, and the report says so with the reason."""
    (leaky / FILE).write_text('[[path]]\npatterns = ["/sub/"]\nreason = "vendored"\n')

    found = report(run("scan", "-f", "json", code=1))

    assert [f["rule"] for f in found["findings"]] == ["github-pat-classic"]
    assert [(s["path"], s["by_choice"], s["detail"]) for s in found["skipped"] if s["reason"] == "excluded"] == [
        ("sub", True, "vendored")
    ]


def test_a_path_setting_for_rules_hides_those_and_no_others(leaky: Path, run: Run) -> None:
    """What it hides is listed with reason, end and file."""
    (leaky / FILE).write_text(
        f'[[path]]\npatterns = ["*.py"]\nrules = ["stripe-secret-key"]\nreason = "sandbox"\nuntil = {FUTURE}\n'
    )

    found = report(run("scan", "-f", "json", code=1))

    assert [f["rule"] for f in found["findings"]] == ["github-pat-classic"]
    assert [(s["by"], s["reason"], s["until"], s["where"]) for s in found["suppressed"]] == [("path", "sandbox", FUTURE, FILE)]


@pytest.mark.parametrize("rule", ["", 'rules = ["stripe-secret-key"]'])
def test_a_path_setting_past_its_last_day_hides_nothing_and_is_told(leaky: Path, run: Run, rule: str) -> None:
    """With or without rules; the note has file, pattern and day."""
    (leaky / FILE).write_text(f'[[path]]\npatterns = ["sub/"]\n{rule}\nuntil = "{PAST}"\n')

    done = run("scan", "-f", "json", code=1)

    assert rules(done) == ["github-pat-classic", "stripe-secret-key"]
    assert report(done)["notes"] == [f"{FILE}: the setting for sub/ ended on {PAST} and does not count any more"]


def test_exclude_adds_to_the_paths_of_the_file(leaky: Path, run: Run) -> None:
    """Both leave out what they name."""
    (leaky / FILE).write_text('[[path]]\npatterns = ["sub/"]\n')

    run("scan", "--exclude", "app.py", code=0)
    run("scan", code=1)


def test_rules_are_disabled_and_severities_changed_by_name(leaky: Path, run: Run) -> None:
    """The severity decides under --fail-on; a flag adds to the file's list."""
    (leaky / FILE).write_text('disabled_rules = ["stripe-secret-key"]\n[severity]\ngithub-pat-classic = "low"\n')

    (finding,) = report(run("scan", "-f", "json", code=1))["findings"]
    assert (finding["rule"], finding["severity"]) == ("github-pat-classic", "low")
    run("scan", "--fail-on", "medium", code=0)
    assert rules(run("scan", "-f", "json", "--disable", "github-pat-classic")) == []


def test_a_rule_that_nobody_knows_is_a_note_in_a_file_and_an_error_on_the_command_line(leaky: Path, run: Run) -> None:
    """A file may be older than the rules; what was typed just now may not."""
    (leaky / FILE).write_text('disabled_rules = ["github-pat-clasic"]\n')

    (note,) = report(run("scan", "-f", "json", code=1))["notes"]
    assert note.startswith(
        f"{FILE}: disabled_rules names 'github-pat-clasic', which is no rule; did you mean 'github-pat-classic'?"
    )
    assert "no rule" in run("scan", "--disable", "nonsense", code=2).stderr


def policy(folder: Path, text: str) -> str:
    """Write a policy and return the line that extends it."""
    (folder / "policy.toml").write_text(text)
    return f'extends = [{{ file = "policy.toml", sha256 = "{sha256(text.encode()).hexdigest()}" }}]\n'


def test_a_policy_counts_with_its_digest_only(leaky: Path, run: Run) -> None:
    """Changed by a byte it stops the run and is named; a missing one, too."""
    (leaky / FILE).write_text(policy(leaky, 'disabled_rules = ["stripe-secret-key"]\nlevel = "strict"\n') + 'level = "balanced"\n')

    done = run("config", "show")
    assert shown(done, "disabled_rules") == ("stripe-secret-key", "policy.toml")
    assert shown(done, "level") == ("balanced", FILE)
    assert rules(run("scan", "-f", "json", code=1)) == ["github-pat-classic"]

    (leaky / "policy.toml").write_text('disabled_rules = ["github-pat-classic"]\n')
    assert f"{leaky / 'policy.toml'}: its SHA-256 is" in run("scan", code=2).stderr
    (leaky / "policy.toml").unlink()
    assert "policy.toml does not exist" in run("scan", code=2).stderr


def test_what_a_policy_locks_the_repository_cannot_change(leaky: Path, run: Run) -> None:
    """The message names the policy; flags of the person at the keyboard still count."""
    line = policy(leaky, 'fail_on = "any"\nlock = ["fail_on", "path"]\n')

    (leaky / FILE).write_text(line + 'fail_on = "none"\n')
    assert f"{FILE}: fail_on is locked by policy.toml" in run("scan", code=2).stderr
    (leaky / FILE).write_text(line + '[[path]]\npatterns = ["*"]\n')
    assert "path is locked by policy.toml" in run("scan", code=2).stderr


def test_policies_that_extend_each_other_end_somewhere(leaky: Path, run: Run) -> None:
    """A chain of five is too deep."""
    line = ""
    for name in "edcba":
        (leaky / f"{name}.toml").write_text(line)
        line = f'extends = [{{ file = "{name}.toml", sha256 = "{sha256(line.encode()).hexdigest()}" }}]\n'
    (leaky / FILE).write_text(line)

    assert "more than 4 deep" in run("scan", code=2).stderr


SILENCERS = {
    "settings": (FILE, 'fail_on = "none"\ndisabled_rules = ["github-pat-classic", "stripe-secret-key"]\nlevel = "strict"\n'),
    "paths": (FILE, '[[path]]\npatterns = ["*"]\n'),
    "pyproject": ("pyproject.toml", '[tool.leakguard]\nfail_on = "none"\nonly_rules = ["jwt"]\n'),
    "rubbish": (FILE, "level = [[["),
    "a wrong policy": (FILE, 'extends = [{ file = "gone.toml", sha256 = "00" }]\n'),
    "a folder in its place": (FILE, None),
    "rubbish in pyproject": ("pyproject.toml", "[tool.leakguard]\nlevel = [[["),
}


@pytest.mark.parametrize("how", SILENCERS)
def test_under_a_trusted_configuration_no_settings_of_the_tree_silence_or_stop_the_run(
    leaky: Path, run: Run, tmp_path: Path, how: str
) -> None:
    """Every finding is told; a note says what was not applied."""
    name, text = SILENCERS[how]
    if text is None:
        (leaky / name).mkdir()
    else:
        (leaky / name).write_text(text)
    trusted = tmp_path / "trusted.toml"
    trusted.write_text("")

    found = report(run("scan", "-f", "json", "--trusted-config", str(trusted), code=1))

    assert sorted(f["rule"] for f in found["findings"]) == ["github-pat-classic", "stripe-secret-key"]
    assert found["suppressed"] == []
    assert any("not applied" in note or "not used" in note for note in found["notes"])


def test_under_a_trusted_configuration_marks_and_baseline_of_the_tree_do_not_count(leaky: Path, run: Run, tmp_path: Path) -> None:
    """Nor does a variable of the old file's name; the trusted file itself counts."""
    run("baseline", "create")
    (leaky / "app.py").write_text((leaky / "app.py").read_text().rstrip() + "  # leakguard: allow\n")
    trusted = tmp_path / "trusted.toml"
    trusted.write_text('[severity]\nstripe-secret-key = "low"\n')
    run("scan")

    found = report(run("scan", "-f", "json", "--trusted-config", str(trusted), code=1))

    assert {f["rule"]: f["severity"] for f in found["findings"]} == {"github-pat-classic": "critical", "stripe-secret-key": "low"}
    assert "--trusted-config: not applied from the repository: its baseline" in found["notes"]
    show = run("config", "show", "--trusted-config", str(trusted))
    assert shown(show, "inline_marks") == ("False", "--trusted-config")
    assert shown(show, "baseline")[0] == "-"


def test_a_trusted_configuration_inside_the_tree_is_told_and_excludes_config(leaky: Path, run: Run) -> None:
    """Whoever changes the tree could change it, too."""
    (leaky / ".git").mkdir()
    (leaky / "trusted.toml").write_text("")

    notes = report(run("scan", "-f", "json", "--trusted-config", "trusted.toml", code=1))["notes"]

    assert any("stands inside the scanned repository" in note for note in notes)
    assert "exclude each other" in run("scan", "--trusted-config", "trusted.toml", "--config", "trusted.toml", code=2).stderr


def test_a_pinned_version_leaves_out_newer_rules_and_can_warn_of_them(
    leaky: Path, run: Run, tmp_path: Path, planted: Planted
) -> None:
    """They are told as notes, with masked values, and never fail the run."""
    (tmp_path / "acme.toml").write_text(NEW_RULE)
    (leaky / FILE).write_text('rules_version = 1\ndisabled_rules = ["github-pat-classic", "stripe-secret-key"]\n')
    value = planted.make("acme_${base62:40}")
    (leaky / "new.py").write_text(f"k = '{value}'\n")
    extra = ("scan", "-f", "json", "--rules", str(tmp_path / "acme.toml"))

    assert rules(run(*extra)) == []
    warned = run(*extra, "--warn-new-rules")
    assert any("newer rule acme-key: acme_••••" in note for note in report(warned)["notes"])
    assert value[5:12] not in warned.stdout
    (leaky / FILE).unlink()
    assert "acme-key" in rules(run(*extra, code=1))


def test_where_no_rule_is_newer_the_warning_says_so(leaky: Path, run: Run) -> None:
    """And a version that is not there yet is an error."""
    now = str(RULES_VERSION)
    notes = report(run("scan", "-f", "json", "--rules-version", now, "--warn-new-rules", code=1))["notes"]

    assert notes == [f"no rules are newer than version {now}"]
    assert "rules version 99 is not there yet" in run("scan", "--rules-version", "99", code=2).stderr


@given(st.binary(max_size=120) | st.text("[]{}=\"'.,#\n \tlevljobspath0129", max_size=120).map(str.encode))
def test_no_settings_file_crashes_the_reader(raw: bytes) -> None:
    """It is a configuration or an error that names the file; never anything else."""
    told = ""
    try:
        load("/nowhere/at/all", {}, {}, read=lambda path: raw if path.endswith(FILE) else None)
    except ConfigError as error:
        told = error.message
    assert told == "" or FILE in told
