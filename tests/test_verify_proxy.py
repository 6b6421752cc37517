"""A whole run behind a proxy that records: what leaves the machine is what the plan said, and nothing tells a value."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from conftest import Planted
from leakguard.model.check import Check, Example
from leakguard.ruleset.files import builtin_folder
from leakguard.ruleset.verify import load_checks
from proxies import Proxy, recording
from servers import Answer, Asked

PROVIDERS = {
    "api.github.com": ("github", "github-pat-classic"),
    "slack.com": ("slack", "slack-bot-token"),
    "api.telegram.org": ("telegram", "telegram-bot-token"),
    "api.stripe.com": ("stripe", "stripe-secret-key"),
    "registry.npmjs.org": ("npm", "npm-access-token"),
    "api.sendgrid.com": ("sendgrid", "sendgrid-api-key"),
    "api.eu.sendgrid.com": ("sendgrid", "sendgrid-api-key"),
    "api.cloudinary.com": ("cloudinary", "cloudinary-api-secret"),
    "api-eu.cloudinary.com": ("cloudinary", "cloudinary-api-secret"),
    "api-ap.cloudinary.com": ("cloudinary", "cloudinary-api-secret"),
}
"""Host -> the rule file and the rule whose documented answers it gives: bearer, body, pair, regions, value in the path."""
LOGGED = "import logging, runpy, sys; logging.basicConfig(level=1); sys.argv[0] = 'leakguard'; runpy.run_module('leakguard', run_name='__main__')"
OWN = {"host", "user-agent", "accept-encoding", "content-length"}
"""Headers of every request, which no rule names."""


@pytest.fixture
def planted_values(tree: Path) -> dict[str, str]:
    """Write one live and one dead credential of each provider into the tree; return them by name."""
    planted = Planted()
    forms = {
        "GITHUB": "ghp_${body=base62:30}${crc32_base62:body}",
        "SLACK": "xoxb-${digits:11}-${digits:12}-${base62:24}",
        "TELEGRAM": "${digits:10}:AA${base64url:33}",
        "STRIPE": "sk_live_${base62:32}",
        "NPM": "npm_${body=base62:30}${crc32_base62:body}",
        "SENDGRID": "SG.${base64url:22}.${base64url:43}",
    }
    values = {f"{name}_{state}": planted.make(form) for name, form in forms.items() for state in ("LIVE", "DEAD")}
    values["SENDGRID_LIVE"] = values["SENDGRID_DEAD"]  # a live one would end the search in the first region
    values["CLOUDINARY_SECRET"] = planted.make("${base64url:27}")
    values["CLOUDINARY_KEY"] = planted.make("${digits:15}")
    (tree / "a.env").write_text("".join(f"{name}_TOKEN={value}\n\n" for name, value in values.items() if "CLOUD" not in name))
    (tree / "b.env").write_text(
        f"CLOUDINARY_CLOUD_NAME=acmecloud\nCLOUDINARY_API_KEY={values['CLOUDINARY_KEY']}\n"
        f"CLOUDINARY_API_SECRET={values['CLOUDINARY_SECRET']}\n"
    )
    return values


@pytest.fixture
def proxy(planted_values: dict[str, str]) -> Iterator[Proxy]:
    checks: dict[str, Check] = {}
    for file, rule in set(PROVIDERS.values()):
        checks[rule] = load_checks([os.path.join(builtin_folder(), f"{file}.toml")])[rule]
    live = [value for name, value in planted_values.items() if name.endswith("_LIVE") and not name.startswith("SENDGRID")]

    def answer(host: str, asked: Asked) -> Answer:
        if host not in PROVIDERS:
            return Answer(500)
        said = asked.headers.get("authorization", "")
        if said.startswith("Basic "):
            said = b64decode(said[6:]).decode()
        known = any(value in said + asked.path + asked.body.decode() for value in live)
        step = checks[PROVIDERS[host][1]].steps[0]
        return documented(next(example for state, example in step.examples if state == ("live" if known else "dead")))

    with recording(answer) as server:
        yield server


def documented(example: Example) -> Answer:
    return Answer(example.status, example.body.encode(), example.headers)


def leakguard(tree: Path, proxy: Proxy, *args: str) -> subprocess.CompletedProcess[str]:
    """Run it behind the proxy, with every library's log at its most talkative."""
    own = Path(os.environ["XDG_CONFIG_HOME"], "leakguard", "config.toml")
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(f"[verify]\nscopes = [{json.dumps(str(tree))}]\nca_file = {json.dumps(str(tree.parent / 'ca.pem'))}\n")
    (tree.parent / "ca.pem").write_bytes(proxy.authority.cert_pem.bytes())
    env = os.environ | {"HTTPS_PROXY": proxy.url, "SSLKEYLOGFILE": ""}
    command = [sys.executable, "-c", LOGGED, "scan", "--verify", *args]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=180, env=env)


def shape(template: str) -> re.Pattern[str]:
    """Return a pattern for the paths that a planned path stands for."""
    return re.compile("".join(".+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[a-z_]+\})", template)))


def test_what_leaves_is_what_the_plan_said_and_nothing_tells_a_value(
    tree: Path, proxy: Proxy, planted_values: dict[str, str], leaks: Callable[..., list[str]]
) -> None:
    plan = leakguard(tree, proxy, "--plan", "-f", "json")
    assert proxy.recorded == [], "a plan sends nothing"
    planned = json.loads(plan.stdout)["requests"]
    assert {request["host"] for request in planned} == set(PROVIDERS)

    done = leakguard(tree, proxy, "-f", "json", "-f", "text", "-o", "report.json", "-o", "-", "-v")
    sent = []
    for host, asked in proxy.recorded:
        path = asked.path.partition("?")[0]
        fits = {r["path"] for r in planned if f"{r['host']}:443" == host and shape(r["path"]).fullmatch(path)}
        assert len(fits) == 1, f"{asked.method} {host} is in no plan"
        sent.append((host.removesuffix(":443"), asked.method, *fits, tuple(sorted(set(asked.headers) - OWN))))
    assert Counter(sent) == Counter((r["host"], r["method"], r["path"], tuple(r["headers"])) for r in planned)
    assert all(
        asked.headers["user-agent"].startswith("LeakGuard/") and "+https://" in asked.headers["user-agent"]
        for _, asked in proxy.recorded
    )

    report = json.loads((tree / "report.json").read_text())
    states = Counter(finding["verification"]["state"] for finding in report["findings"])
    assert states == {"live": 5, "dead": 7}
    again = leakguard(tree, proxy, "--plan", "-f", "json")
    assert json.loads(again.stdout)["requests"] == [], "all of it is known"
    kept = [p.read_bytes().decode("latin-1") for p in Path(os.environ["HOME"]).rglob("*") if p.is_file()]
    told = "\n".join([plan.stdout, plan.stderr, done.stdout, done.stderr, again.stderr, (tree / "report.json").read_text(), *kept])
    for name, value in planted_values.items():
        secret = value[-20:] if name != "CLOUDINARY_KEY" else ""
        assert leaks(told, secret[:-4]) == [], f"{name} is told"
        assert name == "CLOUDINARY_KEY" or value not in told


def test_behind_a_proxy_no_request_goes_round_it_and_its_certificate_has_to_be_trusted(
    tree: Path, proxy: Proxy, planted_values: dict[str, str]
) -> None:
    (tree / "a.env").write_text(f"T={planted_values['GITHUB_LIVE']}\n")
    (tree / "b.env").unlink()
    done = leakguard(tree, proxy._replace(authority=trustme.CA()), "-f", "json")
    assert proxy.recorded == []
    assert json.loads(done.stdout)["findings"][0]["verification"]["reason"] == "tls"
