"""What a verdict rests on: its reasons, whose credential it is, and what was seen; apart from `Verdict`, which every scan needs."""

from __future__ import annotations

from typing import NamedTuple

from leakguard.model.finding import Verdict

REASONS = ("", "revoked", "expired", "deleted", "wrong_secret", "locked")
"""Why it is dead; empty where the provider only refuses it."""
CAUSES = {
    "network": "the host could not be reached",
    "timeout": "the host did not answer in time",
    "tls": "the host's certificate is not trusted",
    "throttled": "the provider asks to wait",
    "provider_5xx": "the provider had an error of its own",
    "blocked_by_waf": "something in front of the provider answered",
    "unexpected": "the answer proves neither",
    "ambiguous_pair": "several partners stand near, and which belongs to it is not known",
    "no_partner": "a part that it works with was not found",
    "host_not_allowed": "its host is not allowed",
    "lockout_guard": "it was tried already today, and more tries could lock the account",
    "budget": "the run's budget of requests is used up",
    "set_aside": "the provider answers a made-up credential the same way",
    "gone": "the value can't be read again",
    "missing_extra": "an optional package is not installed",
    "too_large": "the answer was too long",
    "interrupted": "the run was stopped",
}
"""Why it is unknown -> words for people."""
LIVE = frozenset({"live", "live_restricted"})


class Identity(NamedTuple):
    """Whose credential it is and what it is worth, as the provider says; empty where it does not say."""

    id: str = ""
    """Stable id of the account, user or bot."""
    name: str = ""
    """Login or display name."""
    type: str = ""
    """`user`, `bot`, `organization`, `project`, ... in the provider's word."""
    email: str = ""
    account: str = ""
    """Organisation, team, workspace or project that it belongs to."""
    url: str = ""
    key_id: str = ""
    """Id of the credential itself at its provider."""
    scopes: tuple[str, ...] = ()
    created: str = ""
    expires: str = ""
    last_used: str = ""

    @property
    def shown(self) -> str:
        """One line for people: who, where."""
        who = self.name or self.email or self.id or self.key_id
        where = self.account if self.account != who else ""
        return " of ".join(filter(None, (who, where))) + (f" ({self.type})" if self.type and (who or where) else "")


class Evidence(NamedTuple):
    """One check, as it may be kept: never the value, never a body."""

    time: str
    """UTC, ISO 8601."""
    verifier: str
    version: str
    host: str = ""
    method: str = ""
    template: str = ""
    """Path with names in place of values."""
    status: int = 0
    decided: str = ""
    """What decided: `401 message = Bad credentials`; `crc32`; `exp`."""
    request_id: str = ""
    """The provider's id of the request, to ask it about."""
    response_sha256: str = ""


def words(verdict: Verdict) -> str:
    """Return the reason of a verdict for people, empty where there is none."""
    return verdict.detail or CAUSES.get(verdict.reason, verdict.reason.replace("_", " "))
