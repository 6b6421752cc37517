"""`leakguard config`: the settings in force."""

from __future__ import annotations

import os

import click


@click.group("config")
def command() -> None:
    """Show the settings in force and where each comes from."""


@command.command("show")
@click.argument("path", default=".", type=click.Path(exists=True))
@click.option("--config", "file", metavar="FILE", help="Settings file to use in place of the one found.")
@click.option("--trusted-config", metavar="FILE", help="Take settings from this file only.")
def show(path: str, file: str | None, trusted_config: str | None) -> None:
    """Show what a scan of PATH would use: setting, value, origin."""
    from leakguard.config import load

    config = load(path, {"config": file, "trusted_config": trusted_config}, os.environ)
    hidden = {"files", "origins", "notes", "paths"}
    for name in config._fields:
        if name not in hidden:
            value = getattr(config, name)
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            click.echo(f"{name:17} {shown or '-':32} {config.origin(name)}")
    for setting in config.paths:
        rules = f" for {', '.join(setting.rules)}" if setting.rules else ""
        until = f" until {setting.until}" if setting.until else ""
        click.echo(f"{'paths':17} {', '.join(setting.patterns)}{rules}{until}  {setting.where}")
    for line in (*(f"read {name}" for name in config.files), *config.notes):
        click.echo(line)
