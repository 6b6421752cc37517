"""`leakguard uninstall`: take our link out of the chain and put back what was there before."""

from __future__ import annotations

import os

import click

from leakguard.cli import install as chain
from leakguard.errors import UsageError


@click.command("uninstall", epilog="Example: leakguard uninstall pre-push")
@click.option("--global", "everywhere", is_flag=True, help="What `install --global` did.")
@click.option("--agent", "agents", multiple=True, metavar="NAME", help="A coding agent's hooks instead of git's; repeatable.")
@click.argument("hooks", metavar="[HOOK]...", nargs=-1, type=click.Choice(chain.HOOKS))
def command(hooks: tuple[str, ...], *, agents: tuple[str, ...], everywhere: bool) -> None:
    """Take LeakGuard out of git's hooks; a hook that was there before is put back as it was.

    Without HOOK: all of ours.
    """
    if agents:
        from leakguard.cli import _agents

        told = [_agents.uninstall(n, everywhere=everywhere) or f"{n}: nothing of ours" for n in _agents.checked(agents)]
        click.echo("\n".join(told))
        return
    if everywhere:
        _globally(hooks or chain.HOOKS)
        return
    place = chain.locate(os.getcwd())
    shared = place.scope in {"global", "system"} and chain.same(place.folder, chain.global_folder())
    folder = place.own if shared else place.folder
    told = [f"{hook}: {said}" for hook in hooks or chain.HOOKS if (said := take_out(os.path.join(folder, hook), named=bool(hooks)))]
    click.echo("\n".join(told) or f"there is no hook of ours in {folder}")
    if shared:
        click.echo("your hooks for all repositories still run: leakguard uninstall --global", err=True)


def take_out(path: str, *, named: bool) -> str:
    """Restore one hook; return what was done, nothing where there was nothing to do.

    Raises:
        UsageError: a hook that was named is somebody else's now.
    """
    kept = path + chain.BEFORE
    if os.path.lexists(path) and chain.LINK not in chain.read(path):
        if named:
            raise UsageError(f"{path} is not ours", hint="remove our call from it by hand")
        return f"{os.path.basename(kept)} is left, since {path} is not ours" if os.path.lexists(kept) else ""
    if os.path.lexists(kept):
        os.replace(kept, path)
        return f"{path} is what it was before"
    if not os.path.lexists(path):
        return ""
    os.unlink(path)
    return f"{path} is removed"


def _globally(hooks: tuple[str, ...]) -> None:
    """Undo `install --global`; the setting goes with the last hook."""
    folder = chain.global_folder()
    setting = chain.global_setting()
    left = [h for h in chain.HOOKS if h not in hooks and chain.LINK in chain.read(os.path.join(folder, h))]
    if left:
        for hook in hooks:
            path = os.path.join(folder, hook)
            if chain.LINK in chain.read(path):
                chain.write(path, chain.passing(hook))
        click.echo(f"{', '.join(hooks)}: removed from {folder}; still there: {', '.join(left)}")
        return
    if setting and chain.same(setting, folder):
        chain.ask("config", "--global", "--unset", "core.hooksPath")
    for name in chain.PASSED:
        path = os.path.join(folder, name)
        if any(mark in chain.read(path) for mark in (chain.LINK, chain.PASS)):
            os.unlink(path)
    if os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)
    click.echo(f"removed {folder}" + (", and core.hooksPath that named it" if setting and chain.same(setting, folder) else ""))
