"""Offline checks: what a token's own form proves before anybody is asked.

A check answers True (the form holds what only the vendor's own generator puts there), False (impossible: no such
token was ever issued) or None (says nothing). Modules that a check needs are imported when it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKSUMS = {"crc32_base62": ("base62", 6), "crc32_hex": ("hex", 8), "crc32_HEX": ("HEX", 8), "crc32_base36": ("alnum", 7)}
"""Checksums that templates can compute: name -> (class, length)."""
_DIGITS = {"crc32_base62": (62, BASE62), "crc32_base36": (36, "0123456789abcdefghijklmnopqrstuvwxyz")}


def checksum(kind: str, text: str) -> str:
    """Compute the checksum `kind` of `text` as a template writes it."""
    from zlib import crc32

    value = crc32(text.encode("latin-1"))
    if kind in ("crc32_hex", "crc32_HEX"):
        return f"{value:08X}" if kind == "crc32_HEX" else f"{value:08x}"
    base, digits = _DIGITS[kind]
    out = ""
    while value:
        value, digit = divmod(value, base)
        out = digits[digit] + out
    return out.rjust(CHECKSUMS[kind][1], "0")


def _crc32_base62(value: bytes, groups: Mapping[str, bytes]) -> bool | None:
    """The last 6 characters are CRC-32 of `body`, base62 (GitHub: "Behind GitHub's new authentication token formats", 2021)."""
    body = groups.get("body")
    return None if body is None else checksum("crc32_base62", body.decode("latin-1")).encode() == value[-6:]


def _ends_in(kind: str) -> Callable[[bytes, Mapping[str, bytes]], bool | None]:
    """Return the check that a value ends in the checksum of its `body`, or of all before it where no run has that name.

    For tokens whose vendor says that there is a checksum and not how it is made: a wrong one says nothing.
    """
    length = CHECKSUMS[kind][1]

    def check(value: bytes, groups: Mapping[str, bytes]) -> bool | None:
        body = groups.get("body") or value[:-length]
        return True if checksum(kind, body.decode("latin-1")).encode() == value[-length:] else None

    return check


def _jwt(value: bytes, groups: Mapping[str, bytes]) -> bool | None:  # noqa: ARG001 - every check has this signature
    """Header and payload are JSON objects and the header names an algorithm (RFC 7519); not for the person of every tutorial."""
    import json

    pieces = value.split(b".")
    try:
        header = json.loads(_b64url(pieces[0]))
        if len(pieces) == 5:
            return isinstance(header, dict) and "enc" in header
        payload = json.loads(_b64url(pieces[1]))
    except (ValueError, IndexError):
        return False
    if not isinstance(header, dict) or not isinstance(payload, dict) or payload.get("name") == "John Doe":
        return False
    if "alg" in header or "typ" in header:
        return True
    return None if not _JOSE.isdisjoint(header) else False


_JOSE = frozenset("crit cty enc epk jku jwk kid kty nonce url ver x5c x5t x5u zip".split())  # noqa: SIM905 - a list of words to be read
"""Further names of headers (RFC 7515, 7516, 7517, 8555): makers of tokens leave the algorithm out, too."""


def _jwt_base64(value: bytes, groups: Mapping[str, bytes]) -> bool | None:
    """It decodes to a JWT, as a service account's token in a Kubernetes secret does."""
    try:
        return _jwt(_b64url(value.rstrip(b"=")).strip(), groups)
    except ValueError:
        return False


def _b64url(raw: bytes) -> bytes:
    from binascii import a2b_base64

    return a2b_base64(raw.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(raw) % 4))


def _aws_key_id(value: bytes, groups: Mapping[str, bytes]) -> bool | None:  # noqa: ARG001
    """Ids made since 2019 hold the account: base32, whose first character after the prefix is then not below Q.

    Older ids say nothing, so this check never answers False for them.
    """
    return True if value[4:5] >= b"Q" else None


def _aws_secret_key(value: bytes, groups: Mapping[str, bytes]) -> bool | None:  # noqa: ARG001
    """40 random characters of base64: hex is a commit's id, and letters alone are the path of a policy."""
    mixed = any(c in b"0123456789" for c in value) and any(c not in b"0123456789abcdefABCDEF" for c in value)
    return None if mixed else False


def _pypi_macaroon(value: bytes, groups: Mapping[str, bytes]) -> bool | None:  # noqa: ARG001
    """The part after `pypi-` is a version 2 macaroon: it begins with a length and the issuing host."""
    raw = value.removeprefix(b"pypi-")
    try:
        body = _b64url(raw)
    except ValueError:
        return None if len(raw) % 4 == 1 else False
    return body[:2] == b"\x02\x01" and body[2] == len(body[3 : 3 + body[2]]) and b"\x02" in body


def _azure_devops_pat(value: bytes, groups: Mapping[str, bytes]) -> bool | None:  # noqa: ARG001
    """84 characters with the fixed signature `AZDO` at 76 (Microsoft: "Improved PAT format", 2024)."""
    return value[76:80] == b"AZDO"


def _pem(value: bytes, groups: Mapping[str, bytes]) -> bool | None:
    """The body is base64 of something that a key could be; text, dots and stand-ins between the lines are not."""
    from binascii import a2b_base64
    from re import sub

    body = groups.get("body", value)
    if b"BLOCK" in value[:60] or b"ENCRYPTED" in body[:200] or b"DEK-Info" in body[:200]:
        return None
    plain = sub(rb"\\[nrt]|[^0-9A-Za-z+/=]", b"", body)
    if len(plain) < 60 or len(plain) < len(body) * 0.6 or len(set(plain)) < 20:
        return False
    try:
        raw = a2b_base64(plain[: len(plain) // 4 * 4])
    except ValueError:
        return None
    return True if raw[:1] == b"0" or raw.startswith(b"openssh-key-v1") else None


_STAND_INS = frozenset(
    [
        *("pass", "password", "passwd", "passphrase", "secret", "changeme", "test", "tests", "user", "admin", "example"),
        *("foo", "bar", "baz", "пароль", "opensesame", "open sesame"),
    ]
)
"""Passwords of documentation: RFC 7617's own, and those that name themselves."""


def _basic_auth(value: bytes, groups: Mapping[str, bytes]) -> bool | None:  # noqa: ARG001
    """It decodes to printable text with a colon after the user's name (RFC 7617)."""
    from binascii import a2b_base64

    try:
        user, colon, password = a2b_base64(value + b"=" * (-len(value) % 4)).decode("utf-8").partition(":")
    except ValueError:
        return False
    if not colon or not (user + password).isprintable() or len(password) < 3:
        return False
    low = password.lower()
    if low in _STAND_INS or low == user.lower():
        return False
    # letters alone may be a word of an example as well as somebody's password
    return None if low.isalpha() and len(low) < 12 else True


CHECKS: dict[str, Callable[[bytes, Mapping[str, bytes]], bool | None]] = {
    "crc32_base62": _crc32_base62,
    "crc32_hex": _ends_in("crc32_hex"),
    "crc32_HEX": _ends_in("crc32_HEX"),
    "crc32_base36": _ends_in("crc32_base36"),
    "basic_auth": _basic_auth,
    "jwt": _jwt,
    "jwt_base64": _jwt_base64,
    "aws_key_id": _aws_key_id,
    "aws_secret_key": _aws_secret_key,
    "pem": _pem,
    "pypi_macaroon": _pypi_macaroon,
    "azure_devops_pat": _azure_devops_pat,
}
