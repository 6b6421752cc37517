"""Build logs: values are found behind colours and prefixes, with their place in the log as it is and the step they are in."""

from __future__ import annotations

import io
import os
import zipfile
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import leakguard
from conftest import Planted
from leakguard.config import Config
from leakguard.engine import logs
from leakguard.engine.scan import Engine
from leakguard.engine.written import unwrap
from leakguard.model.blob import Blob, FileProvenance, Origin, Passed, StreamProvenance
from leakguard.model.finding import Candidate, Place
from leakguard.pipeline.pieces import joined
from leakguard.pipeline.setup import build_engine
from leakguard.sources._chunks import chunks
from leakguard.sources._logs import Reader
from leakguard.sources._pieces import Piece, cut
from leakguard.sources._text import reader

TIME = "2026-01-02T03:04:05.1234567Z "

PREFIXES: dict[str, Callable[[int], str]] = {
    "GitHub Actions": lambda _n: TIME,
    "gh run view": lambda _n: f"build\tRun tests\t{TIME}",
    "GitLab": lambda n: f"2026-01-02T03:04:05.{n:06}Z 00O ",
    "Jenkins, timestamper": lambda _n: "[2026-01-02T03:04:05.123Z] ",
    "Jenkins, clock": lambda _n: "03:04:05  ",
    "Jenkins, parallel": lambda _n: "[linux] ",
    "Jenkins, notes": lambda _n: "\x1b[8mha:////4H+H6gi+RzqRXg=\x1b[0m",
    "Azure Pipelines": lambda _n: TIME,
    "Buildkite": lambda n: f"\x1b_bk;t=17354400000{n:02}\x07",
    "docker compose": lambda _n: "web-1    | ",
    "kubectl": lambda _n: "[pod/web-0/app] ",
    "kubectl with times": lambda _n: "[pod/web-0/app] 2026-01-02T03:04:05.123456789Z ",
    "CRI": lambda _n: "2026-01-02T03:04:05.123456789+01:00 stdout F ",
    "BuildKit": lambda n: f"#7 0.{n:03} ",
    "syslog": lambda _n: "Jan  2 03:04:05 ci runner[12]: ",
}


def log(prefix: Callable[[int], str], *lines: str) -> bytes:
    return "".join(prefix(n) + line + "\n" for n, line in enumerate(lines)).encode()


def scan(data: bytes, name: str = "build.log") -> list[tuple[str, Place]]:
    """Return rule and place of each finding's own part."""
    report = leakguard.scan_bytes(data, name)
    assert not report.skipped
    return [(f.rule.id, p) for f in report.findings for p in f.places if p.part == f.rule.part]


def value_at(data: bytes, place: Place) -> bytes:
    """Cut a place's value out of the log, as a process that opens it again does."""
    return unwrap(data[place.offset : place.offset + place.length], place.via)


def source_at(data: bytes, place: Place) -> bytes:
    """Cut the line and columns of a place out of the log."""
    return data.splitlines()[place.start_line - 1].decode()[place.start_column - 1 :].encode()


@pytest.mark.parametrize("service", PREFIXES)
def test_a_token_is_told_where_it_stands_in_the_log_as_it_is(service: str, planted: Planted) -> None:
    """Line, column and offset are those of the source, colours and prefixes counted."""
    token = planted.github()
    data = log(PREFIXES[service], "starting", f"export TOKEN=\x1b[32m{token}\x1b[0m", "done")

    (_rule, place), *rest = scan(data)

    assert not rest
    assert place.start_line == 2
    assert source_at(data, place).startswith(token.encode())
    assert value_at(data, place) == token.encode()


@pytest.mark.parametrize("service", PREFIXES)
def test_a_private_key_is_found_whole_through_what_stands_before_its_lines(service: str, planted: Planted) -> None:
    key = planted.make("${pem:RSA PRIVATE KEY}")
    data = log(PREFIXES[service], "cat id_rsa", *key.splitlines(), "done", "done again")

    ((rule, place),) = scan(data)

    assert rule == "private-key-pem"
    assert (place.start_line, place.end_line) == (2, 1 + len(key.splitlines()))
    assert [step.way for step in place.via] == ["log"]
    assert value_at(data, place).decode().strip() == key.strip()


def test_a_colour_within_a_value_does_not_hide_it(planted: Planted) -> None:
    token = planted.github()
    data = f"grep: \x1b[01;31m\x1b[K{token[:9]}\x1b[m\x1b[K{token[9:]}\r\n".encode()

    ((_rule, place),) = scan(data, "x.txt")

    assert value_at(data, place) == token.encode()
    assert place.length > len(token)


def test_a_value_that_a_terminal_wrapped_is_one(planted: Planted) -> None:
    """A terminal of 80 columns breaks lines within words; what follows belongs to them."""
    token = planted.github()
    long = ["echo " + "x" * 83, "wget https://acme.example/" + "y" * 70, f"{'some words first ' * 4}{token}"]
    wrapped = [line[at : at + 80] for line in long for at in range(0, len(line), 80)]
    data = ("ls\n" + "\n".join(wrapped) + "\ndone\n").encode()

    ((_rule, place),) = scan(data)

    assert value_at(data, place) == token.encode()
    assert place.end_line == place.start_line + 1
    assert [step.way for step in place.via] == ["wrapped log"]


def test_a_line_of_gitlab_that_goes_on_is_one_with_the_line_before(planted: Planted) -> None:
    token = planted.github()
    stamp = "2026-01-02T03:04:05.123456Z 00O"
    data = f"{stamp} start\n{stamp} token {token[:15]}\n{stamp}+{token[15:]} behind\n{stamp} end\n".encode()

    ((_rule, place),) = scan(data)

    assert value_at(data, place) == token.encode()
    assert (place.start_line, place.end_line) == (2, 3)


def test_progress_lines_hide_nothing(planted: Planted) -> None:
    """What a carriage return or a backspace took back was written all the same, or is what is seen."""
    token = planted.github()
    data = f"a  1%\rb 50%\rtoken {token}\rdone 100%\n|\b/\b-\btoken {token}\n".encode()

    assert [p.start_line for _rule, p in scan(data)] == [1, 2]


@pytest.mark.parametrize(
    "line",
    [
        "+ export DB_PASSWORD={}",
        "++ DB_PASSWORD={}",
        "+ DB_PASSWORD={} ./deploy.sh",
        'declare -x DB_PASSWORD="{}"',
        "DB_PASSWORD={}",
        "  DB_PASSWORD: {}",
        "export DB_PASSWORD='{}'",
    ],
)
def test_traces_and_dumps_of_the_environment_are_read(line: str) -> None:
    """`set -x`, `env`, `export -p`, and the block of variables that GitHub prints."""
    value = "".join(Random(3).choices("abcdefghkmnpqrstuvwxyzABCDEFGHJKLMN23456789", k=18))
    data = log(PREFIXES["GitHub Actions"], "PATH=/usr/bin:/bin", line.format(value), "HOME=/root")

    ((_rule, place),) = scan(data)

    assert value_at(data, place) == value.encode()


@pytest.mark.parametrize("mask", ["***", "[MASKED]", "[secure]", "****", "[REDACTED]", "[FILTERED]", "xxxxxx", "••••", "ghp_***"])
def test_what_the_runner_masked_is_not_reported(mask: str) -> None:
    lines = [f"export TOKEN={mask}", f"password: {mask}", f"https://bot:{mask}@acme.example/", f"Authorization: Bearer {mask}"]

    report = leakguard.scan_bytes(log(PREFIXES["GitHub Actions"], *lines), "build.log", Config(jobs=1, level="all"))

    assert [f.preview for f in report.findings] == []


STEPS = {
    "GitHub Actions": (TIME, "##[group]Run ./deploy.sh --now", "Run ./deploy.sh --now"),
    "Azure Pipelines": (TIME, "##[section]Starting: Deploy", "Deploy"),
    "GitLab": ("", "\x1b[0Ksection_start:1560896352:deploy_it[collapsed=true]\r\x1b[0KDeploying", "deploy_it"),
    "Jenkins": ("[2026-01-02T03:04:05.123Z] ", "[Pipeline] { (Deploy)", "Deploy"),
    "Travis": ("", "travis_fold:start:deploy.1\r\x1b[0Ktravis_time:start:0a1b\r\x1b[0K$ ./deploy", "deploy.1"),
    "Buildkite": ("\x1b_bk;t=1735440000001\x07", "--- :rocket: Deploy", ":rocket: Deploy"),
}


@pytest.mark.parametrize("service", STEPS)
def test_the_step_is_named(service: str, planted: Planted) -> None:
    prefix, line, step = STEPS[service]
    text = "".join(f"{prefix}{one}\n" for one in ("hello", line, "going", f"TOKEN={planted.github()}"))

    ((_rule, place),) = scan(text.encode())

    assert place.facts == (("step", step),)


def test_what_stands_behind_the_end_of_a_section_is_told_so(planted: Planted) -> None:
    text = f"section_start:1:one\r\x1b[0Kx\nsection_end:2:one\r\x1b[0K\nTOKEN={planted.github()}\n"

    ((_rule, place),) = scan(text.encode())

    assert place.facts == (("step", "after one"),)


def test_a_zip_of_logs_names_job_and_step_and_a_step_holds_no_secret(tree: Path, planted: Planted) -> None:
    """GitHub's archives: a file for a job, and one for each of its steps; a step may be named by its command."""
    token = planted.github()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("1_build.txt", log(PREFIXES["GitHub Actions"], f"##[group]Run echo {token}", f"TOKEN={token}"))
        out.writestr("build/3_Run tests.txt", log(PREFIXES["GitHub Actions"], "x", f"TOKEN={token}"))
    (tree / "logs.zip").write_bytes(archive.getvalue())

    (finding,) = leakguard.scan_path(tree).findings

    told = {(p.provenance.path, p.start_line): dict(p.told) for p in finding.places}
    assert told["logs.zip!/build/3_Run tests.txt", 2] == {"job": "build", "step": "3 Run tests"}
    assert told["logs.zip!/1_build.txt", 2] == {"job": "build", "step": "Run echo ••••"}


PART = st.sampled_from(
    [
        *(prefix(1).encode() for prefix in PREFIXES.values()),
        *(line.encode() for _prefix, line, _step in STEPS.values()),
        *b"\x1b \x07 \x08 a\x08 \r \n \r\n \x1b[31m \x1b[K \x1b[2A \x1b[0m \x1b]8;; \x1b\\ \x1b(B [8mha: //8= abc token= | 0 [ ] ##[ - +".split(),
        b" ",
        b"\n2026-01-02T03:04:05.123456Z 01E+",
        b"\xef\xbb\xbf",
    ]
)
RAW = st.lists(st.one_of(PART, st.binary(max_size=4)), max_size=16).map(b"".join)


@given(RAW, st.booleans(), st.booleans())
def test_what_is_left_stood_where_the_map_says(raw: bytes, begins: bool, prefixes: bool) -> None:
    """For any bytes: each that is left is that of the source, or a blank where the cursor moved."""
    text = logs.clean(raw, begins=begins, prefixes=prefixes)

    assert text.at[0] == 0
    assert list(text.at) == sorted(set(text.at))
    for place, byte in enumerate(text.data):
        stood = place + text.moved[bisect_right(text.at, place) - 1]
        assert raw[stood] == byte or byte == 32


@pytest.mark.skipif(logs._native is None, reason="this installation was built without a C compiler, and has one way only")
@given(RAW, st.booleans(), st.booleans())
def test_the_compiled_loop_and_the_expression_agree(raw: bytes, begins: bool, prefixes: bool) -> None:
    compiled, native = logs.clean(raw, begins=begins, prefixes=prefixes), logs._native
    logs._native = None
    try:
        assert logs.clean(raw, begins=begins, prefixes=prefixes) == compiled
    finally:
        logs._native = native


@given(RAW, st.data())
def test_spans_go_to_the_source_and_back(raw: bytes, data: st.DataObject) -> None:
    """A span of the text, mapped to the source and cleaned there, is the same bytes; its first byte is found again."""
    text = logs.clean(raw, begins=True, prefixes=True)
    if not text.data:
        return
    origin = Origin(Blob(raw, StreamProvenance("x")), text.at, text.moved, ("log",), lambda _at: ())
    start = data.draw(st.integers(0, len(text.data) - 1))
    end = data.draw(st.integers(start + 1, min(len(text.data), start + 6)))

    low, high = origin.span(start, end)

    assert 0 <= low < high <= len(raw)
    assert origin.left(low) == start
    if not set(raw[low:high]) & set(b"\n\x1b\b\a") and b" " not in text.data[start:end]:
        assert raw[low:high] == text.data[start:end]


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_any_bytes_are_read(raw: bytes, own: int, end: int) -> None:
    own, end = sorted((min(own, len(raw)), min(end, len(raw))))

    blob = Reader(raw, StreamProvenance("x.log")).read(Blob(raw, StreamProvenance("x.log"), 10, 1, 2, own, end))

    assert 0 <= blob.own_start <= len(blob.data)
    if blob.origin is not None:
        blob.origin.facts(own)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return build_engine(Config(), os.environ, keep=False)


@pytest.fixture(scope="module")
def ci_log() -> bytes:
    """A log with tokens, a key, colours, steps and characters of several bytes."""
    planted, rng = Planted(11), Random(5)
    lines = []
    for n in range(90):
        lines.append(f"##[group]Run step {n}")
        lines += ["".join(rng.choices("abc défg \t/=", k=rng.randrange(5, 90))) for _ in range(rng.randrange(12))]
        if n % 3 == 0:
            lines.append(f"é \x1b[36mTOKEN=\x1b[1m{planted.github()}\x1b[0m ")
        if n % 11 == 5:
            lines += planted.make("${pem:RSA PRIVATE KEY}").splitlines()
    return log(PREFIXES["GitHub Actions"], *lines)


def seen(items: Iterator[Any]) -> set[tuple[object, ...]]:
    """Return all that a place tells, but for the frame."""
    return {(c.rule.id, c.place._replace(frame=(), provenance=StreamProvenance("x"))) for c in items if isinstance(c, Candidate)}


@pytest.mark.parametrize("size", [6000, 7001, 9973])
def test_borders_of_chunks_change_nothing(size: int, engine: Engine, ci_log: bytes) -> None:
    where = StreamProvenance("build.log")
    whole = seen(c for blob in chunks(reader(ci_log), where, "") for c in engine.scan(blob).candidates)

    cuts = chunks(reader(ci_log), where, "", chunk=size, ahead=4000, behind=1500)

    assert len(whole) == 30 + 8
    assert seen(c for blob in cuts for c in engine.scan(blob).candidates) == whole


@pytest.mark.parametrize("newline", [b"\n", b" "], ids=["lines", "one line"])
def test_pieces_of_a_file_that_is_shared_out_tell_the_same_places(newline: bytes, engine: Engine, ci_log: bytes) -> None:
    """Also of one that is a single line: columns go on from piece to piece."""
    data = ci_log.replace(b"\n", newline)
    where = FileProvenance("/", "build.log")
    kwargs = {"chunk": 6000, "ahead": 4000, "behind": 1500}

    def read(offset: int, size: int) -> bytes:
        return data[offset : offset + size]

    number = -(-(len(data) - 4000) // 6000)
    found: dict[int, list[Any]] = {}
    shards = []
    for first in range(0, number, 2):
        last = first + 2 >= number
        shards.append(Piece("/", "build.log", first, None if last else 2, len(data), 1))
        blobs = cut(read, where, "", first, None if last else 2, **kwargs)
        found[len(shards) - 1] = [x for b in blobs for x in ([b] if isinstance(b, Passed) else engine.scan(b).candidates)]

    whole = [c for blob in chunks(reader(data), where, "", **kwargs) for c in engine.scan(blob).candidates]

    assert len(shards) > 3
    together = [item for item in joined(found, shards) if isinstance(item, Candidate)]
    assert seen(iter(together)) == seen(iter(whole))
    assert [c.place.frame for c in together] == [c.place.frame for c in whole]
