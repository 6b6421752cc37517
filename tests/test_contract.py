"""What holds for the code as a whole: which layer imports which, what a scan imports, who takes a value out, how long a file is."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "leakguard"

MAY_REVEAL = {
    "engine/frame.py",
    "engine/place.py",
    "importers/_match.py",
    "pipeline/masking.py",
    "pipeline/workers.py",
    "suppress/baseline.py",
    "suppress/identity.py",
    "verifiers/_contract.py",
    "verifiers/_pairs.py",
    "verifiers/_run.py",
    "verifiers/http.py",
}
"""Calls of `.reveal(`; `test_secret.py` gives the reason of each."""

SLOW_TO_IMPORT = {
    *("argparse", "asyncio", "base64", "concurrent", "csv", "ctypes", "dataclasses", "decimal", "email", "fnmatch", "glob"),
    *("hashlib", "html", "http", "ipaddress", "json", "logging", "multiprocessing", "pathlib", "pickle", "pprint", "queue"),
    *("random", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "string", "subprocess", "tarfile"),
    *("tempfile", "tomllib", "traceback", "unittest", "urllib", "xml", "zipfile"),
}
"""Standard modules that a clean scan does without today; each costs a millisecond or more at every hook and every file."""

LOADED_ON_DEMAND = {
    *("api", "config.files", "config.paths", "engine.language", "hook", "importers", "pipeline.forked", "pipeline.spawned"),
    *("ruleset.check", "ruleset.index", "ruleset.load", "ruleset.templates", "sources.memory", "sources.stream"),
    *("suppress.baseline", "suppress.lastrun"),
    *(
        "config.verification",
        "model.check",
        "model.verdict",
        "net",
        "ruleset.verify",
        "verifiers",
        "cli.verify",
        "reporters._verdict",
    ),
    *("cli.allow", "cli.baseline", "cli.config", "cli.explain", "cli.import_", "cli.rules"),
}
"""Modules of ours that a clean scan of a file does without."""

LINES = 420
OWED = {"tests/test_cli_scan.py", "tests/test_sources_files.py"}
"""Files that were longer when the limit came; to be split, never to be joined by others."""


def lint_imports(cwd: Path, source: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the contract of `cwd` on the package below `source`."""
    return subprocess.run(
        [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def imported(program: str, *args: str, cwd: Path, **env: str) -> set[str]:
    """Return the modules that a program imports beyond what a bare interpreter has."""
    ends = "\nfinally:\n    print('\\n'.join(sorted(set(sys.modules) - before)), file=sys.stderr)\n"
    body = "import sys\nbefore = set(sys.modules)\ntry:\n    " + program.replace("\n", "\n    ") + ends
    done = subprocess.run(
        [sys.executable, "-c", body, *args], cwd=cwd, env=os.environ | env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


SCAN = "from leakguard.cli import main\nmain(sys.argv[1:])"


@pytest.fixture
def clean_scan(tmp_path: Path, tree: Path) -> Callable[..., set[str]]:
    """Return what `leakguard scan ... -q` on a clean file imports once the compiled rules are kept."""
    (tree / "a.py").write_text("print('hello')\n")

    def run(*args: str) -> set[str]:
        first, again = (
            imported(SCAN, "scan", "a.py", "-q", *args, cwd=tree, LEAKGUARD_CACHE_DIR=str(tmp_path / "kept")) for _ in range(2)
        )
        assert "leakguard.ruleset.index" in first  # the cold run built the set, or the warm one would prove nothing
        return again

    return run


def test_a_layer_imports_only_what_stands_below_it() -> None:
    """The contract of pyproject.toml is kept by the code as it is."""
    done = lint_imports(ROOT, ROOT / "src")

    assert done.returncode == 0, done.stdout
    assert "1 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("secret.py", "import leakguard.cli\n", "leakguard.secret -> leakguard.cli"),
        ("sources/stream.py", "import leakguard.reporters\n", "leakguard.sources.stream -> leakguard.reporters"),
        ("unplaced.py", "", "unplaced"),
    ],
)
def test_an_import_upward_or_sideways_and_a_module_without_a_layer_break_the_contract(
    tmp_path: Path, file: str, text: str, told: str
) -> None:
    """The contract is no dead letter: each of these is told by name."""
    shutil.copytree(PACKAGE, tmp_path / "src" / "leakguard", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    target = tmp_path / "src" / "leakguard" / file
    target.write_text((target.read_text("utf-8") if target.exists() else "") + text, "utf-8")

    done = lint_imports(tmp_path, tmp_path / "src")

    assert done.returncode == 1
    assert told in " ".join(done.stdout.split())


def test_the_contract_covers_every_module_and_forgives_only_imports_for_types() -> None:
    """`containers`, `exhaustive` and `exclude_type_checking_imports` stand; nothing is ignored."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]

    (contract,) = settings["contracts"]
    assert settings["exclude_type_checking_imports"] is True
    assert (contract["type"], contract["containers"], contract["exhaustive"]) == ("layers", ["leakguard"], True)
    assert not {"ignore_imports", "exhaustive_ignores"} & set(contract)


def test_no_module_uses_the_lazy_names_of_the_root_package() -> None:
    """`from leakguard import scan` inside would go round every layer; only modules are imported from the root."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert "leakguard" not in (alias.name for alias in node.names), path
            elif isinstance(node, ast.ImportFrom) and node.module == "leakguard":
                for alias in node.names:
                    assert (PACKAGE / f"{alias.name}.py").exists() or (PACKAGE / alias.name).is_dir(), path


def test_a_clean_scan_imports_nothing_slow(clean_scan: Callable[..., set[str]]) -> None:
    """No TOML, JSON, pathlib, dataclasses, logging or network: bytes in, nothing found, out."""
    tops = {name.partition(".")[0] for name in clean_scan()}

    assert tops & SLOW_TO_IMPORT == set()
    assert tops - set(sys.stdlib_module_names) <= {"leakguard", "click", "hyperscan"}


def test_a_clean_scan_in_a_git_repository_imports_nothing_slow_either(clean_scan: Callable[..., set[str]], tree: Path) -> None:
    """Looking for settings, baseline and ignored files in a work tree costs no module."""
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True, timeout=20)

    assert {name.partition(".")[0] for name in clean_scan()} & SLOW_TO_IMPORT == set()


def test_a_clean_scan_imports_no_module_of_ours_that_it_does_not_need(clean_scan: Callable[..., set[str]]) -> None:
    """One command, one format, one source; no rule parser, no baseline, no second way to start workers."""
    ours = {name.removeprefix("leakguard.") for name in clean_scan() if name.startswith("leakguard.")}

    assert ours & LOADED_ON_DEMAND == set()
    assert {name for name in ours if name.startswith("reporters.") and not name.startswith("reporters._")} == {"reporters.text"}


def test_a_scan_without_hyperscan_asks_for_nothing_of_it(clean_scan: Callable[..., set[str]]) -> None:
    """Where the wheel does not exist, nothing asks for it."""
    tops = {name.partition(".")[0] for name in clean_scan("--engine", "portable")}

    assert "hyperscan" not in tops
    assert "ahocorasick" in tops
    # the folder's name begins with `test_`, as some tokens do: `regex`, which brings `string`, has to look at it
    assert tops & SLOW_TO_IMPORT <= {"string"}


def test_import_leakguard_alone_loads_nothing_else_of_ours(tree: Path) -> None:
    """Names are loaded on first use; the package itself needs typing and nothing outside the standard library."""
    modules = imported("import leakguard", cwd=tree)

    assert {name for name in modules if name.startswith("leakguard")} == {"leakguard"}
    assert {name.partition(".")[0] for name in modules} <= set(sys.stdlib_module_names) | {"leakguard"}
    assert modules & SLOW_TO_IMPORT == set()
    assert len(modules) < 40


def test_a_scan_as_a_library_writes_nothing(tree: Path) -> None:
    """No key, no last run, no settings, no compiled rules in the home; nothing in the working directory."""
    home = Path(os.environ["HOME"])

    imported(
        "import leakguard\nassert not leakguard.scan_text('nothing').findings", cwd=tree, XDG_CACHE_HOME="", XDG_CONFIG_HOME=""
    )

    kept = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    assert kept == []
    assert list(tree.iterdir()) == []


def test_only_the_listed_files_call_reveal() -> None:
    """A new caller has to be named here and to give its reason in test_secret.py."""
    callers = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reveal":
                callers.add(path.relative_to(PACKAGE).as_posix())

    assert callers == MAY_REVEAL


def test_nobody_reaches_round_reveal() -> None:
    """`_value` of a secret is touched in its own file only, by name or by string."""
    for path in PACKAGE.rglob("*.py"):
        if path.name != "secret.py":
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                assert not (isinstance(node, ast.Attribute) and node.attr == "_value"), path
                assert not (isinstance(node, ast.Constant) and node.value in {"_value", "reveal"}), path


@pytest.mark.parametrize("folder", ["src", "tests"])
def test_every_file_can_be_read_in_one_sitting(folder: str) -> None:
    """At most 420 lines a file."""
    lengths = {p.relative_to(ROOT).as_posix(): len(p.read_bytes().splitlines()) for p in (ROOT / folder).rglob("*.py")}

    assert {name: n for name, n in lengths.items() if n > LINES and name not in OWED} == {}
