"""Streams and bytes in memory are told from binary, decoded and cut like files, and never read twice."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading

import pytest

from conftest import Planted
from leakguard.errors import SourceError
from leakguard.model.blob import Blob, Gone, Skipped, StreamProvenance
from leakguard.model.finding import Place
from leakguard.sources._chunks import CHUNK, WHOLE, chunks
from leakguard.sources.memory import BytesSource
from leakguard.sources.stream import StreamSource

PLACE = Place(StreamProvenance("log"), 1, 1, 1, 1, 0, 1)


class Dribble(io.RawIOBase):
    """A raw stream that gives a part at a time and may break."""

    def __init__(self, data: bytes, *, broken: bool = False) -> None:
        self._data = io.BytesIO(data)
        self._broken = broken

    def read(self, size: int = -1) -> bytes:
        piece = self._data.read(min(size, 100_000))
        if not piece and self._broken:
            raise OSError(5, "Input/output error")
        return piece


def test_short_reads_give_the_same_blobs_as_the_whole() -> None:
    """Chunks don't depend on how the stream delivers."""
    data = b"a line of a log\n" * (WHOLE // 8)

    blobs = [b for b in StreamSource(Dribble(data), "log").blobs() if isinstance(b, Blob)]

    assert len(blobs) == -(-(len(data) - WHOLE) // CHUNK) + 1
    assert [(b.offset, b.own_start, b.own_end, b.data) for b in blobs] == [
        (b.offset, b.own_start, b.own_end, b.data) for b in BytesSource(data, "log").blobs() if isinstance(b, Blob)
    ]
    assert blobs[1].first_line == data.count(b"\n", 0, blobs[1].offset) + 1


@pytest.mark.parametrize(
    ("raw", "data", "encoding"),
    [
        (b"", b"", ""),
        (b"abc", b"abc", ""),
        ("\ufeffkey=1\n".encode("utf-16-le"), b"key=1\n", "utf-16-le"),
        (b"\xef\xbb\xbfx", b"x", "utf-8-sig"),
    ],
)
def test_streams_and_bytes_are_decoded_as_files_are(raw: bytes, data: bytes, encoding: str) -> None:
    """An empty stream is one empty blob."""
    for source in StreamSource(io.BytesIO(raw), "in"), BytesSource(raw, "in"):
        (blob,) = source.blobs()

        assert isinstance(blob, Blob)
        assert (blob.data, blob.encoding, blob.provenance.name) == (data, encoding, "in")  # type: ignore[union-attr]


def test_binary_input_is_skipped_by_choice() -> None:
    """An image piped in is told, not searched."""
    raw = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256))

    for source in StreamSource(io.BytesIO(raw), "in"), BytesSource(raw, "in"):
        (skip,) = source.blobs()

        assert isinstance(skip, Skipped)
        assert (skip.reason, skip.by_choice) == ("binary", True)


def test_a_stream_that_breaks_makes_the_scan_incomplete() -> None:
    """What can't be read on is told in the system's words."""
    *_, last = StreamSource(Dribble(b"text\n" * 10, broken=True), "in").blobs()

    assert isinstance(last, Skipped)
    assert (last.reason, last.by_choice, last.detail) == ("unreadable", False, "Input/output error")


def test_a_pipe_set_to_non_blocking_is_waited_for() -> None:
    """Some shells hand over standard input that way; nothing there yet is not the end."""
    out, into = os.pipe()
    os.set_blocking(out, False)
    go = threading.Event()

    def write() -> None:
        go.wait(10)
        os.write(into, b"late\n")
        os.close(into)

    writer = threading.Thread(target=write)
    writer.start()
    with open(out, "rb", buffering=0) as stream:
        source = StreamSource(stream, "in")
        go.set()
        (blob,) = source.blobs()
    writer.join()

    assert isinstance(blob, Blob)
    assert blob.data == b"late\n"


def test_a_stream_is_read_once() -> None:
    """A second look would see nothing and must not look clean; a place in it is gone."""
    source = StreamSource(io.BytesIO(b"abc"), "log")
    list(source.blobs())

    with pytest.raises(SourceError, match="read before"):
        list(source.blobs())
    assert isinstance(source.reopen(PLACE), Gone)
    assert isinstance(BytesSource(b"abc", "log").reopen(PLACE), Gone)


def test_a_stream_that_pauses_is_told_at_once(planted: Planted) -> None:
    token = planted.github()
    command = [sys.executable, "-m", "leakguard", "scan", "-", "--stdin-name", "build.log"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as scan:
        assert scan.stdin
        assert scan.stdout
        scan.stdin.write(f"step 1\nTOKEN={token}\nstep 2\n".encode())
        scan.stdin.flush()
        first = scan.stdout.readline().decode()  # the stream is still open
        scan.stdin.write(b"the end\n")
        scan.stdin.close()
        rest = scan.stdout.read().decode()
        assert scan.wait() == 1
    assert first.startswith("build.log:2:7  critical")
    assert "found 1×" in rest, "what was told at once is one finding at the end"


def test_a_preview_holds_whole_lines_and_comes_again() -> None:
    pieces = [b"one\ntw", b"o\nthree\n", b""]
    pauses = iter([True, True, False, True])
    blobs = list(chunks(lambda _n: pieces.pop(0), StreamProvenance("s"), "", idle=lambda: next(pauses, False)))
    assert [(b.data, b.own_start, b.preview) for b in blobs] == [
        (b"one\n", 0, True),
        (b"one\ntwo\nthree\n", 4, True),
        (b"one\ntwo\nthree\n", 0, False),
    ]
