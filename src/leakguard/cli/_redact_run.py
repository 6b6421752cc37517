"""Run a command with its output redacted: its signals, its exit code, both of its streams."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType
from typing import IO, Any, Self

import click

from leakguard.errors import ExitCode
from leakguard.pipeline.redacting import Known, Redactor, from_environment

_MOMENT = 0.05
"""Seconds of silence after which whole lines go out."""
_NOT_FOUND, _NOT_RUN = 127, 126
"""Exit codes of a shell for what is not there or can't be run."""
_PASSED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT")


def run(command: list[str], engine: Any) -> int:
    """Run it and return its exit code, 128 and the signal's number where one ended it."""
    known = Known()
    from_environment(engine, os.environ, known)
    redactors = Redactor(engine, known), Redactor(engine, known)
    with _Signals() as signals:
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603 - what the user typed
        except FileNotFoundError:
            click.echo(f"leakguard: there is no command {command[0]}", err=True)
            return _NOT_FOUND
        except OSError as e:
            click.echo(f"leakguard: {command[0]} can't be run: {e.strerror}", err=True)
            return _NOT_RUN
        assert process.stdout is not None
        assert process.stderr is not None
        signals.pass_to(process.pid)
        with process:
            pump(
                [
                    (process.stdout, redactors[0], sys.stdout.fileno()),
                    (process.stderr, redactors[1], sys.stderr.fileno()),
                ]
            )
            code = process.wait()
            signals.pass_to(0)
    trouble = redactors[0].trouble or redactors[1].trouble
    if trouble:
        click.echo(f"leakguard: something was withheld: {trouble}", err=True)
    return 128 - code if code < 0 else code or (ExitCode.INCOMPLETE if trouble else ExitCode.CLEAN)


def pump(streams: Sequence[tuple[IO[bytes], Redactor, int]]) -> None:
    """Redact streams, each to its descriptor, until all of them end or nobody reads any more."""
    with selectors.DefaultSelector() as selector:
        for stream, redactor, out in streams:
            try:
                selector.register(stream, selectors.EVENT_READ, (redactor, out))
            except PermissionError:  # a regular file never pauses
                while data := os.read(stream.fileno(), 1 << 18):
                    _write(out, redactor.feed(data))
                _write(out, redactor.close())
        while selector.get_map():
            ready = [key for key, _events in selector.select(_MOMENT)]
            for key in ready or list(selector.get_map().values()):
                redactor, out = key.data
                data = os.read(key.fd, 1 << 16) if ready else b""
                text = redactor.pause() if not ready else redactor.feed(data) if data else redactor.close()
                if not _write(out, text) or (ready and not data):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]  # who still writes learns that nobody reads


def _write(fd: int, data: bytes) -> bool:
    """Write it all; False where nobody reads any more."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError:
        return False
    return True


class _Signals:
    """Passes on what comes; a terminal's keys reach the command by themselves."""

    def __init__(self) -> None:
        self._pid = 0
        self._early: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for name in _PASSED:
            if number := getattr(signal, name, None):
                self._before[number] = signal.signal(number, self._came)
        return self

    def __exit__(self, *_what: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def pass_to(self, pid: int) -> None:
        """Name the process; 0: it ended."""
        self._pid = pid
        for number in self._early if pid else ():
            os.kill(pid, number)

    def _came(self, number: int, _frame: FrameType | None) -> None:
        if number in {signal.SIGINT, signal.SIGQUIT} and _from_terminal():
            return
        if self._pid:
            os.kill(self._pid, number)
        else:
            self._early.append(number)


def _from_terminal() -> bool:
    """Whether this process stands in a terminal's foreground, where keys go to every process of the group."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
