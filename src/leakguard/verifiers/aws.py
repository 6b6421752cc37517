"""AWS access keys: `sts:GetCallerIdentity`, which every key may call and which changes nothing.

What STS answers (https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html): `InvalidClientTokenId` to a key id that
it does not know (deleted, inactive), `ExpiredToken`, and `SignatureDoesNotMatch` to a key id that it knows with another
secret: then the secret may belong to another id, so that nothing is said about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256

from leakguard.model.finding import Verdict
from leakguard.model.verdict import Evidence, Identity
from leakguard.net.message import Request, Response, Sent
from leakguard.net.policy import Policy, allow
from leakguard.verifiers._canary import aws_account
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._sigv4 import signed

LOGIN = False
HOSTS = ("sts.amazonaws.com",)
_BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
_DEAD = {"InvalidClientTokenId": "", "ExpiredToken": "expired", "ExpiredTokenException": "expired"}
_RESTRICTED = ("AccessDenied", "AccessDeniedException", "OptInRequired", "RegionDisabledException")


def plan(credential: Credential, tools: Tools) -> Iterator[Sent]:
    """Yield the one request."""
    if credential.values().get("key_id"):
        yield _unsigned(tools).shown


def check(credential: Credential, tools: Tools) -> Verdict:
    """Ask who the key is."""
    values = credential.values()
    key_id = values.get("key_id", "")
    if not key_id:
        return Verdict("unknown", "no_partner", "its access key id was not found")
    token = values.get("session_token", "")
    if key_id.startswith("ASIA") and not token:
        return Verdict("unknown", "no_partner", "a temporary key works with its session token only, which was not found")
    account = aws_account(key_id)
    request = signed(
        _unsigned(tools), key_id=key_id, secret=values["secret"], token=token, region="us-east-1", service="sts", wall=tools.wall()
    )
    own = tuple(allow(url) for url in tools.endpoints.get("aws", ()))
    response = tools.ask(request, Policy(frozenset(HOSTS), allowed=(*tools.allowed, *own)))
    state, reason, decided = _judged(response)
    evidence = Evidence(
        time=datetime.fromtimestamp(tools.wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        verifier="aws",
        version=credential.check.version,
        host=request.shown.host,
        method="POST",
        template="/ GetCallerIdentity",
        status=response.status,
        decided=decided,
        request_id=response.headers.get("x-amzn-requestid", ""),
        response_sha256=sha256(response.body).hexdigest(),
    )
    arn = _field(response, "Arn") if state == "live" else ""
    identity = Identity(
        id=_field(response, "UserId") if arn else "",
        name=arn,
        type=arn.split(":")[5].split("/")[0] if arn.count(":") >= 5 else "",
        account=(_field(response, "Account") if arn else "") or account,
        key_id=key_id,
    )
    return Verdict(state, reason, "", identity, (evidence,))


def _unsigned(tools: Tools) -> Request:
    url = next(iter(tools.endpoints.get("aws", ())), "https://sts.amazonaws.com").rstrip("/") + "/"
    headers = (("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"), ("Accept", "text/xml"))
    return Request("POST", url, headers, _BODY, kind="read")


def _judged(response: Response) -> tuple[str, str, str]:
    code = _field(response, "Code")
    if response.status == 200 and _field(response, "Arn") and _field(response, "Account"):
        return "live", "", "200 Arn"
    decided = f"{response.status} {code}".rstrip()
    if response.status in (400, 403) and code in _DEAD:
        return "dead", _DEAD[code], decided
    if response.status in (400, 403) and code in _RESTRICTED:
        return "live_restricted", "", decided
    if code == "SignatureDoesNotMatch":
        return "unknown", "ambiguous_pair", decided
    if code in ("Throttling", "ThrottlingException", "RequestLimitExceeded") or response.status == 429:
        return "unknown", "throttled", decided
    return "unknown", "provider_5xx" if response.status >= 500 else "unexpected", decided


def _field(response: Response, name: str) -> str:
    """Return an element of the answer's XML; a name that stands twice or a page of HTML has none."""
    found = re.findall(rb"<" + name.encode() + rb">([^<>]{1,300})</" + name.encode() + rb">", response.body)
    return found[0].decode("utf-8", "replace") if len(found) == 1 else ""
