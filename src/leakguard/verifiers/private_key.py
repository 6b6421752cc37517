"""Private keys: which kind, encrypted or not, and the fingerprint of the public half; nobody is asked.

Where a key opens something is known to whoever trusts its public half; the fingerprint, which is public, finds it there
(`ssh-keygen -l`, a certificate's subject key). Needs `cryptography`; without it the kind of the block is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from leakguard.model.finding import Verdict
from leakguard.model.verdict import Identity
from leakguard.net.message import Sent
from leakguard.verifiers._contract import Credential, Tools

LOGIN = False
_WHY = "only who trusts its public half can say"


def plan(_credential: Credential, _tools: Tools) -> Iterator[Sent]:
    """Yield nothing: it needs no network."""
    return iter(())


def check(credential: Credential, tools: Tools) -> Verdict:  # noqa: ARG001 - the contract's signature
    """Read the key."""
    # in code and JSON the lines of a block are written as escapes
    text = re.sub(r"[\"'][ \t]*\+|\\r|[\"',]|\\(?=\n)", "", credential.values()["secret"].replace("\\n", "\n"))
    label = re.search(r"-----BEGIN ([A-Z0-9 ]{0,40}?)PRIVATE KEY", text)
    kind = label[1].replace("ENCRYPTED", "").strip() if label else ""
    kind = kind or "PKCS #8"
    encrypted = "ENCRYPTED" in text[:300] or "DEK-Info" in text[:300]
    try:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key
    except ImportError:
        told = f"{kind}, encrypted" if encrypted else kind
        return Verdict("unverifiable", "", f"{_WHY}; pip install 'leakguard[verify]' tells its fingerprint", Identity(type=told))
    raw = "\n".join(line.strip() for line in text.splitlines() if line.strip()).encode() + b"\n"
    try:
        key: Any = (load_ssh_private_key if b"OPENSSH" in raw[:60] else load_pem_private_key)(raw, None)
    except TypeError:
        return Verdict("unverifiable", "", "it is encrypted: its passphrase decides", Identity(type=f"{kind}, encrypted"))
    except Exception:  # noqa: BLE001 - the library raises many kinds for bytes that are no key
        if encrypted:
            return Verdict("unverifiable", "", "it is encrypted: its passphrase decides", Identity(type=f"{kind}, encrypted"))
        return Verdict("unverifiable", "", "it can't be read as a key", Identity(type=kind))
    return Verdict("unverifiable", "", _WHY, Identity(id=_fingerprint(key.public_key()), type=_kind(key)))


def _kind(key: Any) -> str:
    name = type(key).__name__.lstrip("_").removesuffix("PrivateKey").upper()
    curve = getattr(getattr(key, "curve", None), "name", "")
    size = getattr(key, "key_size", 0)
    return f"{name} {curve or size}" if curve or size else name


def _fingerprint(public: Any) -> str:
    """Return the fingerprint that ssh-keygen prints; of keys that SSH does not know, of their SPKI."""
    from base64 import b64encode
    from hashlib import sha256

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except Exception:  # noqa: BLE001 - a kind of key that SSH does not know
        return "SPKI SHA256:" + sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    from binascii import a2b_base64

    return "SHA256:" + b64encode(sha256(a2b_base64(line.split()[1])).digest()).decode().rstrip("=")
