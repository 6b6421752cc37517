"""Read the `[rule.verify]` tables of rule files into `Check`; docs/verification.md describes the format.

Loaded apart from the matching half, by provider and on demand, since no scan without `--verify` needs it. A mistake is
an error at load, with file and line: an undefined variable, a host that nothing pins, a missing criterion or example.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from leakguard.errors import RuleError
from leakguard.model.check import Check, Criterion, Example, Step
from leakguard.model.verdict import REASONS, Identity
from leakguard.net.message import CLASSES
from leakguard.ruleset.load import filled_variants, read_toml

METHODS = ("get", "head", "post", "put", "patch", "delete")
STATES = ("live", "restricted", "dead")
_STEP_KEYS = frozenset(
    [*METHODS, "class", "bearer", "basic", "headers", "form", "json", "body", *STATES, *(f"{s}_example" for s in STATES), "identity", "take"]
)  # fmt: skip
_TABLE_KEYS = frozenset(
    ["use", "source", "hosts", "suffixes", "vars", "in_url", "rate", "control", "unverifiable", "code", "options", "steps", "note"]
)
_CRITERION_KEYS = frozenset({"status", "has", "is", "like", "header", "text", "reason"})
_VARIABLE = re.compile(r"\$\{([a-z_][a-z0-9_]*)\}")
_STATUS = re.compile("[1-5][0-9][0-9]")
_HOST = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::[0-9]+)?")
_URL = re.compile(r"(https?)://((?:\$\{[a-z0-9_]+\}|[^/?#$])*)(.*)", re.DOTALL)


def load_checks(files: Iterable[str], rules: frozenset[str] | None = None) -> dict[str, Check]:
    """Return the checks of rule files by rule id; of `rules` only, where they are named.

    Raises:
        RuleError: a table is wrong; the message names file and line.
    """
    out: dict[str, Check] = {}
    for path in files:
        out.update(_file(path, rules))
    return out


def _file(path: str, rules: frozenset[str] | None) -> dict[str, Check]:
    data, text = read_toml(path)
    lines = text.splitlines()
    name = os.path.basename(path)
    provider = str(data.get("provider", {}).get("id", ""))
    shared = data.get("verify", {})
    out = {}
    for entry in data.get("rule", []):
        if "verify" not in entry:
            continue
        for rule in filled_variants(entry):
            ident = str(rule.get("id", ""))
            if rules is None or ident in rules:
                line = _line(lines, str(entry.get("id") or (entry.get("variants") or [{}])[0].get("id", "")))
                out[ident] = _Reader(rule, provider, shared, name, line).check()
    return out


def _line(lines: list[str], rule: str) -> int:
    """Return the line of a rule's verify table, which the TOML reader does not tell."""
    at = next((i for i, line in enumerate(lines) if re.search(rf'\bid\s*=\s*"{re.escape(rule)}"', line)), 0)
    ends = next((i for i in range(at + 1, len(lines)) if lines[i].startswith("[[rule]]")), len(lines))
    return next((i for i in range(at, ends) if re.match(r"\[rule\.verify|verify\b", lines[i])), at) + 1


class _Reader:
    """Reads one table; keeps where it stands for errors."""

    def __init__(self, rule: Mapping[str, Any], provider: str, shared: Mapping[str, Any], file: str, line: int) -> None:
        self.rule = rule
        self.provider = provider
        self.shared = shared
        self.file = file
        self.line = line

    def wrong(self, what: str, hint: str = "docs/verification.md describes the table") -> NoReturn:
        raise RuleError(f"{self.file}:{self.line}: {self.rule.get('id')}: verify: {what}", hint=hint)

    def check(self) -> Check:
        table = self._merged()
        if unknown := sorted(set(table) - _TABLE_KEYS - _STEP_KEYS):
            self.wrong(f"unknown key {unknown[0]!r}", "known are " + ", ".join(sorted(_TABLE_KEYS | _STEP_KEYS)))
        base = Check(str(self.rule["id"]), self.provider, file=self.file, line=self.line, source=self._text(table, "source"))
        if table.get("unverifiable"):
            return base._replace(unverifiable=self._text(table, "unverifiable"), version=_digest(table))
        if not base.source.startswith("https://"):
            self.wrong("needs `source`, the vendor's page that says so", 'source = "https://docs.acme.example/api/errors"')
        check = base._replace(
            hosts=self._host_names(table.get("hosts", [])),
            suffixes=self._words(table, "suffixes"),
            vars=tuple(self._vars(table.get("vars", {}))),
            in_url=bool(table.get("in_url", False)),
            rate=float(table.get("rate", 0)),
            control=bool(table.get("control", True)),
            code=self._text(table, "code"),
            options=table.get("options", {}),
            version=_digest(table),
        )
        common = {key: value for key, value in table.items() if key in _STEP_KEYS}
        tables = table.get("steps", [{}] if any(m in common for m in METHODS) else [])
        check = check._replace(steps=tuple(self._step(common | step) for step in tables))
        if not check.steps and not check.code:
            self.wrong("says neither what is asked nor why nothing can be", 'get = "https://...", or unverifiable = "why"')
        if check.steps and not check.code:
            self._criteria(check)
        return self._hosts(self._variables(check))

    def _merged(self) -> dict[str, Any]:
        """Return the rule's own table over the one that it uses."""
        own = self.rule["verify"]
        own = {"use": own} if isinstance(own, str) else dict(own)
        used = own.pop("use", None)
        if used is None:
            return own
        if used not in self.shared:
            self.wrong(f"there is no [verify.{used}] in this file", "known are " + ", ".join(sorted(self.shared)) or "none")
        return {**self.shared[used], **own}

    def _text(self, table: Mapping[str, Any], key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            self.wrong(f"{key} has to be a string")
        return value

    def _words(self, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = table.get(key, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            self.wrong(f"{key} has to be a string or a list of strings")
        return tuple(value)

    def _host_names(self, value: Any) -> tuple[str, ...]:
        """Return the pinned hosts; one may be written as the list of its parts."""
        value = [value] if isinstance(value, str) else value
        joined = [".".join(v) if isinstance(v, list) else str(v).lower() for v in value] if isinstance(value, list) else [""]
        if not all(map(_HOST.fullmatch, joined)):
            self.wrong("hosts has to be a list of host names")
        return tuple(joined)

    def _vars(self, table: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        for name, pattern in table.items():
            try:
                groups = re.compile(pattern).groups
            except re.error:
                groups = 0
            if groups != 1:
                self.wrong(f"vars.{name} has to be a regular expression with one group")
            yield name, pattern

    def _step(self, table: Mapping[str, Any]) -> Step:
        if unknown := sorted(set(table) - _STEP_KEYS):
            self.wrong(f"unknown key {unknown[0]!r} in a step")
        methods = [m for m in METHODS if m in table]
        if len(methods) != 1:
            self.wrong("a step has one of " + ", ".join(METHODS))
        method = methods[0]
        kind = table.get("class", "read" if method in ("get", "head") else "")
        if kind not in CLASSES:
            self.wrong(f"{method} needs `class`, what the request does: one of " + ", ".join(CLASSES))
        headers = {str(k): self._text(table["headers"], k) for k in table.get("headers", {})}
        if "bearer" in table:
            headers["Authorization"] = "Bearer " + self._text(table, "bearer")
        if any(k.lower() in ("user-agent", "host", "content-length") for k in headers):
            self.wrong("User-Agent, Host and Content-Length are not a rule's to set")
        if sum(key in table for key in ("form", "json", "body")) > 1:
            self.wrong("a step has one of form, json, body")
        form = table.get("form", {})
        return Step(
            method=method.upper(),
            url=self._text(table, method),
            kind=kind,
            headers=tuple(headers.items()),
            basic=self._text(table, "basic"),
            form=tuple((k, self._text(form, k)) for k in form),
            json=table.get("json"),
            body=self._text(table, "body") if "body" in table else None,
            live=self._proofs(table, "live"),
            restricted=self._proofs(table, "restricted"),
            dead=self._proofs(table, "dead"),
            identity=tuple(self._identity(table.get("identity", {}))),
            take=tuple((k, self._text(table["take"], k)) for k in table.get("take", {})),
            examples=tuple((s, e) for s in STATES if f"{s}_example" in table for e in self._examples(table[f"{s}_example"])),
        )

    def _identity(self, table: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        for name in table:
            if name not in Identity._fields:
                self.wrong(f"identity has no field {name!r}", "known are " + ", ".join(Identity._fields))
            yield name, self._text(table, name)

    def _proofs(self, table: Mapping[str, Any], state: str) -> tuple[Criterion, ...]:
        value = table.get(state, [])
        return tuple(self._criterion(c, state) for c in (value if isinstance(value, list) else [value]))

    def _criterion(self, table: Any, state: str) -> Criterion:
        if not isinstance(table, dict) or set(table) - _CRITERION_KEYS:
            self.wrong(f"{state} is a table (or a list of tables) of " + ", ".join(sorted(_CRITERION_KEYS)))
        status = table.get("status", [])
        status = [status] if isinstance(status, int) else status
        one = Criterion(
            status=tuple(status),
            has=self._words(table, "has"),
            equals=tuple((k, tuple(v) if isinstance(v, list) else (v,)) for k, v in table.get("is", {}).items()),
            like=tuple((k, self._words(table["like"], k)) for k in table.get("like", {})),
            header=tuple((k.lower(), self._text(table["header"], k)) for k in table.get("header", {})),
            text=self._words(table, "text"),
            reason=self._text(table, "reason"),
        )
        if not status or not all(isinstance(s, int) and 200 <= s < 500 and not 300 <= s < 400 for s in status):
            self.wrong(f"{state} needs `status`, 200 to 299 or 400 to 499: a redirect or a failure of the provider proves nothing")
        if not (one.has or one.equals or one.like or one.header or one.text):
            self.wrong(f"{state} rests on the status alone, which proxies and walls send, too", "add has, is, like, header or text")
        if 429 in status and not (one.equals or one.like):
            self.wrong(f"{state} takes 429 for proof: name the documented code with is or like")
        if one.reason not in REASONS or (one.reason and state != "dead"):
            self.wrong("reason is one of " + ", ".join(REASONS[1:]) + ", of dead only")
        return one

    def _examples(self, value: Any) -> Iterable[Example]:
        """Yield one answer, or several: `'401 BODY'`, `['401', 'header: value', 'BODY']`, or a list of such."""
        several = isinstance(value, list) and not (value and isinstance(value[0], str) and _STATUS.fullmatch(value[0]))
        for one in value if several else [value]:
            parts = list(map(str, one)) if isinstance(one, list) else str(one).split(" ", 1)
            if not parts or not _STATUS.fullmatch(parts[0]):
                self.wrong("an example is '200 BODY' or ['200', 'header: value', 'BODY']")
            headers = [p.partition(":") for p in parts[1:-1]]
            yield Example(
                int(parts[0]), tuple((n.strip().lower(), v.strip()) for n, _, v in headers), parts[-1] if parts[1:] else ""
            )

    def _criteria(self, check: Check) -> None:
        first = check.steps[0]
        for state in ("live", "dead"):
            if not getattr(first, state):
                self.wrong(f"has no `{state}`: what the vendor's page says about such an answer")
        for step in check.steps:
            given = dict(step.examples)
            for state in STATES:
                if getattr(step, state) and state not in given:
                    self.wrong(f"has no {state}_example: the answer as the vendor documents it")

    def _variables(self, check: Check) -> Check:
        parts = self.rule.get("part_of", [])
        public = {str(p["name"]) for p in parts if p.get("public")} | {"host"}
        derived = {name for name, _ in check.vars}
        values = {"secret", str(self.rule.get("part", "secret")), *(str(p["name"]) for p in parts)} - public | derived
        known = values | public if check.hosts or any(p["name"] == "host" for p in parts) else values | public - {"host"}
        for step in check.steps:
            used = set(_VARIABLE.findall(repr((step.url, step.headers, step.basic, step.form, step.json, step.body))))
            if missing := sorted(used - known):
                self.wrong(f"${{{missing[0]}}} stands for nothing", "known are " + ", ".join(f"${{{k}}}" for k in sorted(known)))
            host, rest = self._parts(step.url)
            if "secret" in _VARIABLE.findall(host):
                self.wrong("a secret stands in the name of the host, which resolvers see")
            if not check.in_url and (not host or set(_VARIABLE.findall(rest)) & values):
                hint = "in_url = true where the vendor takes it nowhere else; public = true for a part that is no secret"
                self.wrong("a value stands in the URL, which proxies and logs keep", hint)
            known |= {name for name, _ in step.take}
        return check

    def _parts(self, url: str) -> tuple[str, str]:
        """Return host and rest of a URL's template."""
        if url == "${secret}":
            return "", ""
        found = _URL.fullmatch(url)
        if not found or found[1] != "https":
            self.wrong("a URL begins with https://")
        return found[2], found[3]

    def _hosts(self, check: Check) -> Check:
        """Pin the hosts: those written out, those listed, and what stands below the written end of a name."""
        hosts, suffixes = check.hosts, list(check.suffixes)
        for suffix in suffixes:
            if not suffix.startswith(".") or suffix.count(".") < 2:
                self.wrong(f"the suffix {suffix!r} has to begin with a dot and hold a domain: .acme.example")
        for step in check.steps:
            host = self._parts(step.url)[0]
            if not host.count("${"):
                if not host and not (hosts or suffixes):
                    self.wrong("nothing pins the host: name `hosts` or `suffixes`")
                continue
            if host == "${host}" and (hosts or suffixes):
                continue
            tail = host[host.rfind("}") + 1 :].lower()
            if tail.startswith(".") and tail.count(".") > 1:
                suffixes.append(tail)
            elif not (hosts or suffixes):
                self.wrong(f"nothing pins the host {host!r}", "name `hosts`, or `suffixes` as in .acme.example")
        return check._replace(suffixes=tuple(dict.fromkeys(suffixes)))


def _digest(table: Mapping[str, Any]) -> str:
    from hashlib import sha256

    return sha256(repr(sorted(table.items(), key=lambda item: item[0])).encode()).hexdigest()[:12]
