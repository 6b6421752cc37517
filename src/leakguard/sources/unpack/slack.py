"""Slack's export zip (https://slack.com/help/articles/220556107): a folder a channel, in it a file a day; users and channels beside.

`zip` asks `reader` what to do with each member: files of messages become text with channel, author and message as facts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from zipfile import ZipInfo

from leakguard.sources.unpack import TROUBLE, Member, Read, Untold
from leakguard.sources.unpack._shapes import people
from leakguard.sources.unpack._written import fact
from leakguard.sources.unpack.exports import export

_USERS = 64 << 20
"""Bytes of the list of users that are looked at; without it places name users by their ids."""


def reader(
    infos: Mapping[str, ZipInfo], open_member: Callable[[ZipInfo], Read]
) -> Callable[[ZipInfo], Iterable[Member | Untold] | None]:
    """Return what makes texts of the files of messages."""
    names = _people(infos, open_member)

    def read(info: ZipInfo) -> Iterable[Member | Untold] | None:
        channel, slash, name = info.filename.rpartition("/")
        if not slash or not name.endswith(".json"):
            return None
        return export(open_member(info), "slack", info.filename, fact("channel", channel.rpartition("/")[2]), names)

    return read


def _people(infos: Mapping[str, ZipInfo], open_member: Callable[[ZipInfo], Read]) -> dict[str, str]:
    for name in ("users.json", "org_users.json"):
        info = infos.get(name)
        if info is not None and info.file_size <= _USERS:
            try:
                raw = b"".join(iter(partial(open_member(info), 1 << 20), b""))
                return people(json.loads(raw))
            except (*TROUBLE, ValueError, RecursionError):
                continue  # told where it is read as a member
    return {}
