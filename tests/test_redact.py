"""`leakguard redact`: no secret is left, every other byte is, and what can't be looked at does not go out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Planted
from leakguard.config import Config
from leakguard.engine.scan import Engine
from leakguard.pipeline import redacting
from leakguard.pipeline.redacting import ENOUGH, Known, Redactor, from_environment
from leakguard.pipeline.setup import build_engine
from leakguard.secret import MASK

TIME = "2026-01-02T03:04:05.1234567Z "


def redact(*args: str, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command."""
    command = [sys.executable, "-m", "leakguard", "redact", *args]
    return subprocess.run(command, input=stdin, capture_output=True, env={**os.environ, **env}, check=False, timeout=120)


def ci_log(planted: Planted) -> tuple[bytes, list[str], bytes]:
    """Return a job's log, its secrets, and what it has to become: each value masked, all else as it was."""
    token, stripe, password = planted.github(), planted.stripe(), "".join(Random(4).choices("abcdefghkmnpqrstXYZ2345678", k=17))
    key = planted.make("${pem:RSA PRIVATE KEY}").strip().splitlines()
    shown = {token: f"ghp_{MASK}{token[-4:]}", stripe: f"sk_live_{MASK}{stripe[-4:]}", password: MASK}
    lines = [
        "##[group]Run ./deploy.sh\r",
        "\x1b[36;1mexport GITHUB_TOKEN=\x1b[0m\x1b[32m" + token + "\x1b[0m",
        " 10%\r 50%\r100% done",
        f"+ export DB_PASSWORD={password}",
        "env: TOKEN=*** PASSWORD=[MASKED]",
        *key,
        f"curl -H 'Authorization: Bearer {token}' https://api.acme.example/é",
        f"charge {stripe} \xa0end\r",
        f"bare again: {password}, and {password}!",
        "",
        "caf\xe9 \x1b]8;;https://acme.example\x1b\\link\x1b]8;;\x1b\\",
    ]
    raw = "".join(f"{TIME}{line}\n" for line in lines)
    wanted = raw
    for value, mask in shown.items():
        wanted = wanted.replace(value, mask)
    wanted = wanted.replace(key[0], f"-----BEGIN {MASK}")
    for line in key[1:]:
        wanted = wanted.replace(line, MASK)
    return b"\xef\xbb\xbf" + raw.encode(), [token, stripe, password, *key[1:-1]], b"\xef\xbb\xbf" + wanted.encode()


def test_a_ci_log_is_redacted_in_its_place_and_scanned_again(tree: Path, planted: Planted) -> None:
    """Not one planted value is left, everything else is byte for byte the same."""
    raw, secrets, wanted = ci_log(planted)
    (tree / "job.log").write_bytes(raw)
    (tree / "job.log").chmod(0o640)

    done = redact(str(tree / "job.log"))

    left = (tree / "job.log").read_bytes()
    assert not [value for value in secrets if value.encode() in left]
    assert left == wanted
    assert (tree / "job.log").stat().st_mode & 0o777 == 0o640
    assert done.returncode == 0
    assert b"scanned again: nothing left" in done.stderr
    assert [p.name for p in tree.iterdir()] == ["job.log"]


def test_the_result_can_go_to_another_file(tree: Path, planted: Planted) -> None:
    raw, _secrets, wanted = ci_log(planted)
    (tree / "job.log").write_bytes(raw)

    done = redact(str(tree / "job.log"), "-o", str(tree / "clean.log"))

    assert done.returncode == 0
    assert (tree / "job.log").read_bytes() == raw
    assert (tree / "clean.log").read_bytes() == wanted


def test_a_stream_becomes_what_the_file_becomes_but_for_copies_before_the_first_telling_place(planted: Planted) -> None:
    raw, _secrets, wanted = ci_log(planted)

    done = redact("-", stdin=raw)

    assert done.returncode == 0
    assert done.stdout == wanted


@pytest.fixture(scope="module")
def engine() -> Engine:
    return build_engine(Config(), os.environ, level="all", keep=False)


@settings(max_examples=40)
@given(st.data())
def test_no_value_goes_out_however_the_stream_comes(engine: Engine, data: st.DataObject) -> None:
    """Cut anywhere, with pauses anywhere: the same bytes go out."""
    raw, secrets, wanted = ci_log(Planted(data.draw(st.integers(1, 5))))
    cuts = sorted({0, len(raw), *data.draw(st.lists(st.integers(0, len(raw)), max_size=12))})
    redactor, out = Redactor(engine, Known()), []

    for start, end in zip(cuts, cuts[1:], strict=False):
        out.append(redactor.feed(raw[start:end]))
        out += [redactor.pause() for _ in range(data.draw(st.integers(0, 2)))]
    out.append(redactor.close())

    assert not [value for value in secrets if value.encode() in b"".join(out)]
    assert b"".join(out) == wanted


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=80), max_size=6), st.integers(0, 12))
def test_bytes_that_hold_no_secret_go_through_as_they_are(engine: Engine, parts: list[bytes], pauses: int) -> None:
    """Any bytes, but for those that begin like a container or UTF-16."""
    parts = [b"x\n", *parts]
    redactor, out = Redactor(engine, Known()), []

    for part in parts:
        out += [redactor.feed(part), *(redactor.pause() for _ in range(pauses))]
    out.append(redactor.close())

    assert redactor.places or b"".join(out) == b"".join(parts)


def test_a_stream_of_one_endless_line_is_held_in_bounds(engine: Engine, planted: Planted) -> None:
    token = planted.github().encode()
    redactor, out = Redactor(engine, Known()), []

    for n in range(40):
        out.append(redactor.feed(b"x y " * 20_000 + (b" " + token + b" " if n % 7 == 3 else b"")))
        assert len(redactor._held) < 2 * ENOUGH
    out.append(redactor.close())

    assert token not in b"".join(out)
    assert b"".join(out).count(MASK.encode()) == 6


def test_a_key_that_comes_slowly_is_held_until_it_ends(engine: Engine, planted: Planted) -> None:
    key = planted.make("${pem:RSA PRIVATE KEY}").strip().splitlines()
    redactor, out = Redactor(engine, Known()), []

    for line in ["before", *key, "behind"]:
        out.append(redactor.feed(line.encode() + b"\n"))
        out += [redactor.pause() for _ in range(20)]

    text = b"".join(out)
    assert text.startswith(b"before\n")
    assert text.endswith(b"behind\n")
    assert not [line for line in key[1:-1] if line.encode() in text]
    assert text.count(b"\n") == 2 + len(key)


def test_a_key_that_never_ends_does_not_go_out(engine: Engine, planted: Planted) -> None:
    key = planted.make("${pem:RSA PRIVATE KEY}").strip().splitlines()
    redactor = Redactor(engine, Known())

    text = redactor.feed("\n".join(key[:5]).encode()) + redactor.pause() + redactor.close()

    assert not [line for line in key[1:5] if line.encode() in text]


def test_a_prompt_goes_out_after_a_while_and_a_word_that_may_go_on_does_not(engine: Engine) -> None:
    redactor = Redactor(engine, Known())

    text = redactor.feed(b"Continue with abc") + b"".join(redactor.pause() for _ in range(redacting.PAUSES + 1))

    assert text == b"Continue with "


def test_what_could_not_be_scanned_is_withheld(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours must not let anything through."""
    redactor = Redactor(engine, Known())
    monkeypatch.setattr(Engine, "scan", lambda *_a: 1 / 0)

    text = redactor.feed(b"one\ntwo\n") + redactor.close()

    assert b"one" not in text
    assert b"2 lines withheld" in text
    assert redactor.trouble


@pytest.mark.parametrize("raw", ["password=é\n".encode("utf-16"), b"\x1f\x8b\x08\0\0\0\0\0\0\0"])
def test_a_stream_that_can_not_be_read_is_withheld_and_ends_with_3(raw: bytes) -> None:
    done = redact("-", stdin=raw)

    assert done.returncode == 3
    assert raw not in done.stdout
    assert b"withheld" in done.stderr


@pytest.mark.parametrize("raw", ["password=é\n".encode("utf-16"), b"\x1f\x8b\x08\0\0\0\0\0\0\0", b"\0\1\2\3" * 9])
def test_a_file_that_can_not_be_read_stays_as_it_is(tree: Path, raw: bytes) -> None:
    (tree / "x.log").write_bytes(raw)

    done = redact(str(tree / "x.log"))

    assert done.returncode == 2
    assert (tree / "x.log").read_bytes() == raw


def test_values_of_variables_that_say_secret_are_masked(engine: Engine, planted: Planted) -> None:
    known = Known()
    token = planted.github()
    environ = {
        "DEPLOY_TOKEN": "plain-looking77",
        "MY_PASSWORD": "correct horse battery",
        "INNOCENT": token,
        "PWD": "/home/me/src",
        "SSH_AUTH_SOCK": "/tmp/agent.1",
        "TOKEN_URL": "https://acme.example",
        "EDITOR": "vim-with-words",
    }

    from_environment(engine, environ, known)
    text = Redactor(engine, known)
    out = text.feed(" ".join(environ.values()).encode()) + text.close()

    assert out == (f"{MASK} {MASK} ghp_{MASK}{token[-4:]} /home/me/src /tmp/agent.1 https://acme.example vim-with-words".encode())


def test_a_command_keeps_its_exit_code_and_both_of_its_streams(planted: Planted) -> None:
    token = planted.github()
    code = f"import os,sys; print('out', '{token}', os.environ['X_TOKEN']); print('err {token}', file=sys.stderr); sys.exit(7)"

    done = redact("--", sys.executable, "-c", code, X_TOKEN="hunter-2-hunter")

    assert done.returncode == 7
    assert done.stdout == f"out ghp_{MASK}{token[-4:]} {MASK}\n".encode()
    assert done.stderr == f"err ghp_{MASK}{token[-4:]}\n".encode()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 9)])
def test_a_command_gets_the_signals_that_come(number: signal.Signals, code: int) -> None:
    """One that ends by a signal gives the shell's code for it; one that handles it, its own."""
    script = (
        "import signal,sys,time; signal.signal(signal.SIGINT, lambda *_: sys.exit(9)); print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "leakguard", "redact", "--", sys.executable, "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None

    with process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)

        assert process.wait(60) == code


def test_a_line_goes_out_while_the_command_still_runs() -> None:
    """Nobody waits for the end: what is a whole line is there at once."""
    script = "import time; print('one', flush=True); input(); print('two', flush=True)"
    process = subprocess.Popen(
        [sys.executable, "-m", "leakguard", "redact", "--", sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None

    with process:
        assert process.stdout.readline() == b"one\n"
        process.stdin.write(b"\n")
        process.stdin.flush()

        assert process.stdout.readline() == b"two\n"


def test_a_command_that_nobody_listens_to_ends() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "leakguard", "redact", "--", "yes"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.read(2) == b"y\n"
        process.stdout.close()

        assert process.wait(60) == 128 + signal.SIGPIPE


def test_what_is_asked_for_has_to_make_sense(tree: Path) -> None:
    assert redact().returncode == 2
    assert redact("--").returncode == 2
    assert redact("x", "--", "true").returncode == 2
    assert redact("-", "-o", "x").returncode == 2
    assert redact(str(tree / "none.log")).returncode == 3
    assert redact("--", str(tree / "none")).returncode == 127
    (tree / "script").write_text("true")
    assert redact("--", str(tree / "script")).returncode == 126


def test_a_file_that_changes_meanwhile_stays_as_it_is(
    tree: Path, planted: Planted, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leakguard.cli import redact as cli
    from leakguard.errors import SourceError

    path = tree / "x.log"
    path.write_text(f"TOKEN={planted.github()}\n")
    before = path.read_bytes()
    left = cli._left

    def writing(*args: object) -> int:
        with path.open("ab") as f:
            f.write(b"more\n")
        return left(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(cli, "_left", writing)
    with pytest.raises(SourceError):
        cli._file(str(path), None, engine)

    assert path.read_bytes() == before + b"more\n"
    assert [p.name for p in tree.iterdir()] == ["x.log"]
