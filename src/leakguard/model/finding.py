"""What a scan found: match, candidate, place, finding, verdict, report."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from leakguard.model.blob import MemberProvenance, Provenance, Skipped
from leakguard.model.rule import Rule
from leakguard.secret import Secret

if TYPE_CHECKING:
    from leakguard.model.verdict import Evidence, Identity

LEVELS = ("strict", "balanced", "all")
VERDICTS = ("not_tried", "live", "live_restricted", "dead", "unknown", "unverifiable", "canary", "skipped_by_policy")


class Verdict(NamedTuple):
    """Whether the provider still accepts the credential."""

    state: str = "not_tried"
    """One of `VERDICTS`."""
    reason: str = ""
    """When dead one of `model.verdict.REASONS`, when unknown one of its `CAUSES`; when skipped by policy `fork`,
    `out_of_scope` or empty: the check would do more than read."""
    detail: str = ""
    """Words for people; no scanned bytes."""
    identity: Identity | None = None
    evidence: tuple[Evidence, ...] = ()


NOT_TRIED = Verdict()


class Reason(NamedTuple):
    """One term of a score."""

    term: str
    """Name of the term in `engine/weights.py`."""
    weight: float
    """Log-odds that it adds."""
    detail: str = ""
    """Words for people; no scanned bytes."""


class Score(NamedTuple):
    """How likely a match is a real credential."""

    value: float
    """0..1."""
    reasons: tuple[Reason, ...] = ()


class Mark(NamedTuple):
    """An inline comment that asks not to report the line (`leakguard: allow[rule] reason="..." until=DATE`)."""

    tool: str
    """`leakguard`, `gitleaks`, `detect-secrets`, ..."""
    rules: tuple[str, ...] = ()
    """Rule ids that it names; empty: every rule."""
    reason: str = ""
    until: str = ""
    """ISO date, last day on which it counts; empty: no end."""
    line: int = 0
    """Line of the mark itself, from 1."""


class FrameLine(NamedTuple):
    """A source line for display, every candidate on it masked, control characters stripped, long lines windowed."""

    number: int
    text: str
    marks: tuple[tuple[int, int, str], ...] = ()
    """`(start, end, label)` in characters of `text`, end exclusive: what the finding's parts became; label is the part's name."""


class Step(NamedTuple):
    """One step from the bytes that stand somewhere to the bytes that they stand for."""

    way: str
    """Name of a decoder in `engine/written.py`: `base64`, `log`, ..."""
    start: int
    length: int
    """Which of the decoded bytes count."""


class Place(NamedTuple):
    """One span where a part of a credential stands. Lines and columns from 1, in characters, end exclusive."""

    provenance: Provenance
    start_line: int
    end_line: int
    start_column: int
    end_column: int
    offset: int
    """Bytes before the value in the (decoded) input."""
    length: int
    """Bytes of the value in the (decoded) input."""
    part: str = "secret"
    encoding: str = ""
    name: str = ""
    """The key, variable or header that the value is assigned to, where there is one; no secret bytes."""
    frame: tuple[FrameLine, ...] = ()
    mark: Mark | None = None
    via: tuple[Step, ...] = ()
    """How the value stands in those bytes, the outermost decoding first; empty: as it is."""
    facts: tuple[tuple[str, str], ...] = ()
    """What else says where it is, by name: `("job", "build")`, `("step", "Run tests")`."""
    blob_id: str = ""
    """Set with a masked path: sha256 of the content's *location*, so that the place can still be told from others."""

    @property
    def told(self) -> tuple[tuple[str, str], ...]:
        """All that says where it is beside path and line, the container's first."""
        return (*self.provenance.facts, *self.facts) if isinstance(self.provenance, MemberProvenance) else self.facts


class Candidate(NamedTuple):
    """A scored match in one place; `secret` is None on its way out of a worker process."""

    rule: Rule
    secret: Secret | None
    place: Place
    others: tuple[Place, ...]
    """Places of further parts (a key id), named by `part`."""
    score: Score
    partners: tuple[Place, ...] = ()
    """Every place near it that may be a further part, nearest first, and the lines round it (part `around`); only where
    credentials are to be verified."""
    values: tuple[Secret, ...] = ()
    """What stands at `partners`; empty on its way out of a worker process."""
    proof: bytes = b""
    """Hash of the value under a key of this run, to notice a file that changed between worker and parent."""
    vendor: str = ""
    """Provider that the name speaks of, where the rule is no vendor's."""

    def __repr__(self) -> str:
        return f"<Candidate {self.rule.id} {self.score.value:.2f} {self.place.provenance}:{self.place.start_line}>"


class Finding(NamedTuple):
    """One credential with all its places, in stable order."""

    id: str
    """16 hex digits: HMAC of the value under the id key; of several parts the hashed one."""
    rule: Rule
    secret: Secret
    places: tuple[Place, ...]
    score: Score
    severity: str
    """The rule's, lowered one step where every place is a test or an example."""
    verdict: Verdict = NOT_TRIED
    known: bool | None = None
    """Whether the scan before told it, too; None: nobody asked."""
    vendor: str = ""
    """Provider that a name of it speaks of, where the rule is no vendor's."""
    baseline_line: str = ""
    """Ready-made line for `.leakguard/baseline.jsonl`; salted, no value."""

    @property
    def provider(self) -> str:
        """Whose credential it is: the rule's provider, or the vendor that the name of a generic value speaks of."""
        return self.vendor or self.rule.provider

    @property
    def preview(self) -> str:
        """The redacted value."""
        return self.secret.redacted()


class Suppressed(NamedTuple):
    """A finding (or some of its places) that is not reported, and why."""

    finding: Finding
    by: str
    """`baseline`, `mark`, `path`, `rule`, `policy`."""
    reason: str
    until: str = ""
    where: str = ""
    """The file or mark that says so, for people."""


class Coverage(NamedTuple):
    """How much was read."""

    files: int = 0
    bytes: int = 0
    rules: int = 0
    seconds: float = 0.0
    below_level: int = 0
    """Candidates that scored under the level."""
    engine: str = ""


class Report(NamedTuple):
    """All that a reporter may say. Reporters never filter."""

    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...]
    skipped: tuple[Skipped, ...]
    coverage: Coverage
    roots: tuple[str, ...] = ()
    """What was named on the command line, absolute."""
    id_scope: str = "run"
    """Who can recompute the ids: `team`, `repository`, `user` or `run` (only this run)."""
    level: str = "balanced"
    notes: tuple[str, ...] = ()
    """Lines for people: expired exceptions, unused baseline lines, new rules."""
    rules_version: int = 0
    version: str = ""
    started: str = ""
    """UTC, ISO 8601; set by the command, so that the library needs no clock."""
    exit_code: int = 0

    @property
    def incomplete(self) -> bool:
        """Something that should have been read could not be."""
        return any(not s.by_choice for s in self.skipped)
