"""The bytes of one layer: inflated and checked against the digest that the image names, while they pass."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import NamedTuple

from leakguard.model.blob import Blob, ImageProvenance, Skipped
from leakguard.sources._magic import kind_of
from leakguard.sources.unpack import TROUBLE, Read, ahead, format_of, inside, untold
from leakguard.sources.unpack.budget import Budget, Limits
from leakguard.sources.unpack.layer import Listing

_PIECE = 1 << 18
_ANY = "sha256:"
"""Stands for a digest that nobody has named yet."""


class Layer(NamedTuple):
    """One layer of an image."""

    name: str
    """How whoever has it finds it: its path in a folder or archive, its digest in a registry."""
    digest: str
    """Of the bytes as they are kept; empty: not known."""
    diff_id: str
    """Digest of the tar, inflated; empty: not known."""
    size: int
    """Bytes as they are kept; 0: not known."""
    single: str = ""
    """It is no tar but one thing of this name."""
    left_out: tuple[str, str] = ("", "")
    """Why it can't be read: a reason of `REASONS`, and a detail."""

    @property
    def key(self) -> str:
        """What tells equal contents."""
        return self.digest or self.diff_id or self.name


class LayerFile(io.BufferedReader):
    """A layer, inflated, read once from its beginning to its end."""

    def __init__(self, read: Read, layer: Layer, budget: Budget, done: Callable[[], None] = lambda: None) -> None:
        """`read` gives the bytes as they are kept; `done` is called when the file is closed.

        Raises:
            DamagedError: it does not begin as what it is.
            MissingError: a package is needed to inflate it.
        """
        self.listing = Listing()
        self.single = layer.single
        self._done = done
        self._kept = _Checked(read, layer.digest, layer.size)
        plain: Read = self._kept.take
        self.inflated = ""
        first, head = ahead(plain)
        kind = kind_of(head)
        if kind and getattr(format_of(kind), "WRAPS", False):
            self.inflated = kind
            file = io.BufferedReader(Raw(first), _PIECE)
            member = next(iter(format_of(kind).members(file, "layer", budget)))
            plain = member.read  # type: ignore[union-attr]  # what only compresses holds one member
        else:
            plain = first
        self._plain = _Checked(plain, "" if layer.digest else layer.diff_id or _ANY, 0)
        super().__init__(Raw(self._plain.take), _PIECE)

    def wrong(self) -> str:
        """Read what is left, and return what is wrong with the layer's digest or size, empty where it is right.

        Raises:
            TROUBLE: it can't be read to its end.
        """
        while self._plain.asked and self._plain.take(_PIECE):
            pass
        while self._kept.take(_PIECE):
            pass
        return self._kept.wrong() or self._plain.wrong()

    @property
    def digest(self) -> str:
        """Digest of the tar, once it is read; empty where the one of its bytes as they are kept was asked for."""
        return self._plain.digest

    def close(self) -> None:
        super().close()
        self._done()


class _Checked:
    """Hashes what it gives; never gives more than it should."""

    def __init__(self, read: Read, digest: str, size: int) -> None:
        self.asked = digest
        self._read = read
        self._size = size
        self._given = 0
        self._hash = hashlib.new(digest.partition(":")[0]) if digest else None

    def take(self, size: int) -> bytes:
        """Return the next bytes, none once there are more than were named."""
        if self._size and self._given > self._size:
            return b""
        piece = self._read(size)
        self._given += len(piece)
        if self._hash is not None:
            self._hash.update(piece)
        return piece

    @property
    def digest(self) -> str:
        """Return the digest of what was given so far, empty where none was asked for."""
        return f"{self._hash.name}:{self._hash.hexdigest()}" if self._hash is not None else ""

    def wrong(self) -> str:
        """Return what is wrong."""
        if self._size and self._given != self._size:
            than = "more" if self._given > self._size else "fewer"
            return f"it has {than} bytes than the image says"
        if self.asked not in {_ANY, self.digest}:
            return "its bytes do not have the digest that the image names"
        return ""


class Raw(io.RawIOBase):
    """A file over a `Read`, which may give more than it was asked for."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(self._read(len(buffer)))
        piece = self._rest[: len(buffer)]
        self._rest = self._rest[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)


def scan(
    read: Read,
    layer: Layer,
    provenance: ImageProvenance,
    depth: int,
    listings: dict[ImageProvenance, Listing],
    *,
    only_check: bool = False,
    digests: dict[ImageProvenance, str] | None = None,
) -> Iterator[Blob | Skipped]:
    """Yield what one layer holds, and what is wrong with it; `listings` and `digests` take what is learned of it.

    `only_check`: its content is known under this digest, so only the digest is looked at.
    """
    budget = Budget(Limits(depth=depth), layer.size)
    try:
        file = LayerFile(read if layer.size else budget.fed(read), layer, budget)
        if not only_check:
            yield from inside(file, provenance, "layer", budget)
            listings[provenance] = file.listing
        if wrong := file.wrong():
            yield Skipped(provenance, "damaged", by_choice=False, detail=wrong)
        if digests is not None and file.digest:
            digests[provenance] = file.digest
    except TROUBLE as e:
        why = untold(e)
        yield Skipped(provenance, why.reason, why.by_choice, why.detail)
