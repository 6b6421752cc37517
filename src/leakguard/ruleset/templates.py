"""Templates such as `ghp_${body=base62:30}${crc32_base62:body}`: one description of a token's form.

A template gives the regular expression, the anchors, the Hyperscan gate and, with an explicit `Random`, examples that
no person ever used. So nothing secret-shaped has to stand in a rule file, and form and example can't drift apart.
Rejected: hand-written regexes with separate example generators, which is the same fact written three times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from random import Random

from leakguard.engine.checks import CHECKSUMS
from leakguard.errors import RuleError

_DIGITS, _LOWER, _UPPER = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CLASSES = {
    "hex": "0-9a-f",
    "HEX": "0-9A-F",
    "hexi": "0-9a-fA-F",
    "base62": "0-9A-Za-z",
    "base64": "0-9A-Za-z+/",
    "base64url": "0-9A-Za-z_-",
    "base32": "A-Z2-7",
    "digits": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "alnum": "0-9a-z",
    "ALNUM": "0-9A-Z",
    "word": "0-9A-Za-z_",
}
OPEN_END = 512
"""Upper bound of a length written without one."""
ALL_BEFORE = "*"
"""What a checksum names that is computed over everything before it."""
MAX_LEADS = 64


@dataclass(frozen=True, slots=True)
class Literal:
    """Fixed text."""

    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """`least` to `most` characters of a class; `checksum` says that it is computed from the run named `over`."""

    chars: str
    least: int
    most: int
    name: str = ""
    checksum: str = ""
    over: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several literals."""

    options: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Pem:
    """A PEM block."""

    label: str


@dataclass(frozen=True, slots=True)
class Ref:
    """`${secret}` or `${part_name}`: replaced by a value that the caller gives."""

    name: str


Node = Literal | Run | Choice | Pem | Ref
_HOLE = re.compile(r"\$\$|\$\{([^}]*)\}")
_LENGTH = re.compile(r"(\d+)(?:(-)(\d*))?\Z")


def parse(template: str, *, where: str = "template") -> tuple[Node, ...]:
    """Parse a template.

    Raises:
        RuleError: unknown class, bad length; the message holds `where`.
    """
    nodes: list[Node] = []

    def literal(text: str) -> None:
        if text and nodes and isinstance(nodes[-1], Literal):
            nodes[-1] = Literal(nodes[-1].text + text)
        elif text:
            nodes.append(Literal(text))

    at = 0
    for hole in _HOLE.finditer(template):
        literal(template[at : hole.start()])
        at = hole.end()
        if hole[1] is None:
            literal("$")
            continue
        for node in _hole(hole[1], where):
            if isinstance(node, Literal):
                literal(node.text)
            else:
                nodes.append(node)
    literal(template[at:])
    return tuple(nodes)


def _hole(inner: str, where: str) -> tuple[Node, ...]:
    name = ""
    if named := re.match(r"([a-z_][a-z0-9_]*)=", inner):
        name, inner = named[1], inner[named.end() :]
    kind, colon, arg = inner.partition(":") if not inner.startswith("[") else _class_of(inner)
    if kind in ("uuid", "UUID"):
        chars = CLASSES["hex" if kind == "uuid" else "HEX"]
        nodes: list[Node] = []
        for i, n in enumerate((8, 4, 4, 4, 12)):
            nodes += ([Literal("-")] if i else []) + [Run(chars, n, n)]
        return tuple(nodes)
    if kind == "choice":
        return (Choice(tuple(arg.split("|")), name),)
    if kind == "pem":
        return (Pem(arg),)
    if kind in CHECKSUMS:
        chars, length = CHECKSUMS[kind]
        return (Run(CLASSES[chars], length, length, name, kind, arg),)
    if not colon:
        return (Ref(inner),)
    chars = CLASSES.get(kind) or (kind[1:-1] if kind.startswith("[") else "")
    size = _LENGTH.match(arg)
    if not chars or not size:
        msg = f"{where}: ${{{inner}}} is no known form"
        raise RuleError(msg, hint="docs/rules.md lists the forms")
    least = int(size[1])
    most = least if not size[2] else int(size[3] or OPEN_END)
    return (Run(chars, least, most, name),)


def _class_of(inner: str) -> tuple[str, str, str]:
    end = inner.rfind("]") + 1
    return inner[:end], inner[end : end + 1], inner[end + 1 :]


def expand(template: str, rng: Random, values: Mapping[str, str] | None = None) -> str:
    """Fill a template with random characters; `values` gives what `${secret}` and part names stand for."""
    return expand_nodes(parse(template), rng, values or {})


def expand_nodes(nodes: tuple[Node, ...], rng: Random, values: Mapping[str, str]) -> str:
    """Fill a parsed template."""
    from leakguard.engine.checks import checksum

    out: list[str] = []
    named: dict[str, str] = {}
    for node in nodes:
        match node:
            case Literal(text):
                piece = text
            case Choice(options):
                piece = rng.choice(options)
            case Pem(label):
                piece = _pem(label, rng)
            case Ref(name):
                if name not in values:
                    msg = f"${{{name}}} stands for nothing here"
                    raise RuleError(msg, hint="examples know ${secret} and the names of the rule's parts")
                piece = values[name]
            case Run(checksum=kind, over=over) if kind:
                piece = checksum(kind, "".join(out) if over == ALL_BEFORE else named[over])
            case Run(chars, least, most):
                piece = _random(alphabet(chars), rng.randint(least, min(most, least + 40)), rng)
        if getattr(node, "name", ""):
            named[node.name] = piece  # type: ignore[union-attr]  # Literal and Pem have no name
        out.append(piece)
    return "".join(out)


def _random(chars: str, length: int, rng: Random) -> str:
    """Random characters that no filter takes for a placeholder: every kind of character occurs where there is room."""
    for _ in range(50):
        text = "".join(rng.choices(chars, k=length))
        if length < 8 or _mixed(text, chars):
            break
    return text


def _mixed(text: str, chars: str) -> bool:
    return all(
        any(c in group for c in text) for group in (_DIGITS, _LOWER, _UPPER) if any(c in chars for c in group) and len(text) > 15
    )


def _pem(label: str, rng: Random) -> str:
    body = "MII" + _random(alphabet(CLASSES["base64"]), 64 * 12 + 21, rng)
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"))


def alphabet(chars: str) -> str:
    """Expand the inside of a character class (`0-9a-f`) to its characters."""
    out, i = [], 0
    while i < len(chars):
        if chars[i] == "\\" and i + 1 < len(chars):
            out.append(chars[i + 1])
            i += 2
        elif i + 2 < len(chars) and chars[i + 1] == "-":
            out += map(chr, range(ord(chars[i]), ord(chars[i + 2]) + 1))
            i += 3
        else:
            out.append(chars[i])
            i += 1
    return "".join(out)


def to_regex(nodes: tuple[Node, ...]) -> str:
    """Return the regex of the bare value, named runs as groups."""
    out = []
    for node in nodes:
        match node:
            case Literal(text):
                out.append(re.escape(text))
            case Choice(options):
                out.append("(?:" + "|".join(map(re.escape, options)) + ")")
            case Run(chars, least, most, name):
                body = f"[{chars}]{{{least}}}" if least == most else f"[{chars}]{{{least},{most}}}"
                out.append(f"(?P<{name}>{body})" if name else body)
            case Pem(label):
                out.append(f"-----BEGIN {label}-----[^-]{{40,16000}}-----END {label}-----")
            case Ref(name):
                msg = f"${{{name}}} can't stand in a format"
                raise RuleError(msg, hint="give it a class and a length, as docs/rules.md lists them")
    return "".join(out)


def right(nodes: tuple[Node, ...]) -> str:
    """Return the look-ahead that ends a value: no further character of its last class."""
    last = nodes[-1]
    if isinstance(last, Run):
        chars = last.chars if "_" in last.chars else last.chars + "_"
        joined = set(alphabet(chars)) >= set(_DIGITS + _LOWER[:6])
        return f"(?![{chars}])" if joined and len(chars) > 10 else f"(?![0-9A-Za-z_])"  # noqa: F541
    return "(?![0-9A-Za-z])"


def leads(nodes: tuple[Node, ...]) -> tuple[tuple[str, ...], tuple[Node, ...]]:
    """Return the literal beginnings that a template can have, and the nodes after them."""
    pools: list[tuple[str, ...]] = []
    rest = list(nodes)
    while rest and isinstance(node := rest[0], (Literal, Choice)):
        rest.pop(0)
        pools.append((node.text,) if isinstance(node, Literal) else node.options)
        if pools and _size(pools) > MAX_LEADS:
            rest.insert(0, node)
            pools.pop()
            break
    return tuple("".join(parts) for parts in product(*pools)), tuple(rest)


def _size(pools: list[tuple[str, ...]]) -> int:
    size = 1
    for pool in pools:
        size *= len(pool)
    return size


def gate_tail(nodes: tuple[Node, ...], room: int = 12) -> tuple[str, int]:
    """Return `(expression, width)` of what must follow the lead, fixed in width, at most about `room` characters."""
    out, width = [], 0
    for node in nodes:
        if width >= room or not isinstance(node, (Run, Literal)):
            break
        if isinstance(node, Literal):
            out.append(re.escape(node.text))
            width += len(node.text)
            continue
        take = min(node.least, room - width)
        if take:
            out.append(f"[{node.chars}]{{{take}}}")
            width += take
        if take < node.most:
            break
    return "".join(out), width


def unbroken(nodes: tuple[Node, ...]) -> tuple[int, str]:
    """Return how many characters every value has at least, and which ones it is made of; 0 where that can't be said."""
    least, chars = 0, set[str]()
    for node in nodes:
        match node:
            case Literal(text):
                least += len(text)
                chars.update(text)
            case Choice(options):
                least += min(map(len, options))
                chars.update(*options)
            case Run():
                least += node.least
                chars.update(alphabet(node.chars))
            case _:
                return 0, ""
    return least, "".join(sorted(chars))


def longest(nodes: tuple[Node, ...]) -> int:
    """Return the most characters that a value can have."""
    total = 0
    for node in nodes:
        match node:
            case Literal(text):
                total += len(text)
            case Choice(options):
                total += max(map(len, options))
            case Run(most=most):
                total += most
            case _:
                total += 16384
    return total
