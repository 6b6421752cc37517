"""How often a host may be asked: a token bucket for each host and one for all, `Retry-After`, a circuit breaker, a budget.

Clock, sleep and randomness are passed in. A wait that would be longer than `longest` is not slept: the request is given
up as throttled, with the time at which it may be asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from random import Random
from threading import Lock
from typing import NamedTuple

from leakguard.errors import NetError


class Rates(NamedTuple):
    """How much may be asked."""

    host: float = 5.0
    """Requests a second to one host; as many at once where it was quiet."""
    total: float = 20.0
    hosts: Mapping[str, float] = {}
    """Requests a second to a host that takes less or more."""
    longest: float = 30.0
    """Seconds that a request waits for its turn."""
    failures: int = 4
    """Failures in a row after which a host is left alone."""
    rest: float = 60.0
    """Seconds for which it is."""
    budget: int | None = None
    """Requests in all."""


class _Bucket:
    """Tokens of one host, as the generic cell rate algorithm keeps them."""

    __slots__ = ("due", "failed", "slack", "step", "until")

    def __init__(self, rate: float) -> None:
        self.step = 1 / rate
        self.slack = max(0.0, rate - 1) * self.step
        """How far ahead of `due` a request may leave."""
        self.due = float("-inf")
        """When the next request would leave at an even pace."""
        self.until = float("-inf")
        """Until when the host asked to be left alone, or is left alone since it failed."""
        self.failed = 0

    def free(self, now: float) -> float:
        return max(now, self.due - self.slack, self.until)

    def take(self, at: float) -> None:
        self.due = max(self.due, at) + self.step


class Limiter:
    """Gives each request its turn; used from many threads."""

    def __init__(self, rates: Rates, clock: Callable[[], float], sleep: Callable[[float], None], rng: Random) -> None:
        self._rates = rates
        self._clock = clock
        self._sleep = sleep
        self._rng = rng
        self._lock = Lock()
        self._hosts: dict[str, _Bucket] = {}
        self._all = _Bucket(rates.total)
        self._left = rates.budget

    def take(self, host: str) -> None:
        """Wait for the turn of a request to a host.

        Raises:
            NetError: it would take too long (`throttled`), the host failed again and again (`network`), or no request is
                left in the budget (`budget`).
        """
        with self._lock:
            if self._left is not None and self._left <= 0:
                raise NetError("the run's budget of requests is used up", cause="budget", hint="raise --max-requests")
            bucket = self._bucket(host)
            now = self._clock()
            if bucket.failed >= self._rates.failures and bucket.until > now:
                raise NetError(f"{host} failed {bucket.failed} times in a row and is left alone for now", cause="network")
            at = max(bucket.free(now), self._all.free(now))
            if at - now > self._rates.longest:
                raise NetError(f"{host} asks to be left alone for {at - now:.0f} s", cause="throttled", retry_after=at - now)
            bucket.take(at)
            self._all.take(at)
            if self._left is not None:
                self._left -= 1
        if at > now:
            # a little later than the others that wait, so that they don't all leave at once
            self._sleep((at - now) * (1 + self._rng.random() / 10))

    def answered(self, host: str, status: int, headers: Mapping[str, str], wall: float) -> None:
        """Note an answer; `wall` is seconds since 1970, for a `Retry-After` that is a date."""
        with self._lock:
            bucket = self._bucket(host)
            if status >= 500:
                self._failed(bucket)
            else:
                bucket.failed = 0
            if status in (429, 503) and (wait := retry_after(headers, wall)) is not None:
                bucket.until = max(bucket.until, self._clock() + wait)

    def failed(self, host: str) -> None:
        """Note that a host did not answer."""
        with self._lock:
            self._failed(self._bucket(host))

    def _failed(self, bucket: _Bucket) -> None:
        bucket.failed += 1
        if bucket.failed >= self._rates.failures:
            bucket.until = max(bucket.until, self._clock() + self._rates.rest)

    def _bucket(self, host: str) -> _Bucket:
        if host not in self._hosts:
            self._hosts[host] = _Bucket(self._rates.hosts.get(host, self._rates.host))
        return self._hosts[host]


def retry_after(headers: Mapping[str, str], wall: float) -> float | None:
    """Return the seconds that an answer asks to wait (RFC 9110 10.2.3), None where it does not say so."""
    raw = headers.get("retry-after", "").strip()
    if raw.isascii() and raw.isdigit() and len(raw) < 10:
        return float(raw)
    try:
        return max(0.0, parsedate_to_datetime(raw).timestamp() - wall) if raw else None
    except (ValueError, OverflowError):
        return None
