"""Bytes that a caller holds: `scan_bytes`, `scan_text`, a hook's blob."""

from __future__ import annotations

from collections.abc import Iterator

from leakguard.model.blob import Blob, Gone, Skipped, StreamProvenance
from leakguard.model.finding import Place
from leakguard.sources._chunks import chunks
from leakguard.sources._magic import kind_of
from leakguard.sources._text import HEAD, reader, sniff


class BytesSource:
    """One input in memory, told from binary and decoded as a file is."""

    def __init__(self, data: bytes, name: str, *, depth: int = 0) -> None:
        """`depth` is how deep containers are looked into; 0, the default, fits messages and prompts."""
        self._data = data
        self._depth = depth
        self._provenance = StreamProvenance(name, "memory")

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield its blobs."""
        if self._depth and (kind := kind_of(self._data, self._provenance.name, whole=True)):
            from io import BytesIO

            from leakguard.sources.unpack import inside
            from leakguard.sources.unpack.budget import Budget, Limits

            yield from inside(BytesIO(self._data), self._provenance, kind, Budget(Limits(depth=self._depth), len(self._data)))
            return
        encoding = sniff(self._data[: HEAD + 1], whole=len(self._data) <= HEAD)
        if encoding == "binary":
            yield Skipped(self._provenance, "binary", by_choice=True)
            return
        yield from chunks(reader(self._data), self._provenance, encoding)

    def reopen(self, place: Place) -> bytes | Gone:
        """Say that it is gone: what is given to the library is not kept."""
        return Gone(f"{self._provenance.name} was given as bytes, at {place.start_line}:{place.start_column}")
