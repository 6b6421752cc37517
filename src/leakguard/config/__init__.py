"""Settings in two steps: what was typed (flags, environment, TOML) -> what it means, one frozen `Config`.

Invariant: nothing here runs code, opens a socket or keeps global state, so a configuration file found in a scanned
repository can at most choose what is reported, and under `--trusted-config` not even that.
Order: flags, `LEAKGUARD_<SETTING>`, then the first file of: `--config`, `LEAKGUARD_CONFIG`, the nearest `.leakguard.toml`
up to the git top level, `[tool.leakguard]` of a `pyproject.toml` there, the user's own file; then the defaults.
Rejected: merging the user's file below the repository's. The same commit would be judged differently on each machine.

Only this module is imported on the hot path; TOML, difflib and path patterns load when a file or a setting needs them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from leakguard.config.values import SCALARS, check, near
from leakguard.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from leakguard.config.verification import VerifySettings

FILE = ".leakguard.toml"
BASELINE = ".leakguard/baseline.jsonl"
ARCHIVE_DEPTH = 8
MAX_FILE = 1 << 20
"""Bytes of a settings file; more is an error."""

Reader = Callable[[str], bytes | None]
"""Path -> its bytes, or None where there is no such file (the hook reads the index instead of the disk)."""


class PathSetting(NamedTuple):
    """Paths that are not reported: whole (no rules named; such files aren't read) or for some rules."""

    patterns: tuple[str, ...]
    """As in `.gitignore`, relative to `Config.base`."""
    rules: tuple[str, ...] = ()
    reason: str = ""
    until: str = ""
    """ISO date, last day on which it counts; empty: no end."""
    where: str = ""
    """The file or flag that says so."""
    policy: bool = False
    """It stands in a policy file."""


class Config(NamedTuple):
    """What every setting means; the defaults are those of the tool."""

    level: str = "balanced"
    jobs: int = 0
    """Processes; 0: as many as the input is worth (the library: 1)."""
    engine: str = "auto"
    fail_on: str = "any"
    fail_on_skip: bool = False
    ignore: bool = True
    """`.gitignore` is honoured for untracked files."""
    max_size: int = 0
    """Bytes; larger files are skipped. 0: no limit."""
    max_archive_depth: int = ARCHIVE_DEPTH
    """Containers within containers that are looked into; 0: none."""
    rule_paths: tuple[str, ...] = ()
    """Extra rule files and folders, absolute."""
    added_rule_paths: tuple[str, ...] = ()
    """Rule files of a scanned repository under `--trusted-config`: they may add rules, not replace or alias one."""
    disabled_rules: tuple[str, ...] = ()
    only_rules: tuple[str, ...] = ()
    """Empty: every rule."""
    severity: tuple[tuple[str, str], ...] = ()
    """`(rule id, severity)`."""
    rules_version: int | None = None
    warn_new_rules: bool = False
    paths: tuple[PathSetting, ...] = ()
    baseline: str = ""
    """Absolute path; empty: none is applied."""
    strict_inline: bool = False
    inline_marks: bool = True
    verify: VerifySettings | None = None
    """What verification may do; None: nothing beyond what rules name."""
    trusted_config: str = ""
    """Absolute path of the file that alone is trusted; empty: the repository's own settings count."""
    base: str = ""
    """Folder that path patterns are relative to."""
    top: str = ""
    """Git top level of what is scanned, else the same as `base`; paths in the baseline are relative to it."""
    files: tuple[str, ...] = ()
    """Files that were read, absolute; policies first."""
    origins: tuple[tuple[str, str], ...] = ()
    """`(setting, where it came from)` for all that is not a default; see `origin`."""
    notes: tuple[str, ...] = ()
    """Lines for people: what was not applied and why."""

    def origin(self, setting: str) -> str:
        """Return where a setting came from: a file, a variable, `command line` or `default`."""
        return dict(self.origins).get(setting, "default")

    def severity_of(self, rule: str, default: str, aliases: tuple[str, ...] = ()) -> str:
        """Return the severity that a rule has here; a setting may name the rule by a former id."""
        if self.severity:
            settings = dict(self.severity)
            for name in (rule, *aliases):
                if name in settings:
                    return settings[name]
        return default

    def unknown_rules(self, known: frozenset[str]) -> tuple[str, ...]:
        """Return a line for every rule that a setting names and nobody knows (`known`: ids and aliases)."""
        named = [("disabled_rules", r) for r in self.disabled_rules] + [("only_rules", r) for r in self.only_rules]
        named += [("severity", r) for r, _ in self.severity]
        named += [("paths", r) for setting in self.paths for r in setting.rules]
        origins = dict(self.origins)
        lines = (
            f"{origins.get(f'{key} {rule}') or self.origin(key)}: {key} names {rule!r}, which is no rule{near(rule, known)}"
            for key, rule in named
            if rule not in known
        )
        return tuple(dict.fromkeys(lines))


def load(
    root: str, flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None, *, read: Reader | None = None
) -> Config:
    """Work out the settings for a scan of `root` (a file or folder).

    `flags` maps names of `Config` (and `config`, `exclude`) to what was typed; None means not typed.

    Raises:
        ConfigError: a file is missing or wrong; the message names file and key.
        UsageError: a flag does not fit.
    """
    typed = {name: value for name, value in (flags or {}).items() if value is not None}
    environ = environ or {}
    reader = read or read_file
    start = os.path.abspath(root)
    if not os.path.isdir(start):
        start = os.path.dirname(start)
    top = git_top(start)
    draft = Draft()
    draft.top = top or start
    trusted = str(typed.pop("trusted_config", "") or environ.get("LEAKGUARD_TRUSTED_CONFIG", ""))
    named = str(typed.pop("config", "") or ("" if trusted else environ.get("LEAKGUARD_CONFIG", "")))
    if trusted and named:
        raise UsageError("--config and --trusted-config exclude each other", hint="name the file with --trusted-config only")
    found = "" if named else _found(draft, start, top, reader, trusted=bool(trusted))
    base = os.path.dirname(found) if found else top or start
    if trusted:
        trusted = os.path.abspath(trusted)
        draft.values["inline_marks"] = False
        draft.origins["inline_marks"] = "--trusted-config"
        draft.trusted = True
        _read(draft, trusted, reader, base)
        draft.trusted = False
        _repository(draft, found, trusted, top or base, reader)
    elif named:
        draft.trusted = True
        _read(draft, os.path.abspath(named), reader, base := top or start)
    elif found:
        _read(draft, found, reader, base)
        _own_verify(draft, environ)
    elif own := user_file(environ):
        draft.trusted = True
        _read(draft, own, read_file, base)
    _environment(draft, environ)
    _flags(draft, typed)
    values = draft.values
    if "baseline" not in values and not trusted:
        values["baseline"] = os.path.join(top or base, *BASELINE.split("/"))
    severity = values.pop("severity", {})
    assert isinstance(severity, dict)
    return Config(
        **values,  # type: ignore[arg-type]  # every value went through `check`
        severity=tuple(sorted(severity.items())),
        trusted_config=trusted,
        base=base,
        top=top or base,
        files=tuple(draft.files),
        origins=tuple(sorted(draft.origins.items())),
        notes=tuple(draft.notes),
    )


class Draft:
    """Settings while they are being put together."""

    APPENDED = ("disabled_rules", "rule_paths", "paths")

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.origins: dict[str, str] = {}
        self.files: list[str] = []
        self.notes: list[str] = []
        self.locked: dict[str, str] = {}
        """Setting -> the policy file that locks it."""
        self.trusted = False
        """The file that is read was named by a person or is the user's own."""
        self.top = ""
        """What is scanned: a file inside of it can't say that it is ours."""

    def put(self, name: str, value: object, where: str) -> None:
        """Set a value over what lower layers said; lists that only ever add are joined."""
        old = self.values.get(name)
        if name in self.APPENDED and isinstance(old, tuple) and isinstance(value, tuple):
            self.values[name] = tuple(dict.fromkeys(old + value))
            if where not in self.origins[name].split(", "):
                self.origins[name] += f", {where}"
            return
        if isinstance(old, dict) and isinstance(value, dict):
            value = old | value
            where = where if self.origins[name] == where else f"{self.origins[name]}, {where}"
        self.values[name] = value
        self.origins[name] = where


def _found(draft: Draft, start: str, top: str, reader: Reader, *, trusted: bool) -> str:
    """Find the repository's settings file; one that can't be read must not stop a run that does not trust it."""
    try:
        return found_file(start, top, reader)
    except ConfigError as error:
        if not trusted:
            raise
        draft.notes.append(f"not used, as it is wrong: {error.message}")
        return ""


def _read(draft: Draft, path: str, reader: Reader, base: str) -> None:
    from leakguard.config.files import apply

    apply(draft, path, reader, base)


def _own_verify(draft: Draft, environ: Mapping[str, str]) -> None:
    own = user_file(environ)
    data = read_file(own) if own else None
    if data and b"verify" in data:
        from leakguard.config.files import apply_own_verify

        draft.trusted = True
        apply_own_verify(draft, own, read_file)
        draft.trusted = False


def _repository(draft: Draft, found: str, trusted: str, top: str, reader: Reader) -> None:
    """Take from the scanned repository what can only add findings, and say what was left."""
    if not trusted.startswith(top + os.sep) and not found and not os.path.lexists(os.path.join(top, *BASELINE.split("/"))):
        return
    from leakguard.config.files import offer

    offer(draft, found, trusted, top, reader)


def _environment(draft: Draft, environ: Mapping[str, str]) -> None:
    for name in SCALARS:
        variable = "LEAKGUARD_" + name.upper()
        raw = environ.get(variable, "")
        if raw:
            draft.put(name, check(name, raw, variable, ""), variable)


def _flags(draft: Draft, typed: Mapping[str, object]) -> None:
    for name, value in typed.items():
        if name == "exclude":
            patterns = check("patterns", value, "--exclude", "")
            if patterns:
                setting = PathSetting(patterns, reason="excluded on the command line", where="--exclude")  # type: ignore[arg-type]
                draft.put("paths", (setting,), "command line")
        elif name in _FLAGS:
            checked = check(name, value, "--" + name.replace("_", "-"), "")
            draft.put(name, checked, "command line")
            if isinstance(checked, tuple):  # of a list that the file began, each word that was typed is known as such
                draft.origins |= {f"{name} {word}": "command line" for word in checked}
        else:
            raise UsageError(f"there is no setting named {name!r}" + near(name, (*_FLAGS, "exclude", "config", "trusted_config")))


_FLAGS = (*SCALARS, "rule_paths", "disabled_rules", "only_rules", "severity")


def git_top(folder: str) -> str:
    """Return the nearest folder from here upward that holds `.git`, else an empty string."""
    while True:
        if os.path.lexists(os.path.join(folder, ".git")):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent


def found_file(start: str, top: str, reader: Reader) -> str:
    """Return the repository's settings file: outside of git only the scanned folder itself is looked at.

    Rejected: looking further up outside of git, where a folder above (`/tmp`) may belong to anyone.
    """
    folders = [start]
    while top and folders[-1] != top:
        folders.append(os.path.dirname(folders[-1]))
    for folder in folders:
        path = os.path.join(folder, FILE)
        if reader(path) is not None:
            return path
    for folder in folders:
        path = os.path.join(folder, "pyproject.toml")
        data = reader(path)
        if data is not None and b"[tool.leakguard" in data:
            from leakguard.config.files import has_table

            if has_table(data, path):
                return path
    return ""


def user_folder(environ: Mapping[str, str], variable: str, below_home: str) -> str:
    """Return LeakGuard's folder under `$XDG_CONFIG_HOME` or the like, or an empty string where there is no home."""
    folder = environ.get(variable, "")
    if not os.path.isabs(folder):  # the XDG specification: relative paths are to be ignored
        home = environ.get("HOME") or environ.get("USERPROFILE", "")
        if not os.path.isabs(home):
            return ""
        folder = os.path.join(home, below_home)
    return os.path.join(folder, "leakguard")


def user_file(environ: Mapping[str, str]) -> str:
    """Return the user's settings file where there is one."""
    folder = user_folder(environ, "XDG_CONFIG_HOME", ".config")
    path = os.path.join(folder, "config.toml") if folder else ""
    return path if path and os.path.isfile(path) else ""


def read_file(path: str) -> bytes | None:
    """Read a settings file; None where there is no such file.

    Raises:
        ConfigError: it can't be read, is no regular file (a FIFO would wait for ever) or is far too big.
    """
    try:
        status = os.stat(path)
        if status.st_mode & 0o170000 != 0o100000:
            raise ConfigError(f"{path}: not a regular file")
        if status.st_size > MAX_FILE:
            raise ConfigError(f"{path}: larger than 1 MB, so no settings file")
        with open(path, "rb") as file:
            return file.read(MAX_FILE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror})") from None
