"""Inline marks: which comment hides which finding, what it has to say, where it never counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Planted
from leakguard.engine.marks import mark_for

Scan = Callable[..., dict[str, Any]]

FUTURE, PAST = "9999-12-31", "2001-01-31"
RULE = "github-pat-classic"


@pytest.fixture
def scan(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """Return a run of `leakguard scan -f json` on a text in a file (or in a stream); it answers the report."""
    cache = tmp_path_factory.getbasetemp() / "compiled-rules-of-marks"

    def run(text: str, *flags: str, target: str = "app.py") -> dict[str, Any]:
        if target != "-":
            (tree / target).write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "leakguard", "scan", "-f", "json", *flags, target],
            cwd=tree,
            input=text.encode(),
            env={**os.environ, "LEAKGUARD_CACHE_DIR": str(cache)},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode in {0, 1}, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        report["everything"] = done.stdout.decode() + done.stderr.decode()
        return report

    return run


def open_lines(report: dict[str, Any]) -> list[int]:
    """Return the lines of the findings that are told."""
    return sorted(place["start_line"] for f in report["findings"] for place in f["locations"])


def hidden(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return why the others are not: by, reason, until, where."""
    return [(s["by"], s["reason"], s["until"], s["where"]) for s in report["suppressed"]]


def test_the_own_mark_hides_its_line_with_reason_and_end(scan: Scan, planted: Planted) -> None:
    """What it says is counted and shown; the same form of token on the next line is told."""
    report = scan(
        f'A = "{planted.github()}"  # leakguard: allow[{RULE}] reason="a test fixture" until={FUTURE}\nB = "{planted.github()}"\n'
    )

    assert hidden(report) == [("mark", "a test fixture", FUTURE, "app.py:1")]
    assert open_lines(report) == [2]


@pytest.mark.parametrize(
    "mark",
    [
        "leakguard: allow",
        "leakguard:allow",
        "LeakGuard: Allow",
        f"leakguard: allow[{RULE}]",
        f"leakguard: allow[stripe-secret-key, {RULE}]",
        f"leakguard: allow[{RULE.upper()}]",
        "leakguard: allow reason='single quotes'",
        "leakguard: allow reason=word",
        f'leakguard: allow until={FUTURE} reason="any order"',
        "gitleaks:allow",
        "betterleaks:allow",
        "pragma: allowlist secret",
        "pragma:allowlist secret",
        "pragma: whitelist secret",
        "trufflehog:ignore",
        "kingfisher:ignore",
        "kingfisher:allow",
        "ggignore",
        "GitLeaks:Allow",
    ],
)
def test_a_mark_on_the_line_hides_it(scan: Scan, planted: Planted, mark: str) -> None:
    """Ours and each peer's, whatever the case; nothing vanishes, the report says by what."""
    report = scan(f'A = "{planted.github()}"  # {mark}\n')

    assert open_lines(report) == []
    ((by, reason, _, where),) = hidden(report)
    assert (by, where) == ("mark", "app.py:1")
    assert reason


@pytest.mark.parametrize(
    "mark",
    [
        "leakguard: allow[stripe-secret-key]",
        "leakguard: allow[github-pat]",
        f"leakguard: allow[{RULE}",
        "leakguard: allow[]",
        "leakguard: allow[*]",
        "leakguard: allow-list",
        "leakguard: allowed",
        "leakguard: deny",
        "leakguard allow",
        "leakguard: allow until=someday",
        "leakguard: allow until=never",
        "gitleaks:allowance",
        "gitleaks:allow-me",
        "pragma: allowlist secrets",
        "pragma: no cover",
        "ggignored",
        "my.ggignore",
        "trufflehog:ignored",
        "nosec",
        "noqa: S105",
        "nosemgrep",
    ],
)
def test_what_is_no_mark_or_one_for_another_rule_hides_nothing(scan: Scan, planted: Planted, mark: str) -> None:
    """Half a mark, an unclosed bracket, an end that is no date, a comment for a linter: the leak is told."""
    report = scan(f'A = "{planted.github()}"  # {mark}\n')

    assert open_lines(report) == [1]
    assert hidden(report) == []


@pytest.mark.parametrize("mark", [f'leakguard: allow-next-line[{RULE}] reason="x"', "pragma: allowlist nextline secret"])
def test_a_next_line_mark_hides_the_line_below_and_no_other(scan: Scan, planted: Planted, mark: str) -> None:
    """For files where the line itself has no room for a comment."""
    report = scan(f'A = "{planted.github()}"\n# {mark}\nB = "{planted.github()}"\nC = "{planted.github()}"\n')

    assert open_lines(report) == [1, 4]
    assert [where for *_, where in hidden(report)] == ["app.py:2"]


def test_a_plain_mark_on_the_line_above_hides_nothing(scan: Scan, planted: Planted) -> None:
    """It speaks of its own line."""
    assert open_lines(scan(f'# leakguard: allow\nA = "{planted.github()}"\n# gitleaks:allow\nB = "{planted.github()}"\n')) == [2, 4]


def test_a_mark_hides_its_place_not_the_credential(scan: Scan, planted: Planted) -> None:
    """The same token on an unmarked line is told, with that place alone."""
    token = planted.github()

    report = scan(f'A = "{token}"  # leakguard: allow\nB = "{token}"\n')

    assert open_lines(report) == [2]
    assert len(hidden(report)) == 1


def test_a_mark_names_one_of_two_findings_on_a_line(scan: Scan, planted: Planted) -> None:
    """The other one is told."""
    report = scan(f'pair("{planted.github()}", "{planted.stripe()}")  # leakguard: allow[{RULE}]\n')

    assert [f["rule"] for f in report["findings"]] == ["stripe-secret-key"]
    assert [s["rule"] for s in report["suppressed"]] == [RULE]


def test_a_mark_after_its_last_day_comes_back_and_is_told(scan: Scan, planted: Planted) -> None:
    """The finding is open again and a note says where and since when."""
    report = scan(f'A = "{planted.github()}"  # leakguard: allow until={PAST}\n')

    assert open_lines(report) == [1]
    assert report["notes"] == [f"app.py:1: the inline mark ended on {PAST} and does not count any more"]


def test_an_end_that_is_no_date_is_told_and_not_repeated(scan: Scan, planted: Planted, leaks: Any) -> None:
    """It may be anything, also the value itself."""
    value = planted.random()

    report = scan(f"API_SECRET_KEY = '{value}'  # leakguard: allow until={value}\n")

    assert open_lines(report) == [1]
    assert report["notes"] == ["app.py:1: the inline mark's end is no date (until=2027-01-31), so it does not count"]
    assert leaks(report["everything"], value) == []


def test_a_reason_that_repeats_the_value_is_withheld(scan: Scan, planted: Planted, leaks: Any) -> None:
    """The mark counts; what it says is not shown."""
    value = planted.random()

    report = scan(f"API_SECRET_KEY = '{value}'  # leakguard: allow reason=\"was {value[5:15]}\"\n")

    assert hidden(report) == [("mark", "(withheld: it holds part of the value)", "", "app.py:1")]
    assert leaks(report["everything"], value) == []


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ("leakguard: allow", "rule"),
        ('leakguard: allow reason="because"', "rule"),
        (f"leakguard: allow[{RULE}]", "reason"),
        ("gitleaks:allow", "rule"),
        ("pragma: allowlist secret", "rule"),
    ],
)
def test_strict_inline_asks_for_rule_and_reason(scan: Scan, planted: Planted, mark: str, told: str) -> None:
    """What lacks one of them hides nothing, and a note says which."""
    report = scan(f'A = "{planted.github()}"  # {mark}\n', "--strict-inline")

    assert open_lines(report) == [1]
    assert report["notes"] == [f"app.py:1: the inline mark names no {told} and does not count (--strict-inline)"]


def test_strict_inline_takes_a_mark_with_rule_and_reason(scan: Scan, planted: Planted) -> None:
    """A whole mark counts as before."""
    report = scan(f'A = "{planted.github()}"  # leakguard: allow[{RULE}] reason="a fixture"\n', "--strict-inline")

    assert open_lines(report) == []
    assert report["notes"] == []


def test_marks_never_count_in_a_stream(scan: Scan, planted: Planted) -> None:
    """Whoever writes to a log could hide what stands in it."""
    lines = "".join(f"x = '{planted.github()}' # {mark}\n" for mark in ("leakguard: allow", "gitleaks:allow"))

    report = scan(lines, target="-")

    assert open_lines(report) == [1, 2]
    assert hidden(report) == []


def test_marks_do_not_count_under_a_trusted_configuration(scan: Scan, planted: Planted, tmp_path: Path) -> None:
    """The change that brings a leak may bring the mark; only the trusted file may let marks count."""
    text = f'A = "{planted.github()}"  # leakguard: allow[{RULE}] reason="trust me"\nB = "{planted.github()}"  # gitleaks:allow\n'
    trusted = tmp_path / "trusted.toml"

    trusted.write_text("")
    assert open_lines(scan(text, "--trusted-config", str(trusted))) == [1, 2]
    trusted.write_text("inline_marks = true\n")
    assert open_lines(scan(text, "--trusted-config", str(trusted))) == []


@pytest.mark.parametrize(
    "line", ['{"token": "%s", "note": "leakguard: allow reason=\\"a fixture\\""}', "<!-- leakguard: allow --> <a>%s</a>"]
)
def test_marks_are_read_in_files_of_every_kind(scan: Scan, planted: Planted, line: str) -> None:
    """Before or after the value, in a string or a comment."""
    assert open_lines(scan(line % planted.github() + "\n", target="a.json")) == []


def test_on_a_minified_line_a_mark_counts_near_its_value_only(scan: Scan, planted: Planted) -> None:
    """One mark can't silence a whole bundle."""
    near, far = planted.github(), planted.github()

    report = scan(f"x='{near}';/* leakguard: allow */" + "var a=1;" * 900 + f"y='{far}';\n", target="min.js")

    assert [place["start_column"] > 5000 for f in report["findings"] for place in f["locations"]] == [True]
    assert len(hidden(report)) == 1


def test_a_mark_inside_the_value_never_counts() -> None:
    """A value that spells a mark does not allow itself."""
    data = b"password = 'gitleaks:allow-is-my-password leakguard: allow'\n"
    start = data.index(b"'") + 1

    assert mark_for(data, start, len(data) - 2) is None


_PIECES = st.sampled_from(
    [
        *(
            b"leakguard: allow",
            b"leakguard: allow-next-line",
            b"leakguard:",
            b"allow",
            b"[",
            b"]",
            b"[a-rule]",
            b",",
            b"\n",
            b"\r\n",
        ),
        *(
            b' reason="',
            b'"',
            b"\\",
            b" reason='x'",
            b" until=",
            b" until=2027-01-31",
            b"gitleaks:allow",
            b"ggignore",
            b"\0",
            b"\xff",
        ),
        *(b"pragma: allowlist nextline secret", b"pragma: allowlist secret", b"kingfisher:ignore", b"# ", b"a" * 600, b"b" * 5000),
    ]
)
_NOISE = st.lists(_PIECES | st.binary(max_size=12), max_size=12).map(b"".join)


@given(
    _NOISE, st.lists(_PIECES | st.binary(min_size=1, max_size=12), min_size=1, max_size=4).map(b"".join), _NOISE, st.integers(1, 99)
)
def test_no_bytes_round_a_value_crash_the_reading_of_marks(before: bytes, value: bytes, after: bytes, first_line: int) -> None:
    """A mark that is found stands in a line that is there, says printable words, a date or none, and nothing of the value."""
    data = before + value + after

    mark = mark_for(data, len(before), len(before) + len(value), first_line)

    if mark is not None:
        assert first_line <= mark.line <= first_line + data.count(b"\n")
        assert mark.reason.isprintable()
        assert mark.until in {"", "no date", "2027-01-31"} or len(mark.until) == 10
        reason = mark.reason.encode()
        withheld = reason.startswith(b"(withheld")
        assert withheld or not any(reason[i : i + 5] in value for i in range(len(reason) - 4))


@given(st.text("abc \t\"'[]=,", max_size=80))
def test_whatever_follows_the_word_a_whole_mark_is_a_rule_list_or_none(rest: str) -> None:
    """An unclosed bracket never becomes a mark for every rule."""
    data = b"v # leakguard: allow" + rest.encode()

    mark = mark_for(data, 0, 1)

    if rest.startswith("[") and "]" not in rest:
        assert mark is None
    elif not rest.startswith("[") and not rest[:1].isalnum():
        assert mark is not None
        assert mark.rules == ()


@pytest.mark.parametrize("until", [FUTURE, PAST])
def test_a_mark_below_a_folder_that_holds_a_secret_says_nothing_of_it(
    scan: Scan, tree: Path, planted: Planted, leaks, until: str
) -> None:
    token, other = planted.github(), planted.github()
    (tree / token).mkdir()

    report = scan(f'T = "{other}"  # leakguard: allow until={until}\n', target=f"{token}/app.py")

    assert hidden(report) or report["notes"]
    assert not leaks(report["everything"], token, public=4)
