"""Scan a repository's whole history with planted credentials, time it against Kingfisher, and prove the fast walk.

    python benchmarks/history.py REPOSITORY [--leakguard BIN] [--kingfisher BIN] [--rounds 3]
    python benchmarks/history.py REPOSITORY --prove [--level balanced]...
    python benchmarks/history.py REPOSITORY --growth TABLE.md PLOT.svg

The repository is copied (objects by hard links) and the copy planted, so nothing of yours changes. `--prove` reads every
content the plain way and compares all reported places. `--growth` scans the first 25, 50, 75 and 100 % of the commits.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from _measure import pairs, peak, show
from leakguard.config import Config
from leakguard.engine.sieve import Sieve
from leakguard.gitio.repository import open_repository
from leakguard.model.finding import LEVELS
from leakguard.pipeline import Setup, scan
from leakguard.pipeline.setup import build_engine, today
from leakguard.processes import cores
from leakguard.ruleset import templates
from leakguard.sources.history import HistorySource, Scope
from leakguard.suppress.identity import IdKey

TOKENS = ("ghp_${body=base62:30}${crc32_base62:body}", "sk_live_${base62:32}", "glpat-${base62:20}")


def git(repo: Path, *args: str, feed: bytes | None = None) -> str:
    done = subprocess.run(["git", *args], cwd=repo, input=feed, capture_output=True, check=True)
    return done.stdout.decode().strip()


def copy(repo: Path, target: Path) -> None:
    """Copy refs, and objects by hard links: a clone would refuse a repository that lacks objects."""
    common = Path(git(repo, "rev-parse", "--git-common-dir"))
    common = common if common.is_absolute() else repo / common
    git(repo, "init", "-q", "-b", "main", str(target))
    shutil.rmtree(target / ".git" / "objects")
    shutil.copytree(common / "objects", target / ".git" / "objects", copy_function=os.link)
    refs = git(repo, "for-each-ref", "--format=create %(refname) %(objectname)", "refs/heads", "refs/remotes", "refs/tags")
    if "refs/heads/main" not in refs:
        refs += "\ncreate refs/heads/main " + git(repo, "rev-parse", "HEAD")
    lines = [line for line in refs.splitlines() if not line.split()[1].endswith("/HEAD")]
    git(target, "update-ref", "--stdin", feed="\n".join(lines).encode() + b"\n")


def plant(repo: Path, seed: int = 5) -> list[str]:
    """Plant credentials in old, merged and later deleted versions, on branches that a merge brings in; returns their ids."""
    rng = Random(seed)
    head = git(repo, "rev-parse", "HEAD")
    commits = git(repo, "rev-list", "--first-parent", "HEAD").splitlines()
    files = [
        f
        for f in git(repo, "ls-tree", "-r", "--name-only", commits[len(commits) // 2]).splitlines()
        if f.endswith((".cc", ".py", ".go", ".java", ".c", ".h"))
    ]
    tip = head
    planted = []
    for n in range(12):
        old = commits[rng.randrange(len(commits) // 4, len(commits) - 1)]
        value = templates.expand(TOKENS[n % len(TOKENS)], rng)
        here = [
            f
            for f in files
            if subprocess.run(["git", "cat-file", "-e", f"{old}:{f}"], cwd=repo, capture_output=True, check=False).returncode == 0
        ]
        path = here[rng.randrange(len(here))] if here else "planted.txt"
        was = subprocess.run(["git", "show", f"{old}:{path}"], cwd=repo, capture_output=True, check=False).stdout
        lines = was.split(b"\n")
        lines.insert(rng.randrange(len(lines)), b'// token = "' + value.encode() + b'"')
        with_it = commit(repo, [old], path, b"\n".join(lines), f"plant {n}")
        changed = commit(repo, [with_it], path, b"\n".join([*lines, b"// later"]), f"go on {n}")
        without = commit(repo, [changed], path, was, f"delete {n}")
        tip = commit(repo, [tip, changed if n % 2 else without], None, b"", f"merge {n}")
        planted.append(git(repo, "rev-parse", f"{with_it}:{path}"))
    git(repo, "update-ref", "refs/heads/planted", tip)
    return planted


def commit(repo: Path, parents: list[str], path: str | None, content: bytes, message: str) -> str:
    """Make a commit on the first parent's tree with one file changed."""
    env = {
        **os.environ,
        "GIT_INDEX_FILE": str(repo / ".git" / "planting"),
        "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z",
        "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z",
    }
    env |= {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Ada"), ("EMAIL", "ada@acme.example"))
    }

    def run(*args: str, feed: bytes | None = None) -> str:
        return (
            subprocess.run(["git", *args], cwd=repo, env=env, input=feed, capture_output=True, check=True).stdout.decode().strip()
        )

    tree = f"{parents[0]}^{{tree}}"
    if path is not None:
        run("read-tree", parents[0])
        blob = run("hash-object", "-w", "--stdin", "--no-filters", feed=content)
        run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        tree = run("write-tree", "--missing-ok")
    return run("commit-tree", *[a for p in parents for a in ("-p", p)], "-m", message, tree)


def places(repo: Path, level: str, *, fast: bool) -> tuple[set[tuple[object, ...]], float]:
    """Scan in this process; returns every reported place and the seconds it took."""
    begin = time.perf_counter()
    config = Config(level=level, baseline="")
    engine = build_engine(config, os.environ)
    source = HistorySource(
        open_repository(str(repo)),
        Scope(unreachable=True),
        make_sieve=(lambda: Sieve(engine)) if fast else None,
        jobs=cores(),
        forks=True,
    )
    report = scan(source, Setup(engine, config, IdKey(b"0" * 32, "run"), today(), forks=True), clock=time.monotonic)
    source.close()
    return {
        (f.rule.id, f.id, p.provenance, p.offset, p.length) for f in report.findings for p in f.places
    }, time.perf_counter() - begin


def prove(repo: Path, levels: list[str]) -> int:
    differ = 0
    for level in levels:
        fast, quick = places(repo, level, fast=True)
        plain, slow = places(repo, level, fast=False)
        differ += len(fast ^ plain)
        print(
            f"--level {level}: {len(plain)} places the plain way in {slow:.1f} s, {len(fast)} by deltas in {quick:.1f} s, {len(fast ^ plain)} differ"
        )
    return 1 if differ else 0


def growth(repo: Path, leakguard: str, table: Path, plot: Path) -> None:
    """Scan what the first quarters of the commits need, each in a repository of its own."""
    commits = git(repo, "rev-list", "--topo-order", "--reverse", "HEAD").splitlines()
    rows = []
    for percent in (25, 50, 75, 100):
        with tempfile.TemporaryDirectory() as scratch:
            part = Path(scratch, "part")
            git(repo, "init", "-q", "--bare", str(part))
            tip = commits[len(commits) * percent // 100 - 1]
            with open(Path(scratch, "pack"), "wb") as out:
                subprocess.run(
                    ["git", "pack-objects", "--revs", "--missing=allow-any", "--stdout", "-q"],
                    cwd=repo,
                    input=tip.encode() + b"\n",
                    stdout=out,
                    check=True,
                )
            with open(Path(scratch, "pack"), "rb") as pack:
                subprocess.run(["git", "index-pack", "--stdin"], cwd=part, stdin=pack, stdout=subprocess.DEVNULL, check=True)
            (part / "refs" / "heads" / "main").write_text(tip + "\n")
            (part / "HEAD").write_text("ref: refs/heads/main\n")
            packed = sum(p.stat().st_size for p in part.glob("objects/pack/*.pack")) / 1e6
            sizes = git(part, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectsize)").splitlines()
            blobs = sum(int(line.split()[1]) for line in sizes if line.startswith("blob ")) / 1e6
            times = []
            for _ in range(3):
                begin = time.perf_counter()
                subprocess.run([leakguard, "scan", "--git", "-q", str(part)], capture_output=True, check=False)
                times.append(time.perf_counter() - begin)
            rows.append((percent, len(commits) * percent // 100, packed, blobs, sorted(times)[1]))
            print(*rows[-1])
    lines = [
        "| commits | pack, MB | contents, MB | seconds | seconds per 100 MB of pack | seconds per GB of contents |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {c:,} ({p} %) | {k:.0f} | {b:,.0f} | {s:.2f} | {s / k * 100:.2f} | {s / b * 1000:.2f} |" for p, c, k, b, s in rows
    ]
    table.write_text("\n".join(lines) + "\n")
    plot.write_text(_svg(rows))


def _svg(rows: list[tuple[int, int, float, float, float]]) -> str:
    """Draw seconds against pack size and against contents, each as a share of the whole."""
    top = rows[-1]

    def line(column: int) -> str:
        return " ".join(f"{60 + 400 * row[column] / top[column]:.0f},{260 - 220 * row[4] / top[4]:.0f}" for row in rows)

    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="500" height="310" font-family="sans-serif" font-size="12">'
        '<rect width="500" height="310" fill="#fff"/><path d="M60 40V260H470" fill="none" stroke="#888"/>'
        '<path d="M60 260L460 40" stroke="#ccc" stroke-dasharray="4"/>'
        f'<polyline points="{line(2)}" fill="none" stroke="#1b6ca8" stroke-width="2"/>'
        f'<polyline points="{line(3)}" fill="none" stroke="#c2410c" stroke-width="2"/>'
        '<text x="70" y="55" fill="#1b6ca8">against pack size</text><text x="70" y="72" fill="#c2410c">against contents</text>'
        f'<text x="60" y="280">share of {top[2]:.0f} MB of pack, {top[3] / 1000:.1f} GB of contents</text>'
        f'<text x="60" y="30">seconds ({top[4]:.1f} s at the end), dashed: proportional</text></svg>\n'
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--leakguard", default=shutil.which("leakguard") or "leakguard")
    parser.add_argument("--kingfisher", default=shutil.which("kingfisher") or "kingfisher")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prove", action="store_true")
    parser.add_argument("--level", action="append", choices=LEVELS)
    parser.add_argument("--growth", nargs=2, type=Path, metavar=("TABLE", "PLOT"))
    args = parser.parse_args()
    if args.prove:
        return prove(args.repository, args.level or ["balanced", "all"])
    if args.growth:
        growth(args.repository, args.leakguard, *args.growth)
        return 0
    with tempfile.TemporaryDirectory(dir=args.repository.resolve().parent) as scratch:
        repo = Path(scratch, "repository")
        copy(args.repository, repo)
        planted = plant(repo)
        done = subprocess.run(
            [args.leakguard, "scan", "--git", "--unreachable", "-f", "jsonl", str(repo)], capture_output=True, check=False
        )
        found = {p.get("blob") for f in map(json.loads, done.stdout.splitlines()) for p in f["locations"]}
        print(f"planted {len(planted)}, found {sum(blob in found for blob in planted)}")
        ours = [args.leakguard, "scan", "--git", "--unreachable", "-q", str(repo)]
        peer = [args.kingfisher, "scan", "--no-validate", "--no-update-check", "--quiet", "--git-history=full", str(repo)]
        print(f"{'':<28} {'LeakGuard':>10} {'Kingfisher':>10}")
        show("history", pairs(ours, peer, args.rounds))
        print(f"{'history, peak memory (PSS)':<28} {peak(ours):6.0f} MiB {peak(peer):6.0f} MiB")
        return 0 if all(blob in found for blob in planted) else 1


if __name__ == "__main__":
    sys.exit(main())
