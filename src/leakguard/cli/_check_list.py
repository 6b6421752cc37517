"""How `leakguard rules list --verify` writes how credentials are verified: as lines, and as the page `docs/verifiers.md`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from leakguard.cli._rule_list import Row, cell
from leakguard.model.check import Check, Criterion

_HEAD = """# Verifiers

How LeakGuard finds out whether a credential is live: what is asked and where, which answer proves live, which proves dead, and what
comes back about whose it is. Anything else is `unknown`. {tables} of {rules} credential types can be asked about, {ways};
{none} can't safely, and say why at the end. [verification.md](verification.md) says how asking works. This page is made by
`leakguard rules list --verify -f markdown`.
"""


def lines(rows: Sequence[Row], checks: Mapping[str, Check]) -> Iterator[str]:
    """Yield one line a credential type that has a verify table."""
    rows = [row for row in rows if row[0].id in checks]
    width = max((len(rule.id) for rule, _doc in rows), default=0)
    for rule, _doc in rows:
        check = checks[rule.id]
        said = f"not safely: {check.unverifiable}" if check.unverifiable else "; ".join(_asked(check))
        yield f"{rule.id:{width}}  {said}"
    yield ", ".join(f"{count} {way}" for way, count in _ways(rows, checks).items())


def _ways(rows: Sequence[Row], checks: Mapping[str, Check]) -> dict[str, int]:
    counted = Counter(way(checks[rule.id]) for rule, _doc in rows if rule.id in checks)
    return dict(counted.most_common())


def way(check: Check) -> str:
    """Return how it is verified: `by table`, `by code`, or `not safely`."""
    return "not safely" if check.unverifiable else "by code" if check.code else "by table"


def row(check: Check) -> dict[str, Any]:
    """Return what the JSON list says of one."""
    return {
        "verify": {
            "way": way(check),
            "asked": [{"method": step.method, "url": step.url, "class": step.kind} for step in check.steps],
            "hosts": list(check.hosts),
            "source": check.source or None,
            "unverifiable": check.unverifiable or None,
        }
    }


def markdown(rows: Sequence[Row], checks: Mapping[str, Check]) -> Iterator[str]:
    """Yield a page: a table for each provider's letter, and at its end what can't be asked."""
    having = sorted((row for row in rows if row[0].id in checks), key=lambda row: (row[1].provider_name.casefold(), row[0].id))
    ways = _ways(having, checks)
    none = ways.pop("not safely", 0)
    yield _HEAD.format(
        tables=sum(ways.values()),
        rules=f"{len(rows):,}",
        ways=", ".join(f"{count} {name}" for name, count in ways.items()),
        none=none,
    )
    asked = [row for row in having if not checks[row[0].id].unverifiable]
    for name, of in groupby(asked, key=lambda row: row[1].provider_name):
        yield f"## {name}\n"
        # rules of one table are one line
        same: dict[tuple[str, ...], list[str]] = {}
        for rule, _doc in of:
            same.setdefault(_row(checks[rule.id]), []).append(f"`{rule.id}`")
        yield "| rule | asked | live | dead | whose |\n|---|---|---|---|---|"
        for row, rules in same.items():
            yield f"| {', '.join(rules)} | {' | '.join(row)} |"
        yield ""
    yield "## Not asked\n"
    yield "| rule | why |\n|---|---|"
    for rule, _doc in having:
        if checks[rule.id].unverifiable:
            yield f"| `{rule.id}` | {cell(checks[rule.id].unverifiable)} |"


def _row(check: Check) -> tuple[str, ...]:
    asked = "<br>".join(_asked(check))
    whose = ", ".join(dict.fromkeys(name for step in check.steps for name, _path in step.identity)) or "-"
    linked = asked + f" ([source]({check.source}))"
    return (linked, _proofs(check, "live"), _proofs(check, "dead"), whose)


def _asked(check: Check) -> Iterator[str]:
    if check.code:
        yield f"{check.code}, by code"
    for step in check.steps:
        kind = "" if step.kind == "read" else f" ({step.kind})"
        hosts = ""
        if "${host}" in step.url and check.hosts:
            hosts = " at " + " or ".join(f"`{host}`" for host in _grouped(check.hosts))
        yield f"`{step.method} {cell(step.url)}`{kind}{hosts}"


def _grouped(hosts: Sequence[str]) -> Iterator[str]:
    """Yield hosts as a shell would expand them, `{api,eu}.acme.example`, one for each domain."""
    for domain, of in groupby(sorted(hosts, key=_domain), key=_domain):
        first = [host[: -len(domain)].rstrip(".") for host in of]
        yield f"{{{','.join(first)}}}.{domain}" if any(first) else domain


def _domain(host: str) -> str:
    return ".".join(host.split(".")[-2:])


def _proofs(check: Check, state: str) -> str:
    said: list[str] = []
    for step in check.steps:
        said += [_criterion(one) for one in getattr(step, state)]
    return "<br>".join(dict.fromkeys(said)) or ("by code" if check.code else "-")


def _criterion(one: Criterion) -> str:
    parts = ["/".join(map(str, one.status))]
    parts += [f"`{cell(path)}`" for path in one.has]
    parts += [f"`{cell(path)}` is {_any(values)}" for path, values in one.equals]
    parts += [f"`{cell(path)}` holds {_any(values)}" for path, values in one.like]
    parts += [f"header `{name}`" + ("" if value == "*" else f" holds `{cell(value)}`") for name, value in one.header]
    if one.text:
        parts.append(f"body holds {_any(one.text)}")
    return ", ".join(parts) + (f" ({one.reason})" if one.reason else "")


def _any(values: Sequence[object]) -> str:
    return " / ".join(f"`{cell(str(value))}`" for value in values)
