"""Reports are contracts: golden files for every format, schemas for JSON, the rules of SARIF, JUnit, GitLab and GitHub.

`LEAKGUARD_UPDATE_GOLDEN=1 pytest tests/test_formats.py` writes the golden files anew; look at the difference.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from conftest import Planted
from leakguard import plugins
from leakguard.cli import group

ROOT = Path(__file__).parents[1]
UPDATE = bool(os.environ.get("LEAKGUARD_UPDATE_GOLDEN"))
FORMATS = plugins.names("leakguard.reporters")
ENDING = {"json": "json", "sarif": "sarif", "gitlab": "gitlab.json", "html": "html", "junit": "xml", "csv": "csv", "markdown": "md"}
HOSTILE = "a<img src=x onerror=y>|`%\x1b[31m\u202e,:=.py"


@pytest.fixture
def project(tree: Path, planted: Planted) -> Path:
    """Make a folder with every kind of finding, skip and exception."""
    (tree / "src").mkdir()
    github = planted.github()
    (tree / "src" / "app.py").write_text(f'import os\n\nTOKEN = "{github}"\nDB_PASSWORD = "{planted.password()}"\n')
    (tree / "src" / "copy.py").write_text(f'OTHER = "{github}"\n')
    key_id, secret = planted.aws()
    (tree / "aws.ini").write_text(f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n")
    (tree / "key.pem").write_text(planted.pem() + "\n")
    (tree / "fine.py").write_text(f'T = "{planted.stripe()}"  # leakguard: allow reason="made up"\n')
    (tree / "late.py").write_text(f'T = "{planted.stripe()}"  # leakguard: allow until=2001-01-31\n')
    (tree / "=cmd.csv").write_text(f"token = {planted.github()}\n")
    (tree / "img.png").write_bytes(b"\x89PNG\0" + bytes(range(256)))
    os.mkfifo(tree / "pipe")
    return tree


def run(folder: Path, form: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "leakguard", "scan", "-f", form, "--color", "never", *flags, "."],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "LEAKGUARD_ID_KEY": "k" * 32, "PYTHONIOENCODING": "utf-8"},
        timeout=60,
    )


def settled(text: str, folder: Path) -> str:
    """Return a report without what differs from run to run."""
    text = text.replace(str(folder), "/project")
    text = re.sub(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d", "2026-01-31T12:00:00", text)
    text = re.sub(r"(\"?seconds\"?: )[\d.e-]+", r"\g<1>0.1", text)
    text = re.sub(r"\d+\.\d\d s\b", "0.10 s", text)
    text = re.sub(r"(time=\")[\d.]+", r"\g<1>0.1", text)
    return re.sub(r"[\d,]+ rules", "300 rules", re.sub(r'("rules": )\d+', r"\g<1>300", text))


@pytest.mark.parametrize("form", FORMATS)
def test_a_report_is_what_it_was(project: Path, form: str) -> None:
    done = run(project, form)
    assert done.returncode == 1, done.stderr
    golden = ROOT / "tests" / "golden" / f"report.{ENDING.get(form, form)}"
    text = settled(done.stdout, project)
    if UPDATE:
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text("utf-8")


def test_golden_files_hold_nothing_that_a_scan_finds() -> None:
    command = [sys.executable, "-m", "leakguard", "scan", "-q", "--no-baseline", str(ROOT / "tests" / "golden")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"text", "json", "html", "markdown"}))
def test_what_a_format_can_not_say_stands_on_standard_error(project: Path, form: str) -> None:
    told = run(project, form).stderr
    assert "findings" in told
    assert "1 binary" in told
    assert "suppressed" in told
    assert run(project, form, "-q").stderr == ""


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "schemas" / name).read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def test_json_fits_its_schema(project: Path) -> None:
    document = json.loads(run(project, "json").stdout)
    jsonschema.validate(document, schema("report-1.schema.json"))
    assert schema("report-1.schema.json")["properties"]["schema_version"]["const"] == document["schema_version"]


def test_every_line_of_json_lines_fits_its_schema(project: Path) -> None:
    lines = run(project, "jsonl").stdout.splitlines()
    assert len(lines) >= 5
    for line in lines:
        jsonschema.validate(json.loads(line), schema("finding-1.schema.json"))


def test_sarif_keeps_its_rules(project: Path) -> None:
    document = json.loads(run(project, "sarif").stdout)
    assert document["version"] == "2.1.0"
    (one,) = document["runs"]
    rules = [rule["id"] for rule in one["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    groups: dict[str, int] = {}
    for result in one["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"none", "note", "warning", "error"}
        fingerprint = result["partialFingerprints"]["leakguard/v1"]
        groups[fingerprint] = groups.get(fingerprint, 0) + 1
        (place,) = result["locations"]
        region = place["physicalLocation"]["region"]
        assert min(region["startLine"], region["startColumn"]) >= 1
        assert (region["endLine"], region["endColumn"]) > (region["startLine"], region["startColumn"])
        uri = place["physicalLocation"]["artifactLocation"]["uri"]
        assert (project / unquote(uri)).exists()
        assert re.fullmatch(r"[A-Za-z0-9._~!$&'()*+,;=:@/%-]+", uri)
    assert max(groups.values()) == 2, "one result a place, grouped by the credential"


def test_junit_counts_what_it_holds(project: Path) -> None:
    root = ET.fromstring(run(project, "junit").stdout)
    suite = root if root.tag == "testsuite" else root[0]
    cases = suite.findall("testcase")
    assert int(suite.get("tests", "0")) == len(cases)
    assert int(suite.get("failures", "0")) == sum(case.find("failure") is not None for case in cases) > 0


def test_gitlab_gets_what_its_schema_requires(project: Path) -> None:
    document = json.loads(run(project, "gitlab").stdout)
    assert {"version", "scan", "vulnerabilities"} <= document.keys()
    assert document["scan"]["type"] == "secret_detection"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", document["scan"]["start_time"])
    for found in document["vulnerabilities"]:
        assert found["identifiers"][0]["value"]
        assert found["location"]["file"]
        assert found["location"]["commit"]["sha"]


def test_a_hostile_name_breaks_no_format(tree: Path, planted: Planted) -> None:
    (tree / HOSTILE).write_text(f'TOKEN = "{planted.github()}"\n')
    text = {form: run(tree, form).stdout for form in FORMATS}
    assert "<img" not in text["html"]
    assert "<img" not in text["markdown"]
    assert all("\x1b" not in out and "\u202e" not in out for out in text.values())
    ET.fromstring(text["junit"])
    annotation = text["github"].splitlines()[0]
    properties = annotation.split("::")[1]
    assert "%2C" in properties
    assert "%3A" in properties
    assert "%25" in properties


def test_a_spreadsheet_runs_no_cell(project: Path) -> None:
    rows = list(csv.reader(io.StringIO(run(project, "csv").stdout)))
    assert any("cmd.csv" in cell for row in rows for cell in row)
    assert not [cell for row in rows for cell in row if cell[:1] in {"=", "+", "-", "@"}]


def test_html_is_one_file_that_loads_nothing(project: Path) -> None:
    page = run(project, "html").stdout
    assert "Content-Security-Policy" in page
    assert not re.search(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=", page)
    assert not re.search(r"@import|url\(", page)


@pytest.mark.parametrize("width", [40, 60, 100])
def test_text_fits_the_terminal_but_for_commands_and_paths(project: Path, width: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "leakguard", "scan", "."],
        cwd=project,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": str(width), "PYTHONIOENCODING": "utf-8"},
    )
    assert "\x1b" not in done.stdout
    long = [line for line in done.stdout.splitlines() if len(line) > width]
    assert [line for line in long if "leakguard " not in line and ":" not in line] == []


def test_colours_come_only_where_they_are_wanted(project: Path) -> None:
    assert "\x1b[" in run(project, "text", "--color", "always").stdout
    assert "\x1b[" not in run(project, "text").stdout


@pytest.mark.parametrize("form", ["text", "html"])
def test_every_next_step_is_a_command_that_exists(project: Path, form: str) -> None:
    steps = set(re.findall(r"leakguard ((?:rules show|explain|allow|scan|baseline \w+)\b)", run(project, form).stdout))
    assert {"rules show", "explain", "allow"} <= steps
    for step in steps:
        command: Any = group
        for word in step.split():
            command = command.get_command(None, word)
            assert command is not None, step
