"""The score table: log-odds that each term adds. A finding's reasons are the terms of its sum.

`score = 1 / (1 + exp(-sum))`. Terms named `prior:*` come from the rule's shape (`prior` in its file overrides it).
Language terms (`pairs`, `words`, `placeholder`) are frozen; a learned table may replace the other numbers, not the names.
"""

from __future__ import annotations

WEIGHTS: dict[str, float] = {
    # offline checks settle the matter
    "check:ok": 5.0,
    "check:impossible": -12.0,
    # what is known to be no secret
    "placeholder": -7.0,
    "reference": -7.0,
    "repeated": -5.0,
    "sequence": -5.0,
    # the value
    "entropy": 1.0,
    "mixed": 1.0,
    "digits-only": -2.0,
    "words": -3.5,
    "pairs": -2.0,
    "hex": 0.5,
    "uuid": -0.5,
    "path-or-url": -4.0,
    "spaces": -3.0,
    "code": -3.5,
    "identifier": -2.5,
    "long": -1.0,
    "short": -1.0,
    "same-as-name": -6.0,
    "listed": -3.5,
    # its name
    "name:password": 2.0,
    "name:secret": 1.6,
    "name:weak": -0.4,
    "name:vendor": 2.0,
    "name:not-a-secret": -4.0,
    # where it stands
    "quoted": 0.3,
    "bare": -0.3,
    "file:config": 0.6,
    "file:code": 0.0,
    "file:text": -0.3,
    "file:generated": -2.0,
    "own-baseline": -12.0,
    "line:example": -1.0,
    # a person's password
    "human": 1.5,
    "companion": 2.0,
    "far": -2.0,
    "loose": -2.5,
    "far:told": -0.2,
}

LEVELS = {"strict": 0.85, "balanced": 0.5, "all": 0.2}
"""Lowest score that each level reports."""
