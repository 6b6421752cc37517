"""The `Secret` type: prints as redacted, has one way out.

A secret is never a `str` or `bytes` outside the engine: it can't be printed, logged, pickled, copied into JSON or
formatted by accident. `reveal()` is the only way to the value, and a test holds the list of who may call it.
"""

from __future__ import annotations

from typing import Any, NoReturn

MASK = "••••"


class Secret:
    """The value of one credential.

    `public` is how many leading bytes are the vendor's documented prefix (`ghp_`), which may be shown.
    `password` marks a value chosen by a person: nothing of it is shown, not even its length.
    """

    __slots__ = ("_value", "password", "public")

    def __init__(self, value: bytes, *, public: int = 0, password: bool = False) -> None:
        self._value = value
        self.public = public
        self.password = password

    def reveal(self) -> bytes:
        """Return the value; the caller is on the allow-list of `tests/test_secret.py`."""
        return self._value

    def redacted(self) -> str:
        """Return the public prefix, a mask and at most the last 4 characters and a quarter of the rest."""
        if self.password:
            return MASK
        prefix, rest = self._value[: self.public], self._value[self.public :]
        shown = min(4, len(rest) // 4) if len(rest) >= 12 and b"\n" not in rest else 0
        tail = rest[len(rest) - shown :] if shown else b""
        return printable(prefix) + MASK + printable(tail)

    def __repr__(self) -> str:
        return f"<Secret {self.redacted()}>"

    def __str__(self) -> str:
        return self.redacted()

    def __format__(self, spec: str) -> str:
        return format(self.redacted(), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        msg = "a Secret is not pickled or copied: reopen its place instead"
        raise TypeError(msg)


def printable(raw: bytes) -> str:
    """Decode for display: invalid bytes and control characters become `·`."""
    text = raw.decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "·" for c in text)
