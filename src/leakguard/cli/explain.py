"""`leakguard explain`: why a finding matched, which evidence counted, why no filter dropped it.

Nothing of a value is kept between runs, so the places are opened and scanned again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from leakguard.errors import UsageError


@click.command("explain", epilog="Example: leakguard explain 7f3a91c2")
@click.argument("finding_id", metavar="ID")
@click.argument("paths", nargs=-1, type=click.Path(exists=True))
@click.option("--config", metavar="FILE", help="Settings file to use in place of the one found.")
def command(finding_id: str, paths: tuple[str, ...], config: str | None) -> None:
    """Say why a finding was reported, or what keeps it from being reported.

    ID is the id of a report, or the beginning of one. Its places are known from the last run here; name PATHs to look
    elsewhere.
    """
    found, report = find_again(finding_id, paths, config)
    if found is None:
        raise UsageError(
            f"no finding with the id {finding_id} is at its places any more",
            hint="scan again; or name the paths: leakguard explain ID PATH",
        )
    for line in _lines(found, report):
        click.echo(line)


def find_again(prefix: str, paths: tuple[str, ...], config_file: str | None) -> tuple[Any, Any]:
    """Scan the places of a finding again, at level `all` and without suppressing; return it (or None) and the report as usual."""
    from leakguard import api
    from leakguard.config import load
    from leakguard.sources.files import FilesSource

    source, targets = (None, list(paths)) if paths else last_places([prefix])
    if not targets and source is None:
        return None, None
    config = load(targets[0] if targets else ".", {"config": config_file} if config_file else {}, os.environ)
    source = source or FilesSource(targets, ignore=False)
    usual = api.scan(source, config, roots=targets)
    everything = api.scan(source, config._replace(level="all", baseline="", paths=(), inline_marks=False), roots=targets)
    matching = [f for f in everything.findings if f.id.startswith(prefix.lower().replace("-", ""))]
    return (matching[0] if matching else None), usual


def last_places(prefixes: Sequence[str]) -> tuple[Any, list[str]]:
    """Return where the last run here found these, or all: a source of a history's objects, if any, and the paths of files."""
    from leakguard.suppress import lastrun

    kept = lastrun.load(os.getcwd(), os.environ)
    if kept is None:
        return None, ["."] if prefixes else []
    entries = [e for e in (lastrun.find(kept, p) for p in prefixes) if e] if prefixes else kept["findings"]
    if not entries:
        return None, ["."] if prefixes else []
    places = [place for entry in entries for place in entry["places"]]
    targets = sorted({os.path.join(p["root"], p["path"]) for p in places if p.get("path")})
    return _in_history(places), [t for t in targets if os.path.lexists(t)]


def _in_history(places: list[dict[str, Any]]) -> Any:
    """Return a source of the objects in which a finding was, if it was found in history."""
    found = [p for p in places if p.get("blob")]
    if not found:
        return None
    from leakguard.gitio.repository import open_repository
    from leakguard.sources.history import Entry, HistoryShard

    entries = tuple(Entry(p["blob"], p["path"], "", 0, p["kind"]) for p in found)
    return HistoryShard(open_repository(found[0]["root"]), entries, None, (0, 0), 0)


def _lines(finding: Any, report: Any) -> list[str]:
    from leakguard.engine.weights import LEVELS

    rule, place = finding.rule, finding.places[0]
    path = getattr(place.provenance, "path", "") or getattr(place.provenance, "name", "")
    out = [
        f"{rule.name}  {finding.preview}  (id {finding.id})",
        f"  rule      {rule.id}: {_SHAPES[rule.shape]}",
        f"  place     {path}:{place.start_line}:{place.start_column}"
        + (f", assigned to {place.name}" if place.name else "")
        + (f", decoded from {place.encoding}" if place.encoding else ""),
        f"  score     {finding.score.value:.2f}, the sum of:",
    ]
    out += [f"            {reason.weight:+6.2f}  {reason.detail}" for reason in finding.score.reasons]
    reported = [name for name, least in LEVELS.items() if finding.score.value >= least]
    out.append(f"  levels    reported at {', '.join(reported) or 'none'}; this scan: {report.level}")
    if any(f.id == finding.id for f in report.findings):
        out.append("  filters   none dropped it: no inline mark, no baseline line, no path or rule setting covers it")
    for suppressed in report.suppressed:
        if suppressed.finding.id == finding.id:
            out.append(
                f"  filters   suppressed by {suppressed.by}"
                + (f" ({suppressed.where})" if suppressed.where else "")
                + (f": {suppressed.reason}" if suppressed.reason else "")
            )
    out.append(f"  more      leakguard rules show {rule.id}")
    return out


_SHAPES = {
    "format": "a token that is told by its form",
    "keyword": "a value beside its vendor's name",
    "pattern": "a pattern of its own",
    "generic": "a value assigned to a telling name",
}
