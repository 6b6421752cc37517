"""A run that is killed in the middle and run again asks nobody twice but those that were waiting for their answer."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event, Lock

import pytest

from conftest import Planted
from leakguard.cli import _verifying
from leakguard.ruleset import load
from servers import Answer, Asked, served

HOSTS, EACH, ANSWERED = 6, 8, 25
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
    """Answers so many requests; the others wait until `go` is set."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.go = Event()
        self.lock = Lock()
        self.answered: list[str] = []
        self.held: list[str] = []

    def __call__(self, asked: Asked) -> Answer:
        value = asked.headers["authorization"].removeprefix("Bearer ")
        with self.lock:
            now = len(self.answered) < self.most
            (self.answered if now else self.held).append(value)
        if not now:
            self.go.wait(60)
        return Answer(401, b'{"code": "bad_key"}')


def verdicts(home: Path) -> int:
    """Return how many verdicts a run has kept so far."""
    found = list(home.rglob("verdicts.sqlite"))
    if not found:
        return 0
    with closing(sqlite3.connect(found[0], timeout=10)) as db:
        try:
            return int(db.execute("select count(*) from verdict").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # it is being made


@pytest.mark.skipif(os.name != "posix", reason="a process is killed by a signal")
def test_a_killed_run_is_taken_up_where_it_was(tree: Path, tmp_path: Path, planted: Planted) -> None:
    names = [f"acme{i}" for i in range(HOSTS)]
    values = {planted.make(name + "_${base62:30}") for name in names for _ in range(EACH)}
    (tree / "a.env").write_text("\n".join(f"A={v}\nB={v}" for v in sorted(values)))
    rules = tmp_path / "rules"
    rules.mkdir()
    for name in names:
        (rules / f"{name}.toml").write_text(RULE.format(name=name))
    providers = Providers(ANSWERED)
    with ExitStack() as stack:
        ends = "".join(f'{name} = "{stack.enter_context(served(providers)).url}"\n' for name in names)
        own = tmp_path / "own.toml"
        own.write_text(f"[verify]\nscopes = [{json.dumps(str(tree))}]\n[verify.endpoints]\n{ends}")
        command = [sys.executable, "-m", "leakguard", "scan", "--verify", "--config", str(own), "--rules", str(rules), "-f", "json"]
        command += [word for name in names for word in ("--rule", f"{name}-key")]
        process = subprocess.Popen(command, cwd=tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 120
            while len(providers.held) < 3 or verdicts(Path(os.environ["HOME"])) < len(values & set(providers.answered)):
                assert time.monotonic() < until
                assert process.poll() is None, "it ended by itself"
                time.sleep(0.02)
        finally:
            process.kill()
            process.wait()
        before = values & set(providers.answered)
        providers.go.set()
        providers.most, providers.answered = 1000, []
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=120)

    findings = json.loads(done.stdout)["findings"]
    assert len(findings) == len(values)
    assert {f["verification"]["state"] for f in findings} == {"dead"}
    assert before, "something was learned before it was killed"
    asked = [value for value in providers.answered if value in values]
    assert sorted(asked) == sorted(values - before), "the rest is asked, once, and nothing that was answered"


def test_however_many_threads_ask_the_rules_are_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each thread of the pool read all rules for itself: 17 s of CPU time in place of 3."""
    from concurrent.futures import ThreadPoolExecutor

    from leakguard.ruleset.verify import load_checks

    path = tmp_path / "acme.toml"
    path.write_text(RULE.format(name="acme"))
    read: list[object] = []
    real = load.load

    def counted(files: list[str]) -> load.Loaded:
        read.append(files)
        time.sleep(0.01)  # so that the others come while the first reads
        return real(files)

    monkeypatch.setattr(load, "load", counted)
    look_up = _verifying._documents([str(path)], load_checks([str(path)]))
    with ThreadPoolExecutor(8) as pool:
        docs = list(pool.map(look_up, ["acme-key"] * 8))
    assert len(read) == 1
    assert {doc.id for doc in docs} == {"acme-key"}
