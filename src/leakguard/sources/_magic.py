"""Which container's format some first bytes begin. Apart from `unpack`, so that who meets no container imports none of it."""

from __future__ import annotations

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"\x1f\x8b\x08", "gzip"),
)
"""Where, which bytes, and the module of `unpack` that reads what has them there."""

_FIRST = frozenset(magic[0] for at, magic, _kind in _MAGIC if at == 0)
_LATER = any(at for at, _magic, _kind in _MAGIC)


def kind_of(head: bytes) -> str:
    """Return the name of the format that these first bytes begin, or `""` for what is no container."""
    if not head or (head[0] not in _FIRST and not _LATER):
        return ""
    return next((kind for at, magic, kind in _MAGIC if head.startswith(magic, at)), "")
