"""The compiled rules that are kept between runs: used when they are safe and fit, else built again with the same findings."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Planted
from leakguard.config import Config
from leakguard.model.blob import Blob, StreamProvenance
from leakguard.pipeline.setup import build_engine
from leakguard.ruleset import store

RULE = """
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
format = "{prefix}_${{base62:40}}"
examples = ["KEY=${{secret}}"]
counter_examples = ["{prefix}_${{base62:7}}"]
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which the compiled rules are kept."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LEAKGUARD_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def scan(cache: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[str], bool]]:
    """Return a scan of the same text; it answers what was found and whether the rules had to be built."""
    text = f"A = '{planted.github()}'\nB = '{planted.stripe()}'\nDB_PASSWORD = {planted.password()!r}\n"
    built: list[str] = []
    build = store._build

    def counted(*args: object, **kwargs: object) -> object:
        built.append("built")
        return build(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "_build", counted)

    def run(config: Config | None = None, more: str = "") -> tuple[list[str], bool]:
        built.clear()
        engine = build_engine(config or Config(jobs=1), os.environ)
        found = engine.scan(Blob((text + more).encode(), StreamProvenance("a.py"))).candidates
        return [f"{c.rule.id} {c.place.start_line} {c.score.value}" for c in found], bool(built)

    return run


def kept(cache: Path) -> Path:
    """Return the one file of the cache."""
    (path,) = cache.iterdir()
    return path


Scan = Callable[..., tuple[list[str], bool]]


@pytest.mark.parametrize("engine", ["auto", "portable"])
def test_the_rules_are_built_once_and_reused_while_nothing_changes(scan: Scan, cache: Path, engine: str) -> None:
    """The second scan builds nothing and finds the same."""
    first, built = scan(Config(jobs=1, engine=engine))
    before = kept(cache).read_bytes()
    again, rebuilt = scan(Config(jobs=1, engine=engine))

    assert (built, rebuilt) == (True, False)
    assert again == first
    assert len(first) == 3
    assert kept(cache).read_bytes() == before


def test_both_engines_keep_sets_of_their_own_and_find_the_same(scan: Scan, cache: Path) -> None:
    """The portable set never stands in for the other."""
    assert scan(Config(jobs=1, engine="portable"))[0] == scan(Config(jobs=1))[0]
    assert len(list(cache.iterdir())) in {1, 2}  # one, where there is no Hyperscan


def test_what_is_kept_is_for_its_owner_only(scan: Scan, cache: Path) -> None:
    """Folder 0700, file 0600, no part left behind."""
    scan()

    assert cache.stat().st_mode & 0o777 == 0o700
    assert kept(cache).stat().st_mode & 0o777 == 0o600
    assert kept(cache).name.startswith("rules-")


def flipped(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-100] ^= 1
    path.write_bytes(raw)


def header_changed(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[40] ^= 1
    path.write_bytes(raw)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def swapped(path: Path) -> None:
    """Other content under a checksum that fits: no rules, but well-formed."""
    raw = path.read_bytes()
    head = raw[: len(store._MAGIC) + 8 + int.from_bytes(raw[len(store._MAGIC) : len(store._MAGIC) + 8], "big")]
    body = marshal.dumps(("other", ()))
    path.write_bytes(head + zlib.crc32(body).to_bytes(4, "big") + body)


def linked(path: Path) -> None:
    other = path.parent.parent / "elsewhere.bin"
    path.rename(other)
    path.symlink_to(other)


def folder_linked(path: Path) -> None:
    other = path.parent.parent / "elsewhere"
    path.parent.rename(other)
    path.parent.symlink_to(other)


def group_writable(path: Path) -> None:
    path.chmod(0o620)


def world_writable(path: Path) -> None:
    path.chmod(0o602)


def folder_group_writable(path: Path) -> None:
    path.parent.chmod(0o770)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    "spoil",
    [
        flipped,
        header_changed,
        truncated,
        emptied,
        swapped,
        linked,
        folder_linked,
        group_writable,
        world_writable,
        folder_group_writable,
        a_folder,
        a_fifo,
    ],
    ids=lambda f: f.__name__,
)
def test_a_set_that_is_not_safe_or_not_whole_is_ignored_and_built_again(
    scan: Scan, cache: Path, spoil: Callable[[Path], None]
) -> None:
    """The findings are the same, and nobody is bothered."""
    first, _ = scan()
    spoil(kept(cache))

    again, built = scan()

    assert built
    assert again == first


def test_a_set_of_another_owner_is_ignored(scan: Scan, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading what somebody else compiled would run their code."""
    first, _ = scan()
    if os.getuid() == 0:
        os.chown(kept(cache), 12345, 12345)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 12345)

    again, built = scan()

    assert built
    assert again == first


def test_a_linked_folder_is_refused_for_being_a_link(scan: Scan, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where links carry a mode that looks safe, as on macOS."""
    scan()
    folder_linked(kept(cache))
    monkeypatch.setattr(store, "_safe", lambda _status: True)

    assert scan()[1]


def test_an_unsafe_file_is_replaced_by_a_safe_one(scan: Scan, cache: Path) -> None:
    """After a scan the link is gone, its target untouched, and the new file is used."""
    scan()
    linked(kept(cache))
    target = cache.parent / "elsewhere.bin"
    before = target.read_bytes()

    scan()

    assert not kept(cache).is_symlink()
    assert target.read_bytes() == before
    assert scan()[1] is False


def test_another_folder_of_rules_has_a_set_of_its_own(scan: Scan, tmp_path: Path, planted: Planted) -> None:
    """What was kept for one folder is not used for another of the same shape."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "acme.toml").write_text(RULE.format(prefix="acme" + name))
    more = "".join(f"{name} = '{planted.make('acme' + name + '_${base62:40}')}'\n" for name in ("one", "two"))

    found = {name: scan(Config(jobs=1, rule_paths=(str(tmp_path / name),)), more) for name in ("one", "two")}

    assert all(built for _, built in found.values())
    places = {name: [line.split()[1] for line in lines if line.startswith("acme-key")] for name, (lines, _) in found.items()}
    assert places == {"one": ["4"], "two": ["5"]}


def test_a_rule_that_is_edited_in_place_counts_at_once(scan: Scan, tmp_path: Path, planted: Planted) -> None:
    """Also where size and time of change look as before."""
    path = tmp_path / "acme.toml"
    path.write_text(RULE.format(prefix="acmeone"))
    status = path.stat()
    config = Config(jobs=1, rule_paths=(str(path),))
    more = f"x = '{planted.make('acmetwo_${base62:40}')}'\n"
    before, _ = scan(config, more)

    path.write_text(RULE.format(prefix="acmetwo"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after, built = scan(config, more)

    assert built
    assert not any(line.startswith("acme-key") for line in before)
    assert any(line.startswith("acme-key") for line in after)


def test_a_cache_that_cannot_be_written_is_no_error(
    scan: Scan, tmp_path: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in its place, a folder that can't be, no home at all: the same findings, built in memory."""
    first, _ = scan()
    blocked = tmp_path / "file"
    blocked.write_text("in the way")

    for where in (str(blocked), str(blocked / "below"), "/dev/null/x", "/proc/1/nothing"):
        monkeypatch.setenv("LEAKGUARD_CACHE_DIR", where)
        assert scan() == (first, True)
    for name in ("LEAKGUARD_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name)
    assert scan() == (first, True)
    assert blocked.read_text() == "in the way"


def test_a_relative_cache_folder_is_not_taken_from_the_scanned_tree(
    scan: Scan, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the XDG specification asks: a repository must not be able to bring a compiled set along."""
    monkeypatch.chdir(tree)
    monkeypatch.delenv("LEAKGUARD_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")

    scan()

    assert list(tree.iterdir()) == []


def test_eight_writers_at_once_leave_one_whole_file(scan: Scan, cache: Path, tree: Path, planted: Planted) -> None:
    """All of them find the same, no part stays, and the next run reads what they left."""
    (tree / "a.py").write_text(f"T = '{planted.github()}'\n")
    command = [sys.executable, "-m", "leakguard", "scan", "-q", "a.py"]

    writers = [subprocess.Popen(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(8)]
    done = [(*p.communicate(timeout=120), p.returncode) for p in writers]

    assert {(out.split()[1], err, code) for out, err, code in done} == {(b"github-pat-classic", b"", 1)}
    assert kept(cache).suffix == ".bin"
    assert scan()[1] is False


def test_sets_that_were_made_long_ago_are_removed(scan: Scan, cache: Path) -> None:
    """A month after; whatever else lies there stays."""
    cache.mkdir(mode=0o700)
    for name in ("rules-00000000.bin", "notes.txt"):
        (cache / name).write_bytes(b"x")
        os.utime(cache / name, (0, 0))
    (cache / "rules-11111111.bin").write_bytes(b"recent")

    scan()

    names = {path.name for path in cache.iterdir()}
    assert "rules-00000000.bin" not in names
    assert {"notes.txt", "rules-11111111.bin"} < names
