"""JSON Web Tokens: nobody is asked, since the host that would be (`iss`) stands in the token itself.

A token whose `exp` has passed is dead (RFC 7519 4.1.4); any other may be live, which only its issuer could say.
"""

from __future__ import annotations

import json
from binascii import Error, a2b_base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from leakguard.model.finding import Verdict
from leakguard.model.verdict import Evidence, Identity
from leakguard.net.message import Sent
from leakguard.verifiers._contract import Credential, Tools

LOGIN = False


def plan(_credential: Credential, _tools: Tools) -> Iterator[Sent]:
    """Yield nothing: it needs no network."""
    return iter(())


def check(credential: Credential, tools: Tools) -> Verdict:
    """Read the claims."""
    claims = _claims(credential.values()["secret"])
    if not claims:
        return Verdict("unverifiable", "", "its claims are encrypted or no JSON")
    identity = Identity(
        id=_text(claims, "sub"),
        name=_text(claims, "preferred_username") or _text(claims, "name"),
        email=_text(claims, "email"),
        account=_text(claims, "iss"),
        key_id=_text(claims, "jti"),
        scopes=tuple(_text(claims, "scope").split()[:100]),
        created=_time(claims, "iat"),
        expires=_time(claims, "exp"),
    )
    shown = identity if any(identity) else None
    expires = claims.get("exp")
    if isinstance(expires, int | float) and not isinstance(expires, bool) and expires < tools.wall():
        now = datetime.fromtimestamp(tools.wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Verdict("dead", "expired", "", shown, (Evidence(now, "jwt", credential.check.version, decided="exp"),))
    detail = "only its issuer can say; it has not expired" if identity.expires else "only its issuer can say; it never expires"
    return Verdict("unverifiable", "", detail, shown)


def _claims(value: str) -> dict[str, Any]:
    if value.startswith("ZXlK"):
        value = _decoded(value).decode("latin-1")
    pieces = value.split(".")
    if len(pieces) != 3:
        return {}
    try:
        claims = json.loads(_decoded(pieces[1]))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _decoded(text: str) -> bytes:
    raw = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return a2b_base64(raw + "=" * (-len(raw) % 4))
    except (Error, ValueError):
        return b""


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name, "")
    return "".join(c for c in value if c.isprintable())[:200] if isinstance(value, str) else ""


def _time(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e11:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ""
