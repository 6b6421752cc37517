"""The one data flow: source -> engine -> fold -> decide -> verify, where that is asked for -> report. It names no concrete source, verifier or reporter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from leakguard.config import Config
from leakguard.engine.fold import fold
from leakguard.engine.scan import Engine
from leakguard.engine.weights import LEVELS
from leakguard.model.blob import Skipped
from leakguard.model.finding import Candidate, Coverage, Finding, Report
from leakguard.pipeline.masking import Masker, mask_places
from leakguard.pipeline.workers import Preview, Tally, Unpaired, run
from leakguard.ports import Settling, Source
from leakguard.suppress.decide import Decision, decide
from leakguard.suppress.identity import IdKey, finding_id

if TYPE_CHECKING:
    from leakguard.suppress.baseline import Baseline


Verify = Callable[[Sequence[Finding], Sequence[Candidate], Source], Sequence[Finding]]
"""Gives findings their verdicts; the candidates say what stands near each, the source opens places again."""


class Setup(NamedTuple):
    """What a scan needs beside its source."""

    engine: Engine
    config: Config
    key: IdKey
    today: str
    """ISO date; decides which marks, baseline lines and settings have expired."""
    baseline: Baseline | None = None
    whole: bool = True
    """The scan covers all that the baseline speaks of, so lines that cover nothing may be reported as unused."""
    rules_version: int = 0
    forks: bool = False
    """Whether this process may fork workers: only a command that started no thread says yes."""


def scan(
    source: Source,
    setup: Setup,
    *,
    roots: Sequence[str] = (),
    clock: Callable[[], float],
    seen: Callable[[Candidate], None] | None = None,
    keep: Callable[[Candidate], bool] | None = None,
    verify: Verify | None = None,
) -> Report:
    """Scan a source and return what is to be told.

    `seen` hears each candidate at once, in no order; `keep` says, once the source is read, which of them count (a hook
    asks for new lines only).
    """
    started = clock()
    tally = Tally()
    candidates: list[Candidate] = []
    skipped: list[Skipped] = []
    pairs = None
    for item in run(source, setup.engine, tally, jobs=setup.config.jobs, forks=setup.forks):
        if isinstance(item, Skipped):
            skipped.append(item)
        elif isinstance(item, Preview):
            if seen is not None:
                seen(item.candidate)
        elif isinstance(item, Unpaired):
            if pairs is None:
                # most scans meet none, and a hook counts its milliseconds
                from leakguard.engine.pair import Pairs

                pairs = Pairs(LEVELS[setup.engine.settings[0]])
            pairs.add(item.candidate)
        else:
            candidates.append(item)
            if seen is not None:
                seen(item)
    if pairs is not None:
        candidates, below = pairs.join(candidates)
        tally.below += below
    if keep is not None:
        candidates = [candidate for candidate in candidates if keep(candidate)]
    findings = fold(candidates, lambda secret: finding_id(setup.key.key, secret), setup.config.severity_of)
    if isinstance(source, Settling):
        findings = source.settle(findings)
        tally.files, tally.bytes = (max(a, b) for a, b in zip(source.walked, (tally.files, tally.bytes), strict=True))
    masker = Masker(setup.engine, setup.key.key, findings)
    decision = decide(findings, setup.config, setup.baseline, setup.today, whole=setup.whole, shown=masker.place)
    if verify is not None:
        decision = _verified(decision, verify, candidates, source)
    report = Report(
        findings=tuple(decision.open),
        suppressed=tuple(decision.suppressed),
        skipped=tuple(skipped),
        coverage=Coverage(tally.files, tally.bytes, len(setup.engine.rules), clock() - started, tally.below, setup.engine.name),
        roots=tuple(roots),
        id_scope=setup.key.scope,
        level=setup.config.level,
        rules_version=setup.rules_version,
        notes=(*setup.config.notes, *getattr(source, "notes", ()), *decision.notes),
    )
    return mask_places(report, masker)


def _verified(decision: Decision, verify: Verify, candidates: Sequence[Candidate], source: Source) -> Decision:
    """Verify what is open; an inline mark hides nothing that is live."""
    opened = {f.id for f in decision.open}
    marked = {s.finding.id: s.finding for s in decision.suppressed if s.by == "mark" and s.finding.id not in opened}
    done = verify([*decision.open, *marked.values()], candidates, source)
    live = {f.id for f in done if f.id in marked and f.verdict.state in ("live", "live_restricted")}
    if not live:
        return decision._replace(open=_ordered(f for f in done if f.id in opened))
    notes = (*decision.notes, f"{len(live)} that a mark in the text hides answered, and is told all the same")
    left = tuple(s for s in decision.suppressed if s.finding.id not in live)
    return Decision(_ordered(f for f in done if f.id in opened or f.id in live), left, notes)


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put what is live first and what is dead last, else as before."""
    ranks = {"live": 0, "live_restricted": 0, "dead": 2, "canary": 2}
    return tuple(sorted(findings, key=lambda f: ranks.get(f.verdict.state, 1)))
