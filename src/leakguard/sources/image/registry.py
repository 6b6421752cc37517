"""A registry, over the guarded HTTP client: the distribution specification's part that pulls.

What the user named is allowed, also on a private address; the place that gives tokens and the store that blobs lie in may
be it, too, or any public host. A login goes to the registry or to the host that it sends logins to, over TLS unless the
registry itself was named with `http://`; a blob store gets none.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from leakguard.errors import NetError, SourceError
from leakguard.net.client import Client
from leakguard.net.message import Request, Response
from leakguard.net.policy import Allowed, Policy, allow
from leakguard.sources.image.credentials import Login
from leakguard.sources.image.manifest import INDEX_TYPES, LARGEST, MANIFEST_TYPES, Part
from leakguard.sources.image.reference import DIGEST, Reference

_SECONDS = 30.0
_TOKEN_BYTES = 256 << 10
_ACCEPT = ("Accept", ", ".join((*INDEX_TYPES, *MANIFEST_TYPES)))
_SCHEME = re.compile(r"(?:^|,)\s*(bearer|basic)\b", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Challenge(NamedTuple):
    """How a registry wants to be told who asks."""

    basic: bool
    realm: str = ""
    """URL that gives tokens."""
    service: str = ""
    scope: str = ""


def challenge(header: str) -> Challenge | None:
    """Read `WWW-Authenticate`; of several ways a token comes first."""
    unquoted = _QUOTED.sub(lambda m: "_" * len(m[0]), header)
    starts = [(m.group(1).lower(), m.start(1), m.end(1)) for m in _SCHEME.finditer(unquoted)]
    found: dict[str, dict[str, str]] = {}
    for number, (scheme, _, end) in enumerate(starts):
        stop = starts[number + 1][1] if number + 1 < len(starts) else len(header)
        values = {
            m[1].lower(): re.sub(r"\\(.)", r"\1", m[2]) if m[2] is not None else m[3]
            for m in _PARAMETER.finditer(header, end, stop)
        }
        found.setdefault(scheme, values)
    if "bearer" in found and found["bearer"].get("realm"):
        values = found["bearer"]
        return Challenge(False, values["realm"], values.get("service", ""), values.get("scope", ""))
    return Challenge(basic=True) if "basic" in found else None


class Registry:
    """One repository of a registry. `login()` is asked once, when the registry wants to know who asks."""

    def __init__(self, client: Client, named: Reference, login: Callable[[], Login | None], also: tuple[Allowed, ...] = ()) -> None:
        """`also`: further hosts that the user allows, for tokens and blobs."""
        self._client = client
        self._named = named
        self._login = login
        self._own = Policy(allowed=(allow(f"{named.scheme}://{named.host}"),))
        self._also = also
        self._headers: tuple[tuple[str, str], ...] = ()

    def manifest(self, version: str) -> bytes:
        """Return a manifest or index by its tag or digest.

        Raises:
            SourceError: there is none, a login is needed, or it does not fit its digest.
            NetError: the registry can't be asked.
        """
        answer = self._asked(self._url("manifests", version), LARGEST, _ACCEPT)
        if answer.status != 200:
            raise self._refused(answer.status, "image")
        self._check(version, answer.body)
        return answer.body

    def document(self, digest: str, limit: int) -> bytes:
        """Return a small blob. Raises as `manifest`."""
        with self.open(digest) as read:
            raw = b""
            while len(raw) <= limit and (piece := read(1 << 16)):
                raw += piece
        if len(raw) > limit:
            raise SourceError(f"{self._named.host} sends a document of more than {limit >> 20} MiB", hint="it was not read")
        self._check(digest, raw)
        return raw

    def has(self, _digest: str) -> bool:
        """Say that it may be there."""
        return True

    def place(self, part: Part) -> tuple[str, int]:
        """Return how a layer is asked for."""
        return part.digest, part.size

    @contextmanager
    def open(self, digest: str) -> Iterator[Callable[[int], bytes]]:
        """Give a reader of a blob; what it gives is not checked here. Raises as `manifest`, also while it is read."""
        url = self._url("blobs", digest)
        follow = Policy(allowed=self._also, public=True)
        for again in (True, False):
            request = Request("GET", url, (*self._headers, ("Accept", "*/*")), template=self._template("blobs"))
            with self._client.stream(request, self._own, follow=follow) as answer:
                if answer.status == 401 and again:
                    self._enter(answer.headers.get("www-authenticate", ""))
                    continue
                if answer.status != 200:
                    raise self._refused(answer.status, "blob of the image")
                yield partial(_next, answer.chunks)
                return

    def _asked(self, url: str, cap: int, *headers: tuple[str, str]) -> Response:
        for again in (True, False):
            request = Request("GET", url, (*self._headers, *headers), template=self._template("manifests"))
            answer = self._client.ask(request, self._own, total=_SECONDS, cap=cap)
            if answer.status != 401 or not again:
                break
            self._enter(answer.headers.get("www-authenticate", ""))
        return answer

    def _enter(self, header: str) -> None:
        """Get what lets us in: a login for basic, a token for it or for nobody."""
        asked = challenge(header)
        if asked is None:
            raise SourceError(f"{self._named.host} wants a login of a kind that is not known", hint="")
        login = self._login()
        if asked.basic:
            if login is None or login.token:
                raise self._refused(401, "image")
            self._headers = (("Authorization", _basic(login)),)
            return
        self._headers = (("Authorization", f"Bearer {self._token(asked, login)}"),)

    def _token(self, asked: Challenge, login: Login | None) -> str:
        scope = f"repository:{self._named.repository}:pull"
        fields = [("service", asked.service)] * bool(asked.service) + [("scope", scope)]
        if login is not None and login.token:
            form = [("grant_type", "refresh_token"), ("client_id", "leakguard"), ("refresh_token", login.secret), *fields]
            body = urlencode(form).encode()
            kind = ("Content-Type", "application/x-www-form-urlencoded")
            request = Request("POST", asked.realm, (kind,), body, kind="mint")
        else:
            url = asked.realm + ("&" if urlsplit(asked.realm).query else "?") + urlencode(fields)
            request = Request("GET", url, (("Authorization", _basic(login)),) if login else (), kind="mint")
        answer = self._client.ask(request, self._tokens(asked.realm), total=_SECONDS, cap=_TOKEN_BYTES)
        if answer.status in (400, 401, 403):
            raise self._refused(401, "image")
        try:
            data = json.loads(answer.body) if answer.status == 200 else None
        except (ValueError, RecursionError):
            data = None
        token = (data.get("token") or data.get("access_token")) if isinstance(data, dict) else None
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise SourceError(
                f"the token server of {self._named.host} gave no token (HTTP {answer.status})", hint="try again later"
            )
        return token

    def _tokens(self, realm: str) -> Policy:
        """Return where tokens may come from: the registry's own host, a neighbour in its domain, any public host over TLS."""
        try:
            parts = urlsplit(realm)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise SourceError(f"{self._named.host} names no proper token server", hint="") from None
        own = urlsplit(f"//{self._named.host}").hostname or ""
        near = host == own or _domain(host) == _domain(own) != "" or host.endswith("." + own) or own.endswith("." + host)
        secure = parts.scheme == "https" or self._named.scheme == "http"
        here = (Allowed(parts.scheme, host, port),) if near and secure else ()
        return Policy(allowed=(*here, *self._also), public=True)

    def _url(self, what: str, version: str) -> str:
        named = self._named
        return f"{named.scheme}://{named.host}/v2/{quote(named.repository)}/{what}/{quote(version, safe=':')}"

    def _template(self, what: str) -> str:
        return f"/v2/{self._named.repository}/{what}/{{reference}}"

    def _check(self, version: str, raw: bytes) -> None:
        algorithm, colon, digest = version.partition(":")
        if colon and DIGEST.fullmatch(version) and hashlib.new(algorithm, raw).hexdigest() != digest:
            raise SourceError(
                f"{self._named.host} sends something that does not have the digest it was asked for",
                hint="push the image again, or ask who runs the registry",
            )

    def _refused(self, status: int, what: str) -> SourceError | NetError:
        host = self._named.host
        if status in (401, 403):
            return SourceError(
                f"{host} lets nobody in without a login that may pull this image", hint=f"docker login {self._named.login}"
            )
        if status == 404:
            return SourceError(f"{host} has no such {what}", hint="check its name and tag")
        if status == 429:
            return NetError(f"{host} wants fewer requests", cause="throttled", hint="try again later, or log in")
        return SourceError(f"{host} answered HTTP {status} when asked for the {what}", hint="try again later")


def _next(chunks: Iterator[bytes], _size: int) -> bytes:
    return next(chunks, b"")


def _basic(login: Login) -> str:
    return "Basic " + b64encode(f"{login.user}:{login.secret}".encode()).decode()


def _domain(host: str) -> str:
    """Return what stands behind a host's first name, where it is no domain that anybody can get a name in."""
    rest = host.partition(".")[2]
    return rest if rest.count(".") >= 2 else ""
