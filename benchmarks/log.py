"""Scan a CI log of 1 GB with planted credentials, and time it against Kingfisher in interleaved pairs.

    python benchmarks/log.py --leakguard BIN --kingfisher BIN [--size 1000] [--rounds 3] [--keep FILE]

The log is made from lines as jobs write them (checkouts, package managers, compilers, tests, containers), with the runner's
timestamps and colours, and no two lines alike. User CPU is told beside wall time, since machines are shared. Needs Linux
(memory is read from /proc).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from _measure import cpu, pairs, peak, show
from leakguard.config import Config
from leakguard.model.blob import Blob, StreamProvenance
from leakguard.pipeline.setup import build_engine
from leakguard.ruleset import templates
from leakguard.ruleset.files import builtin_folder, rule_files
from leakguard.ruleset.load import load

PLANTED = 200

_WORDS = [
    "adapter",
    "archive",
    "async",
    "atlas",
    "badge",
    "batch",
    "beacon",
    "binding",
    "bridge",
    "broker",
    "buffer",
    "bundle",
    "cache",
    "canvas",
    "cargo",
    "chart",
    "cipher",
    "client",
    "cluster",
    "codec",
    "column",
    "commit",
    "config",
    "cookie",
    "core",
    "crate",
    "cursor",
    "daemon",
    "decoder",
    "digest",
    "docker",
    "driver",
    "editor",
    "engine",
    "event",
    "export",
    "fabric",
    "factory",
    "feed",
    "fetch",
    "filter",
    "format",
    "frame",
    "gateway",
    "graph",
    "group",
    "handler",
    "header",
    "helper",
    "hook",
    "icon",
    "image",
    "index",
    "input",
    "journal",
    "kernel",
    "layer",
    "ledger",
    "lexer",
    "linker",
    "loader",
    "logger",
    "mapper",
    "marker",
    "matrix",
    "memory",
    "merge",
    "metric",
    "mirror",
    "module",
    "mutex",
    "node",
    "object",
    "option",
    "packet",
    "panel",
    "parser",
    "patch",
    "pipeline",
    "plugin",
    "policy",
    "pool",
    "portal",
    "printer",
    "proxy",
    "queue",
    "reader",
    "record",
    "registry",
    "relay",
    "render",
    "report",
    "resolver",
    "router",
    "runner",
    "schema",
    "scope",
    "sensor",
    "server",
    "session",
    "shader",
    "shell",
    "signal",
    "socket",
    "source",
    "stack",
    "stream",
    "switch",
    "symbol",
    "syntax",
    "table",
    "target",
    "task",
    "template",
    "tensor",
    "thread",
    "ticket",
    "tracer",
    "tunnel",
    "vector",
    "version",
    "viewer",
    "widget",
    "worker",
]

_LINES = (
    "Collecting {w}-{w}=={v} (from -r requirements.txt (line {n}))",
    "  Downloading {w}_{w}-{v}-cp312-cp312-manylinux_2_17_x86_64.whl ({n}.{d} kB)",
    "Requirement already satisfied: {w}>={v} in /opt/hostedtoolcache/Python/3.12.{d}/x64/lib/python3.12/site-packages (from {w}) ({v})",
    "\x1b[36mremote:\x1b[0m Counting objects: {p}% ({n}/{n2})\x1b[K",
    "npm warn deprecated {w}-{w}@{v}: this version is no longer supported, use @{w}/{w} instead",
    "added {n} packages, and audited {n2} packages in {d}m",
    "\x1b[32m\x1b[1m   Compiling\x1b[0m {w}-{w} v{v}",
    "\x1b[33mwarning\x1b[0m: unused variable: `{w}_{w}` --> src/{w}/{w}.rs:{n}:{d}",
    "[{n}/{n2}] Building CXX object src/{w}/CMakeFiles/{w}.dir/{w}_{w}.cc.o",
    "/usr/bin/c++ -DNDEBUG -I/home/runner/work/{w}/{w}/src -isystem /usr/include/{w} -O2 -std=gnu++20 -o {w}.o -c /home/runner/work/{w}/{w}/src/{w}.cc",
    "#{d} [stage-{d} {d}/9] RUN apt-get install -y lib{w}-dev={v}-{d}ubuntu1",
    "#{d} {n}.{d} Get:{n} http://archive.ubuntu.com/ubuntu noble/main amd64 lib{w}{d} amd64 {v} [{n} kB]",
    "#{d} sha256:{h} {n}.{d}MB / {n2}.{d}MB {d}.{d}s",
    "{h7}: Pull complete",
    "tests/{w}/test_{w}.py::test_{w}_{w}_{w}[{w}-{n}] \x1b[32mPASSED\x1b[0m\x1b[32m   [ {p}%]\x1b[0m",
    "ok   github.com/{w}/{w}/pkg/{w}  {d}.{n}s  coverage: {p}.{d}% of statements",
    "go: downloading github.com/{w}/{w} v{v}",
    "[INFO] Downloaded from central: https://repo.maven.apache.org/maven2/org/{w}/{w}-{w}/{v}/{w}-{w}-{v}.pom ({n} kB at {n2} kB/s)",
    "[INFO] --- {w}:{v}:compile (default-compile) @ {w}-{w} ---",
    "  at {w}.{w}.{w}({w}.java:{n})",
    "DEBUG {w}.{w} request id={u} method=GET path=/api/v{d}/{w}/{n} status=200 took={n}ms",
    'time="2026-03-0{d}T10:{m}:{m}Z" level=info msg="{w} {w} ready" component={w} revision={h40}',
    '{{"level":"info","logger":"{w}.{w}","trace":"{h}","span":"{h7}","elapsed":{n}.{d},"message":"{w} {w} {w}"}}',
    "+ make -j4 {w} {w}-{w}",
    "  {w}-{w}.js   {n}.{d} kB │ gzip: {d}.{d} kB",
    "Step {d}/{n} : COPY {w} /app/{w}",
    " ---> {h7}{d}",
)  # fmt: skip
_RARE = (
    "Cache restored from key: {w}-Linux-{h}",
    "Uploading artifact: {w}-{n}.tar.gz checksum {h}",
    "+ export BUILD_DIR=/tmp/{w}/{n} LD_LIBRARY_PATH=/opt/{w}/lib",
    "##[group]Run actions/{w}@v{d}",
    "##[endgroup]",
    "commit {h40}",
    "integrity sha512-{b64}",
)  # fmt: skip


def lines(rng: Random) -> Iterator[bytes]:
    """Yield lines without end."""
    second = 0
    while True:
        second += rng.random() < 0.02
        stamp = f"2026-03-{1 + second // 86400 % 28:02}T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.{rng.randrange(10**7):07}Z "
        words = {"v": f"{rng.randrange(20)}.{rng.randrange(30)}.{rng.randrange(9)}", "d": rng.randrange(1, 10)}
        words |= {
            "n": rng.randrange(10, 2000),
            "n2": rng.randrange(2000, 9000),
            "p": rng.randrange(10, 99),
            "m": rng.randrange(10, 59),
        }
        text = rng.choice(_RARE if rng.random() < 0.002 else _LINES)
        if "{h" in text or "{u" in text or "{b64" in text:
            h = f"{rng.getrandbits(256):064x}"
            words |= {"h": h, "h7": h[:12], "h40": h[:40], "u": f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:32]}"}
            words["b64"] = templates.expand("${base64:86}==", rng) if "{b64" in text else ""
        while "{w}" in text:
            text = text.replace("{w}", rng.choice(_WORDS), 1)
        yield (stamp + text.format(**words) + "\n").encode()


def secrets(rng: Random) -> dict[str, str]:
    """Return values to plant and the text that each stands in: such as are found in a file of their own."""
    loaded = load(rule_files([builtin_folder()]))
    shapes = {rule.id: rule.shape for rule in loaded.rules}
    docs = [d for d in loaded.docs if d.template and d.examples and not d.part_templates and shapes[d.id] == "format"]
    rng.shuffle(docs)
    engine = build_engine(Config(), os.environ, keep=False)
    out: dict[str, str] = {}
    for doc in docs:
        value = templates.expand(doc.template, rng)
        text = doc.examples[0].replace("${secret}", value)
        text = templates.expand(text.replace(value, "${secret}"), rng, {"secret": value}) if "${" in text else text
        found = engine.scan(Blob(f"{text}\n".encode(), StreamProvenance("build.log"))).candidates
        if any(c.rule.id == doc.id for c in found):
            out[value] = text
        if len(out) == PLANTED:
            break
    return out


def make(path: Path, size: int, seed: int = 7) -> dict[str, int]:
    """Write the log; returns the planted values with their lines.

    Blocks of 16 MB are written again with their digits turned round: seconds, where making lines takes minutes.
    """
    rng = Random(seed)
    texts = secrets(rng)
    places: dict[str, int] = {}
    source = lines(rng)
    blocks = []
    for _ in range(4):
        block, have = [], 0
        while have < 16 << 20:
            block.append(next(source))
            have += len(block[-1])
        blocks.append(block)
    pending = list(texts.items())
    rng.shuffle(pending)
    per_block = -(-len(pending) * (16 << 20) // size)
    number, written = 1, 0
    with path.open("wb") as out:
        while written < size:
            block = rng.choice(blocks)
            at = 0
            for cut in sorted(rng.randrange(len(block)) for _ in range(per_block)):
                text = _varied(b"".join(block[at:cut]), rng)
                out.write(text)
                number += cut - at
                written += len(text)
                at = cut
                if not pending:
                    continue
                value, planted = pending.pop()
                places[value] = number + planted[: planted.index(value)].count("\n")
                stamp = f"2026-03-15T10:11:12.{rng.randrange(10**7):07}Z "
                raw = "".join(f"{stamp}{line}\n" for line in planted.split("\n")).encode()
                out.write(raw)
                number += planted.count("\n") + 1
                written += len(raw)
            text = _varied(b"".join(block[at:]), rng)
            out.write(text)
            number += len(block) - at
            written += len(text)
    return places


def _varied(block: bytes, rng: Random) -> bytes:
    """Turn the digits round, so that no line comes twice."""
    return block.translate(bytes.maketrans(b"0123456789", bytes(rng.sample(b"0123456789", 10))))


def missed(leakguard: str, log: Path, places: dict[str, int]) -> list[int]:
    """Return the lines of planted values that a scan does not report."""
    done = subprocess.run([leakguard, "scan", "-f", "jsonl", str(log)], capture_output=True, check=False)
    found = {
        n
        for f in map(json.loads, done.stdout.splitlines())
        for p in f["locations"]
        for n in range(p["start_line"], p["end_line"] + 1)
    }
    return sorted(set(places.values()) - found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leakguard", default=shutil.which("leakguard") or "leakguard")
    parser.add_argument("--kingfisher", default=shutil.which("kingfisher") or "kingfisher")
    parser.add_argument("--size", type=int, default=1000, help="MB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder to leave the log in")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        log = folder / "build.log"
        places = make(log, args.size * 1_000_000)
        lost = missed(args.leakguard, log, places)
        print(f"{log.stat().st_size / 1e6:.0f} MB, planted {len(places)}, found {len(places) - len(lost)}")
        print(*(f"  missed line {n}" for n in lost), sep="\n", end="\n" if lost else "")
        home = Path(scratch, "home")
        home.mkdir()
        env = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        ours = [args.leakguard, "scan", "-q", str(log)]
        peer = [
            args.kingfisher,
            "scan",
            "--no-validate",
            "--no-update-check",
            "--quiet",
            "--jobs",
            str(os.cpu_count()),
            "--no-limits",
            str(log),
        ]
        print(f"{'':<28} {'LeakGuard':>10} {'Kingfisher':>10}")
        show("log, warm, wall", pairs(ours, peer, args.rounds, before=lambda: env))
        print(f"{'log, user and system CPU':<28} {cpu(ours, env):8.3f} s {cpu(peer, env):8.3f} s")
        print(f"{'log, peak memory (PSS)':<28} {peak(ours, env):6.0f} MiB {peak(peer, env):6.0f} MiB")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
