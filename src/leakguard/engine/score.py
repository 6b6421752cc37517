"""One value in 0..1 for a match, with the terms that made it; tens of microseconds, no ML runtime.

Terms read the value, its name, at most 512 bytes round it and the kind of file, never other matches. Whether the place
is a test or an example is no term: that lowers severity, not the score.
"""

from __future__ import annotations

from math import exp, log

from leakguard.engine import values
from leakguard.engine.checks import CHECKS
from leakguard.engine.match import RawMatch
from leakguard.engine.weights import WEIGHTS
from leakguard.engine.written import plain
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


def score(rule: Rule, match: RawMatch, data: bytes, name: str, file_kind: str, floor: float = 0.0) -> Score:
    """Score one match; `name` is the key it is assigned to, `file_kind` as `values.file_kind` tells.

    Terms come cheapest first. A match that no remaining term can lift to `floor` is given up with the sum so far: most
    of what generic rules match in code is told from its name and first characters.
    """
    raw = data[match.start : match.end]
    value = plain(rule.written, raw) if rule.written else raw
    terms = _Terms(rule)
    if value is None:
        terms.add("check:impossible", f"is no {rule.written}")
        value = raw
    if rule.check:
        verdict = CHECKS[rule.check](value, match.groups)
        if verdict:
            terms.add("check:ok", f"passes the offline check {rule.check}")
        elif verdict is False:
            terms.add("check:impossible", f"fails the offline check {rule.check}: no such token was issued")
    text = value[rule.public :].decode("utf-8", "replace")
    low = -99.0 if floor <= 0 else log(floor / (1 - floor)) - MOST_LEFT
    if rule.shape == "generic":
        _outside(terms, rule, match, value, data, name, file_kind)
        if terms.total >= low:
            _form(terms, text)
        if terms.total >= low:
            _language(terms, text, name, password=rule.kind == "password")
    elif rule.shape == "keyword" and values.name_kind(name) == "no":
        terms.add("name:not-a-secret", "its name says that it is something else")
    if rule.kind != "private_key" and terms.total >= low:
        _no_secret(terms, text)
        if rule.shape == "keyword":
            terms.add("entropy", "how random its characters are", max(-2.5, min(0.0, values.randomness(text) * 3)))
            if match.groups.get("far"):
                terms.add("far", "stands near its vendor's name, not assigned to it")
    return Score(1 / (1 + exp(-max(-30.0, min(30.0, terms.total)))), tuple(terms.reasons))


MOST_LEFT = 4.5
"""More than the terms after the first stage can add; see the positive ones in `weights`."""


class _Terms:
    """The sum and what made it."""

    __slots__ = ("reasons", "total")

    def __init__(self, rule: Rule) -> None:
        self.total = rule.prior
        self.reasons = [Reason("prior:" + rule.shape, rule.prior, _PRIOR_WORDS[rule.shape])]

    def add(self, term: str, detail: str, amount: float = 1.0) -> None:
        weight = WEIGHTS[term] * amount
        if weight:
            self.total += weight
            self.reasons.append(Reason(term, round(weight, 3), detail))


def _outside(terms: _Terms, rule: Rule, match: RawMatch, value: bytes, data: bytes, name: str, file_kind: str) -> None:
    """What the name, the quotes, the file and the line say."""
    password = rule.kind == "password"
    kind = values.name_kind(name)
    if kind == "no":
        terms.add("name:not-a-secret", "its name says that it is something else")
    elif password:
        terms.add("name:password", "its name says password")
    elif kind == "strong":
        terms.add("name:secret", "its name says secret")
    else:
        terms.add("name:weak", "its name is vague")
    quoted = bool(match.groups.get("q"))
    if name.startswith("$"):
        between = data[match.whole_start : match.start]
        # `$PWD:/src` and `test "$pass" = link` read; `$password = 'x'` sets
        if (not quoted and b"=" not in between) or values.COMPARED(between):
            terms.add("reference", "reads a variable, sets none")
    if (
        quoted
        and values.LISTED(data[match.whole_start : match.start])
        and not values.CALLED(data, max(0, match.whole_start - 72), match.whole_start)
    ):
        terms.add("listed", "stands in a list of strings, not behind its name")
    terms.add("quoted" if quoted else "bare", "stands in quotes" if quoted else "stands without quotes")
    terms.add("file:" + file_kind, f"in a {file_kind} file")
    length = len(value)
    if length < (6 if password else 12):
        terms.add("short", "is short")
    elif length > 120:
        terms.add("long", "is very long")
    line = data[max(0, match.whole_start - 160) : match.start] + b" " + data[match.end : match.end + 80]
    ours = name == "salt" or data.find(b'"foreign:', max(0, match.start - 40), match.start) >= 0
    if ours and values.OWN_LINE(data, max(0, match.whole_start - CONTEXT), match.start):
        terms.add("own-baseline", "is public: a salt or a peer's hash in a line of our own baseline")
    if values.EXAMPLE(line.lower()):
        terms.add("line:example", "the line speaks of an example")


def _form(terms: _Terms, text: str) -> None:
    """What its form says it is instead."""
    if values.path_or_url(text):
        terms.add("path-or-url", "is a path, URL, e-mail address or version")
    if " " in text:
        terms.add("spaces", "holds spaces")
    if values.code(text):
        terms.add("code", "is an expression, not a value")
    elif values.identifier(text):
        terms.add("identifier", "is letters joined as in a name")
    if values.is_uuid(text):
        terms.add("uuid", "is a UUID, which is more often an id than a secret")
    elif len(text) >= 16 and values.is_hex(text):
        terms.add("hex", "is hex of a usual length")


def _language(terms: _Terms, text: str, name: str, *, password: bool) -> None:
    """Whether its characters are random, words, or a password that a person made of words."""
    letters = values.shape(text)
    terms.add("entropy", "how random its characters are", max(-2.0, min(1.0, values.randomness(text) * 2 + 0.5)))
    if letters.digits and letters.lower and letters.upper:
        terms.add("mixed", "mixes cases and digits")
    elif letters.digits == len(text):
        terms.add("digits-only", "is a number")
    share = values.word_share(text)
    if share > 0.5 and not (password and (letters.digits or letters.symbols)):
        terms.add("words", "reads as words", share)
    if not password and (language := values.language(text)) > 0:
        terms.add("pairs", "its letters follow each other as in words", language)
    if password and letters.kinds >= 3 and 8 <= len(text) <= 24 and " " not in text:
        terms.add("human", "looks like a password that a person chose")
    plain, plain_name = values.letters_only(text), values.letters_only(name)
    if plain and plain_name and (plain == plain_name or plain in plain_name or (len(plain_name) > 5 and plain_name in plain)):
        terms.add("same-as-name", "repeats its own name")


def _no_secret(terms: _Terms, text: str) -> None:
    """Forms that nobody uses as a secret."""
    if found := values.placeholder(text):
        terms.add("placeholder", found)
    elif values.reference(text):
        terms.add("reference", "refers to a variable or template")
    if values.repeated(text):
        terms.add("repeated", "repeats few characters")
    if values.sequence(text):
        terms.add("sequence", "counts up or follows the keyboard")
