"""The command line: one file a command, imported only when it is called, so that a hook or a one-file scan stays fast."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from leakguard._version import __version__
from leakguard.errors import ExitCode, LeakguardError

COMMANDS = {
    "scan": "Find leaked credentials in files, folders and streams.",
    "verify": "Ask providers whether what was found is live.",
    "redact": "Mask the secrets in a log, a stream or a command's output.",
    "ci": "Scan what a CI job's change brings.",
    "explain": "Say why a finding was reported.",
    "allow": "Stop reporting one finding, with a reason and an end.",
    "baseline": "Accept what is there today; report what is new.",
    "agent-hook": "Judge what a coding agent is about to do.",
    "install": "Put LeakGuard into git's hooks; what is there goes on running.",
    "uninstall": "Take it out again; what was there before is put back.",
    "doctor": "Prove that each installed hook blocks.",
    "rules": "List, show, prove and write rules.",
    "import": "Convert the settings of another scanner.",
    "config": "Show the settings in force and where each comes from.",
}
"""Command -> its line in the help; the module is `cli/<command>.py` (`import_.py` for a Python keyword)."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module("leakguard.cli." + ("import_" if cmd_name == "import" else cmd_name.replace("-", "_")))
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


_HELP = """Find leaked machine credentials; nothing secret is ever printed.

\b
Exit codes:
  0  clean                    4    a required verification is missing
  1  findings                 70   a bug of ours
  2  usage or settings        130  interrupted
  3  incomplete: something could not be read
"""


@click.group(cls=LazyGroup, help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None})
@click.version_option(__version__, "-V", "--version", prog_name="leakguard", message="%(prog)s %(version)s")
def group() -> None:
    """Run one of the commands."""


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code that DESIGN and `--help` list."""
    try:
        code = group.main(args, prog_name="leakguard", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        code = ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except click.ClickException as e:
        e.show()
        code = ExitCode.USAGE
    except LeakguardError as e:
        _tell(e.message, e.hint)
        code = e.exit_code
    except BrokenPipeError:
        # the reader of our output went away (`| head`): not our error, and nothing more can be told
        sys.stderr.close()
        _leave(ExitCode.CLEAN)
    except Exception as e:  # noqa: BLE001 - the last boundary: a bug is told without the values a traceback may hold
        _crash(e)
        code = ExitCode.BUG
    _leave(code if isinstance(code, int) else ExitCode.CLEAN)


def _leave(code: int) -> NoReturn:
    sys.exit(code)


def _tell(message: str, hint: str) -> None:
    click.echo(f"leakguard: {message}" + (f"\n  {hint}" if hint else ""), err=True)


def _crash(error: Exception) -> None:
    """Report a bug of ours: type and places only, since messages and variables may hold scanned bytes."""
    from traceback import extract_tb

    lines = [f"    {frame.filename}:{frame.lineno} in {frame.name}" for frame in extract_tb(error.__traceback__)[-8:]]
    _tell(
        f"a bug of ours ({type(error).__name__}), the scan is not complete\n" + "\n".join(lines),
        "please report it with these lines; they hold none of your data",
    )


def default_option(ctx: click.Context, name: str) -> Any:
    """Return what was typed for an option, or None where it was not."""
    source = ctx.get_parameter_source(name)
    return ctx.params[name] if source is not None and source.name != "DEFAULT" else None
