"""Which findings are told and which are suppressed, and why: path and rule settings, inline marks, baseline.

Invariant: nothing vanishes. What is not reported becomes a `Suppressed` with its reason, what has expired is reported
again and a note says so. Decisions are made place by place; a finding stays open with the places that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from leakguard.config import Config, PathSetting
from leakguard.engine.marks import NO_DATE
from leakguard.model.blob import StreamProvenance, is_file, outermost, path_in
from leakguard.model.finding import Finding, Mark, Place, Suppressed

if TYPE_CHECKING:
    from leakguard.config.paths import PathMatcher
    from leakguard.suppress.baseline import Baseline


class Decision(NamedTuple):
    """What came of it."""

    open: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...]
    notes: tuple[str, ...]


_Why = tuple[str, str, str, str]
"""by, reason, until, where."""


def decide(
    findings: Sequence[Finding],
    config: Config,
    baseline: Baseline | None,
    today: str,
    *,
    whole: bool = True,
    shown: Callable[[Place], Place] = lambda place: place,
) -> Decision:
    """Sort findings into open and suppressed.

    `whole`: the scan covers all that the baseline speaks of; `shown` masks a place as reports do, and so do baselines.
    """
    notes: list[str] = []
    settings = [s for s in config.paths if _in_force(s, today, notes) and s.rules]
    matcher = _matcher(settings, config.base) if settings else None
    opened: list[Finding] = []
    suppressed: list[Suppressed] = []
    used: set[int] = set()
    for finding in findings:
        left: list[Place] = []
        why: dict[_Why, list[Place]] = {}
        for place in finding.places:
            reason = _by_path(finding, place, matcher) or _by_mark(finding, place, config, today, notes)
            if reason is None:
                left.append(place)
            else:
                why.setdefault(reason, []).append(place)
        if left and baseline is not None:
            left = _by_baseline(finding, left, baseline, today, why, used, shown)
        suppressed += [Suppressed(finding._replace(places=tuple(places)), *reason) for reason, places in why.items()]
        if any(p.part == finding.rule.part for p in left):
            opened.append(finding._replace(places=tuple(left)))
    if baseline is not None:
        notes += _about(baseline, used, today, whole=whole)
    return Decision(tuple(opened), tuple(suppressed), tuple(dict.fromkeys(notes)))


def _in_force(setting: PathSetting, today: str, notes: list[str]) -> bool:
    if setting.until and setting.until < today:
        notes.append(
            f"{setting.where}: the setting for {', '.join(setting.patterns)} ended on {setting.until} and does not count any more"
        )
        return False
    return True


def _matcher(settings: Sequence[PathSetting], base: str) -> PathMatcher:
    from leakguard.config.paths import PathMatcher

    return PathMatcher(settings, base)


def _by_path(finding: Finding, place: Place, matcher: PathMatcher | None) -> _Why | None:
    provenance = outermost(place.provenance)
    if matcher is None or isinstance(provenance, StreamProvenance) or not is_file(provenance):
        return None
    setting = matcher.first(provenance.root, provenance.path, (finding.rule.id, *finding.rule.aliases))
    return ("path", setting.reason, setting.until, setting.where) if setting else None


def _by_mark(finding: Finding, place: Place, config: Config, today: str, notes: list[str]) -> _Why | None:
    mark = place.mark
    if mark is None or not is_file(place.provenance) or not config.inline_marks:
        return None
    where = f"{path_in(place.provenance)}:{mark.line or place.start_line}"
    if mark.rules and not {finding.rule.id, *finding.rule.aliases} & set(mark.rules):
        return None
    if mark.until == NO_DATE.decode():
        notes.append(f"{where}: the inline mark's end is no date (until=2027-01-31), so it does not count")
        return None
    if mark.until and mark.until < today:
        notes.append(f"{where}: the inline mark ended on {mark.until} and does not count any more")
        return None
    if config.strict_inline and not (mark.rules and mark.reason):
        notes.append(f"{where}: the inline mark names no {'reason' if mark.rules else 'rule'} and does not count (--strict-inline)")
        return None
    return ("mark", mark.reason or _told(mark), mark.until, where)


def _told(mark: Mark) -> str:
    return f"{mark.tool} mark without a reason"


def _by_baseline(
    finding: Finding,
    left: list[Place],
    baseline: Baseline,
    today: str,
    why: dict[_Why, list[Place]],
    used: set[int],
    shown: Callable[[Place], Place],
) -> list[Place]:
    if not finding.secret.password:
        line = baseline.covers(finding, today)
        if line is None:
            return left
        used.add(line.number)
        why.setdefault(("baseline", line.reason, line.until, f"baseline line {line.number}"), []).extend(left)
        return []
    rest = []
    for place in left:
        line = baseline.covers_place(finding, shown(place), today)
        if line is None:
            rest.append(place)
        else:
            used.add(line.number)
            why.setdefault(("baseline", line.reason, line.until, f"baseline line {line.number}"), []).append(place)
    return rest


def _about(baseline: Baseline, used: set[int], today: str, *, whole: bool) -> list[str]:
    notes = []
    expired = [line for line in baseline.lines if line.expired(today)]
    if expired:
        notes.append(
            f"baseline: {len(expired)} line{'s' * (len(expired) > 1)} ended ({', '.join(f'line {line.number}' for line in expired[:5])}) and cover nothing any more"
        )
    unused = sum(1 for line in baseline.lines if line.number not in used and not line.expired(today) and not line.foreign)
    if whole and unused:
        notes.append(f"baseline: {unused} line{'s' * (unused > 1)} cover nothing any more; leakguard baseline prune removes them")
    waiting = sum(1 for line in baseline.lines if line.foreign)
    if waiting:
        notes.append(f"baseline: {waiting} imported line{'s' * (waiting > 1)} wait until a place of theirs is seen")
    return notes
