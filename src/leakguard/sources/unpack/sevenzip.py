"""7z, by py7zr's index and decompressors.

Its `extract` pushes whole members to a writer, several at 128 MB a piece, and refuses names with `..`; here the decompressor
that it chose for each folder (7z's word for a run of members compressed as one) is read on as members are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from leakguard.sources.unpack import PACKAGE, TROUBLE, DamagedError, Member, MissingError, Untold
from leakguard.sources.unpack.budget import Budget

SEEKS = True
_BLOCK = 1 << 14
"""Packed bytes that are read at once; decompressors keep what they can't use yet."""
_OUT = 1 << 20
_INDEX = 4 << 20
"""Packed bytes of the longest index."""


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the files in the order of their bytes."""
    try:
        from py7zr import SevenZipFile
        from py7zr.exceptions import PasswordRequired
    except ImportError:
        raise MissingError(PACKAGE) from None
    head = file.read(32)
    file.seek(0)
    if int.from_bytes(head[20:28], "little") > _INDEX:
        msg = "the 7z's index is too long to be one"
        raise DamagedError(msg)
    try:
        archive = SevenZipFile(file)
        files = list(archive.files)
        runs = {id(folder): _Run(file, folder, *span) for folder, span in _spans(archive)}
    except PasswordRequired:
        yield Untold("", "encrypted", by_choice=True, detail="also its index")
        return
    except Exception as e:
        msg = "the 7z's index is damaged"
        raise DamagedError(msg) from e
    for entry in files:
        if entry.is_directory or entry.emptystream:
            continue
        run = runs.get(id(entry.folder))
        if run is None:
            yield Untold(str(entry.filename), "damaged", by_choice=False, detail="its index does not say where it lies")
        elif run.encrypted:
            yield Untold(str(entry.filename), "encrypted", by_choice=True)
        else:
            run.begin(entry.uncompressed)
            yield Member(str(entry.filename), run.read)


def _spans(archive: Any) -> Iterator[tuple[Any, tuple[int, int]]]:
    """Yield each folder, where its packed bytes begin and how many they are."""
    streams = getattr(archive.header, "main_streams", None)
    if streams is not None:
        positions = streams.packinfo.packpositions
        for number, folder in enumerate(streams.unpackinfo.folders):
            yield folder, (archive.afterheader + positions[number], positions[number + 1] - positions[number])


class _Run:
    """One folder: its members come one after the other, so what of one was not read is skipped when the next begins."""

    def __init__(self, file: IO[bytes], folder: Any, start: int, size: int) -> None:
        self._file = file
        self._folder = folder
        self._start = start
        self._size = size
        self._left = 0
        self._decompressor: Any = None
        self._error: DamagedError | None = None
        self.encrypted = any(coder["method"].startswith(b"\x06\xf1\x07") for coder in folder.coders)

    def begin(self, size: int) -> None:
        """Go to the next member."""
        while self._error is None and self._left:
            try:
                self.read(_OUT)
            except DamagedError:
                break
        self._left = size

    def read(self, size: int) -> bytes:
        """Return some of the member.

        Raises:
            DamagedError: the run is damaged, here or before.
        """
        if self._error is not None:
            raise self._error
        if not self._left:
            return b""
        try:
            piece = self._some(min(size, self._left, _OUT))
        except TROUBLE:
            raise
        except Exception as e:  # noqa: BLE001 - each of its decompressors has errors of its own
            self._error = DamagedError(f"its bytes can't be unpacked ({type(e).__name__})")
            raise self._error from None
        if not piece:
            self._error = DamagedError("its bytes end before the member does")
            raise self._error
        self._left -= len(piece)
        return piece

    def _some(self, size: int) -> bytes:
        if self._decompressor is None:
            self._decompressor = self._folder.get_decompressor(self._size)
            self._decompressor.block_size = _BLOCK
            self._file.seek(self._start)
        for _ in range(-(-self._size // _BLOCK) + 2):
            if piece := self._decompressor.decompress(self._file, size):
                return bytes(piece)
        return b""
