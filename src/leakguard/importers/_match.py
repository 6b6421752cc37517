"""Whether a value of ours is the one whose hash a peer kept."""

from __future__ import annotations

from leakguard.model.finding import Finding


def value_matches(finding: Finding, algorithm: str, digest: str) -> bool:
    """Compare an unkeyed hash that a peer stored; it is computed here and goes nowhere."""
    from hashlib import new

    value = finding.secret.reveal()
    return new(algorithm, value, usedforsecurity=False).hexdigest() == digest.lower() or value.decode("utf-8", "replace") == digest
