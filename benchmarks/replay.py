"""Replay the last 1,000 first-parent commits of repositories through the hook's judgement: which would have been blocked?

    python benchmarks/replay.py REPOSITORY... [--commits 1000]

Each commit in the range is judged as the hook judges it: only lines that it brought count. What blocks is listed for a
person to look at, redacted, with its commit; how many of them are wrong is for that person to say.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", type=Path, nargs="+")
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--leakguard", default=shutil.which("leakguard") or "leakguard")
    args = parser.parse_args()
    every, blocked = 0, 0
    for repo in args.repositories:
        log = subprocess.run(
            ["git", "-C", str(repo), "rev-list", "--first-parent", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.split()
        begin = log[min(args.commits, len(log) - 1)]
        count = int(
            subprocess.run(
                ["git", "-C", str(repo), "rev-list", "--count", f"{begin}..HEAD"], capture_output=True, text=True, check=True
            ).stdout
        )
        command = [args.leakguard, "scan", "--git", "--no-baseline", "--commits", f"{begin}..HEAD", "-f", "jsonl", "-q", str(repo)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in {0, 1}:
            raise SystemExit(done.stderr)
        findings = [json.loads(line) for line in done.stdout.splitlines()]
        commits = {place["commit"] for finding in findings for place in finding["locations"]}
        every, blocked = every + count, blocked + len(commits)
        print(f"== {repo}: {len(commits)} of {count} commits blocked, {len(findings)} credentials")
        for finding in findings:
            place = finding["locations"][0]
            print(
                f"   {finding['score']:.2f} {finding['rule']:28} {finding['preview']:20} {place['path']}:{place['start_line']} {place['commit'][:12]}"
            )
    print(f"{blocked} of {every} commits blocked")


if __name__ == "__main__":
    main()
