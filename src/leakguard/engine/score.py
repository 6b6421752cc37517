"""One value in 0..1 for a match, with the terms that made it; tens of microseconds, no ML runtime.

Terms read the value, its name, at most 512 bytes round it and the kind of file, never other matches. Whether the place
is a test or an example is no term: that lowers severity, not the score.
"""

from __future__ import annotations

from math import exp, log

from leakguard.engine import terms as t
from leakguard.engine import values
from leakguard.engine.checks import CHECKS
from leakguard.engine.match import RawMatch
from leakguard.engine.says import says
from leakguard.engine.weights import MOST_LEFT, WEIGHTS
from leakguard.engine.written import plain
from leakguard.model.finding import Reason, Score
from leakguard.model.rule import Rule

CONTEXT = 512
"""Bytes round a match that terms may read."""
_TELLING_NAME = 6
"""Letters of a vendor's name that do not stand in a random value by chance."""
_NAMED = values.late("search", rb"(?i)token|key|secret|passw|auth|bearer|credential")


def score(
    rule: Rule,
    match: RawMatch,
    data: bytes,
    name: str,
    file_kind: str,
    floor: float = 0.0,
    *,
    alone: bool = False,
) -> Score:
    """Score one match; `name` is the key it is assigned to, `file_kind` as `values.file_kind` tells.

    A match that no remaining term can lift to `floor` is given up with the sum so far, and what stays below it gets no
    reasons: most of what generic rules match in code is told from its name and first characters. `alone`: `data` holds the
    match and no more, the score is the most that it can have, whatever stands round it, and nobody asks for reasons.
    """
    found = _Sum(rule)
    raw = data[match.start : match.end]
    value = plain(rule.written, raw) if rule.written else raw
    if value is None:
        found.add("check:impossible")
        value = raw
    if rule.check:
        verdict = CHECKS[rule.check](value, match.groups)
        if verdict is not None:
            found.add("check:ok" if verdict else "check:impossible")
    text = value[_public(rule, value) :].decode("utf-8", "replace")
    if rule.shape == "generic":
        low = -99.0 if floor <= 0 else log(floor / (1 - floor))
        _generic(found, rule, match, data, name, file_kind, text, low, alone)
    else:
        if rule.shape == "keyword":
            _keyword(found, rule, match, name, text)
        elif match.groups.get("loose"):
            found.add("loose")
            _random(found, text)
        if rule.kind != "private_key":
            _no_secret(found, text, hashed=rule.kind == "password_hash")
    sure = 1 / (1 + exp(-max(-30.0, min(30.0, found.total))))
    return Score(sure, () if alone or sure < floor else found.reasons(rule))


def _public(rule: Rule, value: bytes) -> int:
    """Return how much of a value is its rule's, of several beginnings the one it has: `key_test_` says nothing of what follows."""
    if rule.shape != "format":
        return rule.public
    low = value[:64].lower()
    return max((len(a) for a in rule.anchors if low.startswith(a.encode("latin-1"))), default=rule.public)


def companion(scored: Score, term: str = "companion") -> Score:
    """Return the score of a match whose other part was found."""
    logit = log(max(scored.value, 1e-12) / max(1 - scored.value, 1e-12)) + WEIGHTS[term]
    return Score(1 / (1 + exp(-logit)), (*scored.reasons, Reason(term, WEIGHTS[term], says(term))))


class _Sum:
    """The sum and what made it."""

    __slots__ = ("terms", "total")

    def __init__(self, rule: Rule) -> None:
        self.total = rule.prior
        self.terms: list[tuple[str, float]] = []

    def add(self, term: str, amount: float = 1.0) -> None:
        if weight := WEIGHTS.get(term, 0.0) * amount:
            self.total += weight
            self.terms.append((term, weight))

    def gives_up(self, least: float) -> bool:
        """Whether the sum is below what it must be by now; if so it stays below the floor, however close it came."""
        if self.total >= least:
            return False
        self.total = min(self.total, least - 1e-6)
        return True

    def reasons(self, rule: Rule) -> tuple[Reason, ...]:
        first = Reason("prior:" + rule.shape, rule.prior, says("prior:" + rule.shape))
        return (first, *(Reason(term, round(weight, 3), says(term)) for term, weight in self.terms))


def _generic(
    found: _Sum,
    rule: Rule,
    match: RawMatch,
    data: bytes,
    name: str,
    file_kind: str,
    text: str,
    low: float,
    alone: bool,
) -> None:
    who = "password" if rule.kind == "password" else "token"
    left = MOST_LEFT[who]
    add = found.add
    add("generic")
    add("rule:" + rule.id)
    for term in t.outside(who, rule, match, data, name, file_kind, alone=alone):
        add(term)
    if name.startswith("$"):
        between = data[match.whole_start : match.start]
        # `$PWD:/src` and `test "$pass" = link` read; `$password = 'x'` sets
        if (not match.groups.get("q") and b"=" not in between) or values.COMPARED(between):
            add("reads-a-variable")
    if found.gives_up(low - left[0]):
        return
    for term in t.shape(who, text):
        add(term)
    if found.gives_up(low - left[1]):
        return
    add(t.pairs(who, text))
    if found.gives_up(low - left[2]):
        return
    for term in t.language(who, text):
        add(term)
    if found.gives_up(low - left[3]):
        return
    for term in t.no_secret(who, text, name):
        add(term)
    if alone or found.gives_up(low - left[4]):
        return
    for term in t.near(match, data):
        add(term)
    ours = name == "salt" or data.find(b'"foreign:', max(0, match.start - 40), match.start) >= 0
    if ours and values.OWN_LINE(data, max(0, match.whole_start - CONTEXT), match.start):
        add("own-baseline")


def _keyword(found: _Sum, rule: Rule, match: RawMatch, name: str, text: str) -> None:
    if values.something_else(name):
        found.add("name:not-a-secret")
    _random(found, text)
    vendor = values.letters_only(rule.provider)
    if len(vendor) >= _TELLING_NAME and vendor in values.letters_only(text):
        found.add("repeats-vendor")
    if gap := match.groups.get("far"):
        found.add("far:told" if values.TOLD(gap) else "far:near" if _NAMED(gap) else "far")


def _random(found: _Sum, text: str) -> None:
    """A vendor's value is random: what is less so, or reads as words, is another thing near the vendor's name."""
    found.add("entropy", max(-2.5, min(0.0, values.randomness(text) * 3 + 0.9)))
    words = values.word_share(text)
    if (share := max(words, values.language(text))) >= 0.5 or (words > 0.3 and values.identifier(text)):
        found.add("words", max(share, 0.8))


def _no_secret(found: _Sum, text: str, *, hashed: bool) -> None:
    """Forms that nobody uses as a secret."""
    if not hashed and values.reference(text):
        found.add("reference")
    elif values.placeholder(text):
        found.add("placeholder")
    if values.repeated(text):
        found.add("repeated")
    if values.sequence(text):
        found.add("sequence")
