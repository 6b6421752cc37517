"""Where to look: both prefilters answer with `(rule index, start of an anchor)` pairs.

`HyperscanPrefilter` runs all gates in one pass at about the speed of memory. `PortablePrefilter` finds the anchors with
`pyahocorasick` and is the equal where the wheel does not exist: it gives more pairs, the same matches come of them.
Whole rules as Hyperscan expressions were tried and rejected: a set of a few hundred takes seconds to compile.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate
from typing import Any, Protocol

from leakguard.engine.compiled import CompiledRules
from leakguard.engine.native import hits as _native
from leakguard.engine.seen import Content, joined

Hit = tuple[int, int]

_NOT_CODE = ("any", "config")
ALL_GATES = "every"
"""Scope of the set that holds the gates of both."""
_REMEMBERED = 1 << 15
"""Lines whose anchors are kept."""
_FEW = 100
"""Hits that are not worth to be looked through for those without a value."""


def _noting(into: bytearray) -> Callable[..., None]:
    """Return a handler that adds gate and end of each hit, native 64-bit integers, as the compiled one does."""

    def note(gate: int, _start: int, end: int, _flags: int, _context: object) -> None:
        into.extend(array("q", (gate, end)).tobytes())

    return note


class Prefilter(Protocol):
    """Finds where rules may match."""

    name: str

    def hits(self, data: bytes, *, config: bool, windows: Sequence[int] | None = None) -> Collection[Hit]:
        """Return `(rule index, anchor start)`; may repeat itself. `config`: bare values count in this input.

        With `windows` (start and end in turn, ascending and apart) those whose gates stand whole in one.
        """

    def hits_in(self, contents: list[Content], text: bytes, runs: array[int]) -> array[int]:
        """Return hits in runs of some contents (see `Seen.fresh`): number of the content, rule, anchor start, in turn."""

    def join(self) -> None:
        """Prepare for gigabytes of input that is all read with `config`."""


def _begins(runs: Sequence[int]) -> list[int]:
    """Return where each run begins in their text."""
    sizes = (runs[i + 2] - runs[i + 1] + 1 for i in range(0, len(runs) - 3, 3))
    return [*accumulate(sizes, initial=0)]


def _runs(data: bytes, windows: Sequence[int] | None) -> tuple[list[Content], bytes, array[int]]:
    """Return windows of one content as `Seen.fresh` gives them."""
    if windows is None:
        return [(data, None)], data, array("q", (0, 0, len(data)))
    edges = iter(windows)
    runs = array("q", [n for start, end in zip(edges, edges, strict=True) for n in (0, start, end)])
    contents: list[Content] = [(data, None)]
    return contents, joined(contents, runs), runs


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
        self._flat: tuple[bytes, ...] = ()
        self._databases: dict[str, Any] = {}
        for scope in _NOT_CODE:
            if scope in rules.databases:
                self._load(scope, rules.databases[scope])

    def hits(self, data: bytes, *, config: bool, windows: Sequence[int] | None = None) -> Collection[Hit]:
        """See `Prefilter.hits`."""
        if windows is not None and windows[1] - windows[0] == len(data):
            windows = None
        contents, text, runs = _runs(data, windows)
        hits = iter(self._hits(contents, text, runs, every=config, few=windows is None))
        return {(rule, at) for _which, rule, at in zip(hits, hits, hits, strict=True)}

    def hits_in(self, contents: list[Content], text: bytes, runs: array[int]) -> array[int]:
        """See `Prefilter.hits_in`."""
        return self._hits(contents, text, runs, every=True, few=False)

    def _hits(self, contents: list[Content], text: bytes, runs: array[int], *, every: bool, few: bool) -> array[int]:
        noted = bytearray()
        on_match = _native.notes(noted) if _native else _noting(noted)
        scopes = (ALL_GATES,) if ALL_GATES in self._databases else _NOT_CODE
        for scope in scopes if every else ("any",):
            database = self._databases.get(scope)
            if database is not None:
                database.scan(text, match_event_handler=on_match)
        if not noted:
            return array("q")
        if _native is not None and not (few and len(noted) <= _FEW * 16):
            return array("q", _native.anchored(contents, runs, noted, *self._tables()))
        return self._starts(contents, runs, array("q", bytes(noted)))

    def _tables(self) -> tuple[bytes, ...]:
        """Return what `anchored` wants to know of gates and rules."""
        if not self._flat:
            rules = self._rules
            variable = {index for width, indices in rules.gates if not width for index in indices}
            gates, members, needs, words = array("i"), array("i"), array("i"), bytearray()
            classes: dict[str, int] = {}
            for width, indices in rules.gates:
                gates.extend((width, len(members), len(indices)))
                members.extend(indices)
            for index, (least, after, chars) in enumerate(rules.needs):
                reach, anchors = (rules.rule(index).reach, rules.rule(index).anchors) if index in variable else (0, ())
                needs.extend((least, classes.setdefault(chars, len(classes)), after, reach, len(words), len(anchors)))
                for anchor in anchors:
                    words += bytes((len(anchor),)) + anchor.encode("latin-1")
            members_of = b"".join(bytes(c in chars for c in map(chr, range(256))) for chars in classes)
            self._flat = (gates.tobytes(), members.tobytes(), needs.tobytes(), bytes(words), members_of)
        return self._flat

    def join(self) -> None:
        """Use one set of all gates: gigabytes are worth the half second that it takes to build where none is kept."""
        if ALL_GATES not in self._databases:
            self._load(ALL_GATES, self._rules.databases.get(ALL_GATES) or build_all(self._rules))

    def _load(self, scope: str, dumped: bytes) -> None:
        import hyperscan

        database = hyperscan.loadb(dumped, hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)
        self._databases[scope] = database

    def _starts(self, contents: list[Content], runs: Sequence[int], ends: array[int]) -> array[int]:
        out: set[tuple[int, int, int]] = set()
        gates, known, begins = self._rules.gates, self._anchors, _begins(runs)
        pairs = iter(ends)
        for gate, noted in zip(pairs, pairs, strict=True):
            at = bisect_right(begins, noted) - 1
            which, end = runs[3 * at], runs[3 * at + 1] + noted - begins[at]
            width, rules = gates[gate]
            if width:
                start = end - width
                for index in rules:
                    out.add((which, index, start))
                continue
            data = contents[which][0]
            for index in rules:
                reach = self._reaches.get(index) or self._reach(index)
                ahead = data[end - reach if end > reach else 0 : end]
                backs = known.get((index, ahead))
                if backs is None:
                    backs = self._anchors_in(index, ahead)
                for back in backs:
                    out.add((which, index, end - back))
        return array("q", [n for hit in out for n in hit])

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
        _contents, text, runs = _runs(data, windows)
        hits = iter(self._hits(text, runs, automaton))
        return {(rule, at) for _which, rule, at in zip(hits, hits, hits, strict=True)}

    def hits_in(self, contents: list[Content], text: bytes, runs: array[int]) -> array[int]:  # noqa: ARG002 - the others need them
        """See `Prefilter.hits_in`."""
        return self._hits(text, runs, self._automata[frozenset({"any", "code", "config"})])

    @staticmethod
    def _hits(text: bytes, runs: Sequence[int], automaton: Any) -> array[int]:
        # latin-1 maps every byte to one character, so offsets stay offsets of bytes
        begins = _begins(runs)
        out = array("q")
        for end, (back, indices) in automaton.iter(text.decode("latin-1").lower()):
            at = bisect_right(begins, end - back) - 1
            for index in indices:
                out.extend((runs[3 * at], index, runs[3 * at + 1] + end - back - begins[at]))
        return out


def _automaton(anchors: dict[str, list[int]]) -> Any:
    import ahocorasick

    automaton = ahocorasick.Automaton()
    for word, indices in anchors.items():
        automaton.add_word(word, (len(word) - 1, tuple(indices)))
    automaton.make_automaton()
    return automaton
