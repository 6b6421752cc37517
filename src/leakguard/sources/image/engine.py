"""A docker or podman engine, through the `docker` package: the one on this machine, or the one that the user's environment names."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from leakguard.errors import MissingExtraError, SourceError
from leakguard.sources.image.layers import Raw

_SECONDS = 60
EXTRA = "pip install 'leakguard[images]'"


def hosts(where: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return where an engine of a kind may listen: the named host alone, or the sockets on this machine that are there."""
    named = environ.get("DOCKER_HOST" if where == "docker-daemon" else "CONTAINER_HOST", "")
    if named:
        return (named,)
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if where == "docker-daemon":
        home = environ.get("HOME", "")
        paths = ["/var/run/docker.sock", runtime and f"{runtime}/docker.sock", home and f"{home}/.docker/run/docker.sock"]
    else:
        paths = [runtime and f"{runtime}/podman/podman.sock", "/run/podman/podman.sock"]
    return tuple(f"unix://{path}" for path in paths if path and os.path.exists(path))


class Engine:
    """One engine."""

    def __init__(self, host: str, environ: Mapping[str, str]) -> None:
        """Connect.

        Raises:
            MissingExtraError: the `docker` package is not installed.
            SourceError: nobody answers.
        """
        try:
            import docker
            from docker.utils import kwargs_from_env
        except ImportError:
            raise MissingExtraError("asking an engine for images needs the docker package", hint=EXTRA) from None
        self._errors: tuple[type[Exception], ...] = (docker.errors.DockerException, *_transport())
        self._docker: Any = docker
        self._host = host
        named = {**environ, "DOCKER_HOST": host}
        try:
            arguments = kwargs_from_env(environment=named)
            ssh = host.startswith("ssh://")
            self._api = docker.APIClient(**arguments, version="auto", timeout=_SECONDS, use_ssh_client=ssh)
        except self._errors:
            raise self._silent() from None

    def _silent(self) -> SourceError:
        return SourceError(
            f"the engine at {_shown(self._host)} does not answer",
            hint="start it, check your rights on its socket, or name another with DOCKER_HOST",
        )

    def has(self, name: str) -> bool:
        """Whether the engine holds an image. Raises SourceError where it does not answer."""
        try:
            self._api.inspect_image(name)
        except self._docker.errors.NotFound:
            return False
        except self._docker.errors.APIError as e:
            if e.status_code == 400:
                return False
            raise self._silent() from None
        except self._errors:
            raise self._silent() from None
        return True

    @contextmanager
    def saved(self, name: str) -> Iterator[IO[bytes]]:
        """Give an image as `docker save` writes it, read once.

        Raises:
            SourceError: the engine does not give it; OSError while it is read.
        """
        try:
            stream = iter(self._api.get_image(name))
        except self._errors:
            raise self._silent() from None

        def read(_size: int) -> bytes:
            try:
                return next(stream, b"")
            except self._errors:
                msg = "the engine broke off"
                raise OSError(0, msg) from None

        yield io.BufferedReader(Raw(read), 1 << 18)

    def close(self) -> None:
        """Close the connection."""
        self._api.close()


def _transport() -> tuple[type[Exception], ...]:
    import requests
    import urllib3

    return (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)


def _shown(host: str) -> str:
    """Return a host without a login."""
    scheme, there, rest = host.partition("://")
    return scheme + there + rest.rpartition("@")[2]
