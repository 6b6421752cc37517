"""Settings files: TOML -> checked settings, central policies with their digests and locks, the trusted file.

Invariant: every unknown key is an error that names file and key; a policy counts only with the digest that the naming
file gives; what a policy locks, the repository's own file can't change.
Rejected: fetching a policy from a URL. It would make a settings file of a scanned repository choose a host.
"""

from __future__ import annotations

import os

from leakguard.config import BASELINE, Draft, PathSetting, Reader
from leakguard.config.values import SCALARS, check, iso_date, near
from leakguard.errors import ConfigError

KEYS = (*SCALARS, "rule_paths", "disabled_rules", "only_rules", "severity", "path", "verify", "extends", "lock")
LOCKABLE = tuple(key for key in KEYS if key not in ("extends", "lock"))
_PATH_KEYS = ("patterns", "rules", "reason", "until")
_POLICY_KEYS = ("file", "sha256")
_DEPTH = 4
"""Policies may extend policies this deep."""


def apply(draft: Draft, path: str, reader: Reader, base: str, *, policy: bool = False, depth: int = 0) -> None:
    """Read one file, its policies first, into the draft."""
    data = reader(path)
    if data is None:
        raise ConfigError(f"{path}: there is no such file", hint="check --config, --trusted-config or LEAKGUARD_CONFIG")
    apply_table(draft, table_of(data, path), path, reader, base, policy=policy, depth=depth)


def apply_table(draft: Draft, table: dict[str, object], path: str, reader: Reader, base: str, *, policy: bool, depth: int) -> None:
    """Put the settings of a parsed file into the draft."""
    folder = os.path.dirname(path)
    extends = table.pop("extends", [])
    for entry in _tables(extends, "extends", path, _POLICY_KEYS):
        _policy(draft, entry, path, reader, base, depth)
    where = _shown(path, base)
    lock = _lock(table.pop("lock", []), path)
    for key, value in table.items():
        if key in draft.locked:
            raise ConfigError(
                f"{path}: {key} is locked by {draft.locked[key]}", hint=f"remove {key} here, or ask the owner of the policy"
            )
        if key == "verify":
            _verify(draft, value, path, where)
        elif key == "path":
            settings = tuple(_path_setting(entry, path, where, policy=policy) for entry in _tables(value, "path", path, _PATH_KEYS))
            draft.put("paths", settings, where)
        else:
            draft.put(key, check(key, value, path, folder), where)
    if policy:
        for key in lock:
            draft.locked.setdefault(key, where)
    draft.files.append(path)


def _verify(draft: Draft, value: object, path: str, where: str) -> None:
    """Take the table where the file is trusted; what stands in a scanned repository must not name a host."""
    from leakguard.config.verification import read

    settings = read(value, path)
    if draft.trusted:
        if settings.scopes and draft.top and os.path.realpath(path).startswith(os.path.realpath(draft.top) + os.sep):
            draft.notes.append(f"{where} stands inside of what is scanned, so its verify.scopes do not count; keep it elsewhere")
            settings = settings._replace(scopes=())
        draft.put("verify", settings, where)
    else:
        draft.notes.append(
            f"{where}: [verify] counts only in your own settings, or in a file named with --config or --trusted-config"
        )


def apply_own_verify(draft: Draft, path: str, reader: Reader) -> None:
    """Take only `[verify]` of the user's own file, where the repository's settings count: it can't say any of that itself."""
    table = table_of(reader(path) or b"", path)
    if "verify" in table:
        _verify(draft, table["verify"], path, path)


def table_of(data: bytes, path: str) -> dict[str, object]:
    """Parse a file into its table of known keys, `-` in keys taken as `_`."""
    table = _parse(data, path)
    if os.path.basename(path) == "pyproject.toml":
        tool = table.get("tool")
        table = tool.get("leakguard", {}) if isinstance(tool, dict) else {}
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: tool.leakguard has to be a table")
    return _known(table, KEYS, path, "")


def has_table(data: bytes, path: str) -> bool:
    """Whether a `pyproject.toml` holds `[tool.leakguard]` (and not only in a comment or a string)."""
    tool = _parse(data, path).get("tool")
    return isinstance(tool, dict) and "leakguard" in tool


def offer(draft: Draft, found: str, trusted: str, top: str, reader: Reader) -> None:
    """Take the rules that the scanned repository adds under `--trusted-config`; count what is not applied.

    A file that can't be read or is wrong is told and not used: the repository must not be able to stop the run either.
    """
    if trusted.startswith(top + os.sep):
        draft.notes.append(f"{trusted} stands inside the scanned repository, so a change can alter it; keep it elsewhere")
    left: list[str] = []
    if found and found != trusted:
        try:
            table = table_of(reader(found) or b"", found)
            added = check("rule_paths", table.pop("rule_paths", []), found, os.path.dirname(found))
        except ConfigError as error:
            draft.notes.append(f"not used, as it is wrong: {error.message}")
            table, added = {}, ()
        assert isinstance(added, tuple)
        inside = tuple(p for p in added if os.path.realpath(p).startswith(os.path.realpath(top) + os.sep) and os.path.exists(p))
        if inside:
            draft.values["added_rule_paths"] = inside
            draft.origins["added_rule_paths"] = _shown(found, top)
        if len(added) > len(inside):
            left.append(f"rule_paths outside the repository or missing ({len(added) - len(inside)})")
        left += [f"{key} ({len(value)})" if isinstance(value, list | dict) else key for key, value in table.items()]
    if os.path.lexists(os.path.join(top, *BASELINE.split("/"))) and "baseline" not in draft.values:
        left.append("its baseline")
    if left:
        draft.notes.append("--trusted-config: not applied from the repository: " + ", ".join(left))


def _parse(data: bytes, path: str) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        text, _, position = str(error).partition(" (at ")
        # a parser's message may quote what stands in the file; only its own words are passed on
        words = text if text.replace(" ", "").isalpha() else "it can't be parsed"
        raise ConfigError(f"{path}: not valid TOML at {position.rstrip(')') or 'an unknown place'}: {words}") from None


def _known(table: dict[str, object], keys: tuple[str, ...], path: str, inside: str) -> dict[str, object]:
    known: dict[str, object] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in keys:
            raise ConfigError(
                f"{path}: unknown key {inside}{key[:60]!r}{near(name, keys)}", hint="the keys are: " + ", ".join(keys)
            )
        if name in known:
            raise ConfigError(f"{path}: {inside}{name} is set twice, with - and with _")
        known[name] = value
    return known


def _tables(value: object, key: str, path: str, keys: tuple[str, ...]) -> list[dict[str, object]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ConfigError(f"{path}: {key} has to be a list of tables with {', '.join(keys)}")
    return [_known(entry, keys, path, f"{key}.") for entry in value]


def _path_setting(entry: dict[str, object], path: str, where: str, *, policy: bool) -> PathSetting:
    patterns = check("patterns", entry.get("patterns", []), path, "")
    rules = check("rules", entry.get("rules", []), path, "")
    reason = entry.get("reason", "")
    if not patterns:
        raise ConfigError(f"{path}: a [[path]] without patterns", hint='write patterns = ["tests/data/"]')
    if not isinstance(reason, str):
        raise ConfigError(f"{path}: path.reason has to be a string")
    until = iso_date(entry["until"], path, "path.until") if "until" in entry else ""
    return PathSetting(patterns, rules, reason, until, where, policy)  # type: ignore[arg-type]  # `check` gives tuples of strings


def _lock(value: object, path: str) -> tuple[str, ...]:
    words = check("lock", value, path, "")
    assert isinstance(words, tuple)
    names = tuple(word.replace("-", "_") for word in words)
    for name in names:
        if name not in LOCKABLE:
            raise ConfigError(f"{path}: lock names {name[:60]!r}, which is no key{near(name, LOCKABLE)}")
    return names


def _policy(draft: Draft, entry: dict[str, object], path: str, reader: Reader, base: str, depth: int) -> None:
    name, digest = entry.get("file"), entry.get("sha256")
    if not isinstance(name, str) or not isinstance(digest, str) or not name:
        raise ConfigError(
            f"{path}: each entry of extends needs file and sha256", hint='extends = [{ file = "policy.toml", sha256 = "..." }]'
        )
    if "://" in name:
        raise ConfigError(f"{path}: a policy is a file, not a URL", hint="download it first and name the file")
    if not name.endswith(".toml"):
        # the digest of a named file is printed, so it must not be any file of the machine
        raise ConfigError(f"{path}: a policy file has to end in .toml")
    if depth >= _DEPTH:
        raise ConfigError(f"{path}: policies extend each other more than {_DEPTH} deep")
    from hashlib import sha256

    policy = os.path.abspath(os.path.join(os.path.dirname(path), name))
    data = reader(policy)
    if data is None:
        raise ConfigError(f"{path}: the policy {policy} does not exist")
    actual = sha256(data).hexdigest()
    if actual != digest.lower():
        raise ConfigError(f"{policy}: its SHA-256 is {actual}, not what {path} expects",
                          hint="read what changed in the policy, then put that digest into extends")  # fmt: skip
    apply_table(draft, table_of(data, policy), policy, reader, base, policy=True, depth=depth + 1)


def _shown(path: str, base: str) -> str:
    """Return a path for people: relative to the repository where it lies inside."""
    return path[len(base) + 1 :].replace(os.sep, "/") if path.startswith(base.rstrip(os.sep) + os.sep) else path
