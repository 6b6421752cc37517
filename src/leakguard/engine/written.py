"""How a value stands in the text, and what it is: one function of the bytes of its span.

A value in pieces (`"abc" + "def"`), in base64 or in escapes is reported at the span that holds it, but it is the value itself that is
scored, hashed and masked, so that a credential is one wherever and however it is written. Since the bytes of the span
decide, whoever opens a place again gets the same value, and versions of a file that share those bytes share the answer.
Of a text in which values stand encoded that nobody named, `decode` makes a text of its own, and finds the spans.
"""

from __future__ import annotations

import re
from array import array
from binascii import a2b_base64, a2b_hex
from collections.abc import Callable, Iterable
from functools import partial

from leakguard.engine.native import unescape
from leakguard.model.finding import Step

_SEPARATORS = re.compile(rb"\\[nrt/]|[^0-9A-Za-z+/_\-]")
_STANDARD = bytes.maketrans(b"-_", b"+/")
MOST = 16 << 20
"""Bytes that one packed text is unpacked to."""


def base64(raw: bytes) -> bytes:
    """Return what base64 stands for, in either alphabet, over lines, with or without its padding."""
    letters = _SEPARATORS.sub(_kept, raw).translate(_STANDARD)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return a2b_base64(letters + b"=" * (-len(letters) % 4))


def _kept(separator: re.Match[bytes]) -> bytes:
    return b"/" if separator[0] == b"\\/" else b""


def unhex(raw: bytes) -> bytes:
    """Return what pairs of hexadecimal digits stand for, over lines."""
    digits = re.sub(rb"\\[nrt]|\s+", b"", raw)
    return a2b_hex(digits[: len(digits) // 2 * 2])


def inflate(raw: bytes, *, most: int = MOST) -> bytes:
    """Return what gzip or zlib packed, at most `most` bytes of it.

    Raises:
        ValueError: it is neither, or damaged.
    """
    import zlib

    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(raw, most)
    except zlib.error as e:
        msg = "damaged"
        raise ValueError(msg) from e


def _wide(encoding: str, raw: bytes) -> bytes:
    return raw.decode(encoding, "replace").encode()


ESCAPES = ("percent", "backslash", "html", "quoted-printable")
"""Ways in which most characters stand as they are, in the order of their kinds."""


def _escaped(kind: int, raw: bytes) -> bytes:
    return unescape(raw, array("q", (kind, 0, len(raw))).tobytes())[0][:-1]


def _log(raw: bytes) -> bytes:
    from leakguard.engine.logs import text_of

    return text_of(raw)


def _wrapped_log(raw: bytes) -> bytes:
    from leakguard.engine.logs import joined

    return joined(raw)


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64,
    "hex": unhex,
    "gzip": inflate,
    "zlib": inflate,
    "utf-16-le": partial(_wide, "utf-16-le"),
    "utf-16-be": partial(_wide, "utf-16-be"),
    "log": _log,
    "wrapped log": _wrapped_log,
    **{way: partial(_escaped, kind) for kind, way in enumerate(ESCAPES, 3)},
}
"""Decoders by name: each a function of the bytes of a span, which raises ValueError for what it can't read."""

WAYS = ("", "joined", "base64")

_JOINT = re.compile(
    rb"(\\{0,3}[\"'`])[ \t]{0,8}(?:\\?\r?\n[ \t]{0,40})?(?:\+|\.{1,2}|&|<>)?[ \t]{0,8}(?:\\?\r?\n[ \t]{0,40})?\1|\\\r?\n[ \t]{0,40}"
)
"""What stands between two pieces; no narrower than `_JOINT` of `ruleset/fragments.py`, by which patterns let it through."""


def unwrap(raw: bytes, via: Iterable[Step]) -> bytes:
    """Return the value that stands in the bytes of a place, however deep.

    Raises:
        ValueError: they hold nothing in that way (any more).
    """
    for step in via:
        raw = DECODERS[step.way](raw)[step.start : step.start + step.length]
    return raw


def plain(way: str, raw: bytes) -> bytes | None:
    """Return the value that stands in `raw`; None where nothing can stand there in that way."""
    if way == "joined":
        # most values are whole: a look for two bytes is cheaper than the pattern
        return _JOINT.sub(b"", raw) if b'"' in raw or b"'" in raw or b"`" in raw or b"\n" in raw else raw
    return decoded(raw) if way == "base64" else raw


def decoded(raw: bytes) -> bytes | None:
    """Return what base64 stands for, if that is one line of text."""
    try:
        value = a2b_base64(raw, strict_mode=True)
        text = value.rstrip(b"\r\n").decode("utf-8")
    except ValueError:
        return None
    return text.encode() if len(text) > 2 and text.isprintable() else None
