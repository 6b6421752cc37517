"""What lies in a container is found with its inner place, and opened again there."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from conftest import Planted
from leakguard.model.blob import Blob, Gone, MemberProvenance, Skipped
from leakguard.model.finding import Place
from leakguard.sources.files import FilesSource


def zipped(*members: tuple[str, bytes]) -> bytes:
    """Return a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def scan(tree: Path, *flags: str) -> tuple[int, dict[str, Any]]:
    """Run a scan and return its exit code and report."""
    done = subprocess.run([sys.executable, "-m", "leakguard", "scan", "-f", "json", *flags, str(tree)], capture_output=True)
    return done.returncode, json.loads(done.stdout)


def test_a_credential_two_archives_deep_is_told_with_its_inner_place(tree: Path, planted: Planted) -> None:
    token = planted.github()
    inner = zipped(("db/my.properties", f"a=1\ntoken={token}\n".encode()))
    (tree / "app.jar").write_bytes(zipped(("lib/db.jar", inner), ("logo.bin", b"\0\1\2" * 9)))
    code, report = scan(tree)
    (finding,) = report["findings"]
    (place,) = finding["locations"]
    assert code == 1
    assert place["path"] == "app.jar!/lib/db.jar!/db/my.properties"
    assert (place["container"], place["inside"]) == ("app.jar", ["lib/db.jar", "db/my.properties"])
    assert (place["start_line"], place["start_column"]) == (2, 7)
    assert [(s["reason"], s["count"]) for s in report["skipped"]] == [("binary", 1)]


def test_two_members_of_one_name_are_told_apart(tree: Path, planted: Planted) -> None:
    both = [("a.env", f"T={planted.github()}\n".encode()), ("a.env", f"T={planted.github()}\n".encode())]
    with pytest.warns(UserWarning, match="Duplicate"):
        (tree / "a.zip").write_bytes(zipped(*both))
    _code, report = scan(tree)
    paths = sorted(p["path"] for f in report["findings"] for p in f["locations"])
    assert paths == ["a.zip!/a.env", "a.zip!/a.env#2"]


def test_a_damaged_container_gives_what_stands_before_the_damage_and_is_no_clean_scan(tree: Path, planted: Planted) -> None:
    text = "".join(f"line {n}\n" for n in range(60_000))
    data = gzip.compress(f"T={planted.github()}\n{text}".encode())
    (tree / "a.log.gz").write_bytes(data[: len(data) // 2])
    code, report = scan(tree, "--exit-zero")
    assert len(report["findings"]) == 1
    assert code == 0
    assert [(s["path"], s["reason"], s["by_choice"]) for s in report["skipped"]] == [("a.log.gz!/a.log", "damaged", False)]


def test_depth_none_leaves_containers_alone(tree: Path, planted: Planted) -> None:
    (tree / "a.zip").write_bytes(zipped(("a.env", f"T={planted.github()}\n".encode())))
    items = list(FilesSource([str(tree)], depth=0).blobs())
    assert [item.reason for item in items if isinstance(item, Skipped)] == ["binary"]


def test_places_in_containers_are_opened_again_in_any_order(tree: Path) -> None:
    lines = [f"line {n:05}\n".encode() for n in range(40_000)]
    inner = zipped(("x.txt", b"".join(lines)), ("y.txt", b"why\n"))
    (tree / "a.zip").write_bytes(zipped(("deep.zip", inner), ("z.txt", b"zed\n")))
    source = FilesSource([str(tree)])
    blobs = {b.provenance.path: b for b in source.blobs() if isinstance(b, Blob) and isinstance(b.provenance, MemberProvenance)}

    def again(path: str, offset: int, length: int) -> bytes | Gone:
        return source.reopen(Place(blobs[path].provenance, 1, 1, 1, 1, offset, length))

    x, y, z = (f"a.zip!/{name}" for name in ("deep.zip!/x.txt", "deep.zip!/y.txt", "z.txt"))
    assert again(z, 0, 3) == b"zed"
    assert again(x, 11 * 39_999, 10) == b"line 39999"
    assert again(x, 11 * 3, 10) == b"line 00003"
    assert again(y, 0, 3) == b"why"
    assert isinstance(again(y, 2, 9), Gone)
    (tree / "a.zip").write_bytes(zipped(("other.txt", b"")))
    source = FilesSource([str(tree)])
    assert isinstance(again(z, 0, 3), Gone)
