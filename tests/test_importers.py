"""What another scanner was told is converted or named, entry by entry; values in its files are never shown."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha1, sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Planted
from leakguard.importers import _patterns
from leakguard.ruleset.load import load

NOTHING = lambda path: ()


def run(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run(
        [sys.executable, "-m", "leakguard", *args], cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )


GITLEAKS = """
title = "ours"
[extend]
useDefault = true
disabledRules = ["generic-api-key"]
[[rules]]
id = "acme-token"
description = "Acme token"
regex = '''(?i)acme[_-]?token\\s*=\\s*['"]([[:alnum:]]{20})['"]'''
secretGroup = 1
keywords = ["acme"]
[[rules]]
id = "no-anchor"
regex = '''[a-z]{3}[0-9]{9}'''
[[rules]]
id = "files-only"
path = '''id_rsa'''
[allowlist]
paths = ['''^vendor/''', '''(.*?)\\.min\\.js$''', '''(a|b)/c''']
regexes = ['''EXAMPLE''']
stopwords = ["test"]
"""


def test_gitleaks_rules_and_paths_become_ours(tree: Path, planted: Planted) -> None:
    """Written, loaded, and finding what the peer's rule found."""
    (tree / ".gitleaks.toml").write_text(GITLEAKS)
    value = planted.make("${base62:20}")
    (tree / "a.txt").write_text(f"acme-token = '{value}'\n")
    (tree / "vendor").mkdir()
    (tree / "vendor" / "a.txt").write_text(f"acme-token = '{value}'\n")

    done = run("import", "gitleaks", "--write", cwd=tree)
    scan = run("scan", "-f", "jsonl", "--rule", "gitleaks-acme-token", cwd=tree)

    assert done.returncode == 0, done.stderr
    assert "4 converted, 6 left, each named above" in done.stdout
    assert "no-anchor" in done.stdout
    (finding,) = [json.loads(line) for line in scan.stdout.splitlines()]
    assert [p["path"] for p in finding["locations"]] == ["a.txt"]


def test_without_write_nothing_is_written(tree: Path) -> None:
    """The result is shown first."""
    (tree / ".gitleaks.toml").write_text(GITLEAKS)

    done = run("import", "gitleaks", cwd=tree)

    assert "add --write" in done.stdout
    assert sorted(p.name for p in tree.iterdir()) == [".gitleaks.toml"]


def test_a_gitleaks_fingerprint_becomes_a_baseline_line_for_what_stands_there(tree: Path, planted: Planted) -> None:
    """The peer keeps a position; we keep the value's salted hash, so it may move."""
    token = planted.github()
    (tree / "a.py").write_text(f"x = 1\nt = '{token}'\n")
    (tree / ".gitleaksignore").write_text("# old\na.py:github-pat:2\ngone.py:rule:9\n")

    done = run("import", "gitleaks", "--write", cwd=tree)
    (tree / "b.py").write_text(f"moved = '{token}'\n")

    assert "1 converted, 1 left" in done.stdout
    assert run("scan", cwd=tree).returncode == 0


def test_detect_secrets_entries_are_matched_by_their_hash(tree: Path, planted: Planted) -> None:
    """Not a secret stays quiet, a real one stays reported, a vanished one waits."""
    fake, real, gone = planted.github(), planted.stripe(), planted.github()
    (tree / "a.py").write_text(f"a = '{fake}'\nb = '{real}'\n")
    digest = lambda v: sha1(v.encode()).hexdigest()
    baseline = {
        "version": "1.5.0",
        "filters_used": [{"path": "detect_secrets.filters.regex.should_exclude_file", "pattern": ["^docs/"]}],
        "results": {
            "a.py": [
                {"type": "x", "hashed_secret": digest(fake), "is_secret": False, "line_number": 1},
                {"type": "x", "hashed_secret": digest(real), "is_secret": True, "line_number": 2},
                {"type": "x", "hashed_secret": digest(gone), "line_number": 3},
            ]
        },
    }
    (tree / ".secrets.baseline").write_text(json.dumps(baseline))

    done = run("import", "detect-secrets", "--write", cwd=tree)
    scan = run("scan", "-f", "jsonl", cwd=tree)

    assert "rotate it; it stays reported" in done.stdout
    assert [json.loads(line)["rule"] for line in scan.stdout.splitlines()] == ["stripe-secret-key"]
    assert "wait until a place of theirs is seen" in run("scan", cwd=tree).stdout


def test_ggshield_settings_are_taken_and_a_value_in_clear_is_not_shown(tree: Path, planted: Planted) -> None:
    """Paths become ours, hashes wait, a plain value is named by its number."""
    pytest.importorskip("yaml", reason="install the extra: pip install 'leakguard[import]'")
    value = planted.random()
    (tree / ".gitguardian.yaml").write_text(
        f"version: 2\nsecret:\n  ignored_paths:\n    - docs/**\n  ignored_detectors: [Generic]\n"
        f"  ignored_matches:\n    - name: a\n      match: {value}\n    - {sha256(b'x').hexdigest()}\n"
    )

    done = run("import", "ggshield", cwd=tree)

    assert done.returncode == 0, done.stderr
    assert "2 converted, 2 left" in done.stdout
    assert value[4:12] not in done.stdout + done.stderr


def test_trufflehog_detectors_and_excludes_are_taken(tree: Path) -> None:
    """Custom detectors become rules, exclude patterns become paths where gitignore can say them."""
    pytest.importorskip("yaml", reason="install the extra: pip install 'leakguard[import]'")
    (tree / "trufflehog.yaml").write_text(
        "detectors:\n- name: Hog\n  keywords: [hog]\n  regex:\n    id: '\\b(HOG[0-9A-Z]{17})\\b'\n  verify:\n  - endpoint: http://localhost\n"
    )
    (tree / "trufflehog-exclude.txt").write_text("# c\nnode_modules/\n(x|y)\n")

    done = run("import", "trufflehog", "--write", cwd=tree)

    assert "2 converted, 2 left" in done.stdout, done.stdout + done.stderr
    assert load([str(tree / ".leakguard" / "rules")]).rules[0].id == "trufflehog-hog-id"


def test_kingfisher_rules_are_taken(tree: Path) -> None:
    """YAML rules of 1.x become ours; a position-based baseline is named."""
    pytest.importorskip("yaml", reason="install the extra: pip install 'leakguard[import]'")
    (tree / "kingfisher.yaml").write_text(
        "rules:\n- name: Acme\n  id: kingfisher.acme.1\n  pattern: |\n    (?xi)\n    \\b\n    (acme_[a-z0-9]{20})\n    \\b\n  min_entropy: 3\n"
    )

    done = run("import", "kingfisher", "--write", cwd=tree)

    assert "1 converted, 0 left" in done.stdout, done.stdout + done.stderr
    assert load([str(tree / ".leakguard" / "rules")]).rules[0].anchors == ("acme_",)


@pytest.mark.parametrize("tool", ["gitleaks", "detect-secrets", "kingfisher"])
def test_a_file_that_is_no_such_file_is_told_without_its_content(tree: Path, tool: str) -> None:
    """Exit 2, the name of the file, nothing of what is in it."""
    pytest.importorskip("yaml", reason="install the extra: pip install 'leakguard[import]'")
    name = {"gitleaks": ".gitleaks.toml", "detect-secrets": ".secrets.baseline", "kingfisher": "kingfisher.yaml"}[tool]
    (tree / name).write_text("= ] broken hunter2hunter2: [\n")

    done = run("import", tool, cwd=tree)

    assert done.returncode == 2
    assert name in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_no_files_of_a_tool_is_a_usage_error(tree: Path) -> None:
    """It says which names are looked for."""
    done = run("import", "gitleaks", cwd=tree)

    assert done.returncode == 2
    assert ".gitleaks.toml" in done.stderr


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^vendor/", "/vendor/"),
        (r"(.*?)\.min\.js$", "*.min.js"),
        (r"package-lock\.json$", "*package-lock.json"),
        (r"^docs/.*\.md$", "/docs/**.md"),
        ("node_modules/", "node_modules/"),
        ("(a|b)/c", ""),
        ("a.c", ""),
        (".*", ""),
    ],
)
def test_a_path_regex_becomes_a_gitignore_pattern_or_nothing(pattern: str, expected: str) -> None:
    """Only what says the same is taken."""
    got = _patterns.glob(pattern)

    assert bool(got) == bool(expected)


@given(st.text(max_size=60), st.integers(0, 3))
def test_no_pattern_crashes_the_translation(pattern: str, group: int) -> None:
    """Whatever stands in a peer's file is taken or refused."""
    import regex

    try:
        ours = _patterns.with_secret(_patterns.translate(pattern), group)
    except (ValueError, regex.error, OverflowError, RecursionError):
        return
    assert "(?P<secret>" in ours
