"""What a log's bytes are without what runners and terminals put between them.

Dropped are escape sequences (ECMA-48), what a backspace takes back, and what stands before each line: times, streams,
containers. What is dropped is told by the bytes at hand alone, so that a value is cut again from its own span (`DECODERS`).
Moves of the cursor become a blank. Text inside a sequence (a hyperlink's address) stays: a secret may stand there.
Rejected: a terminal's screen, on which what was overwritten can't be seen, though it was leaked.

Sources: ECMA-48, 5th edition, 5.4 and 8.3. GitHub and Azure: a time before each line; `gh run view --log` puts job and step
before it. GitLab (docs.gitlab.com/ci/jobs/job_logs, step-runner's timestamper): time, stream as two hex digits and `O` or `E`,
then ` `, or `+` where it goes on with the line before. Jenkins: notes as `ESC[8mha:` base64 `ESC[0m` (hudson.console.ConsoleNote),
`[branch] ` of parallel stages, the Timestamper's times. Buildkite: times as APC `_bk;t=` ms BEL. Docker: `compose logs`, BuildKit's
`#7 0.123 `; Kubernetes: `kubectl logs --prefix`, CRI's `stdout F `. syslog: RFC 3164.

`_logs_native.c` holds a twin of the loop, with the same results.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from leakguard.engine.native import logs as _native

ESC = b"\x1b"

TIME = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"  # ISO 8601
GITLAB = TIME + rb" [0-9a-f]{2}[OE]"
PREFIX = rb"|".join(
    (
        GITLAB + rb"[ +]",
        TIME + rb" std(?:out|err) [FP] ",
        TIME + rb"[ \t]",
        rb"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,6})? {1,2}",
        rb"[A-Za-z0-9][A-Za-z0-9_.-]{0,61}[-_][0-9]{1,3} {1,40}\| ",
        rb"(?!\[Pipeline\])\[[A-Za-z0-9][A-Za-z0-9 _./:,@+-]{0,98}\] ",
        rb"#[0-9]{1,4} (?:[0-9]{1,5}\.[0-9]{1,3} )?",
        rb"[^\t\n\x1b]{1,100}\t[^\t\n\x1b]{1,200}\t(?=(?:\xef\xbb\xbf)?" + TIME + rb")",
        rb"\xef\xbb\xbf",
        rb"[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [A-Za-z0-9_.-]{1,64} [A-Za-z0-9_./@-]{1,64}(?:\[[0-9]{1,8}\])?: ",
    )
)
"""What stands before a line; several may follow each other."""

_SEQUENCE = (
    rb"\x1b(?:\[8mha:[A-Za-z0-9+/=]{0,65536}\x1b\[0m|_bk;t=[0-9]{1,20}\x07|\[[0-?]{0,64}[ -/]{0,8}[@-~]|[ -/]{1,4}[0-~]|[0-~])?"
)
_MOVES = b"ABCDEFGHJSTXPLMdfae`@"
"""Final bytes of control sequences after which what follows stands elsewhere."""
_MARKS = rb"##\[.|section_(?:start|end):|travis_fold:|\[Pipeline\] \{|(?:---|\+\+\+|~~~) "
"""What a line begins with that says which step of a job begins or ends."""
_TOKEN = rb"[0-9A-Za-z+/=_.~-]"


class Clean(NamedTuple):
    """Text without noise, and where it stood."""

    data: bytes
    at: array[int]
    """Ascending positions in `data`, the first 0 ..."""
    moved: array[int]
    """... and how much further on the bytes from there on stand in the source."""
    marks: array[int]
    """Ascending positions in the source of lines that may say which step of a job begins or ends."""


def clean(raw: bytes, *, begins: bool, prefixes: bool, width: int = 0) -> Clean:
    """Return the text of a log.

    `begins`: a line begins with `raw`; `prefixes`: what stands before lines is dropped; `width`: lines of so many bytes were
    wrapped and are joined where both ends look like parts of one value; 0: none were.
    """
    if _native is not None and not width:
        data, *places = _native.cleaned(raw, begins, prefixes)
        return Clean(data, *(array("q", place) for place in places))
    out: list[bytes] = []
    at, moved = array("q", [0]), array("q", [0])
    begin: dict[int, int] = {}
    """Where lines begin -> where they do behind what stands before them."""
    done = have = 0
    for found in _noise(begins, prefixes, width).finditer(raw):
        start, end = found.span()
        out.append(raw[done:start])
        have += start - done
        done = end
        if found["at"] is not None:
            begin[start] = end
        blank = found["at"] is None and _parts(found[0])
        skip = end - have - blank
        if at[-1] == have:
            moved[-1] = skip
        else:
            at.append(have)
            moved.append(skip)
        if blank:
            out.append(b" ")
            have += 1
    out.append(raw[done:])
    marks = array("q", _marks(raw, begin, begins=begins) if prefixes else ())
    return Clean(b"".join(out), at, moved, marks)


def _marks(raw: bytes, begin: dict[int, int], *, begins: bool) -> Iterator[int]:
    behind = set(begin.values())
    for found in re.finditer(_MARKS, raw, re.DOTALL):
        at = found.start()
        line = at in behind or (at not in begin and (raw[at - 1 : at] == b"\n" or (begins and not at)))
        # Buildkite's groups look like much else; its logs have a time before each line
        if line and (found[0][:1] in b"#st[" or (at in behind and raw[at - 1] == 7)):
            yield at


def _parts(noise: bytes) -> bool:
    """Whether what stands before and after is apart."""
    if noise[:1] != ESC:
        return noise == b"\x07"
    return noise == b"\x1b\\" or (noise[1:2] == b"[" and len(noise) > 2 and noise[-1] in _MOVES)


@cache
def _noise(begins: bool, prefixes: bool, width: int) -> re.Pattern[bytes]:
    line = rb"(?:(?<=\n)|\A)" if begins else rb"(?<=\n)"
    one = rb"(?P<at>" + line + rb"(?:" + _SEQUENCE + (rb"|" + PREFIX if prefixes else b"") + rb"){1,12})"
    choices = [one, _SEQUENCE, rb"[ -~]?\x08", rb"\x07"]
    if prefixes:
        choices.insert(0, rb"\r?\n" + GITLAB + rb"\+")
    if width:
        choices.insert(0, rb"(?<=\n[^\n\r\x1b\x08]{%d}%b)\r?\n(?=%b)(?!%b)" % (width - 1, _TOKEN, _TOKEN, PREFIX))
    return re.compile(rb"|".join(choices))


def text_of(raw: bytes) -> bytes:
    """Return the text in the bytes of a span."""
    return clean(raw, begins=False, prefixes=True).data


def joined(raw: bytes) -> bytes:
    """Return the text in the bytes of a span whose lines are one that was wrapped."""
    return re.sub(rb"\r?\n", b"", text_of(raw))


def pieces(raw: bytes) -> list[tuple[int, int]]:
    """Return where text stands in a span: all but noise and line ends."""
    out: list[tuple[int, int]] = []
    at = 0
    for found in _apart().finditer(raw):
        if found.start() > at:
            out.append((at, found.start()))
        at = found.end()
    return [*out, (at, len(raw))] if at < len(raw) else out


@cache
def _apart() -> re.Pattern[bytes]:
    return re.compile(_noise(begins=False, prefixes=True, width=0).pattern + rb"|\r?\n[ \t]*")
