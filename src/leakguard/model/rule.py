"""What a credential looks like: the matching half of a rule (what people read about it is `RuleDoc`)."""

from __future__ import annotations

from typing import NamedTuple

SEVERITIES = ("low", "medium", "high", "critical")
"""In rising order."""


_TELLING = 3
"""Characters of a prefix that tell a token."""


class Part(NamedTuple):
    """A further part of a credential (a key id beside its secret), looked for near the part that is hashed."""

    name: str
    pattern: str
    """Regex source over bytes (latin-1), with the value as group `secret` or as the whole match."""
    within: int
    """Bytes before and after the hashed part in which it is looked for."""
    required: bool
    """Without it the match is no finding."""
    public: bool
    """An identifier that may be shown whole (an access key id, a client id)."""
    anchors: tuple[str, ...] = ()
    """As of a rule, where its form alone tells it, so that it may also stand in another file of the folder; else empty."""
    gates: tuple[tuple[str, int], ...] = ()
    after: int = 0


class Rule(NamedTuple):
    """How one type of credential is recognised. Patterns are regex sources over bytes, written in latin-1."""

    id: str
    provider: str
    """Id of the provider, the stem of its rule file."""
    name: str
    severity: str
    kind: str
    """Credential class: `api_key`, `personal_token`, `password`, `private_key`, ..."""
    pattern: str
    """Matched by `regex`; the value is the group `secret`. Of a keyword's rule: what may stand between keyword and value."""
    value: str
    """Of a keyword's rule: the value, by `re`."""
    least: int
    """Characters that every value of a keyword's rule has at least; 0: not known."""
    chars: str
    """The characters that these values are made of."""
    anchors: tuple[str, ...]
    """Lower-case literals, one of which stands in every match, at the start of the pattern unless `before` says otherwise."""
    gates: tuple[tuple[str, int], ...]
    """`(Hyperscan expression, width)`: narrower than the anchors, never narrower than the pattern. A width above 0 is
    fixed and starts where the anchor does; 0 means that any anchor in the last `reach` bytes counts."""
    reach: int
    before: int
    """Bytes that the pattern may begin before an anchor; 0: the pattern begins at the anchor."""
    after: int
    """Bytes that a match may reach past the start of an anchor."""
    public: int
    """Length of the documented public prefix of the value."""
    check: str
    """Name of an offline check in `engine/checks.py`, or empty."""
    part: str
    """Name of the part that is hashed; `secret` unless the credential has several."""
    parts: tuple[Part, ...]
    shape: str
    """`format` (a token that is told by its form), `keyword` (a value beside its vendor's name), `pattern` or `generic`;
    `part`: no rule of its own, but a further part of others that may stand in another file."""
    prior: float
    """Log-odds that a match is a credential before any other evidence; see `engine/weights.py`."""
    scope: str
    """Where it applies: `any`, `code` (quoted values), `config` (files whose values stand bare)."""
    level: str
    """The strictest level that reports it: `strict`, `balanced` or `all`."""
    since: int
    """Rules version that brought it."""
    aliases: tuple[str, ...]
    written: str
    """How the value stands in the text: empty (as it is), `joined` (in pieces) or `base64`; see `engine/written.py`."""

    @property
    def rank(self) -> int:
        """How much it knows of what it finds; of matches in one place the higher names it.

        A token's own form tells more than a vendor's name beside it, and both together most; a pattern of many vendors
        (a JWT, basic authentication) less than either.
        """
        if self.shape == "keyword":
            return 4 if self.public >= _TELLING else 2
        # what was decoded is known to be a value, where a name alone only promises one
        return {"format": 3, "pattern": 1}.get(self.shape, int(self.written == "base64"))


class RuleDoc(NamedTuple):
    """What people read about a rule and what proves it; loaded on demand."""

    id: str
    provider_name: str
    description: str
    references: tuple[str, ...]
    rotate: str
    lifetime: str
    """How long it works by itself: `until_revoked`, `expiring` (days to years), `short_lived` (hours), `unknown`."""
    examples: tuple[str, ...]
    """Templates, each holding `${secret}` once."""
    counter_examples: tuple[str, ...]
    template: str
    """Template of the value, which `${secret}` expands to."""
    part_templates: tuple[tuple[str, str], ...]
    file: str
