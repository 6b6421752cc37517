"""Verify findings: once a credential, offline first, within limits, and with nothing asked that was not allowed.

The order for each: a trap is never asked; what is known from before is not asked again; what needs no network is read;
a made-up credential shows once a day that the provider tells one from the other; then the provider is asked. Whatever
goes wrong is a verdict with its cause, so that no finding is lost.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import zip_longest
from random import Random
from threading import Event, Lock
from types import ModuleType
from typing import NamedTuple

from leakguard import plugins
from leakguard.errors import LeakguardError, MissingExtraError, NetError
from leakguard.model.check import Check
from leakguard.model.finding import Candidate, Finding, Verdict
from leakguard.model.rule import RuleDoc
from leakguard.model.verdict import CAUSES, LIVE
from leakguard.net.message import Sent
from leakguard.ports import Source
from leakguard.verifiers._cache import Cache
from leakguard.verifiers._canary import trap
from leakguard.verifiers._contract import Credential, Tools
from leakguard.verifiers._pairs import PAIRS, credentials

_THREADS = 32
_PLACES = 100
"""Places of a login's password that are looked at for its server."""
_UNSENT = frozenset({"budget", "host_not_allowed", "missing_extra"})
"""Why nobody was asked; another run may be allowed more."""
_UNTRIED = _UNSENT | {"throttled", "tls"}
"""With these as errors, no password has left: the account was not tried."""


class Settings(NamedTuple):
    """What a run may do, from flags and trusted configuration."""

    pairs: int = PAIRS
    canary_accounts: tuple[str, ...] = ()
    canary_hosts: tuple[str, ...] = ()
    refresh: bool = False
    """Ask again what is known from before."""
    control: bool = True


class Planned(NamedTuple):
    """A request that a run would send."""

    sent: Sent
    verifier: str
    control: bool
    """It carries a made-up credential."""


class Runner:
    """Verifies the findings of a run."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        documents: Callable[[str], RuleDoc | None],
        tools: Tools,
        cache: Cache,
        settings: Settings,
        rng: Random,
        stopped: Event,
    ) -> None:
        self.checks = checks
        self._documents = documents
        self._tools = tools
        self._cache = cache
        self._settings = settings
        self._rng = rng
        self._lock = Lock()
        self._flying: dict[bytes, Future[Verdict]] = {}
        self._controls: dict[tuple[str, str], Future[bool]] = {}
        self._stopped = stopped

    def verify(self, findings: Sequence[Finding], candidates: Iterable[Candidate], source: Source) -> list[Finding]:
        """Return the findings with their verdicts; one whose rule has no check stays as it is."""
        jobs = self._jobs(findings, candidates, source)
        order = list(_spread(jobs))
        verdicts: dict[str, Verdict] = {}
        pool = ThreadPoolExecutor(min(_THREADS, max(1, len(order))), thread_name_prefix="verify")
        try:
            for job, verdict in zip(order, pool.map(self._finding, order), strict=True):
                verdicts[job.finding.id] = verdict
        except BaseException:
            # what was learned is kept already; what still waits is not asked
            self._stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        pool.shutdown()
        return [f._replace(verdict=verdicts[f.id]) if f.id in verdicts else f for f in findings]

    def plan(self, findings: Sequence[Finding], candidates: Iterable[Candidate], source: Source) -> list[Planned]:
        """Return what `verify` would send, at most; nothing is sent."""
        out: list[Planned] = []
        seen: set[bytes] = set()
        controls: set[tuple[str, str]] = set()
        for job in self._jobs(findings, candidates, source):
            for credential in job.credentials:
                key = self._key(credential)
                if key in seen or self._known(credential, key) is not None:
                    continue
                seen.add(key)
                module = _module(credential.check)
                sent = list(module.plan(credential, self._tools))
                once = (credential.check.provider, credential.check.version)
                if sent and once not in controls:
                    controls.add(once)
                    made_up = self._made_up(credential, module)
                    if made_up is not None and not self._cache.done(self._control_key(credential.check)):
                        out += [Planned(s, credential.check.rule, control=True) for s in module.plan(made_up, self._tools)]
                out += [Planned(s, credential.check.rule, control=False) for s in sent]
        return out

    def _jobs(self, findings: Sequence[Finding], candidates: Iterable[Candidate], source: Source) -> list[_Job]:
        near: dict[object, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            if candidate.secret is not None and candidate.rule.id in self.checks:
                near[candidate.secret].append(candidate)
        out = []
        for finding in findings:
            check = self.checks.get(finding.rule.id)
            if check is None:
                continue
            module, places = _module(check), near[finding.secret]
            if getattr(module, "LOGIN", False):
                tries = credentials(finding, places, check, source, _PLACES, lines=True)
                # the first that says where to log in; one is tried
                found = [next((c for c in tries if _account(module, c)), tries[0])]
            else:
                found = credentials(finding, places, check, source, self._settings.pairs)
            out.append(_Job(finding, found))
        return out

    def _finding(self, job: _Job) -> Verdict:
        """Verify one finding: live with one partner is live; with several, a refusal of all says nothing."""
        verdicts: list[Verdict] = []
        for credential in job.credentials:
            verdict = self._credential(credential)
            if verdict.state in LIVE or verdict.state in ("canary", "unverifiable", "skipped_by_policy"):
                return verdict
            verdicts.append(verdict)
            if verdict.state == "unknown" and verdict.reason not in ("ambiguous_pair", "unexpected"):
                break
        last = verdicts[-1]
        if len(verdicts) < 2:
            return last
        evidence = tuple(e for v in verdicts for e in v.evidence)
        if all(v.state == "dead" or v.reason == "ambiguous_pair" for v in verdicts):
            return Verdict("unknown", "ambiguous_pair", f"none of {len(verdicts)} partners near it fits", None, evidence)
        return last._replace(evidence=evidence)

    def _credential(self, credential: Credential) -> Verdict:
        """Return the verdict of one combination; threads that come for the same one wait for its answer."""
        key = self._key(credential)
        with self._lock:
            future = self._flying.get(key)
            mine = future is None
            if future is None:
                future = self._flying[key] = Future()
        if mine:
            try:
                future.set_result(self._settled(credential, key))
            except BaseException as e:
                future.set_exception(e)
                raise
        return future.result()

    def _settled(self, credential: Credential, key: bytes) -> Verdict:
        if self._stopped.is_set():
            return Verdict("unknown", "interrupted")
        known = self._known(credential, key)
        if known is not None:
            return known
        module = _module(credential.check)
        untried = False
        try:
            refused = self._before(credential, module)
            verdict = refused or module.check(credential, self._tools)
        except NetError as e:
            verdict = Verdict("unknown", e.cause if e.cause in CAUSES else "network", e.message)
            untried = e.cause in _UNTRIED
        except MissingExtraError as e:
            verdict = Verdict("unknown", "missing_extra", f"{e.message}: {e.hint}")
            untried = True
        except LeakguardError as e:
            verdict = Verdict("unknown", "unexpected", e.message)
        except Exception as e:  # noqa: BLE001 - a verifier's bug must not lose the finding, nor tell what it held
            verdict = Verdict("unknown", "unexpected", f"a bug of ours in the verifier ({type(e).__name__})")
        if verdict.state in LIVE and not self._tells_apart(credential, module):
            verdict = Verdict("unknown", "set_aside", "", verdict.identity, verdict.evidence)
        login = getattr(module, "LOGIN", False)
        if login and (untried or verdict.state in ("skipped_by_policy", "unverifiable")):
            self._cache.note(self._login_key(credential, module), "", 0)
            if verdict.reason == "tls":
                return verdict  # an authority or a host may be named for the next run
        if verdict.state == "skipped_by_policy" or verdict.reason in _UNSENT or verdict.reason == "lockout_guard":
            return verdict
        return self._cache.put(key, verdict)

    def _known(self, credential: Credential, key: bytes) -> Verdict | None:
        """Return what is known without asking anybody."""
        check = credential.check
        if check.unverifiable:
            return Verdict("unverifiable", "", check.unverifiable)
        try:
            values = credential.values().values()
        except UnicodeDecodeError:
            values = ()  # type: ignore[assignment]  # nothing to look at
        if why := trap(values, self._settings.canary_accounts, self._settings.canary_hosts):
            return Verdict("canary", "", why)
        return None if self._settings.refresh else self._cache.fresh(key)

    def _before(self, credential: Credential, module: ModuleType) -> Verdict | None:
        """Ask about a made-up credential first, and keep a login from being tried twice a day."""
        if not getattr(module, "LOGIN", False):
            self._tells_apart(credential, module)
        elif _account(module, credential):
            key = self._login_key(credential, module)
            with self._lock:
                if self._cache.done(key):
                    return Verdict("unknown", "lockout_guard")
                self._cache.note(key, "tried")
        return None

    def _login_key(self, credential: Credential, module: ModuleType) -> bytes:
        return self._cache.key(b"login", _account(module, credential).encode())

    def _tells_apart(self, credential: Credential, module: ModuleType) -> bool:
        """Whether a provider refuses a made-up credential of the same shape; asked once a verifier and day."""
        check = credential.check
        once = (check.provider, check.version)
        with self._lock:
            future = self._controls.get(once)
            mine = future is None
            if future is None:
                future = self._controls[once] = Future()
        if mine:
            try:
                future.set_result(self._control(credential, module))
            except BaseException as e:
                future.set_exception(e)
                raise
        return future.result()

    def _control(self, credential: Credential, module: ModuleType) -> bool:
        made_up = self._made_up(credential, module)
        if made_up is None:
            return True
        key = self._control_key(credential.check)
        known = self._cache.done(key)
        if known:
            return known != "alike"
        try:
            verdict = module.check(made_up, self._tools)
        except LeakguardError:
            return True  # nothing was learned; the next run asks again
        if verdict.state in LIVE or verdict.state == "dead":
            self._cache.note(key, "alike" if verdict.state in LIVE else "apart")
        return verdict.state not in LIVE

    def _made_up(self, credential: Credential, module: ModuleType) -> Credential | None:
        check = credential.check
        if not self._settings.control or not check.control or check.code or getattr(module, "LOGIN", False):
            return None
        doc = self._documents(check.rule)
        if doc is None:
            return None
        from leakguard.verifiers._prove import made_up

        return made_up(check, credential.rule, doc, self._rng)

    def _control_key(self, check: Check) -> bytes:
        return self._cache.key(b"control", check.provider.encode(), check.version.encode(), time.strftime("%Y-%m-%d", time.gmtime(self._tools.wall())).encode())  # fmt: skip

    def _key(self, credential: Credential) -> bytes:
        check = credential.check
        endpoints = "\n".join(self._tools.endpoints.get(check.provider, ()))
        parts = [piece for name, part in credential.parts if name != "around" for piece in (name.encode(), part.reveal())]
        parts.append(_account(_module(check), credential).encode())
        return self._cache.key(
            b"verdict", check.provider.encode(), check.version.encode(), endpoints.encode(), credential.secret.reveal(), *parts
        )


class _Job(NamedTuple):
    """One finding and the combinations to try."""

    finding: Finding
    credentials: list[Credential]


@cache
def _named(name: str) -> ModuleType:
    return plugins.load("leakguard.verifiers", name)


def _account(module: ModuleType, credential: Credential) -> str:
    """Return whose tries are counted, empty where a check is no login or names no server."""
    try:
        return str(module.account(credential)) if getattr(module, "LOGIN", False) else ""
    except UnicodeDecodeError:
        return ""  # no text, so no login


def _module(check: Check) -> ModuleType:
    return _named(check.code or "http")


def _spread(jobs: Iterable[_Job]) -> Iterator[_Job]:
    """Yield jobs of different providers in turn, so that threads that wait for one don't hold up the others."""
    groups: dict[str, list[_Job]] = defaultdict(list)
    for job in jobs:
        groups[job.finding.rule.provider].append(job)
    for row in zip_longest(*groups.values()):
        yield from (job for job in row if job is not None)
