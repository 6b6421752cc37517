"""What one setting may hold: the same checks for a flag, an environment variable and a TOML value.

Invariant: a value that leaves `check` has the type and range that `Config` promises; a wrong one names where it stands,
its key and what would be right.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NoReturn

from leakguard.errors import ConfigError
from leakguard.model.finding import LEVELS
from leakguard.model.rule import SEVERITIES

CHOICES = {
    "level": LEVELS,
    "engine": ("auto", "hyperscan", "portable"),
    "fail_on": ("any", *SEVERITIES, "live", "none"),
}
BOOLEANS = ("fail_on_skip", "ignore", "warn_new_rules", "strict_inline", "inline_marks")
NUMBERS = {"jobs": 0, "rules_version": 1, "max_archive_depth": 0}
"""Setting -> its least value."""
SCALARS = (*CHOICES, *BOOLEANS, *NUMBERS, "max_size", "baseline")
"""Settings with one value: each is also a variable `LEAKGUARD_<NAME>`."""
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")
_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1000, "m": 1000**2, "mb": 1000**2, "g": 1000**3, "gb": 1000**3,
          "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}  # fmt: skip


def check(name: str, value: object, where: str, folder: str) -> object:
    """Return what a value means.

    Paths are made absolute against `folder` (empty: the working directory).

    Raises:
        ConfigError: it does not fit; `where` (a file, variable or flag) and the setting are named.
    """
    if name in CHOICES:
        return _choice(name, value, where)
    if name in BOOLEANS:
        return _boolean(name, value, where)
    if name in NUMBERS:
        return _number(name, value, where)
    if name == "max_size":
        return _size(value, where)
    if name == "baseline":
        if not isinstance(value, str | os.PathLike) or not str(value):
            _wrong(where, name, "a path")
        return os.path.abspath(os.path.join(folder, value))
    if name == "severity":
        return _severity(value, where)
    words = _words(name, value, where)
    if name == "rule_paths":
        return tuple(os.path.abspath(os.path.join(folder, word)) for word in words)
    if name == "patterns":
        _patterns(words, where)
    return words


def near(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'level'?` where a known word is near, else an empty string."""
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def iso_date(value: object, where: str, name: str = "until") -> str:
    """Return a date (`2027-01-31`, a TOML date or a string) as ISO text."""
    from datetime import date, datetime

    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and len(value) == 10:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    return _wrong(where, name, "a date such as 2027-01-31")


def _wrong(where: str, name: str, wanted: str) -> NoReturn:
    # the wrong value is not repeated: it may be anything, and the place is named
    raise ConfigError(f"{where}: {name} has to be {wanted}")


def _choice(name: str, value: object, where: str) -> str:
    if value not in CHOICES[name]:
        _wrong(where, name, "one of " + ", ".join(CHOICES[name]))
    return str(value)


def _boolean(name: str, value: object, where: str) -> bool:
    if isinstance(value, bool):
        return value
    text = value.lower() if isinstance(value, str) else ""
    if text not in _TRUE + _FALSE:
        _wrong(where, name, "true or false")
    return text in _TRUE


def _number(name: str, value: object, where: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < NUMBERS[name]:
        _wrong(where, name, f"a whole number of at least {NUMBERS[name]}")
    return value


def _size(value: object, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    text = value.strip().lower() if isinstance(value, str) else ""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = text[len(digits) :].strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 16 and unit in _UNITS):
        _wrong(where, "max_size", 'a size such as 500000, "20 MB" or "1 GiB" (0: no limit)')
    return int(digits) * _UNITS[unit]


def _severity(value: object, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        _wrong(where, "severity", "a table of rule = severity")
    for rule, severity in value.items():
        if severity not in SEVERITIES:
            _wrong(where, f"severity of {rule!r}", "one of " + ", ".join(SEVERITIES))
    return dict(value)


def _words(name: str, value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple) or not all(isinstance(word, str) and word for word in value):
        _wrong(where, name, "a list of strings")
    return tuple(value)


def _patterns(patterns: tuple[str, ...], where: str) -> None:
    for pattern in patterns:
        if pattern.startswith("#"):
            raise ConfigError(
                f"{where}: a pattern that begins with # is a comment and matches nothing",
                hint="write \\# for a name that begins with #",
            )
        if not pattern.lstrip("!").strip(" /"):
            raise ConfigError(f"{where}: an empty pattern matches nothing", hint="name a file or folder, as in .gitignore")
