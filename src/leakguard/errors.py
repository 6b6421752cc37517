"""The exception tree and the exit codes; the lowest layer, so that every other one can use it.

    LeakguardError
    ├── UsageError            a flag or argument does not fit              exit 2
    │   └── ConfigError       a settings, policy or baseline file is wrong exit 2
    │       └── RuleError     a rule file is wrong                         exit 2
    ├── MissingExtraError     an optional package is not installed         exit 2
    ├── SourceError           what should be scanned can't be opened       exit 3
    └── NetError              a host was not asked, or did not answer      exit 3

Messages say what happened and what to do next, and never hold scanned input.
"""

from __future__ import annotations


class ExitCode:
    """Exit codes of every command; `PRECEDENCE` decides when several apply."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    UNVERIFIED = 4
    BUG = 70
    INTERRUPTED = 130

    PRECEDENCE = (INTERRUPTED, BUG, USAGE, FINDINGS, UNVERIFIED, INCOMPLETE, CLEAN)


class LeakguardError(Exception):
    """Base of every error that LeakGuard raises on purpose."""

    exit_code = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        """What to do next, one sentence; empty where the message says it."""


class UsageError(LeakguardError):
    """A flag or an argument does not fit."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """A settings, policy or baseline file is wrong; the message names file and, where known, line."""


class RuleError(ConfigError):
    """A rule file is wrong; the message names file and rule."""


class MissingExtraError(LeakguardError):
    """An optional package is needed and not installed; the hint is the install line."""

    exit_code = ExitCode.USAGE


class SourceError(LeakguardError):
    """A whole input (a path, a repository) can't be opened; single files become `Skipped` instead."""

    exit_code = ExitCode.INCOMPLETE


class NetError(LeakguardError):
    """A request was not sent or not answered; the message holds the host at most, never a path, a header or a body."""

    exit_code = ExitCode.INCOMPLETE

    def __init__(self, message: str, *, cause: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.cause = cause
        """`host_not_allowed`, `throttled`, `budget`, `timeout`, `tls`, `too_large` or `network`."""
        self.retry_after = retry_after
        """Seconds after which it may be asked again, where the host said so."""
