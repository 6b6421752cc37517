"""Prove rules with the engine that users run.

For each rule: every example hits with the right span and part, a part that may stand apart is found by itself, every
counter-example misses, an anchor stands in each example, both prefilters agree, the Hyperscan gate compiles, and hostile input takes bounded time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import NamedTuple

from leakguard.engine.checks import CHECKS
from leakguard.engine.compiled import compile_rules
from leakguard.engine.match import Matcher, RawMatch
from leakguard.engine.prefilter import HyperscanPrefilter, PortablePrefilter, Prefilter
from leakguard.model.rule import Rule, RuleDoc
from leakguard.ruleset import templates
from leakguard.ruleset.load import Loaded

ROUNDS = 3
"""Expansions of each example."""
HOSTILE_SECONDS = 0.5
"""Most that one rule may take on one hostile input of 64 kB."""


class Failure(NamedTuple):
    """What a rule does not keep."""

    rule: str
    file: str
    what: str


def check(loaded: Loaded, *, seed: int = 20260, hyperscan: bool = True) -> Iterator[Failure]:
    """Yield what fails, in rule order; nothing for a proven set."""
    try:
        rules = compile_rules(loaded.rules, "check", hyperscan=hyperscan)
    except ValueError as e:
        yield Failure("", "", str(e))
        return
    engines: list[Prefilter] = [PortablePrefilter(rules)]
    if hyperscan:
        engines.append(HyperscanPrefilter(rules))
    matcher = Matcher(rules, timeout=HOSTILE_SECONDS)
    alone = {rules.rule(index).pattern: index for index in range(len(rules), rules.rows)}
    for index, (rule, doc) in enumerate(zip(loaded.rules, loaded.docs, strict=True)):
        rng = Random(f"{seed} {rule.id}")
        for what in (*_prove(index, rule, doc, engines, matcher, rng), *_alone(alone, rule, doc, engines, matcher, rng)):
            yield Failure(rule.id, doc.file, what)


def _prove(index: int, rule: Rule, doc: RuleDoc, engines: list[Prefilter], matcher: Matcher, rng: Random) -> Iterator[str]:
    if not doc.examples and not doc.counter_examples and "imported" in doc.file:
        return
    if not doc.examples:
        yield "has no example"
    for example in doc.examples:
        for _ in range(ROUNDS):
            yield from _example(index, rule, doc, example, engines, matcher, rng)
    for counter in doc.counter_examples:
        text = templates.expand(counter, rng).encode("latin-1")
        for engine in engines:
            if any(_possible(rule, text, m) for m in _matches(index, text, engine, matcher)):
                yield f"the {engine.name} engine matches the counter-example {counter!r}"
    for text in hostile(rule, doc, rng):
        _found, slow = matcher.confirm(text, [(index, at) for at in _anchor_starts(rule, text)])
        if slow:
            yield f"takes more than {HOSTILE_SECONDS} s on hostile input"
            break


def _example(
    index: int, rule: Rule, doc: RuleDoc, example: str, engines: list[Prefilter], matcher: Matcher, rng: Random
) -> Iterator[str]:
    value = templates.expand(doc.template, rng) if "${secret}" in example else ""
    names = {"secret": value} | {name: templates.expand(form, rng) for name, form in doc.part_templates if form}
    text = templates.expand(example, rng, names)
    raw, wanted = text.encode("latin-1"), value.encode("latin-1")
    if not any(anchor in text.lower() for anchor in rule.anchors):
        yield f"no anchor in the example {example!r}"
    for engine in engines:
        spans = {raw[m.start : m.end] for m in _matches(index, raw, engine, matcher)}
        if not spans:
            yield f"the {engine.name} engine misses the example {example!r}"
        elif wanted and wanted not in spans:
            yield f"the {engine.name} engine marks another span than ${{secret}} in {example!r}"
    for part in rule.parts:
        at = raw.find(wanted)
        if "${" + part.name + "}" in example and at >= 0:
            found = matcher.near(raw, part.pattern, at, at + len(wanted), part.within)
            if found is None or raw[found[0] : found[1]] != names.get(part.name, "").encode("latin-1"):
                yield f"the part {part.name} is not found in {example!r}"


def _alone(
    indices: dict[str, int], rule: Rule, doc: RuleDoc, engines: list[Prefilter], matcher: Matcher, rng: Random
) -> Iterator[str]:
    for part, (name, form) in zip(rule.parts, doc.part_templates, strict=True):
        if part.pattern not in indices or not form:
            continue
        value = templates.expand(form, rng).encode("latin-1")
        for engine in engines:
            text = b'id = "' + value + b'"\n'
            if value not in {text[m.start : m.end] for m in _matches(indices[part.pattern], text, engine, matcher)}:
                yield f"the {engine.name} engine misses the part {name} where it stands alone"


def _matches(index: int, text: bytes, engine: Prefilter, matcher: Matcher) -> list[RawMatch]:
    hits = [hit for hit in engine.hits(text, config=True) if hit[0] == index]
    return matcher.confirm(text, hits)[0]


def _possible(rule: Rule, text: bytes, match: RawMatch) -> bool:
    return not rule.check or CHECKS[rule.check](text[match.start : match.end], match.groups) is not False


def hostile(rule: Rule, doc: RuleDoc, rng: Random) -> Iterator[bytes]:
    """Yield inputs that make careless patterns slow: an anchor, then long runs that almost match."""
    anchor = rule.anchors[0].encode("latin-1")
    value = templates.expand(doc.template, rng).encode("latin-1") if doc.template else b"a"
    for filler in (b"a", b"A1", b" ", b"\t ", b"\\n", b'="', b"a.", b"-_", b"==", value[:8] or b"x", anchor):
        run = filler * (65536 // len(filler))
        yield anchor + run
        yield anchor + b"=" + run + b"\x00"


def _anchor_starts(rule: Rule, text: bytes) -> Iterable[int]:
    low = text.lower()
    for anchor in rule.anchors:
        at = low.find(anchor.encode("latin-1"))
        for _ in range(64):
            if at < 0:
                break
            yield at
            at = low.find(anchor.encode("latin-1"), at + 1)


def main() -> int:
    """Check the files named on the command line (for rule writers; users have `leakguard rules check`)."""
    import sys

    from leakguard.ruleset.load import load

    loaded = load(sys.argv[1:])
    failures = list(check(loaded))
    for failure in failures:
        print(f"{failure.file}: {failure.rule}: {failure.what}")  # noqa: T201
    print(f"{len(loaded.rules)} rules, {len(failures)} failures")  # noqa: T201
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
