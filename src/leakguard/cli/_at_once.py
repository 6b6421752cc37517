"""A stream that never ends has no report: each credential's first place is told when it is seen."""

from __future__ import annotations

import sys

from leakguard.engine.fold import fold
from leakguard.model.finding import Candidate
from leakguard.pipeline import Setup
from leakguard.pipeline.masking import Masker
from leakguard.reporters._escape import ascii_only, at, clean
from leakguard.secret import Secret
from leakguard.suppress.decide import decide
from leakguard.suppress.identity import finding_id


class AtOnce:
    """Writes a line to standard output for each credential that will be reported, at its first place."""

    def __init__(self, setup: Setup, *, unicode: bool) -> None:
        self._setup = setup
        self._unicode = unicode
        self._known: set[Secret] = set()

    def seen(self, candidate: Candidate) -> None:
        """Tell a candidate, unless its value was told before or is suppressed."""
        setup, secret = self._setup, candidate.secret
        if secret is None or secret in self._known:
            return
        self._known.add(secret)
        findings = fold([candidate], lambda value: finding_id(setup.key.key, value), setup.config.severity_of)
        masker = Masker(setup.engine, setup.key.key, findings)
        for f in decide(findings, setup.config, setup.baseline, setup.today, whole=False, shown=masker.place).open:
            place = masker.place(f.places[0])
            line = f"{at(place)}  {f.severity}  {clean(f.rule.name)}  {f.preview}  (id {f.id[:8]})"
            sys.stdout.write((line if self._unicode else ascii_only(line)) + "\n")
            sys.stdout.flush()
