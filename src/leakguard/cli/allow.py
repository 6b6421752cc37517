"""`leakguard allow`: stop reporting one finding, by a line in the baseline."""

from __future__ import annotations

import os

import click

from leakguard.errors import UsageError


@click.command("allow", epilog='Example: leakguard allow 7f3a91c2 --reason "test fixture" --until 2027-01-31')
@click.argument("finding_id", metavar="ID")
@click.option("--reason", required=True, help="Why it is no leak; kept in the baseline.")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day on which it counts (YYYY-MM-DD); then it is reported again."
)
@click.option("--baseline", metavar="FILE", help="Baseline to add to (default .leakguard/baseline.jsonl).")
@click.option("--print", "only_print", is_flag=True, help="Print the line and write nothing.")
def command(finding_id: str, reason: str, until: object, baseline: str | None, *, only_print: bool) -> None:
    """Stop reporting one finding, with a reason and, better, an end.

    ID is the id of a report, or the beginning of one. The value itself is stored nowhere: the line holds a salted hash, of a
    password only a 16-bit tag beside path and name.
    """
    from leakguard.config import load
    from leakguard.pipeline.setup import today
    from leakguard.suppress import lastrun
    from leakguard.suppress.baseline import Baseline, parse, with_answer, write

    end = f"{until:%Y-%m-%d}" if until else ""
    if end and end < today():
        raise UsageError(f"{end} is over, so nothing would be allowed", hint="name a day to come, or leave out --until")
    kept = lastrun.load(os.getcwd(), os.environ)
    entry = lastrun.find(kept, finding_id) if kept is not None else None
    if entry is None:
        raise UsageError(f"the last run here has no finding {finding_id}", hint="run leakguard scan first, in the same repository")
    lines = [with_answer(parse(text, "the last run"), reason=reason, until=end) for text in entry["baseline"]]
    if only_print:
        for line in lines:
            click.echo(line)
        return
    config = load(".", {"baseline": baseline} if baseline else {}, os.environ)
    if not config.baseline:
        raise UsageError("no baseline applies here (--trusted-config)", hint="name one with --baseline, or use --print")
    old = Baseline.load(config.baseline).lines if os.path.lexists(config.baseline) else ()
    write(config.baseline, sorted({*(line.text for line in old), *lines}))
    shown = os.path.relpath(config.baseline)
    click.echo(
        f"{entry['preview']} ({entry['rule']}) is allowed"
        + (f" until {end}" if end else "")
        + f": {shown}\ncommit it:  git add {shown}"
    )
