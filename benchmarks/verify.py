"""Verify 10,000 findings of 3,000 credentials at 40 providers with rate limits; kill the run in the middle and run it again.

    python benchmarks/verify.py --leakguard BIN [--places 10000] [--credentials 3000] [--hosts 40]

The providers are servers on loopback, in a process of their own. Each takes so many requests a second (every fourth only two) and
answers the rest with 429 and `Retry-After`. Told are wall time, user CPU, peak memory of the largest process, requests a second, how
often a limit was hit, and who was asked twice. The rules are made for the run; no provider is asked. Needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict, deque
from pathlib import Path
from random import Random

from leakguard.ruleset import templates

LIMIT, SLOW = 10, 2
"""Requests that a provider takes within a second."""
IN_FLIGHT = 32
"""Threads of a run: as many may wait for an answer when it is killed."""
RULE = """
[provider]
id = "{name}"
name = "Provider {name}"
[[rule]]
id = "{name}-key"
name = "Key of {name}"
severity = "high"
kind = "api_key"
format = "{name}_${{base62:30}}"
examples = ["KEY=${{secret}}"]
[rule.verify]
source = "https://{name}.example/docs/errors"
hosts = ["api.{name}.example"]
get = "https://${{host}}/me"
bearer = "${{secret}}"
live = {{status = 200, has = "id"}}
dead = {{status = 401, is = {{code = "bad_key"}}}}
live_example = '200 {{"id": 1}}'
dead_example = '401 {{"code": "bad_key"}}'
"""


class Providers:
    """All of them; keeps when which value was asked."""

    def __init__(self, live):
        self.live = live
        self.asked = Counter()
        self.times = defaultdict(list)
        self.limited = Counter()
        self.windows = defaultdict(deque)

    async def serve(self, hosts):
        servers = [await asyncio.start_server(self.handler(i), "127.0.0.1", 0) for i in range(hosts)]
        control = await asyncio.start_server(self.stats, "127.0.0.1", 0)
        ports = [s.sockets[0].getsockname()[1] for s in (*servers, control)]
        print(json.dumps(ports), flush=True)
        await asyncio.Event().wait()

    def handler(self, i):
        rng, limit = Random(i), SLOW if i % 4 == 3 else LIMIT

        async def handle(reader, writer):
            try:
                while head := await reader.readuntil(b"\r\n\r\n"):
                    value = head.partition(b"Bearer ")[2].partition(b"\r\n")[0].decode()
                    now, window = time.monotonic(), self.windows[i]
                    while window and window[0] <= now - 1:
                        window.popleft()
                    if len(window) >= limit:
                        self.limited[i] += 1
                        status, body, more = "429 Too Many Requests", b"{}", b"Retry-After: 2\r\n"
                    else:
                        window.append(now)
                        self.asked[value] += 1
                        self.times[i].append(now)
                        await asyncio.sleep(rng.uniform(0.02, 0.2))
                        known = value in self.live
                        status, more = ("200 OK" if known else "401 Unauthorized"), b""
                        body = b'{"id": 7}' if known else b'{"code": "bad_key"}'
                    writer.write(b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status.encode(), more, len(body), body))
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        return handle

    async def stats(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        told = {"asked": self.asked, "times": self.times, "limited": sum(self.limited.values())}
        body = json.dumps(told).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        rng = Random(7)
        self.names = [f"acme{i:02}" for i in range(options.hosts)]
        self.values = [templates.expand(self.names[n % options.hosts] + "_${base62:30}", rng) for n in range(options.credentials)]
        (folder / "live.json").write_text(json.dumps(self.values[::3]))
        for name in self.names:
            path = folder / "rules" / f"{name}.toml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(RULE.format(name=name))
        places = [*self.values, *(rng.choice(self.values) for _ in range(options.places - options.credentials))]
        for n in range(0, len(places), 50):
            path = folder / "tree" / f"{n // 2500}" / f"{n}.env"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"KEY_{n + i}={value}\n" for i, value in enumerate(places[n : n + 50])))

    def __enter__(self):
        command = [sys.executable, __file__, "--serve", str(self.folder / "live.json"), "--hosts", str(self.options.hosts)]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        *self.ports, self.control = json.loads(self.server.stdout.readline())
        ends = "".join(f'{n} = "http://localhost:{p}"\n' for n, p in zip(self.names, self.ports, strict=True))
        scopes = json.dumps([str(self.folder / "tree")])
        (self.folder / "own.toml").write_text(f"[verify]\nscopes = {scopes}\n[verify.endpoints]\n{ends}")
        return self

    def __exit__(self, *_):
        self.server.kill()
        self.server.wait()

    def stats(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control}/") as answer:
            return json.load(answer)

    def start(self, home):
        env = {**os.environ, "HOME": str(self.folder / home), "NO_PROXY": "*"}
        env = {k: v for k, v in env.items() if not k.startswith(("XDG_", "LEAKGUARD_")) and k != "CI"}
        (self.folder / home).mkdir(exist_ok=True)
        command = [self.options.leakguard, "scan", "tree", "--verify", "--config", "own.toml", "--rules", "rules", "-f", "json"]
        command += [w for name in self.names for w in ("--rule", f"{name}-key")]
        with open(self.folder / "report.json", "wb") as out:
            return subprocess.Popen(command, cwd=self.folder, env=env, stdout=out, stderr=subprocess.DEVNULL)

    def wait(self, process):
        begin = time.perf_counter()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return time.perf_counter() - begin, usage

    def states(self):
        findings = json.loads((self.folder / "report.json").read_text())["findings"]
        return Counter(f["verification"]["state"] + (f" ({r})" if (r := f["verification"]["reason"]) else "") for f in findings)


def whole(bench):
    """One run from an empty cache."""
    took, usage = bench.wait(bench.start("whole"))
    stats = bench.stats()
    times = stats["times"].values()
    print(f"whole run: {took:.1f} s wall, {usage.ru_utime:.1f} s user CPU, peak {usage.ru_maxrss / 1024:.0f} MiB")
    print(f"  requests {sum(map(len, times))} ({sum(map(len, times)) / took:.1f}/s), limits hit {stats['limited']}")
    print(f"  in the busiest second of a host {max(map(busiest, times))}; of all {busiest(sorted(t for ts in times for t in ts))}")
    print(f"  asked twice {twice(bench, stats)}; findings {dict(bench.states())}")


def killed(bench):
    """A run that is killed once half is asked, and the one after it."""
    process = bench.start("killed")
    while sum(bench.stats()["asked"].values()) < bench.options.credentials // 2:
        if process.poll() is not None:
            raise SystemExit("the run ended before it could be killed")
        time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.5)
    first = sum(bench.stats()["asked"].values())
    took, _ = bench.wait(bench.start("killed"))
    stats = bench.stats()
    again = twice(bench, stats)
    print(f"killed after {first} requests, run again: {took:.1f} s, {sum(stats['asked'].values()) - first} requests")
    print(f"  asked twice {again} (in flight when killed: at most {IN_FLIGHT}); findings {dict(bench.states())}")
    if again > IN_FLIGHT:
        raise SystemExit("more were asked twice than were in flight")


def twice(bench, stats):
    return sum(stats["asked"].get(value, 0) > 1 for value in bench.values)


def busiest(times):
    """Return the most requests within any second."""
    window, most = deque(), 0
    for t in times:
        window.append(t)
        while window[0] <= t - 1:
            window.popleft()
        most = max(most, len(window))
    return most


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leakguard", default="leakguard")
    parser.add_argument("--places", type=int, default=10_000)
    parser.add_argument("--credentials", type=int, default=3_000)
    parser.add_argument("--hosts", type=int, default=40)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(Providers(set(json.loads(Path(options.serve).read_text()))).serve(options.hosts))
    for step in (whole, killed):
        with tempfile.TemporaryDirectory() as folder, Bench(options, Path(folder)) as bench:
            step(bench)


if __name__ == "__main__":
    main()
