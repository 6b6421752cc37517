"""Score LeakGuard on the two accuracy measures, under both engines, which must report the same places.

    LEAKGUARD_BENCH_DATA=... python benchmarks/accuracy.py [--level balanced]... [--by stratum|category] [--misses FILE]

The folder holds `creddata-dev.tar.xz` and `peer-cases-dev.jsonl.xz` with their scorers.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from leakguard.model.finding import LEVELS


def places(leakguard: str, folder: Path, level: str, engine: str, out: Path) -> tuple[set[tuple[object, ...]], float]:
    """Scan a folder; write the places as the scorers read them and return them with the seconds it took."""
    begin = time.perf_counter()
    command = [
        leakguard,
        "scan",
        "--no-ignore",
        "--level",
        level,
        "--engine",
        engine,
        "-f",
        "jsonl",
        "-o",
        str(out) + ".findings",
        str(folder),
    ]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    took = time.perf_counter() - begin
    if done.returncode not in {0, 1}:
        raise SystemExit(f"the scan ended with {done.returncode}: {done.stderr}")
    found = set()
    with open(str(out) + ".findings", encoding="utf-8") as lines, out.open("w", encoding="utf-8") as flat:
        for finding in map(json.loads, lines):
            for p in finding["locations"]:
                row = {k: p[k] for k in ("path", "start_line", "end_line", "start_column", "end_column")}
                found.add((finding["rule"], p["part"], *row.values()))
                flat.write(json.dumps({**row, "provider": finding["provider"], "score": finding["score"]}) + "\n")
    return found, took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leakguard", default=shutil.which("leakguard") or "leakguard")
    parser.add_argument("--level", action="append", choices=LEVELS)
    parser.add_argument("--by", choices=["stratum", "category"], default="stratum")
    parser.add_argument("--misses")
    args = parser.parse_args()
    where = os.environ.get("LEAKGUARD_BENCH_DATA")
    if not where or not Path(where, "creddata-dev.tar.xz").exists():
        print(
            "accuracy: set LEAKGUARD_BENCH_DATA to the folder that holds creddata-dev.tar.xz and peer-cases-dev.jsonl.xz",
            file=sys.stderr,
        )
        return 3
    data = Path(where)
    differ = 0
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        with tarfile.open(data / "creddata-dev.tar.xz") as archive:
            archive.extractall(work, filter="data")
        cases = work / "cases.jsonl"
        with lzma.open(data / "peer-cases-dev.jsonl.xz") as packed:
            cases.write_bytes(packed.read())
        scorer = [sys.executable, str(data / "score_cases.py")]
        subprocess.run([*scorer, "export", str(cases), str(work / "cases")], check=True, stderr=subprocess.DEVNULL)
        for level in args.level or ["balanced", "all"]:
            for name, folder in (("CredData", work / "files"), ("peer cases", work / "cases")):
                fast, seconds = places(args.leakguard, folder, level, "hyperscan", work / "fast")
                slow, _ = places(args.leakguard, folder, level, "portable", work / "slow")
                differ += len(fast ^ slow)
                print(
                    f"== {name}, --level {level}: {len(fast)} places in {seconds:.1f} s; the portable engine differs in {len(fast ^ slow)}"
                )
                if name == "CredData":
                    command = [
                        sys.executable,
                        str(data / "score_creddata.py"),
                        str(work / "labels.csv"),
                        str(work / "fast"),
                        "--by",
                        args.by,
                    ]
                else:
                    command = [
                        *scorer,
                        "score",
                        str(cases),
                        str(work / "fast"),
                        *(["--misses", args.misses] if args.misses else []),
                    ]
                subprocess.run(command, check=True)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
