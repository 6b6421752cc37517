"""Scan a work tree with 50 planted credentials, and time it against Kingfisher in interleaved pairs.

    python benchmarks/tree.py ROCKSDB_WORK_TREE --leakguard BIN --kingfisher BIN [--rounds 9] [--cold 3] [--packages DIR]

The tree is copied first and the copy planted, so nothing of yours changes. `--packages` names a folder of many small
repositories or packages; the figure is the median ratio over them. Needs Linux (memory is read from /proc).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from statistics import median

from _measure import pairs, peak, show, wall
from leakguard.ruleset import templates
from leakguard.ruleset.files import builtin_folder, rule_files
from leakguard.ruleset.load import load

PLANTED = 50


def plant(tree: Path, seed: int = 11) -> dict[str, tuple[str, int]]:
    """Plant 50 credentials; returns value -> (path, line)."""
    rng = Random(seed)
    loaded = load(rule_files([builtin_folder()]))
    docs = [d for d in loaded.docs if d.template and d.examples and "${pem" not in d.template and not d.part_templates]
    kept = [d for d in docs if next(r for r in loaded.rules if r.id == d.id).shape == "format"]
    rng.shuffle(kept)
    folders = sorted(p.relative_to(tree) for p in tree.rglob("*") if p.is_dir() and ".git" not in p.parts)
    planted: dict[str, tuple[str, int]] = {}
    for n, doc in zip(range(PLANTED), kept, strict=False):
        value = templates.expand(doc.template, rng)
        line, text = 1, doc.examples[0].replace("${secret}", value)
        text = templates.expand(text.replace(value, "${secret}"), rng, {"secret": value}) if "${" in text else text
        kind = n % 5
        name = f"{folders[rng.randrange(len(folders))]}/planted_{n}"
        if kind == 0:
            name = "/".join([name, *(f"deep{i}" for i in range(20)), "settings.py"])
            body = f"import os\n\n{text}\n".encode()
            line = 3
        elif kind == 1:
            name += ".ini"
            body = f"[main]\r\nlevel = 3\r\n{text}\r\n".encode()
            line = 3
        elif kind == 2:
            name += ".txt"
            body = ("\ufeff" if n % 2 else "").encode("utf-16-le") + f"first\n{text}\n".encode("utf-16-le")
            line = 2
        elif kind == 3:
            name += ".js"
            filler = "var a=1;function b(c){return c+a};" * (3_000_000 // 34)
            body = (filler[: len(filler) // 2] + ";\t" + text + ";" + filler[len(filler) // 2 :]).encode()
        else:
            name += ".yaml"
            body = f"# settings\nname: x\n{text}\n".encode()
            line = 3
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        planted[value] = (name, line + text[: text.index(value)].count("\n"))
    return planted


def missed(leakguard: str, tree: Path, planted: dict[str, tuple[str, int]]) -> list[str]:
    """Return the planted places that a scan does not report."""
    done = subprocess.run([leakguard, "scan", "-f", "jsonl", str(tree)], capture_output=True, check=False)
    places = {
        (p["path"], n)
        for f in map(json.loads, done.stdout.splitlines())
        for p in f["locations"]
        for n in range(p["start_line"], p["end_line"] + 1)
    }
    return sorted(f"{path}:{line}" for path, line in planted.values() if (path, line) not in places)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--leakguard", default=shutil.which("leakguard") or "leakguard")
    parser.add_argument("--kingfisher", default=shutil.which("kingfisher") or "kingfisher")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cold", type=int, default=3)
    parser.add_argument("--packages", type=Path)
    args = parser.parse_args()
    quiet = subprocess.run(
        [args.leakguard, "scan", "--no-ignore", "-q", str(args.tree)], capture_output=True, text=True, check=False
    )
    print(f"unplanted: {len(quiet.stdout.splitlines())} findings, exit {quiet.returncode}")
    print(quiet.stdout, end="")
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch, "tree")
        shutil.copytree(args.tree, tree, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        planted = plant(tree)
        lost = missed(args.leakguard, tree, planted)
        print(f"planted {len(planted)}, found {len(planted) - len(lost)}")
        print(*("  missed " + path for path in lost), sep="\n", end="\n" if lost else "")
        home = Path(scratch, "home")
        home.mkdir()
        env = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        ours = [args.leakguard, "scan", "-q", str(tree)]
        flags = ["--no-validate", "--no-update-check", "--quiet"]
        peer = [args.kingfisher, "scan", *flags, "--git-history=none", "--jobs", str(os.cpu_count()), str(tree)]
        print(f"{'':<28} {'LeakGuard':>10} {'Kingfisher':>10}")
        show("tree, warm", pairs(ours, peer, args.rounds, before=lambda: env))
        print(f"{'tree, peak memory (PSS)':<28} {peak(ours, env):6.0f} MiB {peak(peer, env):6.0f} MiB")

        def empty() -> dict[str, str]:
            shutil.rmtree(home)
            home.mkdir()
            return env

        if args.cold:
            show("tree, both rule caches cold", pairs(ours, peer, args.cold, before=empty, warm=False))
        wall(ours, env)
        wall(peer, env)
        one = Path(scratch, "one.py")
        one.write_text("import os\n\nprint(os.getcwd())\n" * 20)
        one_peer = [args.kingfisher, "scan", *flags, str(one)]
        show(
            "one file, cold interpreter", pairs([args.leakguard, "scan", "-q", str(one)], one_peer, args.rounds, before=lambda: env)
        )
        if args.packages:
            found = sorted(p for p in args.packages.iterdir() if p.is_dir())
            figures = [pairs([*ours[:-1], str(p)], [*peer[:-1], str(p)], 1, before=lambda: env, warm=False) for p in found]
            ratio = median(f.ratio for f in figures)
            total = sum(f.ours for f in figures) / sum(f.peer for f in figures)
            print(
                f"{len(found)} packages: median ratio {ratio:.3f}, ratio of the sums {total:.3f}, worst {max(f.ratio for f in figures):.3f}"
            )
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
