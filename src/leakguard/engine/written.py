"""How a value stands in the text, and what it is: one function of the bytes of its span.

A value in pieces (`"abc" + "def"`) or in base64 is reported at the span that holds it, but it is the value itself that is
scored, hashed and masked, so that a credential is one wherever and however it is written. Since the bytes of the span
decide, whoever opens a place again gets the same value, and versions of a file that share those bytes share the answer.
Rejected: a second text with a map back to the first. Each decoder would scan everything twice, and a walk over a
history would have to carry the map through every change.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Callable, Iterable

from leakguard.model.finding import Step


def _log(raw: bytes) -> bytes:
    from leakguard.engine.logs import text_of

    return text_of(raw)


def _wrapped_log(raw: bytes) -> bytes:
    from leakguard.engine.logs import joined

    return joined(raw)


DECODERS: dict[str, Callable[[bytes], bytes]] = {"log": _log, "wrapped log": _wrapped_log}
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
    return _decoded(raw) if way == "base64" else raw


def _decoded(raw: bytes) -> bytes | None:
    """Return what base64 stands for, if that is one line of text."""
    try:
        value = a2b_base64(raw, strict_mode=True)
        text = value.rstrip(b"\r\n").decode("utf-8")
    except ValueError:
        return None
    return text.encode() if len(text) > 2 and text.isprintable() else None
