"""Traps: credentials that tell their owner when somebody tries them. They are known by what stands in them, and never tried.

Sources: the account of an AWS key id stands in the id itself (since 2019: the 40 bits after its first bit, base32); Thinkst's
free service issues every key of its kind in few accounts, and its tokens lead to its own hosts
(https://docs.canarytokens.org); interaction servers of testers answer below the names listed.
"""

from __future__ import annotations

from binascii import Error
from collections.abc import Collection, Iterable

ACCOUNTS = frozenset({"595918472158", "992382622183"})
"""AWS accounts of canarytokens.org, as published by people who compared its keys."""
HOSTS = ("canarytokens.com", "canarytokens.org", "interact.sh", "oast.fun", "oast.live", "oast.me",
         "oast.online", "oast.pro", "oast.site", "burpcollaborator.net", "oastify.com")  # fmt: skip


def aws_account(key_id: str) -> str:
    """Return the account that an AWS key id belongs to; empty for ids of the older form, which do not say."""
    from base64 import b32decode

    if len(key_id) != 20 or key_id[4] < "Q":
        return ""
    try:
        head = b32decode(key_id[4:])[:6]
    except (Error, ValueError):
        return ""
    return f"{(int.from_bytes(head, 'big') & 0x7FFFFFFFFF80) >> 7:012d}"


def trap(values: Iterable[str], accounts: Collection[str], hosts: Collection[str]) -> str:
    """Return what shows that a credential is a trap, empty for nothing."""
    for value in values:
        if value[:4] in ("AKIA", "ASIA") and (account := aws_account(value)) in {*ACCOUNTS, *accounts}:
            return f"AWS account {account} belongs to canary tokens"
        low = value.lower()
        for host in (*HOSTS, *hosts):
            at = low.find(host)
            if at >= 0 and low[at - 1 : at] in ("", ".", "/", "@") and not low[at + len(host) : at + len(host) + 1].isalnum():
                return f"its host belongs to {host}"
    return ""
