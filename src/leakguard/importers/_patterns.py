"""Peers' regular expressions in our engine: Go's RE2 and Rust's dialects to Python's `regex`, paths to gitignore patterns."""

from __future__ import annotations

import re

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r" \t",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\s",
    "word": r"\w",
    "xdigit": "0-9A-Fa-f",
}


def translate(pattern: str) -> str:
    """Return a Go or Rust regular expression in the syntax of `regex`."""
    out = re.sub(r"\[:(\^?)(\w+):\]", lambda m: _CLASSES.get(m[2], m[0]), pattern)
    return out.replace(r"\z", r"\Z").replace("(?P<secret>", "(?P<given>")


def with_secret(pattern: str, group: int) -> str:
    """Return the pattern with its value as the group `secret`: group `group`, or the whole match for 0.

    Raises:
        ValueError: there is no such group, or the pattern does not compile.
    """
    import regex

    compiled = regex.compile(pattern.encode("latin-1", "strict"))
    if not group:
        flags = re.match(r"\(\?[a-zA-Z]+\)", pattern)
        head = flags[0] if flags else ""
        out = f"{head}(?P<secret>{pattern[len(head) :]})"
    else:
        if group > compiled.groups:
            msg = f"it has no group {group}"
            raise ValueError(msg)
        out = _name_group(pattern, group)
    regex.compile(out.encode("latin-1"))
    return out


def _name_group(pattern: str, group: int) -> str:
    at, seen, in_class = 0, 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 2
            continue
        if in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            at += 1 + (pattern[at + 1 : at + 2] == "^")
            at += pattern[at : at + 1] == "]"
            continue
        elif char == "(":
            named = re.match(r"\(\?P?<(?![=!])(\w+)>", pattern[at:])
            if named or pattern[at + 1 : at + 2] != "?":
                seen += 1
                if seen == group:
                    return pattern[:at] + "(?P<secret>" + pattern[at + (named.end() if named else 1) :]
        at += 1
    msg = f"it has no group {group}"
    raise ValueError(msg)


def anchors(keywords: list[str], pattern: str) -> list[str]:
    """Return the literals that a match has to hold: the peer's keywords, else the longest literal of the pattern."""
    given = [k.lower() for k in keywords if len(k) >= 3]
    if given:
        return given
    plain = re.sub(r"\(\?[a-zA-Z]+\)|\\[bBAzZdDwWsSGQE]|\[[^\]]*\](?:\{[\d,]*\}|[*+?])?", "\0", pattern)
    while True:
        # from the inside out: an optional or alternative group holds no literal that every match has
        flat = re.sub(
            r"\((?:\?(?:P?<\w+>|[a-zA-Z]*:))?([^()]*)\)(\{[\d,]*\}|[*+?])?", lambda m: "\0" if m[2] or "|" in m[1] else m[1], plain
        )
        if flat == plain:
            break
        plain = flat
    plain = re.sub(r"\(\?[^()]*\)|.[*?]|.\{[\d,]*\}", "\0", plain)
    if "|" in plain:
        return []
    runs = [run.replace("\\", "") for run in re.findall(r"(?:[A-Za-z0-9_:/.@=\- ]|\\[.\-/_+])+", plain)]
    best = max(runs, key=len, default="")
    return [best.lower()] if len(best) >= 3 else []


def glob(pattern: str) -> str:
    """Return a path regex as a gitignore pattern, or nothing where it can't be said so."""
    text = pattern.removeprefix("(?i)")
    start, end = text.startswith("^"), text.endswith("$")
    text = text.removeprefix("^").removesuffix("$")
    text = re.sub(r"^\(\^\|/\)|^\(\?:\^\|/\)", "", text)
    text = re.sub(r"\(\.\*\?\)|\.\*\??", "\x01", text)
    text = text.replace("[^/]*", "\x02").replace("[^/]+", "\x02")
    text = re.sub(r"\\([./\-_+])", lambda m: "\x03" + m[1], text)
    if re.search(r"[\\\[\](){}|?+*^$]", text) or re.search(r"(?<!\x03)\.", text):
        return ""
    text = text.replace("\x03", "")
    if not text.strip("\x01\x02/"):
        return ""
    if start and not text.startswith("\x01"):
        text = "/" + text.lstrip("/")
    elif not start:
        text = text.lstrip("\x01").lstrip("/")
        text = ("**/" + text) if "/" in text.rstrip("/\x01") else text if text.endswith("/") else "*" + text
    if text.endswith("\x01"):
        text = text.rstrip("\x01")
        text = text if text.endswith("/") else text + "*"
    elif not end and not text.endswith("/"):
        text += "*"
    return text.replace("\x01", "**").replace("\x02", "*")


def rule(tool: str, name: str, title: str, pattern: str, given: list[str]) -> str:
    """Return one `[[rule]]` in TOML."""
    quoted = ", ".join(string(a) for a in given)
    quoting = "'''" if "'''" not in pattern else None
    shown = f"'''{pattern}'''" if quoting else string(pattern)
    return (
        f'[[rule]]\nid = "{tool}-{name}"\nname = {string(title)}\nseverity = "high"\nkind = "api_key"\n'
        f"pattern = {shown}\nanchors = [{quoted}]\nbefore = 256\nafter = 1024\n"
    )


def rules(tool: str, items: list[str]) -> str:
    """Return a whole rule file."""
    head = (
        f'# Imported from {tool} by `leakguard import {tool}`; `leakguard rules check` proves that it loads.\n\n[provider]\nid = "{tool}"\nname = "{tool} (imported)"\n'
        'imported = true\nreferences = []\nrotate = "See the system that takes the value."\n\n'
    )
    return head + "\n".join(items) if items else ""


def string(text: str) -> str:
    """Return a TOML string."""
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char.isprintable():
            out.append(char)
        else:
            out.append(f"\\u{ord(char):04x}")
    return '"' + "".join(out) + '"'


def identifier(name: str) -> str:
    """Return a peer's rule name as an id."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "rule"
