"""Keep the compiled set: built in milliseconds, loaded in less, safe against tampering and concurrent writers.

A Hyperscan set is code in all but name: loading one that somebody else wrote is unsafe. So the folder and the file must
belong to this user, be writable by nobody else and be no symbolic links; the content carries all it was made of, compared
in full, and a checksum against torn writes; what does not fit is built in memory again. Writers put a whole file in place
by rename. Rejected: a cryptographic digest beside it. Who can write the one can write the other, and loading OpenSSL costs
more than reading the set.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping, Sequence

from leakguard._version import __version__
from leakguard.config import user_folder
from leakguard.engine.compiled import LAYOUT, CompiledRules, add_databases, compile_rules, undump
from leakguard.ruleset.files import builtin_folder, rule_files

_MAGIC = b"LeakGuard rules\n"


def compiled(
    paths: Sequence[str] = (),
    *,
    hyperscan: bool,
    environ: Mapping[str, str],
    rules_version: int | None = None,
    keep: bool = True,
) -> CompiledRules:
    """Return the built-in rules and those at `paths`, from the cache where it is safe and fits, else built and kept.

    `rules_version` leaves out rules that came later; `keep` off writes nothing. A cache that can't be read or written is never an error.
    """
    import marshal
    from zlib import crc32

    files = rule_files([builtin_folder(), *paths])
    about = _about(files, hyperscan=hyperscan, rules_version=rules_version)
    name = f"{crc32(about):08x}"
    where = folder(environ)
    path = os.path.join(where, f"rules-{name}.bin") if where else ""
    raw = read_kept(path, about) if path else None
    if raw is not None:
        try:
            kept = undump(marshal.loads(raw))  # noqa: S302 - `read_kept` proved owner, mode and content
        except (ValueError, EOFError, TypeError, IndexError):
            kept = None
        if kept is not None:
            return kept
    built = _build(files, name, indexed=not paths and rules_version is None, rules_version=rules_version)
    if hyperscan:
        add_databases(built)
    if path and keep:
        write_kept(path, about, marshal.dumps(built.dump()))
    return built


def join(rules: CompiledRules, environ: Mapping[str, str]) -> None:
    """Give rules the one set of all gates that long scans use: from where it was kept, or built and kept."""
    from leakguard.engine.prefilter import ALL_GATES, build_all

    if not rules.databases or ALL_GATES in rules.databases:
        return
    from hashlib import blake2b
    from zlib import crc32

    gates = blake2b(repr(rules.expressions()).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    about = f"{__version__}\n{gates}\n{_engine_version()}\n{_cpu()}".encode("utf-8", "surrogateescape")
    where = folder(environ)
    path = os.path.join(where, f"gates-{crc32(about):08x}.bin") if where else ""
    kept = read_kept(path, about) if path else None
    rules.databases[ALL_GATES] = kept if kept is not None else build_all(rules)
    if path and kept is None:
        write_kept(path, about, rules.databases[ALL_GATES])


def _build(files: Sequence[str], name: str, *, indexed: bool, rules_version: int | None) -> CompiledRules:
    """Read the wheel's index of its own rules, or parse the rule files."""
    from leakguard.ruleset import index

    known = index.read(files) if indexed else None
    if known is not None:
        known.digest = name
        return known
    from leakguard.ruleset.load import load

    rules = load(files).rules
    if rules_version is not None:
        rules = tuple(rule for rule in rules if rule.since <= rules_version)
    return compile_rules(rules, name, hyperscan=False)


def _about(files: Sequence[str], *, hyperscan: bool, rules_version: int | None) -> bytes:
    """Say what the set depends on; files count by path, size and times of change, so that none has to be read."""
    about = [__version__, str(LAYOUT), sys.implementation.cache_tag or "", str(rules_version)]
    if hyperscan:
        about += [_engine_version(), _cpu()]
    for path in files:
        status = os.stat(path)
        about.append(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}")
    return "\n".join(about).encode("utf-8", "surrogateescape")


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


def folder(environ: Mapping[str, str]) -> str:
    """Return the user's folder for what can be made again, or nothing where there is no home."""
    return environ.get("LEAKGUARD_CACHE_DIR") or user_folder(environ, "XDG_CACHE_HOME", ".cache")


def _safe(status: os.stat_result) -> bool:
    """Whether a file or folder is ours alone to write."""
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def read_kept(path: str, about: bytes) -> bytes | None:
    """Return what was kept if the file is ours, whole, and was made of the same things (all of them are compared)."""
    from zlib import crc32

    try:
        folder = os.lstat(os.path.dirname(path))
        if not stat.S_ISDIR(folder.st_mode) or not _safe(folder):
            return None
        # O_NONBLOCK: a FIFO would wait for ever
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
        fd = os.open(path, flags)
        with open(fd, "rb") as f:
            status = os.fstat(fd)
            if not _safe(status) or not stat.S_ISREG(status.st_mode):
                return None
            raw = f.read()
    except OSError:
        return None
    head = _head(about)
    body = raw[len(head) + 4 :]
    if not raw.startswith(head) or crc32(body).to_bytes(4, "big") != raw[len(head) : len(head) + 4]:
        return None
    return body


def _head(about: bytes) -> bytes:
    return _MAGIC + len(about).to_bytes(8, "big") + about


def write_kept(path: str, about: bytes, body: bytes) -> None:
    """Keep something, readable by this user alone; where that can't be it is no error."""
    from zlib import crc32

    where = os.path.dirname(path)
    part = f"{path}.{os.getpid()}.part"
    try:
        os.makedirs(where, mode=0o700, exist_ok=True)
        if not _safe(os.lstat(where)) or os.path.islink(where):
            return
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with open(fd, "wb") as f:
            f.write(_head(about) + crc32(body).to_bytes(4, "big") + body)
        os.replace(part, path)
        _forget_old(where, path)
    except OSError:
        # a read-only or full home is no reason to fail: the set is in memory already
        return


def _forget_old(where: str, keep: str) -> None:
    """Remove files of the same sort that nothing has written for a month."""
    newest, sort = os.stat(keep).st_mtime, os.path.basename(keep).partition("-")[0] + "-"
    for entry in os.scandir(where):
        if entry.name.startswith(sort) and entry.path != keep and newest - entry.stat().st_mtime > 30 * 86400:
            os.unlink(entry.path)
