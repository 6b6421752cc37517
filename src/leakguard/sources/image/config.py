"""What stands in an image's configuration, as lines that people would write: variables, labels, commands, history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from leakguard.sources.image.manifest import Config

_DEEPEST = 24
_TOLD = {"rootfs", "history", "config", "container_config"}


class Section(NamedTuple):
    """A part of the configuration."""

    name: str
    """As the configuration calls it: `Env`, `Labels`, `history/3`."""
    text: str
    facts: tuple[tuple[str, str], ...] = ()


def sections(config: Config, annotations: tuple[tuple[str, str], ...]) -> Iterator[Section]:
    """Yield what can be read in a configuration and in a manifest's annotations; nothing of it is left out.

    `Env` and `Labels` are one `name=value` a line, commands one line each, every step of the history a section of its own
    (a build argument stands in the steps that could see it: `RUN |1 NAME=value /bin/sh -c ...`).
    """
    for name, part in (("", config.all.get("config")), ("container_config/", config.all.get("container_config"))):
        if not isinstance(part, dict):
            continue
        for key, value in part.items():
            if text := "\n".join(_lines("" if key in {"Env", "Labels"} else key, value, 0)):
                yield Section(name + key, text)
    for number, (step, entry) in enumerate(zip(config.steps, _entries(config), strict=False), 1):
        if step.raw:
            yield Section(f"history/{number}", step.raw, (("step", f"{number} of {len(config.steps)}"),))
        if rest := "\n".join(_lines("", {k: v for k, v in entry.items() if k not in {"created_by", "created"}}, 0)):
            yield Section(f"history/{number}/more", rest)
    for key, value in config.all.items():
        if (key not in _TOLD or (key != "rootfs" and not isinstance(value, dict | list))) and (
            text := "\n".join(_lines(key, value, 0))
        ):
            yield Section(key, text)
    if annotations:
        yield Section("annotations", "\n".join(f"{key}={value}" for key, value in annotations))


def _entries(config: Config) -> Iterator[dict[str, Any]]:
    for entry in config.all.get("history", ()):
        yield entry if isinstance(entry, dict) else {}


def _lines(name: str, value: object, depth: int) -> Iterator[str]:
    """Yield `name=value` for every text in a value; a list of words is one line."""
    if depth > _DEEPEST:
        yield json.dumps(value)
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
