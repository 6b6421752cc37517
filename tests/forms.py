"""Forms in which secrets are written, as templates: `{{}}` is the value, made when a test runs.

`{{1}}` and `{{2}}` are its halves, `{{64}}` its base64, `{{basic}}` the base64 of `bot:` and the value.
"""

from __future__ import annotations

from base64 import b64encode
from random import Random
from typing import NamedTuple

from leakguard.ruleset import templates

PASSWORD = "${upper:2}${alnum:4}!${digits:3}${lower:2}"
TOKEN = "${base62:32}"


class Form(NamedTuple):
    """One way to write a value."""

    path: str
    text: str
    template: str = PASSWORD


def human(path: str, text: str) -> Form:
    """A password that a person could choose."""
    return Form(path, text)


def machine(path: str, text: str) -> Form:
    """A token that a machine made."""
    return Form(path, text, TOKEN)


class Written(NamedTuple):
    """A form with a value in it."""

    data: bytes
    start: int
    end: int
    """The span that holds the value."""
    value: bytes
    """What is found: joined, decoded."""
    shown: str
    """The value as a person reads it; no run of it may be shown."""


def write(form: Form, rng: Random) -> Written:
    """Make a value and write it."""
    value = templates.expand(form.template, rng)
    half = len(value) // 2
    base64, basic = (b64encode(raw.encode()).decode() for raw in (value, "bot:" + value))
    text = (
        form.text.replace("{{64}}", base64)
        .replace("{{basic}}", basic)
        .replace("{{1}}", value[:half])
        .replace("{{2}}", value[half:])
    )
    text = text.replace("{{}}", value)
    raw = base64 if "{{64}}" in form.text else basic if "{{basic}}" in form.text else value
    if "{{1}}" in form.text:
        start, end = text.index(value[:half]), text.rindex(value[half:]) + len(value) - half
    else:
        start, end = text.index(raw), text.index(raw) + len(raw)
    found = basic if "{{basic}}" in form.text else value
    return Written(text.encode(), start, end, found.encode(), value)
