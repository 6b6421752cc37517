"""Whether bytes may hold a candidate, whatever their path: never no where `Engine.scan` would answer with one.

History has thousands of versions of a file, and most of what stands in one stood in the version before. So a walk over
versions asks only about the windows round a change, carries what it knows through what was copied, and gives the few
contents that may hold something to the engine, whole and with their path.

The answer depends on the bytes of a span alone (`Span`): terms that read further can only lower a score, the kind of file
that scores highest is assumed, and that a further part stands near or waits elsewhere. So an answer holds in every content that has those
bytes, and equal bytes are asked about once.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import groupby
from math import exp, log
from operator import itemgetter
from typing import NamedTuple

from leakguard.engine.decode import HEAD
from leakguard.engine.match import LOOK_AHEAD, LOOK_BACK, RawMatch
from leakguard.engine.native import runs as encoded_runs
from leakguard.engine.scan import Engine, key_name
from leakguard.engine.score import companion, score
from leakguard.engine.seen import Answers, Content, Seen
from leakguard.engine.values import CODE
from leakguard.engine.weights import LEVELS, WEIGHTS, best_kind
from leakguard.model.rule import Rule

LONGEST = 560
"""A rule that reaches further past its anchor is `long`: its anchors are watched, whether they match or not."""
ANYWHERE, IN_CODE = 1, 2
_REMEMBERED = 1 << 20
_ROUNDING = 1e-6
_PREFIX = 16
"""Bytes before encoded text that say how it is read, or where its line begins."""


class Span(NamedTuple):
    """Bytes that decide an answer."""

    start: int
    end: int
    held: int
    """In which files they may hold a candidate: `ANYWHERE`, of it perhaps also `IN_CODE`; 0: they begin what could become
    one (a key's first line)."""


class Sieve:
    """Asks an engine's rules without the file's path."""

    def __init__(self, engine: Engine) -> None:
        engine.expect_much()
        self._engine = engine
        self._floor = LEVELS[engine.settings[0]]
        self._kinds = {True: best_kind("password"), False: best_kind("token")}
        self._apart = {
            is_password: WEIGHTS.get(f"{who}.file:{self._kinds[is_password]}", 0.0)
            - WEIGHTS.get(f"{who}.file:{best_kind(who, CODE)}", 0.0)
            for is_password, who in ((True, "password"), (False, "token"))
        }
        """What a generic match loses if the file that scores highest is code."""
        rules = [engine.rules.rule(i) for i in range(engine.rules.rows)]
        self._answers = Answers([(rule.before + LOOK_BACK, rule.after + LOOK_AHEAD, rule.after > LONGEST) for rule in rules])
        short = [rule for rule in rules if rule.after <= LONGEST]
        self.before = max(rule.after for rule in short) + LOOK_AHEAD
        """Bytes before a change that have to be asked about again ..."""
        self.after = max(max(rule.before + LOOK_BACK, rule.reach) for rule in short) + max(
            len(a) for rule in short for a in rule.anchors
        )
        """... and behind it: all anchors of matches that the change may concern, with their gates."""
        self._seen = Seen(
            back=max(rule.before for rule in short) + LOOK_BACK,
            ahead=self.before,
            before=LOOK_BACK,
            after=self.after,
            head=HEAD + _PREFIX,
        )
        self._scores: dict[tuple[int, str, int, bytes], int] = {}

    def spans(self, data: bytes, windows: Sequence[int] | None = None) -> list[Span]:
        """Return what the content may hold; with `windows` (start and end in turn), what is anchored in them."""
        return self.spans_of([(data, None if windows is None else array("q", windows).tobytes())])[0]

    def spans_of(self, contents: list[Content]) -> list[list[Span]]:
        """Return what each of some contents may hold: quicker than one by one, since most hold nothing."""
        out: list[list[Span]] = [[] for _ in contents]
        text, runs, note = self._seen.fresh(contents)
        if text:
            self._ask(contents, text, runs, out)
            flat = [(which, span.start, span.end) for which, spans in enumerate(out) for span in spans]
            text, runs = self._seen.learn(contents, note, flat)
            if text:
                self._ask(contents, text, runs, out)
        return out

    def _ask(self, contents: list[Content], text: bytes, runs: array[int], out: list[list[Span]]) -> None:
        self._ask_inside(contents, runs, out)
        hits = self._engine.hits_in(contents, text, runs)
        if not hits:
            return
        unknown, spans = self._answers.of(contents, hits)
        for which, *span in spans:
            out[which].append(Span(*span))
        answers = self._answers
        told: dict[int, int] = {}
        for which, rule, at, key in unknown:
            data = contents[which][0]
            held = told.get(key)
            if held is None:
                held = 0
                for match in self._matches(data, (rule, at)):
                    held |= self._may_count(data, match)
                told[key] = held
                answers.keep(key, held)
            if held or answers.watched(rule):
                out[which].append(Span(*answers.span(rule, at, len(data)), held))

    def _ask_inside(self, contents: list[Content], runs: array[int], out: list[list[Span]]) -> None:
        """Look for what may stand encoded in the runs."""
        three = iter(runs)
        for which, group in groupby(sorted(zip(three, three, three, strict=True)), key=itemgetter(0)):
            data = contents[which][0]
            windows = array("q")
            for _which, start, end in group:
                # what is asked again reaches into what stands beside it
                if windows and start <= windows[-1]:
                    windows[-1] = max(windows[-1], end)
                else:
                    windows.extend((start, end))
            if rows := encoded_runs(data, windows, True, False):
                from leakguard.engine.inside import places

                out[which] += [Span(start, end, ANYWHERE | IN_CODE) for start, end in places(self._engine, data, rows)]

    def _matches(self, data: bytes, hit: tuple[int, int]) -> list[RawMatch]:
        matches, slow = self._engine.confirm(data, (hit,))
        if slow:
            # given up here: the plain way has to say so
            matches = [*matches, RawMatch(hit[0], hit[1], hit[1], hit[1], {})]
        return matches

    def _may_count(self, data: bytes, match: RawMatch) -> int:
        """Return in which files a match may count: `ANYWHERE`, of it perhaps also `IN_CODE`; 0: in none."""
        rule = self._engine.rules.rule(match.rule)
        if match.end == match.start or rule.shape == "part":
            return ANYWHERE | IN_CODE
        if not self._engine.asks(rule):
            return 0
        name = key_name(data, match) if match.whole_start < match.start else ""
        whole = data[match.whole_start : match.end]
        key = (match.rule, name, match.start - match.whole_start, whole)
        value = self._scores.get(key)
        if value is None:
            if len(self._scores) > _REMEMBERED:
                self._scores.clear()
            seen = RawMatch(match.rule, match.start - match.whole_start, len(whole), 0, match.groups)
            most = self._most(rule, seen, whole, name)
            found = ANYWHERE if most >= self._floor else 0
            if found and rule.scope != "config" and self._stays(rule, most):
                found |= IN_CODE
            value = self._scores[key] = found
        return value

    def _most(self, rule: Rule, match: RawMatch, whole: bytes, name: str) -> float:
        """Return the highest score that a match may have anywhere."""
        found = score(rule, match, whole, name, self._kinds[rule.kind == "password"], self._floor, alone=True)
        return (companion(found) if rule.parts else found).value

    def _stays(self, rule: Rule, most: float) -> bool:
        """Whether a match that counts in the file that scores highest may count in code, too."""
        return rule.shape != "generic" or _moved(most, _ROUNDING - self._apart[rule.kind == "password"]) >= self._floor


def _moved(value: float, weight: float) -> float:
    """Return a score with one more term."""
    value = min(max(value, 1e-12), 1 - 1e-12)
    return 1 / (1 + exp(-log(value / (1 - value)) - weight))
