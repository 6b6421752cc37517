"""PDF: text, comments, fields, links and attached files of each page, by PDFium (`pip install "leakguard[documents]"`).

PDFium is C++ and is fed by strangers, so it runs in a process of its own (`_pdfium`), with bounds on memory and on the time of
a page: what it crashes on, hangs on or bloats is told, and the rest is scanned. One process serves many files.
A place has the line of the page's text, and the page as a fact.
"""

from __future__ import annotations

import atexit
import os
import select
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import IO, NamedTuple

from leakguard.sources._text import reader
from leakguard.sources.unpack import TROUBLE, DamagedError, Member, MissingError, Untold
from leakguard.sources.unpack._written import Facts, Written, fact, written
from leakguard.sources.unpack.budget import Budget, SpentError

SEEKS = False
BIGGEST = 256 << 20
"""Bytes of one PDF."""
PAGE_SECONDS = 30
"""For one page."""
_HEAD = 9


class _Frame(NamedTuple):
    kind: str
    number: int
    content: bytes


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the text of the pages, then what is attached."""
    if find_spec("pypdfium2") is None:
        raise MissingError('pip install "leakguard[documents]"')
    frames = _frames(file)
    held: list[_Frame] = []
    damaged: list[int] = []

    def steps(out: Written) -> Iterator[None]:
        for frame in frames:
            if frame.kind in "PM":
                facts: Facts = fact("page", frame.number) if frame.kind == "P" else fact("part", "properties")
                out.part(facts)
                out.write_bytes(frame.content + b"\n")
            elif frame.kind == "D" and frame.number:
                damaged.append(frame.number)
            else:
                held.append(frame)
                return
            yield

    text = written("", steps)
    yield text
    with suppress(*TROUBLE):  # told to whoever reads the text
        while not held and text.read(1 << 16):
            pass
    for frame in (*held, *frames):
        if frame.kind == "A":
            name, _nul, content = frame.content.partition(b"\0")
            yield Member(name.decode("utf-8", "surrogateescape") or f"attachment {frame.number}", reader(content))
        elif frame.kind == "E":
            yield Untold("", "encrypted", by_choice=True)
        elif frame.kind == "D":
            raise DamagedError("it is no sound PDF")
    if damaged:
        raise DamagedError("pages that can't be read: " + ", ".join(map(str, damaged[:20])))


def _frames(file: IO[bytes]) -> Iterator[_Frame]:
    """Yield the answers for one PDF; whatever goes wrong ends the process."""
    process = _start()
    done = False
    try:
        _feed(process, file)
        while (frame := _next(process)).kind != ".":
            yield frame
        done = True
    except BrokenPipeError:
        raise DamagedError("it ended the process that reads PDFs") from None
    finally:
        if not done:
            _end()


def _feed(process: subprocess.Popen[bytes], file: IO[bytes]) -> None:
    assert process.stdin is not None
    size = 0
    for piece in iter(partial(file.read, 1 << 20), b""):
        size += len(piece)
        if size > BIGGEST:
            raise SpentError(f"a PDF of more than {BIGGEST >> 20} MiB")
        process.stdin.write(struct.pack(">I", len(piece)) + piece)
    process.stdin.write(struct.pack(">I", 0))
    process.stdin.flush()


def _next(process: subprocess.Popen[bytes]) -> _Frame:
    kind, number, size = struct.unpack(">cII", _read(process, _HEAD))
    return _Frame(kind.decode("latin-1"), number, _read(process, size))


def _read(process: subprocess.Popen[bytes], size: int) -> bytes:
    assert process.stdout is not None
    pieces: list[bytes] = []
    pipe = process.stdout.fileno()
    while size:
        if os.name == "posix" and not select.select([pipe], [], [], PAGE_SECONDS)[0]:
            raise SpentError(f"a page of a PDF took longer than {PAGE_SECONDS} s")
        piece = os.read(pipe, min(size, 1 << 20))
        if not piece:
            raise DamagedError("it ended the process that reads PDFs")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


_running: dict[int, subprocess.Popen[bytes]] = {}
"""The process that reads PDFs, by the id of the process that started it: a fork must start its own."""


def _start() -> subprocess.Popen[bytes]:
    process = _running.get(os.getpid())
    if process is None or process.poll() is not None:
        if not _running:
            atexit.register(_end)
        process = _running[os.getpid()] = subprocess.Popen(
            [sys.executable, "-P", "-m", "leakguard.sources.unpack._pdfium"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=-1,
        )
    return process


def _end() -> None:
    """End the process."""
    if (process := _running.pop(os.getpid(), None)) is not None:
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        process.wait()
