"""Prove a verify table offline: each state from its documented answer, and nothing from bad weather.

What a table is shown (its corpus) is made from it once: the documented answers, the same with each deciding field taken
away or changed, and the weathers that look like answers. The table must read all of them right, and every table that is
broken in one place must read one of them wrong; else the corpus does not guard that place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, NamedTuple

from leakguard.errors import NetError
from leakguard.model.check import Check, Criterion, Example, Step
from leakguard.model.rule import Rule, RuleDoc
from leakguard.net.message import CLASSES, Request, Response
from leakguard.net.policy import Policy
from leakguard.ruleset import templates
from leakguard.secret import Secret
from leakguard.verifiers import _judge, http
from leakguard.verifiers._contract import Credential, Tools

STATES = {"live": "live", "restricted": "live_restricted", "dead": "dead"}
"""Key of a table -> verdict."""
_WALL = "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body>Sorry, you have been blocked</body></html>"
_HTML = (("content-type", "text/html; charset=UTF-8"),)
_JSON = (("content-type", "application/json"),)
_HANG = Example(0)


class Case(NamedTuple):
    """What a table is shown at one of its steps, and what it has to make of it."""

    name: str
    step: int
    answer: Example
    wanted: tuple[str, ...]
    """Verdicts, one of which is right."""


WEATHER = {
    "429": Example(429, (*_JSON, ("retry-after", "1")), '{"status": 429}'),
    "500": Example(500, _JSON, '{"status": 500}'),
    "503 page": Example(503, _HTML, "<html><body>Service unavailable</body></html>"),
    "a wall's 403": Example(403, (*_HTML, ("server", "cloudflare")), _WALL),
    "a portal's 200 {}": Example(200, _JSON, "{}"),
    "a portal's page": Example(200, _HTML, "<html><body><form>Sign in to the network</form></body></html>"),
    "a portal's 204": Example(204),
    "a redirect": Example(302, (("location", "https://login.example/"),)),
    "a list of nothing": Example(200, _JSON, "[]"),
    "a wall's 401": Example(401, (*_HTML, ("www-authenticate", 'Basic realm="proxy"')), "<html><body>401</body></html>"),
    "a proxy's 407": Example(407, (("proxy-authenticate", "Basic"),)),
    "an unknown path": Example(404, _HTML, "<html><body>Not found</body></html>"),
    "silence": _HANG,
}
"""Answers that prove nothing, whoever gives them."""


def prove(check: Check, rule: Rule, doc: RuleDoc) -> Iterator[str]:
    """Yield what a table does not keep; nothing for a proven one."""
    if check.unverifiable or (check.code and not check.steps):
        return
    credential = made_up(check, rule, doc, Random(f"verify {rule.id}"))
    if credential is None:
        yield "verify: a part has no template, so that no credential can be made up: give part_of a `format` or `template`"
        return
    for at, step in enumerate(check.steps):
        for state in STATES:
            for i, criterion in enumerate(getattr(step, state)):
                if not any(s == state and _met(criterion, e) for s, e in step.examples):
                    yield f"verify: no {state}_example meets the criterion {i + 1} of {state}" + (
                        f" of step {at + 1}" if at else ""
                    )
    cases = list(corpus(check))
    for case in cases:
        got = run(check, credential, case)
        if got not in case.wanted:
            yield f"verify: {case.name} reads as {got}, not as {' or '.join(case.wanted)}"
    if not check.code:
        for what, mutant in mutants(check):
            if all(run(mutant, credential, case) in case.wanted for case in cases):
                yield f"verify: nothing notices when {what}"


def made_up(check: Check, rule: Rule, doc: RuleDoc, rng: Random) -> Credential | None:
    """Return a credential of the rule's shape that nobody issued; None where a part has no template."""
    values = {name: templates.expand(form, rng) for name, form in doc.part_templates if form}
    if not doc.template or any(part.name not in values for part in rule.parts if part.required):
        return None
    secret = Secret(templates.expand(doc.template, rng, values).encode("latin-1"), public=rule.public)
    parts = tuple(
        (p.name, Secret(values[p.name].encode(), public=len(values[p.name]) * p.public)) for p in rule.parts if p.name in values
    )
    return Credential(rule, check, secret, parts)


def run(check: Check, credential: Credential, case: Case) -> str:
    """Return the verdict of a check whose steps before `case.step` are answered as documented."""
    asked = 0

    def ask(request: Request, policy: Policy) -> Response:
        nonlocal asked
        policy.check(request.url)
        at, asked = asked, asked + 1
        answer = case.answer if at == case.step else next((e for s, e in check.steps[at].examples if s == "live"), _HANG)
        if answer == _HANG:
            raise NetError("the host did not answer in time", cause="timeout")
        return response_of(answer)

    tools = Tools(ask, lambda *_: "", lambda: 0.0, frozenset(CLASSES))
    # the same table is run at each of several hosts: one shows what it does
    return http.check(credential._replace(check=check._replace(hosts=check.hosts[:1])), tools).state


def response_of(answer: Example) -> Response:
    """Return an example as it arrives."""
    return Response(answer.status, dict(_JSON) | dict(answer.headers), answer.body.encode())


def corpus(check: Check) -> Iterator[Case]:
    """Yield what a table is shown."""
    for at, step in enumerate(check.steps):
        # once an earlier step proved it live, a later one only adds to the identity
        settled = "live" if at else ""
        for state, answer in step.examples:
            yield Case(f"{state}_example", at, answer, (settled or STATES[state],))
        for name, answer in WEATHER.items():
            yield Case(name, at, answer, (settled or "unknown",))
        for status in sorted({s for state in STATES for c in getattr(step, state) for s in c.status}):
            for name, body in (("{}", "{}"), ("nothing", ""), ("a page", _WALL), ("another field", '{"zzz": "zzz"}')):
                yield Case(
                    f"{status} with {name}", at, Example(status, _HTML if body == _WALL else _JSON, body), (settled or "unknown",)
                )
        for state, answer in step.examples if not at else ():
            criteria = getattr(step, state)
            others = tuple({"unknown", *STATES.values()} - ({STATES[state]} if len(criteria) == 1 else set()))
            for criterion in criteria:
                if _met(criterion, answer):
                    for what, broken in _broken(criterion, answer):
                        yield Case(f"{state}_example {what}", at, broken, others)


def _broken(criterion: Criterion, answer: Example) -> Iterator[tuple[str, Example]]:
    """Yield an answer with each thing that a criterion rests on taken away or changed."""
    data = _loaded(answer.body)
    for path in criterion.has:
        yield from _changed(path, answer, data, None)
    for path, _ in criterion.equals:
        yield from _changed(path, answer, data, "zzz")
    for path, _ in criterion.like:
        yield from _changed(path, answer, data, "zzz")
    for name, _ in criterion.header:
        yield f"without {name}", answer._replace(headers=tuple(h for h in answer.headers if h[0] != name))
    if criterion.text:
        yield "with another text", answer._replace(body="zzz")
    yield "with another status", answer._replace(status=418)


def _changed(path: str, answer: Example, data: Any, value: Any) -> Iterator[tuple[str, Example]]:
    if path.startswith("header:"):
        yield f"without {path}", answer._replace(headers=tuple(h for h in answer.headers if h[0] != path[7:].lower()))
    elif data is not None:
        yield f"with another {path}", answer._replace(body=json.dumps(_put(data, path.split("."), value)))


def _put(data: Any, names: list[str], value: Any) -> Any:
    if not names:
        return value
    name, rest = names[0], names[1:]
    if isinstance(data, dict):
        return {k: _put(v, rest, value) if name in (k, "*") else v for k, v in data.items()}
    if isinstance(data, list):
        return [_put(v, rest, value) if name in (str(i), "*") else v for i, v in enumerate(data)]
    return data


def _loaded(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def mutants(check: Check) -> Iterator[tuple[str, Check]]:
    """Yield tables that are broken in one place of what decides."""
    step = check.steps[0]
    for state in STATES:
        criteria: tuple[Criterion, ...] = getattr(step, state)
        for i, criterion in enumerate(criteria):
            name = f"{state}[{i}]" if len(criteria) > 1 else state
            yield f"{name} is gone", _with(check, state, criteria[:i] + criteria[i + 1 :])
            for what, broken in _mutated(criterion):
                yield f"{name} {what}", _with(check, state, (*criteria[:i], broken, *criteria[i + 1 :]))
    if step.live and step.dead:
        swapped = step._replace(live=step.dead, dead=step.live)
        yield "live and dead are exchanged", check._replace(steps=(swapped, *check.steps[1:]))


def _met(criterion: Criterion, answer: Example) -> bool:
    return bool(_judge.holds(criterion, _judge.read(response_of(answer))))


def _mutated(criterion: Criterion) -> Iterator[tuple[str, Criterion]]:
    """Yield a criterion narrower than the documented answer, and wider than it may be."""
    yield "has another status", criterion._replace(status=(299,))
    bare = Criterion(criterion.status, reason=criterion.reason)
    yield "rests on the status alone", bare
    for path in criterion.has:
        yield f"looks for another field than {path}", criterion._replace(has=("zzz.zzz",))
    for path, _ in criterion.equals:
        yield f"expects something else of {path}", criterion._replace(equals=((path, ("zzz-other",)),))
    for path, _ in criterion.like:
        yield f"expects another text of {path}", criterion._replace(like=((path, ("zzz-other",)),))
    for name, _ in criterion.header:
        yield f"expects something else of {name}", criterion._replace(header=((name, "zzz-other"),))
    if criterion.text:
        yield "looks for another text", criterion._replace(text=("zzz-other",))


def _with(check: Check, state: str, criteria: tuple[Criterion, ...]) -> Check:
    step: Step = check.steps[0]._replace(**{state: criteria})  # type: ignore[arg-type]  # the three states are such fields
    return check._replace(steps=(step, *check.steps[1:]))


def prove_all(checks: Mapping[str, Check], rules: Mapping[str, tuple[Rule, RuleDoc]]) -> Iterator[tuple[str, str, str]]:
    """Yield rule, file and what it does not keep, for every table."""
    for ident, check in checks.items():
        rule, doc = rules[ident]
        for what in prove(check, rule, doc):
            yield ident, f"{check.file}:{check.line}", what
