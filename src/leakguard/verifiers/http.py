"""Runs the `[rule.verify]` tables: builds each request, asks, judges the answer, reads the identity."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

from leakguard.errors import NetError
from leakguard.model.check import Check, Step
from leakguard.model.finding import Verdict
from leakguard.model.verdict import LIVE, Evidence, Identity
from leakguard.net.message import Request, Response, Sent
from leakguard.net.policy import Allowed, Policy, allow
from leakguard.verifiers import _judge
from leakguard.verifiers._contract import Credential, Tools

LOGIN = False
_VARIABLE = re.compile(r"\$\{([a-z_][a-z0-9_]*)\}")
_HOST = re.compile(r"(?:https?://)?([A-Za-z0-9.\-]+(?::[0-9]{1,5})?)/?(?:[/?#].*)?")
_REQUEST_IDS = (
    "x-request-id",
    "x-github-request-id",
    "request-id",
    "x-amzn-requestid",
    "x-slack-req-id",
    "cf-ray",
    "x-correlation-id",
)

Prepare = Callable[[Request, Mapping[str, str]], Request]
"""Signs a request; for verifiers that build on this one."""


class Unsendable(Exception):  # noqa: N818 - no failure: it becomes a verdict
    """A request can't be written; `cause` is why."""

    def __init__(self, message: str, cause: str = "unexpected") -> None:
        super().__init__(message)
        self.cause = cause


def plan(credential: Credential, tools: Tools) -> Iterator[Sent]:
    """Yield what a check would send, at most: each step at each host, until one proves something."""
    try:
        values = _values(credential)
        for host in _hosts(credential, tools, values):
            for step in credential.check.steps:
                if step.kind not in tools.classes:
                    break
                known = values | {"host": host} | {name: "" for s in credential.check.steps for name, _ in s.take}
                yield build(step, known, credential.check).shown
    except Unsendable:
        return


def check(credential: Credential, tools: Tools, prepare: Prepare | None = None) -> Verdict:
    """Ask at each host in turn: live at one is live, dead only where all refuse."""
    try:
        values = _values(credential)
        hosts = _hosts(credential, tools, values)
    except Unsendable as e:
        return Verdict("unknown", e.cause, str(e))
    policy = policy_of(credential.check, tools)
    verdicts: list[Verdict] = []
    for host in hosts:
        verdict = _at(credential, tools, policy, values | {"host": host}, prepare)
        if verdict.state in LIVE:
            return verdict._replace(evidence=(*(e for v in verdicts for e in v.evidence), *verdict.evidence))
        verdicts.append(verdict)
    evidence = tuple(e for v in verdicts for e in v.evidence)
    worst = next((v for v in verdicts if v.state != "dead"), verdicts[0])
    return worst._replace(evidence=evidence)


def policy_of(check: Check, tools: Tools) -> Policy:
    """Return where a check may send: what its table pins, and what a person or trusted configuration allowed."""
    written = (found[1].lower() for step in check.steps if (found := re.match(r"https://([^/?#$]+)(?:[/?#]|\Z)", step.url)))
    own = tuple(_base(url) for url in tools.endpoints.get(check.provider, ()))
    return Policy(frozenset((*written, *check.hosts)), check.suffixes, (*tools.allowed, *own))


def _base(url: str) -> Allowed:
    scheme, _, rest = url.partition("://")
    return allow(f"{scheme}://{rest.partition('/')[0]}")


def _values(credential: Credential) -> dict[str, str]:
    try:
        values = credential.values()
    except UnicodeDecodeError:
        raise Unsendable("it holds bytes that are no text") from None
    for name, pattern in credential.check.vars:
        found = re.search(pattern, values["secret"])
        if not found or found[1] is None:
            raise Unsendable(f"{name} can't be cut out of it")
        values[name] = found[1]
    return values


def _hosts(credential: Credential, tools: Tools, values: Mapping[str, str]) -> list[str]:
    """Return what `${host}` stands for, each in turn; one empty host where the URLs name theirs."""
    if not any("${host}" in step.url for step in credential.check.steps):
        return [""]
    if found := values.get("host"):
        beside = _HOST.fullmatch(found.strip())
        if not beside:
            raise Unsendable("what stands beside it is no host")
        return [beside[1].lower()]
    own = [url.removeprefix("https://").rstrip("/") for url in tools.endpoints.get(credential.check.provider, ())]
    return own or list(credential.check.hosts)


def _at(credential: Credential, tools: Tools, policy: Policy, values: dict[str, str], prepare: Prepare | None) -> Verdict:
    """Run the steps: the first that proves something decides, later ones only add to the identity."""
    secrets = [
        s.reveal()[s.public :]
        for s in (credential.secret, *(p for name, p in credential.parts if not p.public and name != "around"))
    ]
    decided: Verdict | None = None
    seen: list[Evidence] = []
    for step in credential.check.steps:
        if step.kind not in tools.classes:
            decided = decided or Verdict(
                "skipped_by_policy", "", f"the check would {_DOES[step.kind]}; --allow {step.kind} lets it"
            )
            break
        try:
            request = build(step, values, credential.check)
            if prepare:
                request = prepare(request, values)
            response = tools.ask(request, policy)
        except Unsendable as e:
            decided = decided or Verdict("unknown", e.cause, str(e))
            break
        except NetError as e:
            decided = decided or Verdict("unknown", e.cause, e.message)
            break
        answer = _judge.read(response)
        judged = _judge.judge(step, answer)
        seen.append(_evidence(credential.check, request, response, answer, judged, tools.wall(), secrets))
        if decided is None:
            decided = Verdict(judged.state, judged.reason)
        if judged.state not in LIVE:
            break
        decided = decided._replace(identity=_merged(decided.identity, _judge.identity(step, answer, secrets)))
        for name, path in step.take:
            values[name] = next((str(v) for v in _judge.find(answer, path) if isinstance(v, str | int)), "")
        if any(not values[name] for name, _ in step.take):
            break
    assert decided is not None, "a table has a step"
    return decided._replace(evidence=tuple(seen))


_DOES = {"mint": "make a new token", "write": "change something", "billable": "cost money", "notify": "tell somebody"}


def _merged(old: Identity | None, new: Identity | None) -> Identity | None:
    """Return what two answers say together; the first counts where both say something."""
    if old is None or new is None:
        return old or new
    both: dict[str, Any] = {name: getattr(old, name) or getattr(new, name) for name in Identity._fields}
    return Identity(**both)


def build(step: Step, values: Mapping[str, str], check: Check) -> Request:
    """Write a step's request.

    Raises:
        Unsendable: a value does not fit its place, or a part is missing.
    """
    headers = [("Accept", "application/json")] if not any(n.lower() == "accept" for n, _ in step.headers) else []
    headers += [(name, _header(text, values)) for name, text in step.headers]
    if step.basic:
        headers.append(("Authorization", "Basic " + b64encode(_fill(step.basic, values).encode()).decode()))
    body = b""
    if step.form:
        body = urlencode([(name, _fill(text, values)) for name, text in step.form]).encode()
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
    elif step.json is not None:
        body = json.dumps(_filled(step.json, values)).encode()
        headers.append(("Content-Type", "application/json"))
    elif step.body is not None:
        body = _fill(step.body, values).encode()
    url, template = _url(step.url, values, check)
    return Request(step.method, url, tuple(headers), body, template, step.kind)


def _fill(text: str, values: Mapping[str, str], quoted: Callable[[str, str], str] = lambda _name, value: value) -> str:
    def one(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise Unsendable(f"its {found[1].replace('_', ' ')} was not found", "no_partner")
        return quoted(found[1], values[found[1]])

    return _VARIABLE.sub(one, text)


def _filled(data: Any, values: Mapping[str, str]) -> Any:
    if isinstance(data, dict):
        return {k: _filled(v, values) for k, v in data.items()}
    if isinstance(data, list):
        return [_filled(v, values) for v in data]
    return _fill(data, values) if isinstance(data, str) else data


def _header(text: str, values: Mapping[str, str]) -> str:
    filled = _fill(text, values)
    if not filled.isascii() or any(c < " " or c == "\x7f" for c in filled):
        raise Unsendable("it holds characters that a header can't carry")
    return filled


def _url(template: str, values: Mapping[str, str], check: Check) -> tuple[str, str]:
    """Return a URL and its path as it may be shown."""
    if template == "${secret}":
        return _fill(template, values), "/{secret}"
    at = template.index("/", 8) if "/" in template[8:] else len(template)
    host, rest = template[8:at], template[at:] or "/"
    derived = {name for name, _ in check.vars}

    def in_host(name: str, value: str) -> str:
        found = _HOST.fullmatch(value.strip())
        if name != "host" and not found:
            raise Unsendable(f"its {name.replace('_', ' ')} is no name of a host")
        return value if name == "host" else found[1].lower()  # type: ignore[index]

    def in_path(name: str, value: str) -> str:
        if any(part in (".", "..") for part in value.split("/")):
            raise Unsendable("it would change the path of the request")
        return quote(value, safe=":@/" if name in derived else ":@")

    path, mark, query = rest.partition("?")
    shown = _VARIABLE.sub(lambda found: "{" + found[1] + "}", path)
    written = _fill(host, values, in_host)
    # only an installation of ours may be named with http://
    written = written if written.startswith("http://") else f"https://{written}"
    prefix = written.partition("://")[2].partition("/")[2]
    filled = _fill(path, values, in_path) + mark + _fill(query, values, lambda _name, value: quote(value, safe=""))
    return written + filled, (f"/{prefix}" if prefix else "") + shown


def _evidence(
    check: Check, request: Request, response: Response, answer: _judge.Answer, judged: _judge.Judgement, wall: float, secrets: list[bytes]
) -> Evidence:  # fmt: skip
    shown = request.shown
    ident = next((response.headers[name] for name in _REQUEST_IDS if name in response.headers), "")
    return Evidence(
        time=datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        verifier=check.rule,
        version=check.version,
        host=shown.host,
        method=shown.method,
        template=shown.template,
        status=response.status,
        decided=_judge.without_echo(judged.decided or str(answer.status), secrets),
        request_id=_judge.without_echo(ident, secrets),
        response_sha256=sha256(response.body).hexdigest(),
    )
