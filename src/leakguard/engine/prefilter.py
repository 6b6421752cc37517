"""Where to look: both prefilters answer with `(rule index, start of an anchor)` pairs.

`HyperscanPrefilter` runs all gates in one pass at about the speed of memory. `PortablePrefilter` finds the anchors with
`pyahocorasick` and is the equal where the wheel does not exist: it gives more pairs, the same matches come of them.
Whole rules as Hyperscan expressions were tried and rejected: a set of a few hundred takes seconds to compile.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

from leakguard.engine.compiled import CompiledRules
from leakguard.engine.native import loops as _native

Hit = tuple[int, int]

_NOT_CODE = ("any", "config")
ALL_GATES = "every"
"""Scope of the set that holds the gates of both."""
_REMEMBERED = 1 << 15
"""Lines whose anchors are kept."""
_FEW = 100
"""Hits that are not worth to be looked through for those without a value."""


class Prefilter(Protocol):
    """Finds where rules may match."""

    name: str

    def hits(self, data: bytes, *, config: bool, windows: Sequence[int] | None = None) -> Collection[Hit]:
        """Return `(rule index, anchor start)`; may repeat itself. `config`: bare values count in this input.

        With `windows` (start and end in turn, ascending and apart) those whose gates stand whole in one.
        """

    def join(self) -> None:
        """Prepare for gigabytes of input that is all read with `config`."""


def _joined(data: bytes, windows: Sequence[int]) -> bytes:
    return b"\n".join([data[windows[i] : windows[i + 1]] for i in range(0, len(windows), 2)])


def _unjoined(hits: Iterable[Hit], windows: Sequence[int]) -> list[Hit]:
    """Turn positions in joined windows into those in the data."""
    begins, at = [], 0
    for i in range(0, len(windows), 2):
        begins.append(at)
        at += windows[i + 1] - windows[i] + 1
    out = []
    for what, place in hits:
        i = bisect_right(begins, place) - 1
        out.append((what, windows[2 * i] + place - begins[i]))
    return out


def build(expressions: Sequence[str], ids: Sequence[int]) -> bytes:
    """Compile and serialise a Hyperscan set."""
    import hyperscan

    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    flags = [hyperscan.HS_FLAG_DOTALL] * len(ids)
    encoded = [e.encode("latin-1") for e in expressions]
    try:
        database.compile(expressions=encoded, ids=list(ids), elements=len(ids), flags=flags)
    except hyperscan.error as e:
        raise ValueError(_blame(hyperscan, encoded, e)) from e
    return bytes(hyperscan.dumpb(database))


def build_all(rules: CompiledRules) -> bytes:
    """Build one set of all gates."""
    table = rules.expressions()
    return build([expression for expression, _scope in table], range(len(table)))


def _blame(hyperscan: Any, expressions: list[bytes], error: Exception) -> str:
    for expression in expressions:
        try:
            hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK).compile(expressions=[expression], ids=[0], elements=1, flags=[0])
        except hyperscan.error as e:
            return f"Hyperscan refuses the gate {expression.decode('latin-1')!r}: {e}"
    return f"Hyperscan refuses the set: {error}"


class HyperscanPrefilter:
    """All gates in one pass over the input."""

    name = "hyperscan"

    def __init__(self, rules: CompiledRules) -> None:
        self._rules = rules
        self._variable: dict[int, Any] = {}
        self._reaches: dict[int, int] = {}
        self._anchors: dict[tuple[int, bytes], tuple[int, ...]] = {}
        """The same lines come again and again, in a tree and even more in its history."""
        self._needed = b""
        self._databases: dict[str, Any] = {}
        for scope in _NOT_CODE:
            if scope in rules.databases:
                self._load(scope, rules.databases[scope])

    def hits(self, data: bytes, *, config: bool, windows: Sequence[int] | None = None) -> Collection[Hit]:
        """See `Prefilter.hits`."""
        if windows is not None and windows[1] - windows[0] == len(data):
            windows = None
        scanned = data if windows is None else _joined(data, windows)
        ends: list[tuple[int, int]] = []
        append = ends.append

        def on_match(gate: int, _start: int, end: int, _flags: int, _context: object) -> None:
            append((gate, end))

        scopes = (ALL_GATES,) if ALL_GATES in self._databases else _NOT_CODE
        for scope in scopes if config else ("any",):
            database = self._databases.get(scope)
            if database is not None:
                database.scan(scanned, match_event_handler=on_match)
        if not ends:
            return ()
        if _native is not None and (windows is not None or len(ends) > _FEW):
            ends = _native.likely(data, ends, array("q", windows or (0, len(data))), self._needs())
        elif windows is not None:
            ends = _unjoined(ends, windows)
        return self._starts(data, ends)

    def _needs(self) -> bytes:
        """Return what `likely` wants to know of each gate."""
        if not self._needed:
            self._needed = array("i", [n for _width, _rules, *needs in self._rules.gates for n in needs]).tobytes()
        return self._needed

    def join(self) -> None:
        """Use one set of all gates: gigabytes are worth the half second that it takes to build where none is kept."""
        if ALL_GATES not in self._databases:
            self._load(ALL_GATES, self._rules.databases.get(ALL_GATES) or build_all(self._rules))

    def _load(self, scope: str, dumped: bytes) -> None:
        import hyperscan

        database = hyperscan.loadb(dumped, hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)
        self._databases[scope] = database

    def _starts(self, data: bytes, ends: list[tuple[int, int]]) -> set[Hit]:
        out: set[Hit] = set()
        gates, known = self._rules.gates, self._anchors
        for gate, end in ends:
            width, rules, _least, _after = gates[gate]
            if width:
                start = end - width
                for index in rules:
                    out.add((index, start))
                continue
            for index in rules:
                reach = self._reaches.get(index) or self._reach(index)
                ahead = data[end - reach if end > reach else 0 : end]
                backs = known.get((index, ahead))
                if backs is None:
                    backs = self._anchors_in(index, ahead)
                for back in backs:
                    out.add((index, end - back))
        return out

    def _reach(self, index: int) -> int:
        reach = self._reaches[index] = self._rules.rule(index).reach
        return reach

    def _anchors_in(self, index: int, ahead: bytes) -> tuple[int, ...]:
        """Return how far before the end of `ahead` a rule's anchors begin: a variable gate knows only where it ended."""
        pattern = self._variable.get(index)
        if pattern is None:
            import regex

            anchors = self._rules.rule(index).anchors
            alternatives = "|".join(regex.escape(a) for a in sorted(anchors, key=len, reverse=True))
            pattern = self._variable[index] = regex.compile(alternatives.encode("latin-1"), regex.IGNORECASE)
        if len(self._anchors) > _REMEMBERED:
            self._anchors.clear()
        backs = tuple(len(ahead) - found.start() for found in pattern.finditer(ahead, overlapped=True))
        self._anchors[index, ahead] = backs
        return backs


class PortablePrefilter:
    """Anchors by Aho-Corasick; no compiled wheel needed beyond pyahocorasick."""

    name = "portable"

    def __init__(self, rules: CompiledRules) -> None:
        self._automata = {
            scopes: _automaton(rules.anchors(scopes))
            for scopes in (frozenset({"any", "code"}), frozenset({"any", "code", "config"}))
        }

    def join(self) -> None:
        """Its automata are whole already."""

    def hits(self, data: bytes, *, config: bool, windows: Sequence[int] | None = None) -> Collection[Hit]:
        """See `Prefilter.hits`."""
        automaton = self._automata[frozenset({"any", "code", "config"}) if config else frozenset({"any", "code"})]
        # latin-1 maps every byte to one character, so offsets stay offsets of bytes
        text = (data if windows is None else _joined(data, windows)).decode("latin-1").lower()
        hits = {(index, end - back) for end, (back, indices) in automaton.iter(text) for index in indices}
        return hits if windows is None else _unjoined(hits, windows)


def _automaton(anchors: dict[str, list[int]]) -> Any:
    import ahocorasick

    automaton = ahocorasick.Automaton()
    for word, indices in anchors.items():
        automaton.add_word(word, (len(word) - 1, tuple(indices)))
    automaton.make_automaton()
    return automaton
