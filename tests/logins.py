"""Credentials as a scan hands them to a verifier, and the command that does both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from leakguard.model.check import Check
from leakguard.model.finding import Verdict
from leakguard.net.policy import allow
from leakguard.ruleset.files import builtin_folder
from leakguard.ruleset.load import load
from leakguard.secret import Secret
from leakguard.verifiers import uri
from leakguard.verifiers._contract import Credential, Tools

CHECK = Check("x", "x", version="1")


def credential(rule: str, file: str, value: str, **parts: str) -> Credential:
    """Return a value of a rule with the parts that were found near it."""
    found = next(r for r in load([os.path.join(builtin_folder(), file)]).rules if r.id == rule)
    return Credential(found, CHECK, Secret(value.encode()), tuple((name, Secret(text.encode())) for name, text in parts.items()))


def beside(url: str, password: str) -> Credential:
    """Return the password of a URL."""
    return credential("http-uri-credentials", "http.toml", password, around=f"url = {url}")


def ask(tools: Tools, url: str, password: str) -> Verdict:
    """Log in with a URL whose host a person allowed."""
    return uri.check(beside(url, password), tools._replace(allowed=(allow(url.rpartition("@")[2].partition("/")[0]),)))


def leakguard(cwd: Path, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "leakguard", *args],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"},
    )


def trust(*scopes: str) -> None:
    """Name scopes in the user's own settings."""
    own = Path(os.environ["XDG_CONFIG_HOME"], "leakguard", "config.toml")
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(f"[verify]\nscopes = {json.dumps(scopes)}\n")
