"""What stands in an image's configuration, as lines that people would write: variables, labels, commands, history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from leakguard.sources.image.manifest import Config
from leakguard.sources.image.reference import DIGEST

_DEEPEST = 24
_SETTINGS = {"config", "container_config"}
_PAIRS = {"Env", "Labels"}
_DATE = re.compile(r"[0-9T:.Z+-]{10,40}").fullmatch


class Section(NamedTuple):
    """A part of the configuration."""

    name: str
    """As the configuration calls it: `Env`, `Labels`, `history/3`."""
    text: str
    facts: tuple[tuple[str, str], ...] = ()


def sections(config: Config, annotations: tuple[tuple[str, str], ...]) -> Iterator[Section]:
    """Yield what can be read in a configuration and in a manifest's annotations; no text of it is left out but dates and digests.

    `Env` and `Labels` are one `name=value` a line, commands one line each, every step of the history a section of its own
    (a build argument stands in the steps that could see it: `RUN |1 NAME=value /bin/sh -c ...`).
    """
    for key, value in config.all.items():
        if key in _SETTINGS and isinstance(value, dict):
            above = "" if key == "config" else f"{key}/"
            for name, part in value.items():
                yield from _section(above + name, "" if name in _PAIRS else name, part)
        elif key == "history" and isinstance(value, list):
            for number, entry in enumerate(value, 1):
                yield from _step(number, len(value), entry)
        elif key != "rootfs" or not _is_plain(value):
            yield from _section(key, key, value)
    if annotations:
        yield Section("annotations", "\n".join(f"{key}={value}" for key, value in annotations))


def _section(name: str, key: str, value: object) -> Iterator[Section]:
    if text := "\n".join(_lines(key, value, 0)):
        yield Section(name, text)


def _step(number: int, steps: int, entry: object) -> Iterator[Section]:
    """Yield what a step did, and what else is told of it."""
    made = entry.get("created_by") if isinstance(entry, dict) else None
    if isinstance(made, str) and made:
        yield Section(f"history/{number}", made, (("step", f"{number} of {steps}"),))
    rest: object = entry
    if isinstance(entry, dict):
        rest = {k: v for k, v in entry.items() if not (isinstance(v, str) and (k == "created_by" or (k == "created" and _DATE(v))))}
    yield from _section(f"history/{number}/more", "", rest)


def _is_plain(rootfs: object) -> bool:
    """Whether it holds nothing but the digests of layers."""
    if not isinstance(rootfs, dict) or rootfs.keys() - {"type", "diff_ids"} or rootfs.get("type", "layers") != "layers":
        return False
    ids = rootfs.get("diff_ids", [])
    return isinstance(ids, list) and all(isinstance(d, str) and DIGEST.fullmatch(d) for d in ids)


def _lines(name: str, value: object, depth: int) -> Iterator[str]:
    """Yield `name=value` for every text in a value; a list of words is one line."""
    if depth > _DEEPEST:
        yield from _deep(value)
    elif isinstance(value, str):
        if value:
            yield f"{name}={value}" if name else value
    elif isinstance(value, list):
        if name and all(isinstance(v, str) for v in value):
            if value:
                yield f"{name} {' '.join(value)}"
            return
        for one in value:
            yield from _lines(name, one, depth + 1)
    elif isinstance(value, dict):
        for key, one in value.items():
            if isinstance(one, dict) and not one:
                yield f"{name}.{key}" if name else key  # a set, as volumes and ports are
            else:
                yield from _lines(f"{name}.{key}" if name else key, one, depth + 1)


def _deep(value: object) -> Iterator[str]:
    """Yield the texts of what is nested so deep that nobody wrote it by hand, without recursion."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            stack += reversed(one)
        elif isinstance(one, dict):
            stack += [v for pair in reversed(one.items()) for v in reversed(pair)]
