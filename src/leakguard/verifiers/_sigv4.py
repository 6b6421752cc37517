"""AWS Signature Version 4 of one request, as AWS documents it ("Create a signed AWS API request"), without the SDK."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from urllib.parse import quote, urlsplit

from leakguard.net.message import Request


def signed(request: Request, *, key_id: str, secret: str, token: str, region: str, service: str, wall: float) -> Request:
    """Return the request with the headers that sign it."""
    parts = urlsplit(request.url)
    stamp = datetime.fromtimestamp(wall, UTC).strftime("%Y%m%dT%H%M%SZ")
    payload = sha256(request.body).hexdigest()
    headers = {n.lower(): " ".join(v.split()) for n, v in request.headers} | {"host": parts.netloc, "x-amz-date": stamp}
    if service == "s3":
        headers["x-amz-content-sha256"] = payload
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    query = "&".join(sorted(_pair(piece) for piece in parts.query.split("&") if piece))
    canonical = "\n".join(
        [
            request.method,
            quote(parts.path or "/", safe="/-_.~%"),
            query,
            *(f"{n}:{headers[n]}" for n in sorted(headers)),
            "",
            names,
            payload,
        ]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + secret.encode()
    for piece in scope.split("/"):
        key = digest(key, piece.encode(), "sha256")
    signature = digest(key, text.encode(), "sha256").hex()
    authorization = f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    added = [(n, v) for n, v in headers.items() if n.startswith("x-amz-")]
    return request._replace(headers=(*request.headers, *added, ("Authorization", authorization)))


def _pair(piece: str) -> str:
    name, _, value = piece.partition("=")
    return f"{name}={value}"
