"""Rewrite a stream with each secret in its redacted form; every other byte goes out as it came.

    bytes in -> held until what stands there is known -> scanned with what went out before it -> masked -> out

What is held is bounded: whole lines go out as soon as the stream pauses, unless a value may go on in the next ones (a private key,
a line that says so). It fails closed: what could not be scanned is withheld, and `trouble` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from leakguard.engine.names import name_terms
from leakguard.engine.scan import Engine
from leakguard.engine.weights import LEVELS
from leakguard.model.blob import Blob, Provenance, StreamProvenance
from leakguard.secret import MASK
from leakguard.sources._chunks import AHEAD, BEHIND
from leakguard.sources._logs import Reader
from leakguard.sources._magic import kind_of
from leakguard.sources._text import HEAD, sniff

ENOUGH = 1 << 20
"""Bytes that are scanned at once where the stream does not pause."""
PAUSES = 10
"""Pauses after which the beginning of a line that nobody ended goes out: a prompt."""
_LEAST = 8
"""Bytes of a value whose further copies are masked, wherever they stand; shorter ones stand everywhere ..."""
_LEAST_NAMED = 6
"""... but for those of variables, which somebody named."""
_ANYWHERE = re.compile(rb"[0-9]{1,7}|[./~].*|-----.*")
"""Small numbers, paths and first lines of keys have other uses than to be a secret."""
_WORDS = re.compile(rb"[A-Za-z]{1,15}(?:[-_./ ][A-Za-z]{1,15}){0,2}")

Span = tuple[int, int, bytes]
"""Start, end, and what stands there in its place."""


class Known:
    """Values that are masked wherever they stand."""

    def __init__(self) -> None:
        self._shown: dict[bytes, bytes] = {}
        self._automaton: object = None

    @property
    def blanks(self) -> bool:
        """Whether one of them has a blank in it."""
        return any(b" " in value for value in self._shown)

    def add(self, value: bytes, shown: str, *, named: bool = False) -> None:
        """Mask a value from now on; of one over several lines each line that is long enough. `named`: whatever it looks like."""
        for line in value.splitlines():
            long = len(line) >= (_LEAST_NAMED if named else _LEAST) and not _ANYWHERE.fullmatch(line)
            if long and line not in self._shown and (named or not _WORDS.fullmatch(line)):
                self._shown[line] = shown.encode() if line == value else MASK.encode()
                self._automaton = None

    def spans(self, data: bytes) -> list[Span]:
        """Return where they stand."""
        if not self._shown:
            return []
        if self._automaton is None:
            import ahocorasick

            automaton = ahocorasick.Automaton()
            for value, shown in self._shown.items():
                automaton.add_word(value.decode("latin-1"), (len(value), shown))
            automaton.make_automaton()
            self._automaton = automaton
        found = self._automaton.iter(data.decode("latin-1"))  # type: ignore[attr-defined]
        return [(last + 1 - size, last + 1, shown) for last, (size, shown) in found]


class Redactor:
    """Redacts one stream."""

    def __init__(self, engine: Engine, known: Known, provenance: Provenance | None = None) -> None:
        self._engine = engine
        self._known = known
        self._provenance = provenance or StreamProvenance("output.log")
        self._head = b""
        self._context = b""
        """What went out last, from the beginning of a line; it tells what the next lines mean."""
        self._held = b""
        self._pauses = 0
        self._sound = True
        self.places = 0
        """How many were masked."""
        self.trouble = ""
        """Why something was withheld."""

    def feed(self, data: bytes) -> bytes:
        """Take what came; return what may go out."""
        self._held += data
        self._pauses = 0
        if len(self._head) <= HEAD:
            self._head += data[: HEAD + 1]
        out = []
        while len(self._held) >= ENOUGH + AHEAD:
            out.append(self._let(_lines(self._held, len(self._held) - AHEAD) or len(self._held) - AHEAD))
        return b"".join(out)

    def pause(self) -> bytes:
        """Say that nothing comes for a moment; return the whole lines, after a while what begins the last one, too."""
        if not self._held:
            return b""
        self._pauses += 1
        lines = _lines(self._held, len(self._held))
        if lines:
            lines = min(lines, self._open(lines))
        elif self._pauses >= PAUSES and not self._known.blanks:
            lines = _prompt(self._held)
        return self._let(lines, paused=True) if lines else b""

    def close(self) -> bytes:
        """Return the rest."""
        return self._let(len(self._held), last=True) if self._held else b""

    def _open(self, lines: int) -> int:
        """Return where a value begins that may go on behind these lines."""
        text = self._context + self._held[:lines]
        before = len(self._context)
        key = _open_key(text)
        if key is not None and (text.count(b"\n", key) > 1 or self._pauses < PAUSES):
            return max(0, key - before)
        if _GOES_ON.search(text, max(0, len(text) - 256)) and self._pauses < PAUSES:
            return _lines(self._held, lines - 1)
        return lines

    def _let(self, end: int, *, paused: bool = False, last: bool = False) -> bytes:
        """Mask what is held up to `end`, or up to where a value goes on behind it."""
        if why := _unreadable(self._head):
            return self._withhold(end, why)
        data, before = self._context + self._held, len(self._context)
        try:
            spans = _merged(self._spans(data))
        except Exception as e:  # noqa: BLE001 - whatever went wrong, nothing unscanned goes out
            return self._withhold(end, f"a bug of ours ({type(e).__name__})")
        if not self._sound:
            return self._withhold(end, "rules ran out of time")
        stop = before + end
        for start, finish, _shown in spans:
            if start < stop < finish and not last:
                begin = max(before, _lines(data, start))
                # where nothing pauses, what follows is long enough to see a value whole
                stop = begin if paused or (begin > before and stop - begin <= AHEAD) else finish
        out, at = [], before
        for start, finish, shown in spans:
            if finish <= at or start >= stop:
                continue
            self.places += 1
            out += [data[at : max(at, start)], _masked(data[max(at, start) : min(finish, stop)], shown)]
            at = min(finish, stop)
        out.append(data[at:stop])
        self._move(data, stop)
        return b"".join(out)

    def _move(self, data: bytes, stop: int) -> None:
        self._held = data[stop:]
        begin = max(0, stop - BEHIND)
        first = data.find(b"\n", begin, stop) + 1 if begin else 0
        self._context = data[first if first < stop else begin : stop]

    def _spans(self, data: bytes) -> list[Span]:
        reader = Reader(self._head, self._provenance)
        scanned = self._engine.scan(reader.read(Blob(data, self._provenance)))
        self._sound = not scanned.slow
        spans: list[Span] = []
        for candidate in scanned.candidates:
            place, secret = candidate.place, candidate.secret
            if secret is None:
                continue
            spans.append((place.offset, place.offset + place.length, secret.redacted().encode()))
            if candidate.score.value >= LEVELS["balanced"]:
                self._known.add(secret.reveal(), secret.redacted())
        key = _open_key(data)
        if key is not None:
            spans += _body(data, key)
        return spans + self._known.spans(data)

    def _withhold(self, end: int, why: str) -> bytes:
        self.trouble = why
        gone, self._held = self._held[:end], self._held[end:]
        self._context = b""
        count = gone.count(b"\n")
        return f"[leakguard: {count or 1} line{'s' * (count > 1)} withheld: {why}]\n".encode()


_KEY = re.compile(rb"-----?[ ]?BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?[ ]?-----?")
_KEY_LINE = re.compile(rb"[0-9A-Za-z+/=]*|[A-Za-z-]{2,20}: [ -~]*")
_GOES_ON = re.compile(rb"(?:\\|[\"'`][ \t]*[+.&])[ \t]*\r?\n\Z")


def _open_key(data: bytes) -> int | None:
    """Return where a private key's first line begins, if its last one has not come and what came looks like one."""
    at = data.rfind(b"PRIVATE KEY")
    begin = data.rfind(b"BEGIN ", max(0, at - 90), at) if at >= 0 else -1
    if begin < 0 or not (found := _KEY.search(data, max(0, begin - 6), at + 32)):
        return None
    from leakguard.engine.logs import text_of

    lines = text_of(data[found.end() :]).splitlines()
    if not all(_KEY_LINE.fullmatch(line.strip()) for line in lines[:-1] or lines):
        return None
    return found.start()


def _body(data: bytes, key: int) -> list[Span]:
    """Return the lines of a key that did not end; its first line is no secret."""
    at = data.find(b"\n", key) + 1
    return [(at, len(data), MASK.encode())] if at and re.search(rb"[0-9A-Za-z+/=]{16}", data[at:]) else []


def _unreadable(head: bytes) -> str:
    """Return why nothing of a stream can be told to hold no secret."""
    if kind_of(head):
        return "it is a container"
    encoding = sniff(head, whole=False)
    return f"it is written in {encoding}" if encoding.startswith(("utf-16", "utf-32")) else ""


def _lines(data: bytes, end: int) -> int:
    """Return where the last line that ends before `end` does."""
    return max(data.rfind(b"\n", 0, end), data.rfind(b"\r", 0, end)) + 1


def _prompt(line: bytes) -> int:
    """Return how much of a line that did not end may go out: up to its last word, unless a quote is open."""
    if line.count(b'"') % 2 or line.count(b"'") % 2:
        return 0
    return len(line) - len(line.split(b" ")[-1])


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Return the spans in order and apart; of those that overlap the longest says what stands there."""
    out: list[Span] = []
    for start, end, shown in sorted(spans, key=lambda s: (s[0], -s[1])):
        if out and start < out[-1][1]:
            first, last, _shown = out[-1]
            if end > last:
                out[-1] = (first, end, MASK.encode())
            continue
        out.append((start, end, shown))
    return out


def _masked(raw: bytes, shown: bytes) -> bytes:
    """Return a span with its text masked; line ends, what stands before lines and colours stay."""
    if b"\n" not in raw and b"\x1b" not in raw:
        return shown
    from leakguard.engine.logs import pieces

    out, at = [], 0
    for number, (start, end) in enumerate(pieces(raw)):
        out += [raw[at:start], MASK.encode() if number else shown]
        at = end
    return b"".join((*out, raw[at:]))


def from_environment(engine: Engine, environ: Mapping[str, str], known: Known) -> None:
    """Mask the values of variables whose name says secret, and what the rules find in any."""
    from os import fsencode

    for name, text in environ.items():
        value = fsencode(text)
        if _promises(name):
            known.add(value, MASK, named=True)
        blob = Blob(fsencode(name) + b"=" + value + b"\n", StreamProvenance("environment.env"))
        for candidate in engine.scan(blob).candidates:
            if candidate.secret is not None:
                known.add(candidate.secret.reveal(), candidate.secret.redacted(), named=True)


@cache
def _promises(name: str) -> bool:
    terms = name_terms(name)
    if terms[0] == "name:other" or "word:inside" in terms or "before:public" in terms:
        return False
    return all(term == "after:other" for term in terms if term.startswith("after:"))
