"""zip and all that is one inside: jar, war, whl, apk, ipa, nupkg, docx, xlsx, ...

Read by the index at its end, so that what it does not list (a zip behind an executable, deleted members) does not count.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from leakguard.sources.unpack import DamagedError, Member, Read, Untold
from leakguard.sources.unpack.budget import Budget

SEEKS = True
_ENCRYPTED = 1


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the members in the order of their bytes."""
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as e:
        msg = "the zip's index is damaged"
        raise DamagedError(msg) from e
    for info in sorted(archive.infolist(), key=lambda i: i.header_offset):
        if info.is_dir():
            continue
        if info.flag_bits & _ENCRYPTED:
            yield Untold(info.filename, "encrypted", by_choice=True)
            continue
        try:
            stream = archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as e:
            yield Untold(info.filename, "damaged", by_choice=False, detail=type(e).__name__)
            continue
        with stream:
            yield Member(info.filename, _reader(stream))


def _reader(stream: IO[bytes]) -> Read:
    def read(size: int) -> bytes:
        try:
            return stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as e:
            msg = "its bytes are damaged"
            raise DamagedError(msg) from e

    return read
