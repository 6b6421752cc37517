"""SQLite databases: each table as text, a row on a line, as JSON with the names of the columns.

So a line of a place is the number of the row, and a value stands beside its name as in any other JSON. Values that are
containers themselves are looked into. Nothing is written, no view, trigger or virtual table is run; what was deleted and
still stands in free pages is not looked at.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import IO, Any

from leakguard.sources._magic import kind_of
from leakguard.sources._text import HEAD, reader, sniff
from leakguard.sources.unpack import DamagedError, Member, Untold
from leakguard.sources.unpack.budget import Budget, SpentError

SEEKS = True
_HELD = 64 << 20
"""Bytes of a database that is read into memory where it is no file of its own."""
_CELL = 32 << 20
"""Bytes of one value; with a longer one the table can't be read on."""
_PIECE = 1 << 18
_STEPS = 10_000
"""Steps of SQLite's machine between two looks at the clock."""


def members(file: IO[bytes], _name: str, budget: Budget) -> Iterator[Member | Untold]:
    """Yield the schema, then each table and its values that are containers."""
    if _is_cut(file):
        yield Untold("", "damaged", by_choice=False, detail="the database is shorter than its header says")
    with closing(_connect(file)) as database:
        _harden(database, budget)
        try:
            schema = database.execute("SELECT type, name, rootpage, sql FROM sqlite_schema ORDER BY rootpage, name").fetchall()
        except (sqlite3.Error, UnicodeError):
            msg = "the database's schema is damaged"
            raise DamagedError(msg) from None
        statements = "".join(f"{sql};\n" for *_others, sql in schema if sql)
        yield Member("sqlite_schema", reader(statements.encode("utf-8", "replace")))
        for kind, name, root, _sql in schema:
            if kind == "table" and root and not str(name).startswith("sqlite_"):
                table = _Table(database, str(name), budget)
                yield Member(str(name), table.read)
                yield from table.containers()


def _is_cut(file: IO[bytes]) -> bool:
    """Whether pages are missing at the end, which SQLite may take for empty ones."""
    head = file.read(100)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    page = int.from_bytes(head[16:18], "big")
    pages = int.from_bytes(head[28:32], "big") if head[24:28] == head[92:96] else 0
    return len(head) < 100 or (65536 if page == 1 else page) * pages > size


def _connect(file: IO[bytes]) -> sqlite3.Connection:
    """Open the database read-only: where it is a file by its descriptor, so that nothing is copied, else in memory."""
    try:
        return sqlite3.connect(f"file:/dev/fd/{file.fileno()}?mode=ro&immutable=1", uri=True)
    except (OSError, sqlite3.Error):
        pass
    data = bytearray(file.read(_HELD + 1))
    if len(data) > _HELD:
        msg = f"more than {_HELD >> 20} MiB of a database that is no file of its own"
        raise SpentError(msg)
    data[18:20] = b"\x01\x01"  # as if it had no write-ahead log, which a database in memory can't have
    try:
        database = sqlite3.connect(":memory:")
        database.deserialize(data)
    except (sqlite3.Error, OverflowError):
        msg = "the database can't be opened"
        raise DamagedError(msg) from None
    return database


def _harden(database: sqlite3.Connection, budget: Budget) -> None:
    database.text_factory = _text
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _CELL)
    database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    database.set_progress_handler(budget.late, _STEPS)
    for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "mmap_size = 0", "cache_size = -4096"):
        try:
            database.execute("PRAGMA " + pragma)
        except sqlite3.Error:
            continue  # said again by the first query


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


class _Table:
    """The rows of a table as lines."""

    def __init__(self, database: sqlite3.Connection, name: str, budget: Budget) -> None:
        self._database = database
        self._name = name
        self._budget = budget
        self._rows = self._all()
        self._found: dict[int, list[int]] = {}
        """Columns, by row, whose values are containers."""

    def read(self, _size: int) -> bytes:
        """Return some lines.

        Raises:
            DamagedError: the table can't be read on.
        """
        lines: list[bytes] = []
        size = 0
        for number, row in self._rows:
            lines.append(self._line(number, row))
            size += len(lines[-1])
            if size > _PIECE:
                break
        return b"".join(lines)

    def _line(self, number: int, row: list[tuple[str, Any]]) -> bytes:
        values: dict[str, Any] = {}
        for column, (name, value) in enumerate(row):
            if not isinstance(value, bytes):
                if value is not None:
                    values[name] = value
            elif kind_of(value):
                self._found.setdefault(number, []).append(column)
            elif sniff(value, whole=len(value) <= HEAD) != "binary":
                values[name] = _text(value)
        return json.dumps(values, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    def _all(self) -> Iterator[tuple[int, list[tuple[str, Any]]]]:
        quoted = '"' + self._name.replace('"', '""') + '"'
        try:
            cursor = self._database.execute(f"SELECT * FROM {quoted}")  # noqa: S608 - the name is quoted
            names = [str(column[0]) for column in cursor.description]
            for number, row in enumerate(cursor, 1):
                yield number, list(zip(names, row, strict=True))
        except (sqlite3.Error, UnicodeError, OverflowError):
            self._budget.check_time()
            msg = "the table can't be read on"
            raise DamagedError(msg) from None

    def containers(self) -> Iterator[Member]:
        """Yield the values that are containers, in a second look at the table."""
        if self._found:
            for number, row in self._all():
                for column in self._found.get(number, ()):
                    name, value = row[column]
                    yield Member(f"{self._name}/{number}/{name}", reader(value))
