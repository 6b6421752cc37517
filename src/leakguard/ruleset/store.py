"""Keep the compiled set: built in milliseconds, loaded in less, safe against tampering and concurrent writers.

A Hyperscan set is code in all but name: loading one that somebody else wrote is unsafe. So the folder and the file must
belong to this user, be writable by nobody else and be no symbolic links; the content carries its own digest against
torn writes; and what does not fit is built in memory again. Writers put a whole file in place by rename.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping, Sequence

from leakguard._version import __version__
from leakguard.engine.compiled import LAYOUT, CompiledRules, compile_rules, undump
from leakguard.ruleset.files import builtin_folder, rule_files

_MAGIC = b"LeakGuard rules\n"


def compiled(
    paths: Sequence[str] = (), *, hyperscan: bool, environ: Mapping[str, str], rules_version: int | None = None
) -> CompiledRules:
    """Return the built-in rules and those at `paths`, from the cache where it is safe and fits, else built and kept.

    `rules_version` leaves out rules that came later. A cache that can't be read or written is never an error.
    """
    import marshal

    files = rule_files([builtin_folder(), *paths])
    digest = _digest(files, hyperscan=hyperscan, rules_version=rules_version)
    folder = _folder(environ)
    path = os.path.join(folder, f"rules-{digest}.bin") if folder else ""
    raw = _read(path) if path else None
    if raw is not None:
        try:
            kept = undump(marshal.loads(raw))  # noqa: S302 - `_read` proved owner, mode and digest
        except (ValueError, EOFError, TypeError, IndexError):
            kept = None
        if kept is not None and kept.digest == digest:
            return kept
    from leakguard.ruleset.load import load

    rules = load(files).rules
    if rules_version is not None:
        rules = tuple(rule for rule in rules if rule.since <= rules_version)
    built = compile_rules(rules, digest, hyperscan=hyperscan)
    if path:
        _write(folder, path, marshal.dumps(built.dump()))
    return built


def _digest(files: Sequence[str], *, hyperscan: bool, rules_version: int | None) -> str:
    """Digest of what the set depends on; files count by path, size and time of change, so that none has to be read."""
    from hashlib import blake2b

    about = [__version__, str(LAYOUT), sys.implementation.cache_tag or "", str(rules_version)]
    if hyperscan:
        about += [_engine_version(), _cpu()]
    for path in files:
        status = os.stat(path)
        about.append(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}")
    return blake2b("\n".join(about).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _engine_version() -> str:
    import hyperscan

    return str(hyperscan.__version__)  # type: ignore[attr-defined]  # its stub leaves it out


def _cpu() -> str:
    """Name what a compiled set depends on: it uses the instructions of the CPU that built it."""
    try:
        with open("/proc/cpuinfo", "rb") as f:
            head = f.read(4096)
    except OSError:
        return os.uname().machine if hasattr(os, "uname") else ""
    for line in head.splitlines():
        if line.startswith((b"flags", b"Features")):
            return line.decode("ascii", "replace")
    return ""


def _folder(environ: Mapping[str, str]) -> str:
    base = environ.get("LEAKGUARD_CACHE_DIR")
    if base:
        return base
    if environ.get("XDG_CACHE_HOME"):
        return os.path.join(environ["XDG_CACHE_HOME"], "leakguard")
    return os.path.join(environ["HOME"], ".cache", "leakguard") if environ.get("HOME") else ""


def _safe(status: os.stat_result) -> bool:
    """Whether a file or folder is ours alone to write."""
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _read(path: str) -> bytes | None:
    from hashlib import sha256

    try:
        if not _safe(os.lstat(os.path.dirname(path))):
            return None
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
        with open(fd, "rb") as f:
            status = os.fstat(fd)
            if not _safe(status) or not stat.S_ISREG(status.st_mode):
                return None
            raw = f.read()
    except OSError:
        return None
    body = raw[len(_MAGIC) + 32 :]
    if not raw.startswith(_MAGIC) or sha256(body).digest() != raw[len(_MAGIC) : len(_MAGIC) + 32]:
        return None
    return body


def _write(folder: str, path: str, body: bytes) -> None:
    from hashlib import sha256

    part = f"{path}.{os.getpid()}.part"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not _safe(os.lstat(folder)) or os.path.islink(folder):
            return
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with open(fd, "wb") as f:
            f.write(_MAGIC + sha256(body).digest() + body)
        os.replace(part, path)
        _forget_old(folder, path)
    except OSError:
        # a read-only or full home is no reason to fail: the set is in memory already
        return


def _forget_old(folder: str, keep: str) -> None:
    """Remove sets that nothing has read for a month."""
    newest = os.stat(keep).st_mtime
    for entry in os.scandir(folder):
        if entry.name.startswith("rules-") and entry.path != keep and newest - entry.stat().st_mtime > 30 * 86400:
            os.unlink(entry.path)
