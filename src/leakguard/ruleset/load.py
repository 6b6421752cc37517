"""Read `rules/*.toml` into `Rule` (what the engine needs) and `RuleDoc` (what people need).

docs/rules.md describes the format; every error names file and rule. Loading costs a few milliseconds a hundred rules,
so scans use the compiled set of `store` and come here only when it is missing or stale.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from leakguard.engine.checks import CHECKS, CHECKSUMS
from leakguard.engine.match import LEFT
from leakguard.engine.written import WAYS
from leakguard.errors import RuleError
from leakguard.model.finding import LEVELS
from leakguard.model.rule import SEVERITIES, Part, Rule, RuleDoc
from leakguard.ruleset import templates as t
from leakguard.ruleset.files import rule_files
from leakguard.ruleset.fragments import FRAGMENTS, GAP

KINDS = frozenset(
    [
        "api_key",
        "personal_token",
        "oauth_client",
        "service_account",
        "session",
        "signing_key",
        "private_key",
        "certificate",
        "password",
        "database_login",
        "webhook",
        "bot_token",
        "access_token",
        "refresh_token",
        "connection_string",
        "encryption_key",
        "password_hash",
    ],
)
LIFETIMES = ("until_revoked", "expiring", "short_lived", "unknown")
"""How long a credential works by itself: until somebody ends it; days to years, set when it is made; hours at most."""
_PROVIDER_KEYS = frozenset({"id", "name", "url", "references", "rotate", "lifetime", "imported"})
_RULE_KEYS = frozenset(
    [
        "id",
        "name",
        "severity",
        "kind",
        "format",
        "keywords",
        "value",
        "pattern",
        "anchors",
        "gate",
        "reach",
        "before",
        "after",
        "template",
        "public_prefix",
        "check",
        "part",
        "part_of",
        "examples",
        "counter_examples",
        "variants",
        "aliases",
        "since",
        "level",
        "references",
        "rotate",
        "lifetime",
        "description",
        "scope",
        "prior",
        "generic",
        "written",
        "verify",
    ],
)
_PRIORS = {"format": 3.5, "keyword": 1.5, "pattern": 2.5, "generic": -1.0}
_PART_KEYS = frozenset({"name", "format", "pattern", "anchors", "within", "required", "public", "template"})
_LEAST_HEAD = 3
"""Literal characters that a format begins with."""
_SELECTIVE = 8
"""Characters."""
_TELLING_HEAD = 5
"""Characters of a prefix (the last one a separator) that tell a token whatever follows."""
_PLAIN_HEAD = re.compile(
    r"(?:(?:live|test|prod|production|sandbox|dev|key|keys|api|apikey|sk|pk|rk|pub|public|private|secret|token|access|client|server|app|apps|org|user|"
    r"env|sdk|mob|auth|bearer|oauth|pat|sat|service|account|project|webhook|v[0-9]|[a-z0-9]{1,2})[_.\-]+)+"
)
"""A prefix of words that stand in many names: no vendor's own."""
_LOOSE_LEAST = 16
"""Characters that have to follow it."""


class Loaded(NamedTuple):
    """Rules with their documents, in file and rule order."""

    rules: tuple[Rule, ...]
    docs: tuple[RuleDoc, ...]


def load(paths: Iterable[str]) -> Loaded:
    """Read rule files; ids and aliases must be unique over all of them."""
    rules: list[Rule] = []
    docs: list[RuleDoc] = []
    for path in rule_files(paths):
        for rule, doc in _read(path):
            rules.append(rule)
            docs.append(doc)
    seen: dict[str, str] = {}
    for rule, doc in zip(rules, docs, strict=True):
        for name in (rule.id, *rule.aliases):
            if name in seen:
                msg = f"{doc.file}: the id {name!r} is taken by {seen[name]}"
                raise RuleError(msg, hint="ids and aliases are unique over all rule files")
            seen[name] = doc.file
    return Loaded(tuple(rules), tuple(docs))


def read_toml(path: str) -> tuple[dict[str, Any], str]:
    """Return the tables of a rule file, and its text."""
    import tomllib

    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        return tomllib.loads(text), text
    except OSError as e:
        msg = f"{path}: {e.strerror}"
        raise RuleError(msg, hint="check the path and its permissions") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        msg = f"{path}: {e}"
        raise RuleError(msg, hint="mend the TOML") from e


def _read(path: str) -> list[tuple[Rule, RuleDoc]]:
    name = os.path.basename(path)
    data, text = read_toml(path)
    provider = data.get("provider")
    if not isinstance(provider, dict) or not provider.get("id") or not provider.get("name"):
        msg = f"{name}: needs [provider] with id and name"
        raise RuleError(msg, hint="docs/rules.md shows a whole file")
    _known(provider, _PROVIDER_KEYS, f"{name}: [provider]")
    _known(data, {"provider", "rule", "verify"}, name)
    if not isinstance(data.get("rule", []), list):
        msg = f"{name}: `rule` is no list of tables"
        raise RuleError(msg, hint="write [[rule]] before each rule")
    out = []
    # the TOML reader does not tell lines; rules that are no tables of their own are told by their file
    lines = [f":{n}" for n, line in enumerate(text.splitlines(), 1) if line.strip().startswith("[[rule]]")]
    for n, entry in enumerate(data.get("rule", [])):
        line = lines[n] if n < len(lines) else ""
        where = f"{name}{line}"
        try:
            for variant in filled_variants(entry):
                where = f"{name}{line}: {variant.get('id', 'a rule without id')}"
                out.append(_build(variant, provider, name, where))
        except re.error as e:
            msg = f"{where}: bad pattern: {e}"
            raise RuleError(msg, hint="mend the regular expression") from e
        except (TypeError, ValueError, AttributeError, KeyError) as e:
            msg = f"{where}: a field has the wrong type: {e}"
            raise RuleError(msg, hint="docs/rules.md lists the fields, docs/schemas/rules-1.schema.json their types") from e
    return out


def _known(table: Mapping[str, Any], keys: frozenset[str] | set[str], where: str) -> None:
    if unknown := sorted(set(table) - keys):
        msg = f"{where}: unknown key {unknown[0]!r}"
        raise RuleError(msg, hint="known are " + ", ".join(sorted(keys)))


def filled_variants(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rules that an entry stands for, each with its own words in place of `{name}`."""
    family = entry.get("variants")
    if not family:
        return [entry]
    out = []
    for variant in family:
        names: Mapping[str, str] = variant.get("vars", {})

        def fill(value: Any, names: Mapping[str, str] = names) -> Any:
            if isinstance(value, str):
                for key, text in names.items():
                    value = value.replace("{" + key + "}", text)
                return value
            if isinstance(value, dict):
                return {k: fill(v) for k, v in value.items()}
            return [fill(v) for v in value] if isinstance(value, list) else value

        merged = {k: fill(v) for k, v in entry.items() if k != "variants"}
        out.append(merged | {k: v for k, v in variant.items() if k != "vars"})
    return out


def _build(e: dict[str, Any], provider: dict[str, Any], file: str, where: str) -> tuple[Rule, RuleDoc]:
    _known(e, _RULE_KEYS, where)
    for key in ("id", "name", "severity", "kind"):
        if not isinstance(e.get(key), str):
            msg = f"{where}: needs {key!r}"
            raise RuleError(msg, hint="docs/rules.md lists the fields")
    _one_of(e["severity"], SEVERITIES, where, "severity")
    _one_of(e["kind"], KINDS, where, "kind")
    _one_of(e.get("level", "balanced"), LEVELS, where, "level")
    _one_of(e.get("scope", "any"), ("any", "code", "config"), where, "scope")
    _one_of(e.get("written", ""), WAYS, where, "written")
    lifetime = e.get("lifetime", provider.get("lifetime", "unknown"))
    _one_of(lifetime, LIFETIMES, where, "lifetime")
    shaped = _shape(e, where)
    check = e.get("check", "") or next(
        (c for c in CHECKSUMS if "${" + c + ":" in shaped.template or f"={c}:" in shaped.template), ""
    )
    if check and check not in CHECKS:
        msg = f"{where}: there is no offline check {check!r}"
        raise RuleError(msg, hint="known are " + ", ".join(sorted(CHECKS)))
    parts, part_templates = _parts(e.get("part_of", []), where)
    rule = Rule(
        id=e["id"],
        provider=provider["id"],
        name=e["name"],
        severity=e["severity"],
        kind=e["kind"],
        pattern=shaped.pattern,
        value=shaped.value,
        least=shaped.least,
        chars=shaped.chars,
        anchors=shaped.anchors,
        gates=shaped.gates,
        reach=int(e.get("reach", 0)),
        before=int(e.get("before", 0)),
        after=int(e.get("after", shaped.after)),
        public=int(e.get("public_prefix", shaped.public)),
        check=check,
        part=e.get("part", "secret"),
        parts=parts,
        shape=shaped.shape,
        prior=float(e.get("prior", _PRIORS[shaped.shape])),
        scope=e.get("scope", "any"),
        level=e.get("level", "balanced"),
        since=int(e.get("since", 1)),
        aliases=tuple(e.get("aliases", ())),
        written=e.get("written", ""),
    )
    doc = RuleDoc(
        id=rule.id,
        provider_name=provider["name"],
        description=e.get("description", ""),
        references=tuple(e.get("references", provider.get("references", ()))),
        rotate=e.get("rotate", provider.get("rotate", "")),
        lifetime=lifetime,
        examples=tuple(e.get("examples", ()))
        or (() if provider.get("imported") else ("${secret}",) if shaped.shape == "format" else ()),
        counter_examples=tuple(e.get("counter_examples", ())),
        template=shaped.template,
        part_templates=part_templates,
        file=file,
    )
    return rule, doc


def _one_of(value: str, known: Iterable[str], where: str, what: str) -> None:
    if value not in known:
        msg = f"{where}: {what} {value!r} is not known"
        raise RuleError(msg, hint="known are " + ", ".join(sorted(known)))


class _Shape(NamedTuple):
    """What the three ways of writing a rule come to; see `Rule`."""

    shape: str
    pattern: str
    anchors: tuple[str, ...]
    gates: tuple[tuple[str, int], ...]
    after: int = 512
    public: int = 0
    template: str = ""
    value: str = ""
    least: int = 0
    chars: str = ""


def _shape(e: dict[str, Any], where: str) -> _Shape:
    if "format" in e:
        return _format(e["format"], where)
    if "keywords" in e and "value" in e:
        return _keyword(e, where)
    if "pattern" in e and "anchors" in e:
        e = e | {key: _filled(e[key]) for key in ("pattern", "gate") if key in e}
        _compiles(e["pattern"], where)
        anchors = tuple(dict.fromkeys(a.lower() for a in e["anchors"]))
        gate = ((e["gate"], 0),) if "gate" in e else tuple(("(?i)" + re.escape(a), len(a)) for a in anchors)
        return _Shape("generic" if e.get("generic") else "pattern", e["pattern"], anchors, gate, template=e.get("template", ""))
    msg = f"{where}: needs 'format', 'keywords' with 'value', or 'pattern' with 'anchors'"
    raise RuleError(msg, hint="docs/rules.md describes the three shapes")


def _filled(pattern: str) -> str:
    for name, fragment in FRAGMENTS.items():
        pattern = pattern.replace(name, fragment)
    return pattern


def _compiles(pattern: str, where: str) -> None:
    import regex

    try:
        names = regex.compile(pattern.encode("latin-1")).groupindex
    except (regex.error, UnicodeEncodeError) as e:
        msg = f"{where}: bad pattern: {e}"
        raise RuleError(msg, hint="mend the regular expression; it is one over bytes") from None
    if "secret" not in names:
        msg = f"{where}: the pattern has no group `secret`"
        raise RuleError(msg, hint="write (?P<secret>...) round the value")


def _format(template: str, where: str) -> _Shape:
    nodes = t.parse(template, where=where)
    heads, rest = t.leads(nodes)
    if not heads or min(map(len, heads)) < _LEAST_HEAD:
        msg = f"{where}: a format begins with at least three literal characters"
        raise RuleError(msg, hint="use 'keywords' with 'value', or 'pattern' with 'anchors'")
    tail, width = t.gate_tail(rest)
    pattern = f"{LEFT}(?P<secret>{t.to_regex(nodes)}){t.right(nodes)}"
    longest = t.longest(nodes)
    if loose := _loose(heads, rest, template):
        body, chars, longest = loose
        pattern = f"{LEFT}(?:(?P<secret>{t.to_regex(nodes)}){t.right(nodes)}|{body})"
        tail, width = f"[{chars}]{{8}}", 8
    # a long beginning is selective by itself, and a literal is what Hyperscan compiles and finds quickest
    gates = tuple((re.escape(h), len(h)) if len(h) >= _SELECTIVE else (re.escape(h) + tail, len(h) + width) for h in heads)
    anchors = tuple(dict.fromkeys(head.lower() for head in heads))
    return _Shape("format", pattern, anchors, gates, longest + 2, min(map(len, heads)), template)


def _loose(heads: tuple[str, ...], rest: tuple[t.Node, ...], template: str) -> tuple[str, str, int] | None:
    """Return pattern, characters and longest match of what begins as this token does, in another length or alphabet.

    Vendors change what follows a prefix more often than the prefix. Only for prefixes that stand for nothing else, and not
    where a checksum says what was issued; `score` takes such a match for less and reads it as it reads a generic value.
    """
    runs = [node for node in rest if isinstance(node, t.Run)]
    between = [node.text for node in rest if isinstance(node, t.Literal)]
    least = sum(run.least for run in runs) + sum(map(len, between))
    if (
        not all(len(head) >= _TELLING_HEAD and not head[-1].isalnum() and not _PLAIN_HEAD.fullmatch(head) for head in heads)
        or len(runs) + len(between) < len(rest)
        or "crc32_base62" in template
        or least < _LOOSE_LEAST
        or (between and any(run.least < run.most for run in runs))
    ):
        return None
    signs = {c for text in [*between, *(t.alphabet(run.chars) for run in runs)] for c in text if not c.isalnum() and c not in "_-"}
    chars = "0-9A-Za-z_" + "".join(map(re.escape, sorted(signs))) + "-"
    most = t.longest(rest) * 2 + 40
    least = max(_LOOSE_LEAST, least * 4 // 5 if between else least * 3 // 5)
    names = "|".join(map(re.escape, heads))
    digits = f"(?=[{chars}]*[0-9][{chars}]*[0-9])"
    body = f"(?<![_.-])(?P<secret>(?P<loose>{names}){digits}[{chars}]{{{least},{most}}})(?![{chars}])"
    return body, chars, most + max(map(len, heads)) + 2


def _keyword(e: dict[str, Any], where: str) -> _Shape:
    nodes = t.parse(e["value"], where=where)
    keywords = tuple(dict.fromkeys(k.lower() for k in e["keywords"]))
    if min(map(len, keywords)) < 3:
        msg = f"{where}: keywords have at least three characters"
        raise RuleError(msg, hint="a vendor's name, not an abbreviation")
    gates = tuple(("(?i)" + re.escape(k), len(k)) for k in keywords)
    heads, _rest = t.leads(nodes)
    public = min(map(len, heads)) if heads else 0
    return _Shape(
        "keyword",
        GAP,
        keywords,
        gates,
        240 + t.longest(nodes),
        public,
        e["value"],
        t.to_regex(nodes) + t.right(nodes),
        *t.unbroken(nodes),
    )


def _parts(entries: list[dict[str, Any]], where: str) -> tuple[tuple[Part, ...], tuple[tuple[str, str], ...]]:
    parts, shown = [], []
    for entry in entries:
        _known(entry, _PART_KEYS, f"{where}: part_of")
        if not isinstance(entry.get("name"), str) or ("format" in entry) == ("pattern" in entry):
            msg = f"{where}: a part needs a name, and a format or a pattern"
            raise RuleError(msg, hint="docs/rules.md lists the fields")
        template = entry.get("format", entry.get("template", ""))
        anchors = tuple(a.lower() for a in entry.get("anchors", ()))
        gates, after = tuple(("(?i)" + re.escape(a), len(a)) for a in anchors), 512
        if "format" in entry:
            nodes = t.parse(entry["format"], where=where)
            pattern = f"{LEFT}(?P<secret>{t.to_regex(nodes)}){t.right(nodes)}"
            heads, _rest = t.leads(nodes)
            if heads and min(map(len, heads)) >= _LEAST_HEAD:
                shape = _format(entry["format"], where)
                anchors, gates, after = shape.anchors, shape.gates, shape.after
        else:
            pattern = entry["pattern"]
        near = int(entry.get("within", 512)), bool(entry.get("required")), bool(entry.get("public"))
        parts.append(Part(entry["name"], pattern, *near, anchors, gates, after))
        shown.append((entry["name"], template))
    return tuple(parts), tuple(shown)
