"""Time `leakguard-hook` on staged files against Kingfisher and detect-secrets, in interleaved pairs.

    python benchmarks/hook.py [--bin FOLDER] [--kingfisher BIN] [--detect-secrets-hook BIN] [--rounds 15]

Each repository has one commit; 20 or 300 files of ordinary code are staged, one of them with a credential.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from random import Random

from _measure import pairs, show, wall
from leakguard.ruleset import templates

TOKEN = "ghp_${body=base62:30}${crc32_base62:body}"


def repository(folder: Path, count: int, seed: int = 3) -> list[str]:
    """Make a repository with `count` staged files, one with a token; returns their names."""
    rng = Random(seed)
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    subprocess.run(
        [
            "git",
            "-C",
            str(folder),
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b.example",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "first",
        ],
        check=True,
    )
    names = []
    for n in range(count):
        path = folder / f"src/part{n % 17}/module_{n}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        body = [
            f"def step_{rng.randrange(9999)}(value, key='name'):\n    total = value * {rng.randrange(99)}\n    return {{key: total}}\n\n"
            for _ in range(40)
        ]
        if n == count // 2:
            body.insert(20, f'TOKEN = "{templates.expand(TOKEN, rng)}"\n')
        path.write_text("".join(body))
        names.append(str(path.relative_to(folder)))
    (folder / ".secrets.baseline").write_text(
        json.dumps({"version": "1.5.0", "plugins_used": _plugins(), "filters_used": [], "results": {}})
    )
    subprocess.run(["git", "-C", str(folder), "add", "src"], check=True)
    return names


def _plugins() -> list[dict[str, object]]:
    simple = "AWSKeyDetector BasicAuthDetector GitHubTokenDetector JwtTokenDetector KeywordDetector PrivateKeyDetector SlackDetector StripeDetector"
    return [{"name": name} for name in simple.split()] + [
        {"name": "Base64HighEntropyString", "limit": 4.5},
        {"name": "HexHighEntropyString", "limit": 3.0},
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=Path(shutil.which("leakguard") or "leakguard").parent)
    parser.add_argument("--kingfisher", default=shutil.which("kingfisher") or "kingfisher")
    parser.add_argument(
        "--detect-secrets-hook", dest="detect", default=shutil.which("detect-secrets-hook") or "detect-secrets-hook"
    )
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    ours = [str(args.bin / "leakguard-hook"), "-q"]
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch, "home")
        home.mkdir()
        env = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}

        def empty() -> dict[str, str]:
            shutil.rmtree(home)
            home.mkdir()
            return env

        print(f"{'':<28} {'LeakGuard':>10} {'peer':>10}")
        for count in (20, 300):
            folder = Path(scratch, f"repo{count}")
            names = repository(folder, count)
            os.chdir(folder)
            found = subprocess.run(ours, env=env, capture_output=True, text=True, check=False)
            assert found.returncode == 1, found.stderr
            assert len(found.stdout.splitlines()) == 1, found.stdout
            peer = [args.kingfisher, "scan", "--staged", "--no-validate", "--no-update-check", "--quiet", "."]
            show(f"{count} files, Kingfisher", pairs(ours, peer, args.rounds, before=lambda: env))
            show(f"{count} files, Kingfisher, cold", pairs(ours, peer, 3, before=empty, warm=False))
            wall(ours, env)
            detect = [args.detect, "--baseline", ".secrets.baseline", *names]
            show(f"{count} files, detect-secrets", pairs(ours, detect, args.rounds, before=lambda: env))
        _suppressed(args, Path(scratch, "suppressed"), env)


def _suppressed(args: argparse.Namespace, folder: Path, env: dict[str, str]) -> None:
    """Compare a commit with 50 findings that a baseline of 1,000 lines covers with the same commit without a baseline."""
    rng = Random(8)
    repository(folder, 50)
    os.chdir(folder)
    leakguard = str(args.bin / "leakguard")
    for n in range(1000):
        Path(f"known_{n}.py").write_text(f'TOKEN = "{templates.expand(TOKEN, rng)}"\n')
    for n, path in enumerate(sorted(Path("src").rglob("*.py"))):
        path.write_text(path.read_text() + Path(f"known_{n}.py").read_text())
    subprocess.run([leakguard, "baseline", "create", ".", "--reason", "known"], env=env, check=True, capture_output=True)
    subprocess.run("rm known_*.py && git add src .leakguard", shell=True, check=True)
    ours = [str(args.bin / "leakguard-hook"), "-q"]
    assert subprocess.run(ours, env=env, capture_output=True, check=False).returncode == 0
    bare = [*ours, "--no-baseline"]
    show("1,000 lines against none", pairs(ours, bare, args.rounds, before=lambda: env))


if __name__ == "__main__":
    main()
