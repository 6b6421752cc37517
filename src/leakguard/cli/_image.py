"""What `scan --image` needs beside other scans: which images, where they are, and who may be asked for them."""

from __future__ import annotations

import os
from typing import Any

from leakguard._version import __version__
from leakguard.errors import UsageError

SHARED = ("allow_hosts", "ca_file")
"""Options that verification has, too."""
_REQUESTS = 50.0
"""A second, to one registry: an image of forty layers is no burden to anybody."""


def split(flags: dict[str, Any]) -> dict[str, Any] | None:
    """Take the flags about images out of all flags; None where no image is named.

    Raises:
        UsageError: one of them is there without `--image`.
    """
    wanted, platform = flags.pop("image"), flags.pop("platform")
    if not wanted:
        if platform:
            raise UsageError("--platform goes with --image", hint="leakguard scan --image --platform ...")
        return None
    mine = {name: flags[name] for name in SHARED}
    if not flags["verify"]:
        flags |= {"allow_hosts": (), "ca_file": None}
    return mine | {"platform": platform}


def source(targets: list[str], options: dict[str, Any], depth: int) -> Any:
    """Return the source for images.

    Raises:
        UsageError: one is neither a file nor a name, or a host is none.
    """
    from leakguard.sources.image import images
    from leakguard.sources.image.reference import wanted

    return images(
        [wanted(word) for word in targets],
        platform=options["platform"] or "",
        depth=depth,
        environ=os.environ,
        registry=_Registries(options["allow_hosts"], options["ca_file"]).of,
    )


class _Registries:
    """Clients for repositories, over one HTTP client that is made when the first registry is asked."""

    def __init__(self, hosts: tuple[str, ...], ca_file: str | None) -> None:
        self._hosts = hosts
        self._ca_file = ca_file or ""
        self._client: Any = None

    def of(self, reference: Any) -> Any:
        """Return a client for one repository."""
        from functools import partial

        from leakguard.net.policy import allow
        from leakguard.sources.image.credentials import login
        from leakguard.sources.image.registry import Registry

        also = tuple(allow(host) for host in self._hosts)
        known = partial(login, reference.login, reference.repository, os.environ)
        return Registry(self._client or self._made(), reference, known, also)

    def _made(self) -> Any:
        import time
        from random import SystemRandom

        from leakguard.net.client import Client, Settings
        from leakguard.net.limits import Rates

        agent = f"LeakGuard/{__version__} (+https://leakguard.example; scan of an image)"
        settings = Settings(agent, os.environ, self._ca_file, rates=Rates(host=_REQUESTS, total=_REQUESTS))
        self._client = Client(settings, clock=time.monotonic, wall=time.time, sleep=time.sleep, rng=SystemRandom())
        return self._client
