"""A layer of an image: a tar in which files named `.wh.` say what is gone from the layers below.

Never told by first bytes; who has a layer asks for it. What a layer puts where, and what it takes away, is kept in the
`Listing` of the file that it is read from, if there is one. An artefact that is no tar (a statement about a build) is one
member, whose name the file tells as `single`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import IO

from leakguard.sources._text import reader
from leakguard.sources.unpack import Member, Untold
from leakguard.sources.unpack.budget import Budget
from leakguard.sources.unpack.tar import Archive, Header

SEEKS = False

_GONE = ".wh."
_OPAQUE = ".wh..wh..opq"


class Listing:
    """What one layer does to the layers below; paths without a slash at their beginning."""

    def __init__(self) -> None:
        self.complete = False
        """The layer was read to its end."""
        self._files: set[str] = set()
        self._gone: set[str] = set()
        self._opaque: set[str] = set()

    def take(self, name: str, *, folder: bool) -> bool:
        """Note a member; returns whether it is one, and no mark of something that is gone."""
        path = normal(name)
        above, _, last = path.rpartition("/")
        if last == _OPAQUE:
            self._opaque.add(above)
            return False
        if last.startswith(_GONE):
            if not last.startswith(_GONE * 2):
                self._gone.add(f"{above}/{last[len(_GONE) :]}" if above else last[len(_GONE) :])
            return False
        if not folder:
            self._files.add(path)
        return True

    def fate(self, path: str) -> str:
        """Return what the layer does to a file of a lower one: `deleted`, `overwritten`, or nothing: `""`."""
        if path in self._files:
            return "overwritten"
        if path in self._gone:
            return "deleted"
        above = path
        while above:
            above = above.rpartition("/")[0]
            if above in self._opaque or above in self._gone:
                return "deleted"
            if above in self._files:
                return "overwritten"
        return ""


def normal(name: str) -> str:
    """Return a path as a file system would resolve it below its root, whatever `.`, `..` and slashes stand in it."""
    return posixpath.normpath("/" + name).lstrip("/")


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield files and the targets of links; what marks a deletion is noted, and read only if it holds bytes."""
    listing: Listing = getattr(file, "listing", None) or Listing()
    if single := getattr(file, "single", ""):
        yield Member(single, file.read)
        return
    archive = Archive(file)
    sound = True
    while (header := archive.next()) is not None:
        if isinstance(header, Untold):
            sound = False
            yield header
        elif (listing.take(header.name, folder=header.is_folder) or header.size) and (item := _item(archive, header)) is not None:
            yield item
    listing.complete = sound


def _item(archive: Archive, header: Header) -> Member | Untold | None:
    if header.is_device:
        return Untold(header.name, "device", by_choice=True)
    if header.is_link:
        return Member(header.name, reader(header.target))
    return Member(header.name, archive.content(header).read) if header.has_bytes else None


def listed(file: IO[bytes], listing: Listing) -> None:
    """Only note what a layer puts where, without reading it.

    Raises:
        DamagedError: it breaks off.
    """
    archive = Archive(file)
    while (header := archive.next()) is not None:
        if not isinstance(header, Untold):
            listing.take(header.name, folder=header.is_folder)
    listing.complete = True
