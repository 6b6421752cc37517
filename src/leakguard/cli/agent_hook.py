"""`leakguard agent-hook`: what `leakguard-hook --agent` does, for those who look for it here."""

from __future__ import annotations

import click

from leakguard.hook.agent import MODES


@click.command("agent-hook", epilog="Example: leakguard install --agent claude-code")
@click.option("--agent", default="generic", show_default=True, help="Whose payload it is: claude-code, cursor, codex, ...")
@click.option("--mode", type=click.Choice(MODES), default="block", show_default=True, help="What happens to what holds a secret.")
@click.option("--level", type=click.Choice(["strict", "balanced", "all"]), help="How sure a finding has to be (default balanced).")
@click.option("--trusted-config", metavar="FILE", help="Take settings from this file only; the repository can't silence anything.")
@click.option("--deadline", metavar="SECONDS", help="Block what could not be checked in so long (default 2).")
def command(agent: str, mode: str, **flags: str | None) -> None:
    """Judge what a coding agent is about to do, given as JSON on standard input.

    Exit code 2 blocks, and whatever goes wrong blocks. `leakguard install --agent NAME` puts it into the agent's settings.
    """
    from leakguard.hook.agent import main

    main(agent, mode, {name: value for name, value in flags.items() if value})
