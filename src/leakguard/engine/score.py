"""One value in 0..1 for a match, with the terms that made it; tens of microseconds, no ML runtime.

Terms read the value, its name, at most 512 bytes round it and the kind of file, never other matches. Whether the place
is a test or an example is no term: that lowers severity, not the score.
"""

from __future__ import annotations

from math import exp

from typing import Protocol

from leakguard.engine import values
from leakguard.engine.checks import CHECKS
from leakguard.engine.match import RawMatch
from leakguard.engine.weights import WEIGHTS
from leakguard.model.finding import Reason, Score
from leakguard.model.rule import Rule

CONTEXT = 512
"""Bytes round a match that terms may read."""

_PRIOR_WORDS = {
    "format": "has the form of this token",
    "keyword": "stands beside its vendor's name",
    "pattern": "matches the rule's pattern",
    "generic": "is assigned to a telling name",
}


class _Add(Protocol):
    def __call__(self, term: str, detail: str, amount: float = 1.0) -> None: ...


def score(rule: Rule, match: RawMatch, data: bytes, name: str, file_kind: str) -> Score:
    """Score one match; `name` is the key it is assigned to, `file_kind` as `values.file_kind` tells."""
    value = data[match.start : match.end]
    terms: list[tuple[str, float, str]] = [("prior:" + rule.shape, rule.prior, _PRIOR_WORDS[rule.shape])]

    def add(term: str, detail: str, amount: float = 1.0) -> None:
        terms.append((term, WEIGHTS[term] * amount, detail))

    if rule.check:
        verdict = CHECKS[rule.check](value, match.groups)
        if verdict:
            add("check:ok", f"passes the offline check {rule.check}")
        elif verdict is False:
            add("check:impossible", f"fails the offline check {rule.check}: no such token was issued")
    text = value[rule.public :].decode("utf-8", "replace")
    if rule.kind != "private_key":
        _no_secret(text, add)
    if rule.shape == "generic":
        _generic(rule, match, data, text, name, file_kind, add)
    elif rule.shape == "keyword":
        _told_by_name(text, name, add)
    total = sum(weight for _term, weight, _detail in terms)
    return Score(1 / (1 + exp(-max(-30.0, min(30.0, total)))), tuple(Reason(t, round(w, 3), d) for t, w, d in terms if w))


def _no_secret(text: str, add: _Add) -> None:
    """Forms that nobody uses as a secret."""
    if found := values.placeholder(text):
        add("placeholder", found)
    elif values.reference(text):
        add("reference", "refers to a variable or template")
    if values.repeated(text):
        add("repeated", "repeats few characters")
    if values.sequence(text):
        add("sequence", "counts up or follows the keyboard")


def _told_by_name(text: str, name: str, add: _Add) -> None:
    expected = values.expected_entropy(text)
    add("entropy", "how random its characters are", max(-2.5, min(0.0, (values.entropy(text) - expected) * 3)))
    if values.NOT_A_SECRET(name):
        add("name:not-a-secret", "its name says that it is something else")


def _generic(rule: Rule, match: RawMatch, data: bytes, text: str, name: str, file_kind: str, add: _Add) -> None:
    password = rule.kind == "password"
    letters = values.shape(text)
    randomness = values.entropy(text) - values.expected_entropy(text)
    add("entropy", "how random its characters are", max(-2.0, min(1.0, randomness * 2 + 0.5)))
    if letters.digits and letters.lower and letters.upper:
        add("mixed", "mixes cases and digits")
    elif letters.digits == len(text):
        add("digits-only", "is a number")
    share = values.word_share(text)
    if share > 0.5 and not (password and (letters.digits or letters.symbols)):  # noqa: PLR2004
        add("words", "reads as words", share)
    language = values.language(text)
    if language > 0 and not password:
        add("pairs", "its letters follow each other as in words", language)
    if values.is_hex(text) and len(text) >= 16:  # noqa: PLR2004
        add("hex", "is hex of a usual length")
    if values.is_uuid(text):
        add("uuid", "is a UUID, which is more often an id than a secret")
    if values.path_or_url(text):
        add("path-or-url", "is a path, URL, e-mail address or version")
    if " " in text:
        add("spaces", "holds spaces")
    if values.code(text):
        add("code", "is an expression, not a value")
    elif values.identifier(text):
        add("identifier", "is letters joined as in a name")
    if len(text) < (6 if password else 12):
        add("short", "is short")
    elif len(text) > 120:  # noqa: PLR2004
        add("long", "is very long")
    _name(text, name, password=password, add=add)
    if password and letters.kinds >= 3 and 8 <= len(text) <= 24 and " " not in text:  # noqa: PLR2004
        add("human", "looks like a password that a person chose")
    add("quoted" if match.groups.get("q") else "bare", "stands in quotes" if match.groups.get("q") else "stands without quotes")
    add("file:" + file_kind, f"in a {file_kind} file")
    line = data[max(0, match.whole_start - 160) : match.start] + b" " + data[match.end : match.end + 80]
    if values.EXAMPLE(line.lower()):
        add("line:example", "the line speaks of an example")


def _name(text: str, name: str, *, password: bool, add: _Add) -> None:
    if values.NOT_A_SECRET(name):
        add("name:not-a-secret", "its name says that it is something else")
    elif password:
        add("name:password", "its name says password")
    elif values.STRONG_NAME(name):
        add("name:secret", "its name says secret")
    else:
        add("name:weak", "its name is vague")
    plain, plain_name = values.letters_only(text), values.letters_only(name)
    if plain and plain_name and (plain == plain_name or plain in plain_name or (len(plain_name) > 5 and plain_name in plain)):  # noqa: PLR2004
        add("same-as-name", "repeats its own name")

