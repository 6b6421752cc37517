"""Logins to container registries, as `config.json` keeps them: ask for `/v2/`, or where the registry says so for a token.

What it answers (https://distribution.github.io/distribution/spec/api/#api-version-check and
https://distribution.github.io/distribution/spec/auth/token/): 401 refuses a login, with an error in JSON; 200 takes it. Which registry a
login belongs to stands beside it; where it can't be told for sure, nobody is asked. One try for each account and day.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from leakguard.model.finding import Verdict
from leakguard.model.verdict import Evidence, Identity
from leakguard.net.message import Request, Response, Sent
from leakguard.net.policy import Policy
from leakguard.verifiers._contract import Credential, Tools

LOGIN = True
_HUB = "registry-1.docker.io"
_TOKENS = {
    _HUB: "auth.docker.io",
    "ghcr.io": "ghcr.io",
    "quay.io": "quay.io",
    "gcr.io": "gcr.io",
    "public.ecr.aws": "public.ecr.aws",
    "registry.gitlab.com": "gitlab.com",
}
"""Registry of a vendor -> the host that gives its tokens; these may be asked without being allowed one by one."""
HOSTS = frozenset({*_TOKENS, *_TOKENS.values()})
SUFFIXES = (".azurecr.io", ".pkg.dev", ".gcr.io")
_PARAMETER = re.compile(r'(realm|service)="([^"]{1,500})"')


class _Login(NamedTuple):
    """One entry of `auths`."""

    host: str
    """With its port."""
    clear: bool
    user: str
    password: str

    def __repr__(self) -> str:
        return f"<_Login {self.host}>"

    @property
    def url(self) -> str:
        return f"{'http' if self.clear else 'https'}://{self.host}/v2/"


def account(credential: Credential) -> str:
    """Return whose tries are counted."""
    login = _login(credential)
    return f"{login.user}@{login.host}" if login else ""


def plan(credential: Credential, tools: Tools) -> Iterator[Sent]:
    """Yield the requests: without the login, with it, and for a token where its host is known."""
    login = _login(credential)
    if login:
        yield Request("GET", login.url).shown
        yield Request("GET", login.url, (("Authorization", ""),)).shown
        if "mint" in tools.classes:
            yield Sent(_TOKENS.get(login.host, login.host), "GET", "/{realm}", ("authorization",), "mint")


def check(credential: Credential, tools: Tools) -> Verdict:
    """Log in."""
    login = _login(credential)
    if login is None:
        return Verdict("unknown", "no_partner", "the one registry that it is for was not found")
    policy = Policy(frozenset({login.host, _TOKENS[login.host]} if login.host in _TOKENS else ()), SUFFIXES, tools.allowed)
    first = tools.ask(Request("GET", login.url), policy)
    wanted = first.headers.get("www-authenticate", "")
    if first.status != 401 or "docker-distribution-api-version" not in first.headers:
        told = "the registry lets everybody in" if first.status == 200 else "the answer is none of a registry"
        return _verdict(credential, tools, login, first, ("unknown", "unexpected", told))
    basic = (("Authorization", "Basic " + b64encode(f"{login.user}:{login.password}".encode()).decode()),)
    if wanted.lower().startswith("basic"):
        return _verdict(credential, tools, login, *_judged(tools.ask(Request("GET", login.url, basic), policy), token=False))
    values = dict(_PARAMETER.findall(wanted))
    if not wanted.lower().startswith("bearer ") or "realm" not in values:
        return _verdict(credential, tools, login, first, ("unknown", "unexpected", "the registry wants a login of another kind"))
    if "mint" not in tools.classes:
        told = "the check would make a token of a few minutes; --allow mint lets it"
        return _verdict(credential, tools, login, first, ("skipped_by_policy", "", told))
    asked = urlencode([("service", values.get("service", "")), ("account", login.user)])
    url = values["realm"] + ("&" if urlsplit(values["realm"]).query else "?") + asked
    # the registry names where tokens are given: its own host, its vendor's, or one that a person allowed
    tokens = Policy(frozenset({login.host, _TOKENS.get(login.host, login.host)}), (), tools.allowed)
    request = Request("GET", url, basic, template="/{realm}", kind="mint")
    return _verdict(credential, tools, login, *_judged(tools.ask(request, tokens), token=True))


def _judged(answer: Response, *, token: bool) -> tuple[Response, tuple[str, str, str]]:
    """Say what an answer to a login proves: a page of HTML and an empty one prove nothing."""
    try:
        data: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        data = None
    fields: dict[str, Any] = data if isinstance(data, dict) else {}
    if answer.status == 200:
        live = fields.get("token") or fields.get("access_token") if token else "docker-distribution-api-version" in answer.headers
        return answer, ("live", "", "") if live else ("unknown", "unexpected", "")
    if answer.status == 401 and any(fields.get(name) for name in ("errors", "error", "details", "message")):
        return answer, ("dead", "wrong_secret", "")
    reason = "throttled" if answer.status == 429 else "provider_5xx" if answer.status >= 500 else "unexpected"
    return answer, ("unknown", reason, "")


def _verdict(credential: Credential, tools: Tools, login: _Login, answer: Response, state: tuple[str, str, str]) -> Verdict:
    from datetime import UTC, datetime

    now = datetime.fromtimestamp(tools.wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    seen = Evidence(
        now,
        "registry",
        credential.check.version,
        login.host,
        "GET",
        "/v2/",
        answer.status,
        str(answer.status),
        response_sha256=sha256(answer.body).hexdigest(),
    )
    identity = Identity(name=login.user, account=login.host) if state[0] == "live" else None
    return Verdict(*state, identity, (seen,))


def _login(credential: Credential) -> _Login | None:
    """Return the one login that a value holds, None where the registry it is for is not known for sure."""
    values = credential.values()
    secret, around = values["secret"], values.get("around", "")
    entries = _entries(secret)
    if entries is None:
        pattern = r'\\?"([^"\\\s]{1,300})\\?"\s*:\s*\{[^{}]{0,300}?\\?"auth\\?"\s*:\s*\\?"' + re.escape(secret) + r'\\?"'
        entries = [(name, secret) for name in dict.fromkeys(re.findall(pattern, around))]
    if len(entries) != 1:
        return None
    name, word = entries[0]
    try:
        user, colon, password = b64decode(word + "=" * (-len(word) % 4), validate=True).decode("utf-8").partition(":")
        parts = urlsplit(name if "://" in name else f"https://{name}")
        host = (parts.hostname or "").lower() + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return None
    if not colon or not parts.hostname or "@" in parts.netloc or not (user + password).isprintable():
        return None
    clear = parts.scheme == "http"
    return _Login(_HUB if host in ("index.docker.io", "docker.io") else host, clear, user, password.rstrip("\0"))


def _entries(value: str) -> list[tuple[str, str]] | None:
    """Return the registries and logins of a whole config.json in base64, None where the value is none."""
    try:
        auths = json.loads(b64decode(value + "=" * (-len(value) % 4), validate=True))["auths"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    out = []
    for name, entry in auths.items() if isinstance(auths, dict) else ():
        if isinstance(entry, dict) and isinstance(entry.get("auth"), str) and entry["auth"]:
            out.append((name, entry["auth"]))
        elif isinstance(entry, dict) and isinstance(entry.get("password"), str):
            out.append((name, b64encode(f"{entry.get('username', '')}:{entry['password']}".encode()).decode()))
    return out
