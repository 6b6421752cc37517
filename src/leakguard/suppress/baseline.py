"""The baseline: what was there already. `.leakguard/baseline.jsonl`, one sorted line a finding.

No line numbers and no timestamps, so that it does not churn; each line has a public salt of its own, which alone keys its
hash, so that a hook without the team's key matches what CI wrote and branches merge as a union. A machine-made value has
a 96-bit hash and is covered wherever it stands. Of a person's password only path, key name and a 16-bit tag are kept, so
that nothing in the file helps to guess it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from hashlib import blake2b
from typing import NamedTuple

from leakguard.errors import ConfigError
from leakguard.model.blob import INSIDE, FileProvenance, GitProvenance, MemberProvenance, outermost, path_in
from leakguard.model.finding import Finding, Place

_PERSON = b"leakguard-base"
_SAID = 10
"""Fields that say something; the others say where."""
_ORDER = ("v", "rule", "path", "name", "salt", "hash", "tag", "foreign", "reason", "until")


class Line(NamedTuple):
    """One accepted finding. Two that say the same are equal, wherever they stand."""

    rule: str
    path: str
    """Where it stood when the line was made; for a password, where it has to stand."""
    salt: str
    hash: str = ""
    tag: str = ""
    name: str = ""
    reason: str = ""
    until: str = ""
    foreign: str = ""
    """`foreign:<tool>:<hash>` of an import that waits for its place; covers nothing."""
    extra: tuple[tuple[str, object], ...] = ()
    text: str = ""
    """The line as it stands in the file; kept byte for byte."""
    number: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Line) and self[:_SAID] == other[:_SAID]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:_SAID])

    def expired(self, today: str) -> bool:
        """Whether its last day is over."""
        return bool(self.until) and self.until < today

    def covers(self, finding: Finding) -> bool:
        """Whether it is about this finding's value (for a password: in one of its places)."""
        if self.foreign:
            return False
        if self.hash:
            return not finding.secret.password and _digest(finding, self.salt, 12) == self.hash
        return finding.secret.password and any(self.covers_place(finding, place) for place in finding.places)

    def covers_place(self, finding: Finding, place: Place) -> bool:
        """Whether a password line is about this place."""
        return (
            bool(self.tag)
            and path_of(place) == self.path
            and place.name == self.name
            and _digest(finding, self.salt, 2) == self.tag
        )


def _digest(finding: Finding, salt: str, size: int) -> str:
    return blake2b(finding.secret.reveal(), digest_size=size, key=bytes.fromhex(salt), person=_PERSON).hexdigest()


def path_of(place: Place) -> str:
    """Return the path that a line keeps: relative to the git top level where there is one, else to the scanned root."""
    inner = place.provenance.inner if isinstance(place.provenance, MemberProvenance) else ()
    p = outermost(place.provenance)
    if isinstance(p, GitProvenance):
        return path_in(place.provenance).encode("utf-8", "backslashreplace").decode()
    if not isinstance(p, FileProvenance):
        return path_in(place.provenance)
    from leakguard.config import git_top

    top = git_top(p.root)
    full = os.path.join(p.root, p.path)
    path = os.path.relpath(full, top) if top else p.path
    return INSIDE.join((path.replace(os.sep, "/"), *inner)).encode("utf-8", "backslashreplace").decode()


def line_for(
    finding: Finding,
    *,
    reason: str = "",
    until: str = "",
    token_bytes: Callable[[int], bytes] = os.urandom,
    place: Place | None = None,
) -> str:
    """Return a ready line for `.leakguard/baseline.jsonl`."""
    place = place or finding.places[0]
    salt = token_bytes(16).hex()
    entry = {"v": 1, "rule": finding.rule.id, "path": path_of(place)}
    if finding.secret.password:
        entry |= {"name": place.name, "salt": salt, "tag": _digest(finding, salt, 2)}
    else:
        entry |= {"salt": salt, "hash": _digest(finding, salt, 12)}
    entry |= {k: v for k, v in (("reason", reason), ("until", until)) if v}
    return json.dumps(entry, ensure_ascii=False)


class Baseline:
    """The lines of a baseline, quick to ask."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = tuple(lines)
        self._by_rule: dict[str, list[Line]] = {}
        for line in lines:
            self._by_rule.setdefault(line.rule, []).append(line)

    @classmethod
    def load(cls, path: str) -> Baseline:
        """Read a baseline.

        Raises:
            ConfigError: it can't be read or a line is wrong; the message names file and line.
        """
        try:
            with open(path, "rb") as f:
                return cls.parse(f.read(), path)
        except OSError as e:
            msg = f"{path}: {e.strerror}"
            raise ConfigError(msg, hint="check the path, or leave out --baseline") from None

    @classmethod
    def parse(cls, data: bytes, where: str) -> Baseline:
        """Read a baseline from bytes; `where` is named in errors."""
        lines = []
        for number, raw in enumerate(data.decode("utf-8", "surrogateescape").splitlines(), 1):
            text = raw.strip()
            if text:
                lines.append(parse(text, f"{where}:{number}", number))
        return cls(lines)

    def covers(self, finding: Finding, today: str) -> Line | None:
        """Return the line that covers a finding's value: lines of its path and rule are asked first."""
        return next((line for line in self._asked(finding) if not line.expired(today) and line.covers(finding)), None)

    def covers_place(self, finding: Finding, place: Place, today: str) -> Line | None:
        """Return the line that covers one place of a password."""
        return next((line for line in self._asked(finding) if not line.expired(today) and line.covers_place(finding, place)), None)

    def _asked(self, finding: Finding) -> Iterable[Line]:
        names = (finding.rule.id, *finding.rule.aliases)
        own = [line for name in names for line in self._by_rule.get(name, ())]
        paths = {path_of(place) for place in finding.places[:4]}
        yield from (line for line in own if line.path in paths)
        yield from (line for line in own if line.path not in paths)
        yield from (line for line in self.lines if line.rule not in names)


def parse(text: str, where: str, number: int = 0) -> Line:
    """Read one line; `where` is named in errors."""
    if text.startswith(("<<<<<<<", "=======", ">>>>>>>")):
        msg = f"{where}: a merge left its conflict marks"
        raise ConfigError(
            msg,
            hint="delete the marks and keep the lines of both sides; put `.leakguard/baseline.jsonl merge=union` into .gitattributes",
        )
    try:
        entry = json.loads(text)
        blake2b(key=bytes.fromhex(entry.get("salt", "")))  # refuses what is no hex or too long for a key
        known = {
            k: str(entry[k]) for k in ("rule", "path", "salt", "hash", "tag", "name", "reason", "until", "foreign") if entry.get(k)
        }
        if known.get("until"):
            known["until"] = date.fromisoformat(known["until"]).isoformat()  # `20270131` would not compare with a day
        line = Line(
            **({"rule": "", "path": "", "salt": ""} | known),
            extra=tuple((k, v) for k, v in entry.items() if k not in _ORDER),
            text=text,
            number=number,
        )
    except (ValueError, AttributeError, TypeError, RecursionError):
        msg = f"{where}: no baseline line"
        raise ConfigError(msg, hint="restore the line from git, or delete it and run `leakguard baseline update`") from None
    if not (line.foreign or (line.salt and (line.hash or line.tag))):
        msg = f"{where}: a line needs salt and hash or tag"
        raise ConfigError(msg, hint="restore the line from git, or delete it and run `leakguard baseline update`")
    return line


def create(findings: Iterable[Finding], *, reason: str = "", token_bytes: Callable[[int], bytes] = os.urandom) -> list[str]:
    """Return sorted lines for all findings; a password has one line a place and name."""
    out: set[str] = set()
    for finding in findings:
        if finding.secret.password:
            unique = {(path_of(p), p.name): p for p in finding.places if p.part == finding.rule.part}
            out |= {line_for(finding, reason=reason, token_bytes=token_bytes, place=place) for place in unique.values()}
        else:
            out.add(line_for(finding, reason=reason, token_bytes=token_bytes))
    return sorted(out)


def update(
    baseline: Baseline,
    findings: Iterable[Finding],
    today: str,
    *,
    reason: str = "",
    token_bytes: Callable[[int], bytes] = os.urandom,
) -> list[str]:
    """Return the lines with what is new added; the others stay byte for byte."""
    new = [f for f in findings if baseline.covers(f, today) is None]
    return sorted({*(line.text for line in baseline.lines), *create(new, reason=reason, token_bytes=token_bytes)})


def prune(baseline: Baseline, findings: Sequence[Finding], today: str) -> tuple[list[str], int]:
    """Return the lines without those that ended or cover nothing any more, and how many went; foreign lines stay."""
    kept = [
        line.text for line in baseline.lines if line.foreign or (not line.expired(today) and any(line.covers(f) for f in findings))
    ]
    return sorted(kept), len(baseline.lines) - len(kept)


def with_answer(line: Line, *, reason: str, until: str) -> str:
    """Return the text of a line with a reason and an end set."""
    entry = json.loads(line.text)
    entry |= {k: v for k, v in (("reason", reason), ("until", until)) if v}
    return json.dumps({k: entry[k] for k in (*_ORDER, *entry) if k in entry}, ensure_ascii=False)


def write(path: str, lines: Sequence[str]) -> None:
    """Write a baseline whole and at once; the mode of a file that is there stays.

    Raises:
        ConfigError: it can't be written.
    """
    part = f"{path}.{os.getpid()}.part"
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(fd, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as f:
            f.writelines(line + "\n" for line in lines)
        os.replace(part, path)
    except OSError as e:
        msg = f"{path}: {e.strerror}"
        raise ConfigError(msg, hint="check the folder's permissions") from None
