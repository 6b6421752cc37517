"""What people want to know of a place in history: who brought it, when, and where it still is."""

from __future__ import annotations

import os
from collections.abc import Iterable

from leakguard.gitio.repository import Repository
from leakguard.model.blob import GitProvenance, MemberProvenance, outermost
from leakguard.model.finding import Finding, Place

_LOOKUPS = 20_000
"""Questions `is this content at this path of that branch` for one report; beyond, only local branches are asked."""
_MANY = 400
"""Places from which on a branch's whole tree is read quicker than each is asked for."""
_TREES = 20


def settle(repository: Repository, findings: Iterable[Finding]) -> list[Finding]:
    """Fill in author, date and branches of every place."""
    findings = list(findings)
    outer = {outermost(p.provenance) for f in findings for p in f.places}
    found = {p for p in outer if isinstance(p, GitProvenance)}
    if not found:
        return findings
    people = _people(repository, sorted({p.commit for p in found if p.commit}))
    heads = _heads(repository, sorted({(p.path, p.blob) for p in found if p.kind == "history" and p.path and "\n" not in p.path}))
    known: dict[GitProvenance, GitProvenance] = {}
    for p in found:
        author, date, time = people.get(p.commit, ("", "", p.time))
        known[p] = p._replace(author=author, date=date, time=p.time or time, heads=tuple(heads.get((p.path, p.blob), ())))

    def told(place: Place) -> Place:
        p = place.provenance
        if isinstance(p, GitProvenance):
            return place._replace(provenance=known[p])
        if isinstance(p, MemberProvenance) and isinstance(p.outer, GitProvenance):
            return place._replace(provenance=p._replace(outer=known[p.outer]))
        return place

    return [f._replace(places=tuple(map(told, f.places))) for f in findings]


def _people(repository: Repository, commits: list[str]) -> dict[str, tuple[str, str, int]]:
    """Return author, date and time of commits."""
    if not commits:
        return {}
    said = repository.git(
        "log",
        "--no-walk=unsorted",
        "--stdin",
        "-z",
        "--format=%H%x01%an <%ae>%x01%aI%x01%ct",
        input="\n".join(commits).encode() + b"\n",
    )
    out = {}
    for entry in said.decode("utf-8", "replace").split("\0"):
        fields = entry.split("\1")
        if len(fields) == 4:
            out[fields[0]] = (fields[1], fields[2], int(fields[3]))
    return out


def _heads(repository: Repository, places: list[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
    """Return, for each path and content, the branches at whose end it stands."""
    if not places:
        return {}
    said = repository.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/remotes")
    branches: dict[str, list[str]] = {}
    for line in said.decode("utf-8", "surrogateescape").splitlines():
        tip, _, name = line.partition(" ")
        if not name.endswith("/HEAD"):
            branches.setdefault(tip, []).append(name.removeprefix("refs/heads/").removeprefix("refs/remotes/"))
    out: dict[tuple[str, str], list[str]] = {}
    tips = sorted(branches)
    if len(tips) * len(places) > _LOOKUPS:
        local = (
            repository.git("for-each-ref", "--format=%(objectname)", "refs/heads", "refs/remotes/origin/HEAD")
            .decode("ascii")
            .split()
        )
        tips = sorted(set(local) & set(branches))[:_TREES]
    if len(places) > _MANY:
        wanted = set(places)
        for tip in tips:
            for entry in repository.git("ls-tree", "-r", "-z", "--full-tree", tip).split(b"\0"):
                meta, _, path = entry.partition(b"\t")
                place = (os.fsdecode(path), meta[-2 * repository.hash_length :].decode("ascii"))
                if place in wanted:
                    out.setdefault(place, []).extend(branches[tip])
        return out
    asked = [(tip, place) for tip in tips for place in places]
    names = b"".join(tip.encode() + b":" + os.fsencode(path) + b"\n" for tip, (path, _blob) in asked)
    answers = repository.git("cat-file", "--batch-check=%(objectname)", input=names).split(b"\n")
    for (tip, place), answer in zip(asked, answers, strict=False):
        if answer.decode("ascii", "replace") == place[1]:
            out.setdefault(place, []).extend(branches[tip])
    return out
