"""Plant one credential in each container, encoding and build log of the tests' tables and see who finds it, beside Kingfisher.

    python benchmarks/artefacts.py [--leakguard BIN] [--kingfisher BIN] [--keep DIR]

The tables are `ROWS` of `tests/containers.py`, `WAYS` of `tests/test_decode.py` and `PREFIXES` of `tests/test_logs.py`. Every row has a credential of its own (a GitHub token whose checksum fits, by which no
scanner can tell that nobody uses it). A row counts where the credential is told; `place` also where the report names the
member in which it lies. Kingfisher is asked not to validate, so nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from conftest import Planted
from containers import ROWS
from test_decode import WAYS
from test_logs import PREFIXES, log


def write(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Write every file; returns by its name the inner place, what a path has to end with, and the credential."""
    planted = Planted()
    out: dict[str, tuple[str, str, str]] = {}
    for row in ROWS:
        if all(shutil.which(need[1:]) if need.startswith("!") else find_spec(need) for need in row.needs):
            token = planted.github()
            (folder / row.name).write_bytes(row.build(f"MODE=live\nTOKEN={token}\nLEVEL=3\n".encode()))
            last = row.inside[-1].lstrip("./") if row.inside else row.name
            out[row.name] = (f"{'!/'.join(row.inside)}:{row.line}", last, token)
    for way, (encode, _ways) in WAYS.items():
        token, name = planted.github(), way.replace(" ", "-") + ".txt"
        text = encode(b"first: one\ntoken " + token.encode() + b"\nand on")
        (folder / name).write_bytes(b"see " + text + b" there\n")
        # the line that the encoded value begins on
        out[name] = (":", name, token)
    for service, prefix in PREFIXES.items():
        token, name = planted.github(), f"{service}.log"
        (folder / name).write_bytes(log(prefix, "echo start", token[:20] + "\x1b[0m" + token[20:], "done"))
        out[name] = (":2", name, token)
    return out


def ours(binary: str, folder: Path) -> dict[str, list[str]]:
    """Return the inner places that LeakGuard tells, by file."""
    done = subprocess.run([binary, "scan", "-f", "jsonl", str(folder)], capture_output=True, check=False)
    out: dict[str, list[str]] = {}
    for finding in map(json.loads, done.stdout.splitlines()):
        for place in finding["locations"]:
            name, _, inner = place["path"].partition("!/")
            out.setdefault(name, []).append(f"{inner}:{place['start_line']}")
    return out


def theirs(binary: str, folder: Path, env: dict[str, str]) -> list[tuple[str, str]]:
    """Return the JSON text and the path of every finding of Kingfisher's."""
    flags = ["--no-validate", "--no-update-check", "--no-dedup", "--quiet", "--git-history=none", "--format", "jsonl"]
    done = subprocess.run([binary, "scan", *flags, str(folder)], capture_output=True, check=False, env=env)
    out = []
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("{"):
            found = json.loads(line)
            out.append((line, str((found.get("finding") or found).get("path", ""))))
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leakguard", default=shutil.which("leakguard") or "leakguard")
    parser.add_argument("--kingfisher", default=shutil.which("kingfisher") or "")
    parser.add_argument("--keep", type=Path, help="write the containers here and leave them")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch, "artefacts")
        folder.mkdir(parents=True, exist_ok=True)
        rows = write(folder)
        mine = ours(args.leakguard, folder)
        env = {**os.environ, "HOME": scratch, "XDG_CACHE_HOME": scratch}
        peers = theirs(args.kingfisher, folder, env) if args.kingfisher else []
        print(f"{'container':<16} {'LeakGuard':<10} {'Kingfisher':<10} inner place")
        score = [0, 0, 0, 0]
        for name, (inner, last, token) in rows.items():
            told = mine.get(name, [])
            paths = [path for text, path in peers if token in text]
            placed = any(place.startswith(inner) if inner == ":" else place == inner for place in told)
            marks = (bool(told), placed, bool(paths), any(path.endswith(last) for path in paths))
            score = [total + mark for total, mark in zip(score, marks, strict=True)]
            words = ["found" if found and place else "no place" if found else "-" for found, place in (marks[:2], marks[2:])]
            print(f"{name:<16} {words[0]:<10} {words[1]:<10} {inner if len(inner) < 70 else inner[:30] + '...' + inner[-30:]}")
        print(f"{len(rows)} files: LeakGuard finds {score[0]}, with place {score[1]}", end="")
        print(f"; Kingfisher finds {score[2]}, with place {score[3]}" if args.kingfisher else "")
    return int(score[1] < len(rows))


if __name__ == "__main__":
    sys.exit(main())
