"""The wheel as it is installed: the rules and their index are inside, and it scans from wherever it was unpacked."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from email.parser import HeaderParser
from pathlib import Path

import pytest

from conftest import Planted

ROOT = Path(__file__).parent.parent

CORE = {"click", "hyperscan", "pyahocorasick", "regex", "pathspec"}
"""What every install brings; an HTTP client, a database or docker belongs into an extra."""

SAME_RULES = """
import os
from leakguard.engine.compiled import compile_rules
from leakguard.ruleset import index
from leakguard.ruleset.files import builtin_folder, rule_files
from leakguard.ruleset.load import load
files = rule_files([builtin_folder()])
kept = index.read(files)
assert kept is not None, "the index does not fit its files"
parsed = compile_rules(load(files).rules, "built-in", hyperscan=False)
assert index._tuples(list(kept.plain())) == index._tuples(list(parsed.plain()))
print(builtin_folder(), len(kept), len(parsed))
with open(files[0], "a") as f:
    f.write("# edited in place")
assert index.read(files) is None, "the files count once they differ"
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a pure wheel from a copy of the checkout."""
    return build(tmp_path_factory, LEAKGUARD_PURE="1")


def build(tmp_path_factory: pytest.TempPathFactory, **env: str) -> Path:
    """Build a wheel; `env` says how."""
    copy, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    for folder in ("src", "rules", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "hatch_build.py"):
        shutil.copy(ROOT / name, copy)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=copy,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture
def unpacked(wheel: Path, tmp_path: Path) -> Path:
    """Unpack the wheel as an installer would."""
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as z:
        z.extractall(target)
    return target


@pytest.fixture
def run(unpacked: Path, tree: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python in the scanned folder with the unpacked wheel before everything else; None takes a variable away."""

    def python(*args: str, **env: str | None) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "PYTHONPATH": str(unpacked), "PYTHONDONTWRITEBYTECODE": "1", **env}
        return subprocess.run(
            [sys.executable, *args],
            cwd=tree,
            env={name: value for name, value in variables.items() if value is not None},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return python


def names(wheel: Path) -> list[str]:
    """List what a wheel holds."""
    with zipfile.ZipFile(wheel) as z:
        return z.namelist()


def in_wheel(wheel: Path, suffix: str) -> str:
    """Read the one file of a wheel whose name ends so."""
    with zipfile.ZipFile(wheel) as z:
        (name,) = (n for n in z.namelist() if n.endswith(suffix))
        return z.read(name).decode()


def test_the_rule_files_of_the_wheel_are_those_of_the_repository(wheel: Path) -> None:
    """All of them, byte for byte, and no others."""
    with zipfile.ZipFile(wheel) as z:
        inside = {n.rpartition("/")[2]: z.read(n) for n in z.namelist() if n.startswith("leakguard/rules/") and n.endswith(".toml")}

    assert inside == {path.name: path.read_bytes() for path in (ROOT / "rules").glob("*.toml")}


def test_the_index_gives_the_same_rules_as_the_files(run: Callable[..., subprocess.CompletedProcess[str]], unpacked: Path) -> None:
    """Read with the code of the wheel itself; where a file was edited, the files count."""
    done = run("-c", SAME_RULES)

    assert done.returncode == 0, done.stderr
    folder, kept, parsed = done.stdout.split()
    assert Path(folder) == unpacked / "leakguard" / "rules"
    assert kept == parsed
    assert int(kept) > 200


def test_every_module_is_inside_and_nothing_else_is(wheel: Path) -> None:
    """The package with its type marker, rules and metadata; no tests, no build hook, no byte code."""
    inside = names(wheel)

    modules = {n.removeprefix("leakguard/") for n in inside if n.endswith(".py")}
    assert modules == {p.relative_to(ROOT / "src" / "leakguard").as_posix() for p in (ROOT / "src" / "leakguard").rglob("*.py")}
    assert "leakguard/py.typed" in inside
    assert "leakguard/rules/index.json" in inside
    assert {n.partition("/")[0] for n in inside if ".dist-info/" not in n} == {"leakguard"}
    assert [n for n in inside if "test_" in n.lower() or "tests/" in n.lower() or n.endswith(".pyc") or "conftest" in n] == []


def test_a_wheel_without_a_compiler_fits_every_platform_and_brings_its_licence(wheel: Path) -> None:
    """Pure Python; what is native comes with dependencies that have wheels of their own."""
    assert wheel.name.endswith("-py3-none-any.whl")
    assert any(n.endswith("/licenses/LICENSE") for n in names(wheel))


def test_a_compiler_that_fails_leaves_a_pure_wheel(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert build(tmp_path_factory, CC="false").name.endswith("-py3-none-any.whl")


@pytest.mark.skipif(
    not (shutil.which("cc") and Path(sysconfig.get_path("include"), "Python.h").exists()),
    reason="no C compiler with Python's headers: apt-get install gcc python3-dev",
)
def test_a_wheel_with_a_compiler_carries_the_native_loops_for_every_later_python(tmp_path_factory: pytest.TempPathFactory) -> None:
    built = build(tmp_path_factory)
    assert "-cp311-abi3-" in built.name
    loops = ("gitio/_delta_native", "gitio/_pack_native", "engine/_native", "engine/_hits_native")
    assert {f"leakguard/{name}.abi3.so" for name in loops} <= set(names(built))


def test_both_commands_are_entry_points_that_exist(wheel: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """`leakguard` and `leakguard-hook`; each answers --version with the version of the wheel."""
    parser = configparser.ConfigParser()
    parser.read_string(in_wheel(wheel, "entry_points.txt"))
    scripts = dict(parser["console_scripts"])

    assert scripts == {"leakguard": "leakguard.cli:main", "leakguard-hook": "leakguard.hook:main"}
    for command, entry in scripts.items():
        module, _, function = entry.partition(":")
        done = run("-c", f"import sys; sys.argv = ['{command}', '--version']\nfrom {module} import {function}\n{function}()")
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[-1] == wheel.name.split("-")[1]


def test_a_core_install_brings_no_http_client_no_database_and_no_docker(wheel: Path) -> None:
    """What is required without an extra is a short list by name."""
    required = HeaderParser().parsestr(in_wheel(wheel, ".dist-info/METADATA")).get_all("Requires-Dist") or []

    core = {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower() for line in required if "extra ==" not in line}
    assert core == CORE


def test_hyperscan_is_not_asked_for_where_it_has_no_wheel(wheel: Path) -> None:
    """An environment marker leaves it out on Windows, where the portable engine finds the same."""
    required = HeaderParser().parsestr(in_wheel(wheel, ".dist-info/METADATA")).get_all("Requires-Dist") or []

    (line,) = (r for r in required if r.startswith("hyperscan"))
    assert re.search(r"platform_system\s*!=\s*['\"]Windows['\"]", line)


@pytest.mark.parametrize("home", ["clean", "read-only", "a file", "unset"])
def test_the_unpacked_wheel_scans_whatever_home_is_like(
    run: Callable[..., subprocess.CompletedProcess[str]], tree: Path, tmp_path: Path, planted: Planted, home: str
) -> None:
    """It finds the token and ends with 1, twice, with or without a place for its cache."""
    (tree / "app.py").write_text(f"TOKEN = '{planted.github()}'\n")
    folder = tmp_path / "own"
    if home == "a file":
        folder.write_text("no folder")
    else:
        folder.mkdir(mode=0o500 if home == "read-only" else 0o700)
    unset = dict.fromkeys(("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"))

    runs = [run("-m", "leakguard", "scan", "-q", ".", HOME=None if home == "unset" else str(folder), **unset) for _ in range(2)]

    for done in runs:
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.startswith("app.py:1:10: github-pat-classic ")
    kept = [path.name for path in folder.rglob("rules-*.bin")] if folder.is_dir() else []
    assert len(kept) == 1 or home != "clean"


def test_a_cold_start_of_the_wheel_parses_no_rule_file(run: Callable[..., subprocess.CompletedProcess[str]], tree: Path) -> None:
    """The index is read instead: no TOML parser is loaded."""
    (tree / "a.py").write_text("print('hello')\n")

    done = run(
        "-c",
        "import sys, atexit\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from leakguard.cli import main\nmain(['scan', '-q', 'a.py'])",
    )

    assert done.returncode == 0
    assert "leakguard.ruleset.index" in done.stderr.split()
    assert {"tomllib", "leakguard.ruleset.load"} & set(done.stderr.split()) == set()
