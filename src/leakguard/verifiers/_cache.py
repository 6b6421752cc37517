"""What was learned of credentials in earlier runs: verdicts, made-up credentials asked, logins tried.

One SQLite file of this user's own, 0600, shared by every run. Rows are found by an HMAC over provider, all values, endpoint
and verifier version under the id key, so that nobody without the key learns whether a value was ever asked, and no
credential is taken for another. No value stands in it. Written at once: a run that is killed asks nothing twice.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable
from contextlib import closing
from hmac import digest
from threading import Lock

from leakguard.model.finding import Verdict
from leakguard.model.verdict import LIVE, Evidence, Identity

_SCHEMA = """
create table if not exists verdict (
  key blob primary key, until real not null, verdict text not null, tries integer not null,
  first_live real, last_live real, first_dead real
) without rowid;
create table if not exists done (key blob primary key, until real not null, what text not null) without rowid;
"""
_HOUR = 3600.0
_DAY = 24 * _HOUR
_LASTS = {"live": _HOUR, "live_restricted": _HOUR, "dead": 30 * _DAY, "unverifiable": 30 * _DAY}
_UNKNOWN = 300.0
"""Seconds for which an unknown is not asked again; doubled with each try, a day at most."""


class Cache:
    """Verdicts by credential; used from many threads. Without a path it forgets everything with the run."""

    def __init__(self, path: str, key: bytes, wall: Callable[[], float]) -> None:
        self._key = digest(key, b"leakguard verdict cache", "sha256")
        self._wall = wall
        self._lock = Lock()
        self._db = _opened(path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def key(self, *parts: bytes) -> bytes:
        """Return the key of a row; the parts are told apart by their lengths."""
        return digest(self._key, b"".join(len(p).to_bytes(8, "big") + p for p in parts), "sha256")

    def fresh(self, key: bytes) -> Verdict | None:
        """Return a verdict that is still good."""
        row = self._row(key)
        return _loaded(row[1]) if row and row[0] > self._wall() else None

    def put(self, key: bytes, verdict: Verdict) -> Verdict:
        """Keep a verdict and return what is known now: an unknown takes nothing from a live or a dead."""
        now = self._wall()
        row = self._row(key)
        old = _loaded(row[1]) if row else None
        tries = row[2] + 1 if row and verdict.state == "unknown" else 0
        lasts = _LASTS.get(verdict.state, min(_UNKNOWN * 2 ** min(tries, 9), _DAY))
        known = verdict
        if verdict.state == "unknown" and old is not None and (old.state in LIVE or old.state == "dead"):
            since = old.evidence[-1].time if old.evidence else "an earlier run"
            known = old._replace(detail=f"as of {since}; could not be asked again ({verdict.reason.replace('_', ' ')})")
        keep = old if known is not verdict and old is not None else known
        live, dead = keep.state in LIVE, keep.state == "dead"
        with self._lock, self._db:
            self._db.execute(
                "insert into verdict values (?, ?, ?, ?, ?, ?, ?) on conflict (key) do update set until = excluded.until,"
                " verdict = excluded.verdict, tries = excluded.tries, first_live = coalesce(first_live, excluded.first_live),"
                " last_live = coalesce(excluded.last_live, last_live), first_dead = coalesce(first_dead, excluded.first_dead)",
                (
                    key,
                    now + lasts,
                    _dumped(keep),
                    tries,
                    now if live else None,
                    now if live and keep is verdict else None,
                    now if dead else None,
                ),
            )
        return known

    def done(self, key: bytes) -> str:
        """Return what was noted under a key and still counts, empty for nothing."""
        with self._lock, closing(self._db.execute("select until, what from done where key = ?", (key,))) as rows:
            row = rows.fetchone()
        return str(row[1]) if row and row[0] > self._wall() else ""

    def note(self, key: bytes, what: str, lasts: float = _DAY) -> None:
        """Note something for a while."""
        with self._lock, self._db:
            self._db.execute("insert or replace into done values (?, ?, ?)", (key, self._wall() + lasts, what))

    def _row(self, key: bytes) -> tuple[float, str, int] | None:
        with self._lock, closing(self._db.execute("select until, verdict, tries from verdict where key = ?", (key,))) as rows:
            row: tuple[float, str, int] | None = rows.fetchone()
        return row


def _opened(path: str) -> sqlite3.Connection:
    """Open the file, or memory where it is not this user's own or can't be written: a cache is never an error."""
    for where in filter(None, (path, ":memory:")):
        try:
            if where != ":memory:":
                os.makedirs(os.path.dirname(where), mode=0o700, exist_ok=True)
                fd = os.open(where, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
                status = os.fstat(fd)
                os.close(fd)
                if not stat.S_ISREG(status.st_mode) or (
                    os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o077)
                ):
                    continue
            db = sqlite3.connect(where, timeout=10, check_same_thread=False)
            # a killed run loses nothing by that, only a machine that fails does: a verdict or two, asked again
            db.executescript("pragma journal_mode = wal; pragma synchronous = off;" + _SCHEMA)
        except (OSError, sqlite3.Error):
            continue
        return db
    msg = "SQLite can't even open a database in memory"
    raise AssertionError(msg)


def _dumped(verdict: Verdict) -> str:
    identity = verdict.identity._asdict() if verdict.identity else None
    return json.dumps([verdict.state, verdict.reason, verdict.detail, identity, [e._asdict() for e in verdict.evidence]])


def _loaded(raw: str) -> Verdict | None:
    try:
        state, reason, detail, identity, evidence = json.loads(raw)
        return Verdict(
            state,
            reason,
            detail,
            Identity(**(identity | {"scopes": tuple(identity["scopes"])})) if identity else None,
            _evidence(evidence),
        )
    except (ValueError, TypeError, KeyError):
        return None  # another version wrote it: asked again


def _evidence(rows: Iterable[dict[str, object]]) -> tuple[Evidence, ...]:
    return tuple(Evidence(**row) for row in rows)  # type: ignore[arg-type]  # what `_dumped` wrote
