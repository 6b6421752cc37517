"""What the documentation shows is run: commands, examples, settings, links, options, tables."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from conftest import Planted
from images import image, layer, saved
from leakguard import plugins
from leakguard.cli import COMMANDS, group
from leakguard.config import Config
from leakguard.config import load as load_settings
from leakguard.config.files import KEYS
from leakguard.config.values import SCALARS
from leakguard.engine.marks import mark_for
from leakguard.errors import ExitCode
from leakguard.ruleset.files import builtin_folder
from leakguard.ruleset.load import load as load_rules

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EVERY_PAGE = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
ID = "7f3a91c2"
"""Stands for the id of a finding in every page."""
UNTIL = "2027-01-31"
"""Stands for a day to come."""
NORUN = 6
"""Most blocks of commands that may be shown and not run."""


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, kind: str = "") -> Iterator[Block]:
    """Yield the fenced blocks of a page; `kind` is the first word of the info string."""
    info, start, lines = None, 0, []
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if not line.startswith("```"):
            lines.append(line)
        elif info is None:
            info, start, lines = line[3:].strip(), number, []
        else:
            if not kind or info.split(" ")[0] == kind:
                yield Block(page, start, info, "\n".join(lines) + "\n")
            info = None
    assert info is None, f"{page.name}: a block is not closed"


def every(kind: str) -> list[Block]:
    """Return the blocks of all pages."""
    return [block for page in PAGES for block in blocks(page, kind)]


def prose(page: Path) -> str:
    """Return a page without its blocks."""
    return re.sub(r"(?ms)^```.*?^```$", "", page.read_text("utf-8"))


def commands(block: Block) -> list[str]:
    """Return the lines of a block that a reader types."""
    return [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]


def shown() -> list[tuple[Block, str]]:
    """Return every `leakguard` command of the pages: in blocks, and in the running text."""
    found = [(block, command) for block in every("console") for command in commands(block)]
    for page in EVERY_PAGE:
        spans = re.findall(r"`(leakguard [^`]+)`", prose(page))
        found += [(Block(page, 0, "", ""), span) for span in spans]
    pieces = [(block, piece) for block, command in found for piece in re.split(r"&&|\||;", command)]
    bare = [(block, re.sub(r"^(\w+=\S+ )+", "", piece.strip())) for block, piece in pieces]
    return [(block, piece) for block, piece in bare if piece.startswith("leakguard ")]


@pytest.fixture
def project(tmp_path: Path, planted: Planted) -> Path:
    """Make the folder that the pages speak of: a repository with two leaks, a log, and settings of other scanners."""
    folder = tmp_path / "project"
    for name in ("src", "config"):
        (folder / name).mkdir(parents=True)
    token = planted.github()
    (folder / "src" / "app.py").write_text("print('hello')\n")
    (folder / "src" / "deploy.sh").write_text(f"export GH_TOKEN={token}\n")
    (folder / "config" / "app.env").write_text(f"# deployment\nGH_TOKEN={token}\nMODE=live\n")
    (folder / "build.log").write_text("step 1\nstep 2\n")
    saved(folder / "app.tar", image(layer(("etc/motd", b"hello\n"))))
    (folder / ".gitleaks.toml").write_text(
        "[[rules]]\nid = 'acme-token'\nregex = '''acme-[a-z0-9]{20}'''\n[allowlist]\npaths = ['''^vendor/''']\n"
    )
    (folder / ".gitleaksignore").write_text("config/app.env:github-pat:2\n")
    (folder / ".secrets.baseline").write_text('{"version": "1.5.0", "results": {}, "filters_used": []}')
    (folder / ".gitguardian.yaml").write_text("version: 2\nsecret:\n  ignored_paths:\n    - docs/**\n")
    (folder / "trufflehog.yaml").write_text(
        "detectors:\n  - name: acme\n    keywords: [acme]\n    regex: {t: 'acme-([a-z0-9]{20})'}\n"
    )
    (folder / "kingfisher.yaml").write_text(
        "rules:\n  - id: kingfisher.acme.1\n    name: Acme\n    pattern: 'acme-([a-z0-9]{20})'\n"
    )
    for arguments in (["init", "-q", "-b", "main"], ["add", "src", "config"], ["commit", "-q", "-m", "deploy"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


@pytest.fixture
def shell(tmp_path: Path, project: Path):
    """Return a function that runs a line as a reader does, with the `leakguard` of this checkout."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, arguments in (("leakguard", "-m leakguard"), ("python3", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", "set -o pipefail\n" + line],
            cwd=project,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    return run


def first_id(shell) -> str:
    """Return the id of the worst finding of the project."""
    return shell("leakguard scan --no-baseline -q | head -1").stdout.split()[-1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_shows_runs(page: Path, shell, project: Path) -> None:
    """In order, in one folder; 0 and 1 are the answers of a command that was typed right."""
    identity = first_id(shell)
    for block in blocks(page, "console"):
        if "norun" in block.kind.split():
            continue
        for command in commands(block):
            if "pip install" in command or "pytest" in command:
                continue  # `.ci/run` passes these two in an empty virtual environment
            if ID in command:
                shell("leakguard scan")
            done = shell(command.replace(ID, identity).replace(UNTIL, "2999-12-31"))
            assert done.returncode in {ExitCode.CLEAN, ExitCode.FINDINGS}, f"{block}: {command}\n{done.stdout}{done.stderr}"
            assert "Traceback" not in done.stderr


def test_blocks_that_are_not_run_are_few_and_say_why() -> None:
    """```` ```console norun REASON ````."""
    unrun = [block.kind for block in every("console") if block.kind != "console"]

    assert len(unrun) <= NORUN
    assert all(re.fullmatch(r"console norun \w+( \S+){2,}", kind) for kind in unrun), unrun


def test_the_two_commands_of_the_readme_stand_first() -> None:
    """`.ci/run` reads them there."""
    block = next(blocks(ROOT / "README.md"))

    assert block.kind == "console"
    assert commands(block) == ["python3 -m pip install '.[test]' && leakguard scan src", "python3 -m pytest -q"]


@pytest.mark.parametrize("block", every("python"), ids=str)
def test_every_python_example_runs_and_asserts(block: Block, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stands alone and proves what it says."""
    monkeypatch.chdir(project)

    assert any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(block.text))), f"{block} asserts nothing"
    exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})


RULE_PAGES = ("rules.md", "verification.md")
"""Pages whose TOML is a rule file."""


@pytest.mark.parametrize("block", [b for b in every("toml") if b.page.name not in RULE_PAGES], ids=str)
def test_every_settings_example_is_read_by_the_loader(block: Block, tmp_path: Path) -> None:
    """A first line `# name.toml` names the file; the digest of a policy is filled in."""
    named = {re.match(r"# (\S+\.toml)\n", b.text)[1]: b for b in blocks(block.page, "toml") if b.text.startswith("# ")}
    name = next((name for name, other in named.items() if other == block), ".leakguard.toml")
    text = block.text
    for policy in re.findall(r'file = "([^"]+)"', text):
        (tmp_path / policy).write_text(named[policy].text)
        text = re.sub(r'sha256 = "[^"]*"', f'sha256 = "{sha256(named[policy].text.encode()).hexdigest()}"', text)
    (tmp_path / name).write_text(text)
    flags = {} if name in {".leakguard.toml", "pyproject.toml"} else {"config": str(tmp_path / name)}

    config = load_settings(str(tmp_path), flags, {})

    assert str(tmp_path / name) in config.files
    assert config._replace(notes=()) != Config(base=config.base, top=config.top, baseline=config.baseline, files=config.files)
    assert config.unknown_rules(frozenset(rule.id for rule in load_rules([builtin_folder()]).rules)) == ()


@pytest.mark.parametrize("block", [b for b in every("toml") if b.page.name in RULE_PAGES], ids=str)
def test_every_rule_example_is_read_by_the_loader(block: Block, tmp_path: Path, shell) -> None:
    """And proved by the shipped engine."""
    (tmp_path / "acme.toml").write_text(block.text)

    done = shell(f"leakguard rules check '{tmp_path}/acme.toml'")

    assert done.returncode == 0, done.stderr


def anchors(page: Path) -> set[str]:
    """Return the anchors that a forge makes of a page's headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """The file exists, and the heading in it."""
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


def options(command: click.Command) -> set[str]:
    """Return the options that `--help` lists."""
    listed = {name for p in command.params if isinstance(p, click.Option) and not p.hidden for name in (*p.opts, *p.secondary_opts)}
    return listed | {"-h", "--help"}


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that the words name, and the words after it."""
    command: click.Command = group
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
    return command, words


def typed(words: list[str]) -> list[str]:
    """Return the options among words, as they are listed."""
    return [word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)]


def test_every_command_and_option_that_is_named_exists() -> None:
    """In blocks and in the running text."""
    for block, text in shown():
        words = text.split(" #")[0].split()
        command, rest = resolve(words[1:])
        unknown = set(typed(rest)) - options(command)
        assert not unknown, f"{block}: {text}: {unknown}"


def test_every_option_that_stands_alone_in_the_text_exists() -> None:
    """`--fail-on` and the like."""

    def walk(command: click.Command) -> set[str]:
        names = command.list_commands(click.Context(command)) if isinstance(command, click.Group) else []
        return options(command).union(*(walk(command.get_command(click.Context(command), name)) for name in names))

    known = walk(group)
    for page in EVERY_PAGE:
        for span in re.findall(r"`(--?[a-z][^`]*)`", prose(page)):
            assert span.split()[0] in known, f"{page.name}: {span}"


@pytest.mark.parametrize("name", ["tree", "accuracy", "fit_language"])
def test_every_benchmark_option_that_is_named_exists(name: str) -> None:
    """The scripts themselves are told in development.md."""
    source = (ROOT / "benchmarks" / f"{name}.py").read_text("utf-8")
    lines = [c for block in every("console") for c in commands(block) if f"benchmarks/{name}.py" in c]

    assert lines
    for line in lines:
        assert all(f'"{option}"' in source for option in typed(line.split())), line


def test_every_command_is_told_somewhere() -> None:
    """Those of `leakguard --help`, and the commands below them."""
    named = {" ".join(text.split()[:3]) for _, text in shown()}
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        below = command.list_commands(click.Context(command)) if isinstance(command, click.Group) else [""]
        for sub in below:
            wanted = f"leakguard {name} {sub}".rstrip()
            assert any(text == wanted or text.startswith(wanted + " ") for text in named), wanted


def test_the_finding_in_the_readme_is_what_a_scan_prints(shell, project: Path) -> None:
    """But for id, last characters and counts."""
    for name in (
        ".gitleaks.toml",
        ".gitleaksignore",
        ".secrets.baseline",
        ".gitguardian.yaml",
        "trufflehog.yaml",
        "kingfisher.yaml",
    ):
        (project / name).unlink()

    def plain(text: str) -> list[str]:
        text = re.sub(r"(?m)••••\w{4}", "••••", re.sub(r"(id|explain|allow) [0-9a-f]{8}", r"\1 ID", text))
        return [line.rstrip() for line in re.sub(r"\d+ files?, .*", "FILES", text).strip("\n").splitlines()]

    (expected,) = blocks(ROOT / "README.md", "text")

    assert plain(shell("leakguard scan").stdout) == plain(expected.text)


def test_the_readme_does_not_promise_more_providers_than_there_are() -> None:
    """The number is a lower bound, so that it ages well."""
    promised = int(re.search(r"more than (\d+) providers", (ROOT / "README.md").read_text("utf-8"))[1])

    assert len({rule.provider for rule in load_rules([builtin_folder()]).rules}) > promised


@pytest.mark.parametrize("page", ["README.md", "docs/reports.md"])
def test_the_exit_codes_are_those_of_the_program(page: str) -> None:
    """All of them, and no other."""
    told = re.findall(r"(?m)^\| (\d+) \|", (ROOT / page).read_text("utf-8"))

    assert sorted(map(int, told)) == sorted(ExitCode.PRECEDENCE)


def column(page: str, after: str, number: int = 1) -> set[str]:
    """Return the words in a column of the first table after a heading or sentence."""
    text = (ROOT / page).read_text("utf-8").partition(after)[2].lstrip("\n")
    rows = re.search(r"(?m)(?:^\|.*\n)+", text)[0].splitlines()[2:]
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[number])}


def test_every_settings_key_and_variable_is_told() -> None:
    """And no other."""
    page = "docs/configuration.md"
    text = (ROOT / page).read_text("utf-8")

    assert column(page, "## Keys") == set(KEYS)
    assert set(re.findall(r"`LEAKGUARD_([A-Z_]+)`", text)) - {
        "CONFIG",
        "TRUSTED_CONFIG",
        "ID_KEY",
        "ID_KEY_FILE",
        "CACHE_DIR",
    } == {name.upper() for name in SCALARS}


def test_every_format_is_told() -> None:
    """And no other."""
    assert column("docs/reports.md", "# Reports") == set(plugins.names("leakguard.reporters"))


def test_the_contract_of_json_lines_is_told_field_by_field(shell) -> None:
    """Every key of a finding, of a place, and of the JSON document."""
    import json

    finding = json.loads(shell("leakguard scan -f jsonl").stdout.splitlines()[0])
    document = json.loads(shell("leakguard scan -f json").stdout)
    places = column("docs/reports.md", "Each of `locations`")

    assert column("docs/reports.md", "## JSON Lines") - set(finding) == {"known", "verification"}
    assert set(finding) <= column("docs/reports.md", "## JSON Lines")
    assert places - set(finding["locations"][0]) <= {"name", "encoding", "decoded", "facts", "blob_id"}
    assert set(finding["locations"][0]) <= places
    assert column("docs/reports.md", "## JSON\n") == set(document)


def test_the_fields_of_a_baseline_line_are_told(shell, project: Path) -> None:
    """Every one that is written."""
    import json

    shell("leakguard baseline create --reason words")
    told = column("docs/suppressing.md", "One line is one accepted finding")

    for line in (project / ".leakguard" / "baseline.jsonl").read_text().splitlines():
        assert set(json.loads(line)) <= told


def test_every_mark_that_is_told_counts() -> None:
    """Ours, and those in the table of other scanners."""
    told = {mark for mark in column("docs/suppressing.md", "The marks of other scanners", 2) if mark != "whitelist"}

    assert len(told) >= 8
    for mark in told | {"leakguard: allow", "leakguard: allow[some-rule]"}:
        above = "nextline" in mark
        line = f"# {mark}\nx = 'VALUE'\n" if above else f"x = 'VALUE'  # {mark}\n"
        start = line.index("VALUE")
        assert mark_for(line.encode(), start, start + 5) is not None, mark


def test_the_pages_hold_nothing_secret_shaped(shell) -> None:
    """Nor does the code: the scanner itself says so."""
    named = " ".join(f"'{page}'" for page in (*EVERY_PAGE, ROOT / "Makefile", ROOT / "src", Path(__file__)))

    done = shell(f"leakguard scan -q {named}")

    assert done.returncode == 0, done.stdout
