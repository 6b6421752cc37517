"""Scan unrelated code at the default level and count what is reported, by rule and class: what alarms where nothing leaked.

    python benchmarks/quiet.py FOLDER_OR_REPOSITORY... [--level balanced] [--show 2] [--seconds 900] [--json FILE]

Work trees and unpacked packages count as they are; of a bare repository the newest commit is written out first. A class is
`vendor format` (a token told by its form), `keyword` (a value beside its vendor's name), `pattern` or `generic`. Examples are
frames, in which every candidate is masked. A finding is no proof of a false alarm: look at the example.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import leakguard
from leakguard.config import Config
from leakguard.model.blob import path_in
from leakguard.model.finding import LEVELS, Finding
from leakguard.processes import cores

CLASSES = {"format": "vendor format", "keyword": "keyword", "pattern": "pattern", "generic": "generic"}
WIDTH = 160


class Corpus(NamedTuple):
    """What one folder or repository gave."""

    name: str
    lines: int
    bytes: int
    seconds: float
    findings: tuple[Finding, ...]


def tree(where: Path, scratch: Path) -> Path:
    """Return a work tree: the folder itself, or the newest commit of a bare repository."""
    if not (where / "HEAD").is_file() or not (where / "objects").is_dir():
        return where
    out = Path(tempfile.mkdtemp(dir=scratch))
    git = ["git", "-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never", "-C", str(where)]
    listed = subprocess.run([*git, "ls-tree", "-rz", "HEAD"], capture_output=True, check=True).stdout.split(b"\0")
    entries = [
        (head.split()[2], os.fsdecode(path)) for head, _tab, path in (e.partition(b"\t") for e in listed) if head.startswith(b"100")
    ]
    with tempfile.TemporaryFile() as names:
        names.write(b"".join(oid + b"\n" for oid, _path in entries))
        names.seek(0)
        objects = subprocess.Popen([*git, "cat-file", "--batch"], stdin=names, stdout=subprocess.PIPE)
        assert objects.stdout is not None
        for _oid, path in entries:
            *_, length = objects.stdout.readline().split()
            if length == b"missing":  # a mirror may leave out its largest files
                continue
            to = out / path
            if ".." not in to.parts:
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes(objects.stdout.read(int(length)))
            objects.stdout.read(1)
        objects.wait()
    return out


def size(where: Path) -> tuple[int, int]:
    """Return lines and bytes of the text in a tree; a file with a NUL in its beginning is none."""
    lines = total = 0
    for folder, folders, files in os.walk(where):
        folders[:] = [f for f in folders if f != ".git"]
        for name in files:
            path = Path(folder, name)
            if path.is_symlink() or not path.is_file():
                continue
            data = path.read_bytes()
            if b"\0" not in data[:8192]:
                lines += data.count(b"\n")
                total += len(data)
    return lines, total


def scan(where: Path, name: str, level: str) -> Corpus:
    """Scan one tree."""
    lines, total = size(where)
    begin = time.perf_counter()
    report = leakguard.scan_path(where, Config(level=level, ignore=False, baseline="", jobs=cores()))
    return Corpus(name, lines, total, time.perf_counter() - begin, report.findings)


def label(finding: Finding) -> str:
    """Return the rule, and whether a prefix or a vendor's name alone made the finding."""
    terms = {reason.term for reason in finding.score.reasons}
    told = [
        word
        for term, word in (
            ("loose", "other length"),
            ("name:vendor", "vendor's name"),
            ("far:told", "near name"),
            ("far", "near name"),
        )
        if term in terms
    ]
    return finding.rule.id + (f" ({told[0]})" if told else "")


def example(finding: Finding) -> str:
    """Return the place and the masked line of a finding."""
    place = finding.places[0]
    lines = [line.text for line in place.frame if place.start_line <= line.number <= place.end_line] or [""]
    return f"{path_in(place.provenance)}:{place.start_line}: {' '.join(lines[0].split())[:WIDTH]}"


def show(corpora: list[Corpus], examples: int) -> None:
    """Print findings per million lines, by corpus and class, then by rule."""
    heads = list(CLASSES.values())
    print(
        f"{'corpus':<28} {'MB':>7} {'1000 lines':>11} {'MB/s':>6}  "
        + "  ".join(f"{h:>13}" for h in heads)
        + "   (findings per million lines)"
    )
    whole = Corpus("all", *(sum(c[i] for c in corpora) for i in (1, 2, 3)), tuple(f for c in corpora for f in c.findings))
    for c in [*corpora, whole]:
        counts = Counter(CLASSES[f.rule.shape] for f in c.findings)
        rates = "  ".join(f"{counts[h]:5} {counts[h] / max(c.lines, 1) * 1e6:7.2f}" for h in heads)
        print(f"{c.name[:28]:<28} {c.bytes / 1e6:7.1f} {c.lines / 1e3:11.0f} {c.bytes / 1e6 / max(c.seconds, 0.001):6.1f}  {rates}")
    rules: dict[str, list[Finding]] = {}
    for finding in whole.findings:
        rules.setdefault(label(finding), []).append(finding)
    print()
    for rule, found in sorted(rules.items(), key=lambda item: (item[1][0].rule.shape, -len(item[1]), item[0])):
        print(f"{CLASSES[found[0].rule.shape]:<14} {rule:<44} {len(found):5}  {len(found) / max(whole.lines, 1) * 1e6:8.3f}")
        for finding in found[:examples]:
            print(f"{'':17}{finding.score.value:.2f} {example(finding)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", type=Path, nargs="+")
    parser.add_argument("--level", default="balanced", choices=LEVELS)
    parser.add_argument("--show", type=int, default=2, help="examples a rule")
    parser.add_argument("--seconds", type=float, default=900, help="begin no further tree after so long")
    parser.add_argument("--json", type=Path, help="write class, rule, corpus, place and score of each finding, no values")
    args = parser.parse_args()
    begin = time.perf_counter()
    corpora: list[Corpus] = []
    with tempfile.TemporaryDirectory() as scratch:
        for where in args.trees:
            if time.perf_counter() - begin > args.seconds:
                print(f"quiet: not scanned for want of time: {where}", file=sys.stderr)
                continue
            name = where.resolve()
            print(f"quiet: {name}", file=sys.stderr)
            corpora.append(scan(tree(where, Path(scratch)), name.parent.name if name.name == "repo" else name.name, args.level))
    show(corpora, args.show)
    if args.json:
        rows = [
            {
                "corpus": c.name,
                "class": CLASSES[f.rule.shape],
                "rule": f.rule.id,
                "score": round(f.score.value, 3),
                "example": example(f),
            }
            for c in corpora
            for f in c.findings
        ]
        args.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
