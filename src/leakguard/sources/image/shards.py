"""What is read of an image: its configuration, and each layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, Protocol

from leakguard.errors import LeakguardError, MissingExtraError
from leakguard.model.blob import Blob, Gone, ImageProvenance, MemberProvenance, Skipped
from leakguard.model.finding import Place
from leakguard.sources._chunks import chunks
from leakguard.sources._text import cut, reader
from leakguard.sources.image.archive import Parts
from leakguard.sources.image.config import Section
from leakguard.sources.image.layers import Layer, scan
from leakguard.sources.image.manifest import BrokenError
from leakguard.sources.unpack import TROUBLE, Read, untold
from leakguard.sources.unpack.layer import Listing


class Open(Protocol):
    """Gives the bytes of a layer, as they are kept, by its name."""

    def __call__(self, name: str, /) -> AbstractContextManager[Read]:
        """Open it. Raises one of `UNREAD`."""


UNREAD = (*TROUBLE, BrokenError, LeakguardError)
"""What may come of opening and reading a layer."""
CONFIG = "config"
"""Stands for the configuration where a path would stand."""


class ConfigShard(NamedTuple):
    """The configuration of an image: a picklable source."""

    provenance: ImageProvenance
    parts: tuple[Section, ...]

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        return sum(len(s.text) for s in self.parts)

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield each section."""
        for section in self.parts:
            where = MemberProvenance(self.provenance, (CONFIG, section.name), section.facts)
            yield from chunks(reader(_bytes(section)), where, "")

    def reopen(self, place: Place) -> bytes | Gone:
        """Return the bytes of a place again."""
        inner = place.provenance.inner if isinstance(place.provenance, MemberProvenance) else ()
        section = next((s for s in self.parts if inner == (CONFIG, s.name)), None)
        found = cut(reader(_bytes(section)), "", place.offset, place.length) if section else None
        return Gone("the image has no such setting") if found is None else found


def _bytes(section: Section) -> bytes:
    return section.text.encode("utf-8", "surrogatepass")


class PartsOpen:
    """Opens the layers that lie in a file or folder; picklable."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @contextmanager
    def __call__(self, name: str, /) -> Iterator[Read]:
        """Open it."""
        file, _size = self.parts.open(name)
        with file:
            yield file.read


class LayerShard(NamedTuple):
    """One layer: a source, picklable where its layers lie in a file or folder."""

    open: Open
    layer: Layer
    provenance: ImageProvenance
    depth: int
    listings: dict[ImageProvenance, Listing]
    """Takes what it puts where; what a worker process writes there is lost with it."""
    only_check: bool = False
    """Its content is known under this digest, so only the digest is looked at."""

    @property
    def size(self) -> int:
        """Bytes, as they are kept."""
        return self.layer.size

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield what lies in it, and what is wrong with it."""
        try:
            with self.open(self.layer.name) as read:
                yield from scan(read, self.layer, self.provenance, self.depth, self.listings, only_check=self.only_check)
        except UNREAD as e:
            yield told(self.provenance, e)

    def reopen(self, place: Place) -> bytes | Gone:
        """Say that the whole source knows how."""
        return Gone(f"a layer alone does not open line {place.start_line} again")


class Flow(NamedTuple):
    """Blobs as they come, once."""

    make: Callable[[], Iterator[Blob | Skipped]]

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield them."""
        yield from self.make()


def told(provenance: ImageProvenance, error: BaseException) -> Skipped:
    """Return what an error says of an image or layer: something that should have been read."""
    if isinstance(error, LeakguardError):
        detail = f"{error.message}; {error.hint}" if error.hint else error.message
        return Skipped(
            provenance, "extra" if isinstance(error, MissingExtraError) else "unreadable", by_choice=False, detail=detail
        )
    if isinstance(error, BrokenError):
        return Skipped(provenance, "damaged", by_choice=False, detail=str(error))
    why = untold(error)
    return Skipped(provenance, why.reason, why.by_choice, why.detail)
