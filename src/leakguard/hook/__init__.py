"""The hook's own small entry: what is staged, and paths that are named, scanned in milliseconds.

    leakguard-hook [options] [FILE...]               what is staged (pre-commit)
    leakguard-hook [options] --commit-msg FILE       a message
    leakguard-hook [options] --pre-push REMOTE URL   what a push brings, see `commits`
    leakguard-hook [options] --pre-receive           the same on a server
    leakguard-hook [options] --agent NAME            what a coding agent is about to do, see `agent`

Without FILE everything that is staged is scanned, out of the index; a FILE that is staged comes out of the index, too,
any other one from disk, whole. Settings and baseline come out of the index, so that what is not committed silences
nothing. No click, no GitPython: what is imported here is counted by a test.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from leakguard.errors import ExitCode, LeakguardError, UsageError

DEADLINES = {"": 10.0, "commit_msg": 10.0, "pre_push": 60.0, "pre_receive": 4.0}
"""Seconds; what is left then is told, and the exit code is 3. GitHub's servers end a hook after 5."""

HELP = """\
Usage: leakguard-hook [OPTIONS] [FILE]...
       leakguard-hook [OPTIONS] --commit-msg FILE
       leakguard-hook [OPTIONS] --pre-push [REMOTE URL]
       leakguard-hook [OPTIONS] --pre-receive
       leakguard-hook [OPTIONS] --agent NAME [--mode MODE]

  Scan what is staged for leaked credentials; a FILE that is not staged is
  scanned from disk. Or scan a commit message, or what a push brings.

Options:
  --commit-msg          Scan the message in FILE.
  --pre-push            Scan every commit that REMOTE does not have yet; refs
                        on standard input, as git gives them.
  --pre-receive         On a server: scan what a push brings.
  --agent NAME          Judge what a coding agent gives on standard input;
                        docs/agents.md. Exit code 2 blocks.
  --mode MODE           With --agent: block (default), redact or warn.
  --whole-file          Report old lines of changed files, too.
  --deadline SECONDS    Stop after so long and exit 3 (default 10, for a push
                        60, on a server 4, of an agent 2;
                        LEAKGUARD_HOOK_DEADLINE).
  --level LEVEL         strict, balanced or all (default balanced).
  --fail-on WHAT        any, critical, high, medium, low or none.
  --config FILE         Settings file to use in place of the one found.
  --trusted-config FILE Take settings from this file only.
  --baseline FILE       Baseline to use.
  --no-baseline         Report what the baseline covers, too.
  -q, --quiet           One `path:line:column: rule id` a line.
  -v, --verbose         Show scores, and a summary when clean.
  -V, --version         Show the version and exit.
  -h, --help            Show this message and exit.

Exit codes: 0 clean, 1 findings, 2 usage or settings, 3 something could not
be read in time or at all.
"""
_VALUES = {
    "--deadline": "deadline",
    "--level": "level",
    "--fail-on": "fail_on",
    "--config": "config",
    "--trusted-config": "trusted_config",
    "--baseline": "baseline",
    "--agent": "agent",
    "--mode": "mode",
}
_SWITCHES = {
    "--commit-msg": "commit_msg",
    "--pre-push": "pre_push",
    "--pre-receive": "pre_receive",
    "--whole-file": "whole_file",
    "--no-baseline": "no_baseline",
    "--quiet": "quiet",
    "-q": "quiet",
    "--verbose": "verbose",
    "-v": "verbose",
    "--help": "help",
    "-h": "help",
    "--version": "version",
    "-V": "version",
}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the hook and exit as `--help` says."""
    try:
        code = run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except LeakguardError as e:
        sys.stderr.write(f"leakguard: {e.message}\n" + (f"  {e.hint}\n" if e.hint else ""))
        code = e.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = ExitCode.INCOMPLETE
    except Exception as e:  # noqa: BLE001 - the last boundary: a traceback may hold scanned bytes
        sys.stderr.write(bug(e))
        code = ExitCode.BUG
    sys.exit(code)


def bug(error: Exception) -> str:
    """Return what is told of a bug of ours: type and places only, since messages and variables may hold scanned bytes."""
    from traceback import extract_tb

    lines = "".join(f"    {frame.filename}:{frame.lineno} in {frame.name}\n" for frame in extract_tb(error.__traceback__)[-8:])
    return f"leakguard: a bug of ours ({type(error).__name__}), nothing was checked\n{lines}  please report it with these lines\n"


def run(argv: Sequence[str]) -> int:
    """Scan and return the exit code.

    Raises:
        LeakguardError: the arguments don't fit, or git could not be asked.
    """
    typed, files = parse(argv)
    if typed.get("help"):
        sys.stdout.write(HELP)
        return 0
    if typed.get("version"):
        from leakguard._version import __version__

        sys.stdout.write(f"leakguard-hook {__version__}\n")
        return 0
    if "agent" in typed:
        from leakguard.hook import agent

        agent.main(typed["agent"], typed.get("mode", "block"), typed)
    stages = [name for name in DEADLINES if name in typed]
    if len(stages) > 1:
        raise UsageError("one hook at a time", hint="--commit-msg, --pre-push or --pre-receive")
    stage = stages[0] if stages else ""
    started = time.monotonic()
    seconds = deadline(typed.get("deadline") or os.environ.get("LEAKGUARD_HOOK_DEADLINE", ""), DEADLINES[stage])

    def expired() -> bool:
        return time.monotonic() - started > seconds

    if not stage:
        from leakguard.hook import staged

        return staged.run(typed, files, expired)
    from leakguard.hook import commits

    return commits.run(stage, typed, files, expired)


def parse(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Read the command line.

    Raises:
        UsageError: an option is unknown or lacks its value.
    """
    typed: dict[str, str] = {}
    files: list[str] = []
    rest = iter(argv)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--":
            files += rest
        elif name in _VALUES:
            given = value if equals else next(rest, None)
            if given is None:
                raise UsageError(f"{name} needs a value", hint="leakguard-hook --help lists the options")
            typed[_VALUES[name]] = given
        elif word in _SWITCHES:
            typed[_SWITCHES[word]] = "1"
        elif word.startswith("-") and word != "-":
            raise UsageError(f"there is no option {name}", hint="leakguard-hook --help lists the options")
        else:
            files.append(word)
    return typed, files


def deadline(text: str, usual: float) -> float:
    """Return the seconds that a run may take.

    Raises:
        UsageError: it is no number above zero.
    """
    try:
        seconds = float(text or usual)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError("the deadline has to be a number of seconds above zero", hint="--deadline 10")
    return seconds
