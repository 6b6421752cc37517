"""What an answer proves: positive proof for live, a documented refusal for dead, everything else proves neither.

A page of HTML, a redirect, an empty object, a failure of the provider and a wall in front of it look like answers and are
none; they are told apart here once, so that no table can forget them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from leakguard.model.check import Criterion, Step
from leakguard.model.verdict import Identity
from leakguard.net.message import Response

_HTML = ("<!doctype", "<html", "<head", "<body", "<script")
_TIMES = ("created", "expires", "last_used")
_LONGEST = 200
"""Characters of an identity's field."""
_RUN = 5
"""Bytes of a value that are a leak."""


class Judgement(NamedTuple):
    """What one answer proves."""

    state: str
    """`live`, `live_restricted`, `dead` or `unknown`."""
    reason: str = ""
    decided: str = ""
    """The field that decided."""


class Answer(NamedTuple):
    """An answer, read."""

    status: int
    headers: Mapping[str, str]
    data: Any
    """The JSON of the body; None where it is none, or an empty one."""
    text: str
    html: bool


def read(response: Response) -> Answer:
    """Read an answer."""
    text = response.body.decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict | list) or not data:
        data = None
    start = text[:64].lstrip("\ufeff \t\r\n").lower()
    html = data is None and ("html" in response.headers.get("content-type", "").lower() or start.startswith(_HTML))
    return Answer(response.status, response.headers, data, text, html)


def judge(step: Step, answer: Answer) -> Judgement:
    """Say what an answer to a step proves; where two criteria hold that exclude each other, nothing."""
    if answer.html or 300 <= answer.status < 400:
        walled = answer.html and answer.status not in (404, 410)
        return Judgement("unknown", "blocked_by_waf" if walled else "unexpected")
    if answer.status >= 500:
        return Judgement("unknown", "provider_5xx")
    proofs = [
        Judgement(state, criterion.reason, decided)
        for state, criteria in (("live", step.live), ("live_restricted", step.restricted), ("dead", step.dead))
        for criterion in criteria
        if (decided := holds(criterion, answer))
    ]
    if len({proof.state for proof in proofs}) == 1:
        return next((proof for proof in proofs if proof.reason), proofs[0])
    return Judgement("unknown", "throttled" if answer.status == 429 and not proofs else "unexpected")


def holds(criterion: Criterion, answer: Answer) -> str:
    """Return what shows that an answer is as a criterion says, empty if it is not."""
    if answer.status not in criterion.status:
        return ""
    shown = [str(answer.status)]
    for path in criterion.has:
        if not any(value not in (None, "", [], {}) for value in find(answer, path)):
            return ""
        shown.append(path)
    for path, wanted in criterion.equals:
        hit = next((w for value in find(answer, path) for w in wanted if _same(value, w)), None)
        if hit is None:
            return ""
        shown.append(f"{path} = {hit}")
    for path, pieces in criterion.like:
        texts = [value.lower() for value in find(answer, path) if isinstance(value, str)]
        piece = next((p for p in pieces if any(p.lower() in text for text in texts)), None)
        if piece is None:
            return ""
        shown.append(f"{path} ~ {piece}")
    for name, piece in criterion.header:
        value = answer.headers.get(name)
        if value is None or (piece != "*" and piece.lower() not in value.lower()):
            return ""
        shown.append(f"{name} ~ {piece}")
    if criterion.text:
        low = answer.text.lower()
        piece = next((p for p in criterion.text if p.lower() in low), None)
        if piece is None:
            return ""
        shown.append(f"~ {piece}")
    return " ".join(shown)


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted)


def find(answer: Answer, path: str) -> list[Any]:
    """Return the values at a path: `a.b.0.c`, `a.*.b`, `header:name`."""
    if path.startswith("header:"):
        value = answer.headers.get(path[7:].lower())
        return [] if value is None else [value]
    return list(_walk(answer.data, path.split(".")))


def _walk(data: Any, names: list[str]) -> Iterator[Any]:
    if not names:
        yield data
        return
    name, rest = names[0], names[1:]
    if name == "*":
        inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
        for value in inner:
            yield from _walk(value, rest)
    elif isinstance(data, dict) and name in data:
        yield from _walk(data[name], rest)
    elif isinstance(data, list) and name.isdigit() and int(name) < len(data):
        yield from _walk(data[int(name)], rest)


def identity(step: Step, answer: Answer, secrets: list[bytes]) -> Identity | None:
    """Return whose credential it is, as an answer says; a field that echoes a value is left out."""
    found: dict[str, Any] = {}
    for name, path in step.identity:
        texts = [text for value in find(answer, path) for text in _texts(value) if not _echoes(text, secrets)]
        if name == "scopes":
            split = [word for text in texts for word in (text.replace(",", " ").split() if path.startswith("header:") else [text])]
            found[name] = tuple(dict.fromkeys(split))[:200]
        elif texts:
            found[name] = _time(texts[0]) if name in _TIMES else texts[0]
    return Identity(**found) if any(found.values()) else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        text = "".join(c for c in str(value) if c.isprintable()).strip()
        if text:
            yield text[:_LONGEST]


def _time(text: str) -> str:
    """Return a time as ISO 8601 where it is a number of seconds or milliseconds since 1970."""
    number = text.partition(".")[0]
    if not number.isdigit() or not 9 <= len(number) <= 13:
        return text
    seconds = int(number) / (1000 if len(number) > 11 else 1)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _echoes(text: str, secrets: list[bytes]) -> bool:
    raw = text.encode()
    return any(s[i : i + _RUN] in raw for s in secrets for i in range(max(1, len(s) - _RUN + 1)))


def without_echo(text: str, secrets: list[bytes]) -> str:
    """Return a short text of an answer, empty where it echoes a value."""
    return "" if _echoes(text, secrets) else text[:_LONGEST]
