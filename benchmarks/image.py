"""Scan an image of 500 MB or more with planted credentials in every layer, and time it against Kingfisher in interleaved pairs.

    python benchmarks/image.py --leakguard BIN --kingfisher BIN [--rounds 5] [--packages DIR] [--app DIR] [--keep FILE]

The image is written as `docker save` writes one: a root of this Debian (the files of its packages that are required,
important or standard, and of those named with --debian), a layer of Python packages, a layer of an application, and one
that deletes what the first had planted. Kingfisher gets the same file, without its limits of size, which leave most of
it out. Needs Debian, and Linux (memory is read from /proc).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

from _measure import pairs, peak, show, wall
from tree import missed as unseen
from tree import plant

DEBIAN = (
    "python3.11",
    "libpython3.11-stdlib",
    "perl",
    "perl-modules-5.36",
    "git",
    "gcc-12",
    "nodejs",
    "libc6-dev",
    "libicu72",
    "vim",
)
PRIORITIES = {"required", "important", "standard"}


def debian(packages: tuple[str, ...]) -> list[Path]:
    """Return the files of this Debian's base and of some packages."""
    rows = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package}\t${Priority}\n"], capture_output=True, text=True, check=True
    ).stdout
    wanted = [
        name for name, priority in (row.split("\t") for row in rows.splitlines()) if priority in PRIORITIES or name in packages
    ]
    listed = subprocess.run(["dpkg-query", "-L", *wanted], capture_output=True, text=True, check=False).stdout
    return sorted({Path(line) for line in listed.splitlines() if line.startswith("/") and os.path.lexists(line)})


def layer(path: Path, *trees: tuple[Path, str], files: list[Path] = [], gone: tuple[str, ...] = ()) -> str:  # noqa: B006
    """Write a layer and return its digest."""
    with tarfile.open(path, "w") as archive:
        for file in files:
            if not file.is_dir() or file.is_symlink():
                archive.add(file, str(file).lstrip("/"), recursive=False)
        for tree, name in trees:
            archive.add(tree, name)
        for name in gone:
            archive.addfile(tarfile.TarInfo(name))
    with path.open("rb") as raw:
        return "sha256:" + hashlib.file_digest(raw, "sha256").hexdigest()


def build(
    scratch: Path, out: Path, packages: Path, app: Path | None, more: tuple[str, ...], leakguard: str
) -> dict[str, tuple[str, int]]:
    """Write the image; returns what was planted: value -> (path in the image, line).

    What a scan of the same files in a folder does not find is no matter of images, and does not count.
    """
    planted: dict[str, tuple[str, int]] = {}
    names, digests = [], []
    for number, where in enumerate(("srv/low", "opt/packages", "app")):
        tree = scratch / f"planted{number}"
        (tree / "conf" / "d").mkdir(parents=True)
        known = plant(tree, seed=11 + number)
        lost = set(unseen(leakguard, tree, known))
        planted |= {v: (f"{where}/{path}", line) for v, (path, line) in known.items() if f"{path}:{line}" not in lost}
        trees = [(tree, where), *([(packages, "opt/site-packages")] if number == 1 else [])]
        trees += [(app, "app/src")] if number == 2 and app is not None else []
        names.append(f"{number}/layer.tar")
        digests.append(layer(scratch / f"{number}.tar", *trees, files=debian(DEBIAN + more) if number == 0 else []))
        shutil.rmtree(tree)
    names.append("3/layer.tar")
    digests.append(layer(scratch / "3.tar", gone=("srv/.wh.low",)))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": digests},
    }
    (scratch / "config.json").write_text(json.dumps(config))
    (scratch / "manifest.json").write_text(json.dumps([{"Config": "config.json", "RepoTags": ["bench:1"], "Layers": names}]))
    with tarfile.open(out, "w") as archive:
        for number, name in enumerate(names):
            archive.add(scratch / f"{number}.tar", name)
            (scratch / f"{number}.tar").unlink()
        for name in ("config.json", "manifest.json"):
            archive.add(scratch / name, name)
    return planted


def missed(leakguard: str, file: Path, planted: dict[str, tuple[str, int]]) -> list[str]:
    """Return the planted places that a scan does not report; those of the first layer must be told as deleted."""
    done = subprocess.run([leakguard, "scan", "-f", "jsonl", "--image", str(file)], capture_output=True, check=False)
    places = {
        ("/".join(p["inside"]), n): p["facts"].get("in the final image", "")
        for f in map(json.loads, done.stdout.splitlines())
        for p in f["locations"]
        for n in range(p["start_line"], p["end_line"] + 1)
    }
    lost = [f"{path}:{line}" for path, line in planted.values() if (path, line) not in places]
    lost += [
        f"{path}: not told as deleted"
        for (path, _), fate in places.items()
        if path.startswith("srv/low/") and "deleted" not in fate
    ]
    return sorted(lost)


def cpu(command: list[str], env: dict[str, str]) -> float:
    """Return the CPU seconds of a run, which other work on the machine hardly changes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall(command, env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leakguard", default=shutil.which("leakguard") or "leakguard")
    parser.add_argument("--kingfisher", default=shutil.which("kingfisher") or "kingfisher")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--packages", type=Path, default=Path(sysconfig.get_path("purelib")))
    parser.add_argument("--app", type=Path, help="a folder that becomes /app/src")
    parser.add_argument("--debian", nargs="*", default=[], help="further Debian packages of the first layer")
    parser.add_argument("--keep", type=Path, help="write the image here and keep it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        file = args.keep or Path(scratch, "image.tar")
        planted = build(Path(scratch), file, args.packages, args.app, tuple(args.debian), args.leakguard)
        print(f"image of {file.stat().st_size / 1e6:.0f} MB")
        lost = missed(args.leakguard, file, planted)
        print(f"planted {len(planted)}, found {len(planted) - len(lost)}")
        print(*("  missed " + path for path in lost), sep="\n", end="\n" if lost else "")
        home = Path(scratch, "home")
        home.mkdir()
        env = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "TMPDIR": scratch}
        ours = [args.leakguard, "scan", "-q", "--image", str(file)]
        flags = ["--no-validate", "--no-update-check", "--quiet", "--no-limits", "--jobs", str(os.cpu_count())]
        peer = [args.kingfisher, "scan", "docker", "--archive", str(file), *flags]
        wall(ours, env)
        wall(peer, env)
        print(f"{'':<28} {'LeakGuard':>10} {'Kingfisher':>10}")
        print(f"{'CPU seconds':<28} {cpu(ours, env):8.2f} s {cpu(peer, env):8.2f} s")
        if args.rounds:
            show("image, warm", pairs(ours, peer, args.rounds, before=lambda: env, warm=False))
        print(f"{'peak memory (PSS)':<28} {peak(ours, env):6.0f} MiB {peak(peer, env):6.0f} MiB")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
