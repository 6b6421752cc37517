"""The score table: log-odds that each term adds. A finding's reasons are the terms of its sum.

`score = 1 / (1 + exp(-sum))`. A rule's own prior comes first (`prior` in its file overrides that of its shape). For generic
rules the terms of `fitted` follow, which `benchmarks/fit_score.py` learned; the few that vendors' rules need are set here.
"""

from __future__ import annotations

from collections.abc import Iterable

from leakguard.engine.fitted import FITTED
from leakguard.engine.terms import STAGES
from leakguard.engine.values import KINDS

SET: dict[str, float] = {
    # offline checks settle the matter
    "check:ok": 5.0,
    "check:impossible": -12.0,
    # a vendor's rule matched what is no secret
    "placeholder": -7.0,
    "reference": -7.0,
    "repeated": -5.0,
    "sequence": -5.0,
    "entropy": 1.0,
    "words": -4.0,
    "name:not-a-secret": -4.0,
    "far": -2.0,
    "far:near": -0.7,
    "far:told": -0.2,
    "loose": -2.5,
    "repeats-vendor": -6.0,
    # any rule
    "own-baseline": -12.0,
    "reads-a-variable": -7.0,
    "companion": 2.0,
    "companion:apart": 1.0,
}

WEIGHTS: dict[str, float] = {**FITTED, **SET}

LEVELS = {"strict": 0.85, "balanced": 0.5, "all": 0.25}
"""Lowest score that each level reports."""


def group(term: str) -> str:
    """Return the group of a term, of which one at most holds: `form` of `password.form:lower`."""
    return term.partition(":")[0].rpartition(".")[2]


def _most(who: str) -> tuple[float, ...]:
    """Return the most that can be added after each stage: the best of each group that is left."""
    best: dict[str, float] = {}
    for term, weight in FITTED.items():
        if "." not in term or term.startswith(who + "."):
            best[group(term)] = max(best.get(group(term), 0.0), weight)
    of = [sum(best.get(name, 0.0) for name in names) for names in STAGES]
    return tuple(sum(of[i + 1 :]) for i in range(len(of)))


MOST_LEFT = {who: _most(who) for who in ("password", "token")}
"""Upper bound of what the terms after each stage add."""


def best_kind(who: str, kinds: Iterable[str] = (*KINDS, "other")) -> str:
    """Return the kind of file that scores highest; of several the first by name."""
    return max(sorted(kinds), key=lambda kind: FITTED.get(f"{who}.file:{kind}", 0.0))
