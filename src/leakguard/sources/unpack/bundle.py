"""Scripts and style sheets that end with their own source map (a `data:` URL): the script, then the sources in the map."""

from __future__ import annotations

from binascii import Error, a2b_base64
from collections.abc import Iterator
from typing import IO
from urllib.parse import unquote_to_bytes

from leakguard.sources._text import reader
from leakguard.sources._texts import inline_map
from leakguard.sources.unpack import Member, Untold
from leakguard.sources.unpack.budget import Budget

SEEKS = False


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the script without the map, and the map."""
    data = file.read()
    start = inline_map(data)
    kind, comma, content = data[start:].rstrip(b"\r\n\t */").partition(b",")
    try:
        held = a2b_base64(content) if kind.endswith(b";base64") else unquote_to_bytes(content)
    except Error:
        held = b""
    if not comma or b"{" not in held[:64]:
        yield Member("", reader(data), text=True)
        return
    yield Member("", reader(data[:start]), text=True)
    yield Member("sourceMappingURL", reader(held), kind="sourcemap")
