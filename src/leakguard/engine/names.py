"""What a key name promises: which of its words says secret, and what the words round it make of that.

Names repeat, so everything here is remembered by name.
"""

from __future__ import annotations

import re
from functools import lru_cache

WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
"""The words of `dbUser_TOKEN2`: db, User, TOKEN, 2."""

_KINDS = (
    ("password", r"pass(?:w(?:or)?d|wd|phrase|code)|psw|pwd"),
    ("pass", r"pass|pw"),
    (
        "secret-key",
        r"(?:secret|private|encrypt(?:ion)?|sign(?:ing)?|master|hmac|cipher|aes|crypto|shared|session|cookie|signature|storage|account)_?key",
    ),
    (
        "api-key",
        r"(?:api|access|auth|service|client|consumer|app(?:lication)?|license|subscription|integration|admin|user|rest)_?key",
    ),
    ("secret", r"secret"),
    (
        "api-token",
        r"(?:auth|access|api|bearer|refresh|session|bot|oauth|jwt|id|personal|deploy|csrf|xsrf|user|admin|private|security|registration)_?token",
    ),
    ("token", r"token"),
    ("credential", r"cred"),
    ("salt", r"salt|nonce|pepper"),
    ("auth", r"auth"),
    ("key", r"key"),
)
_KIND = re.compile("|".join(f"(?P<k{i}>{pattern})" for i, (_kind, pattern) in enumerate(_KINDS)))
_ALONE = re.compile(
    r"(?:my|your|the|our|user|db|api|auth|access|secret|app|client|server|root|admin|private|public|pre|shared|pass|test|new|old|o|x|i|e|k|n|s|p)*"
    r"(?:passwords?|passwd|passphrases?|passcode|pass|pwd?|psw|secrets?|tokens?|keys?|auth|oauth|authorization|authentication|authtoken|credentials?|creds?|salts?|nonces?)[0-9]*\Z"
)
"""A word that is nothing but the promise (`apikey`), not one that holds it by chance (`monkey`, `author`)."""


def _table(words: dict[str, str]) -> dict[str, str]:
    return {word: kind for kind, listed in words.items() for word in listed.split()}


_AFTER = _table(
    {
        "id": "id ids identifier uuid guid index idx number num no version alg algorithm type kind class mode format method scheme style charset encoding encoder lang locale",
        "place": "path file filename filepath dir directory folder location url uri endpoint host port domain link route store storage vault bucket source src arn ref reference pem cert certificate",
        "name": "name names field fields label labels header headers param params parameter attribute attr property prop prefix suffix env var variable variables column col table schema selector alias key keyname tag",
        "message": "hint error errors message msg title text help description desc placeholder prompt tooltip info reset change forgot confirm confirmation confirmed invalid incorrect wrong mismatch required missing empty strength rule "
        "rules policy validator validation expired expires expiry expiration ttl timeout lifetime length len size count max min limit enabled disabled status state date time at by for of on is changed updated advice success failed failure",
        "hash": "hash hashes hashed digest fingerprint checksum md5 sha sha1 sha256 encrypted crypted signature sig",
        "code": "provider manager handler service factory builder generator helper util utils controller model dto view page form button icon component container module repository client config configuration settings options option "
        "request response event action callback function func exception test spec mock impl interface input map list set array data object obj info entity",
    }
)
_BEFORE = _table(
    {
        "message": "label btn button title msg message text hint placeholder tooltip error err mandatory desc description help",
        "public": "public pub primary foreign partition sort cache row hot shortcut index unique composite natural lookup group order translation i18n map object json xml lang menu tab meta",
        "hash": "hashed hash encrypted crypted digest",
        "verb": "is has use show hide should can forgot forget reset change confirm validate verify check enable disable require required missing without no get set with remove delete update generate create repeat enter",
        "pretend": "fake dummy mock example sample invalid bad wrong incorrect test testing stub demo expected",
    }
)
_RANK = tuple(dict.fromkeys(_BEFORE.values()))


@lru_cache(maxsize=4096)
def name_terms(name: str) -> tuple[str, ...]:
    """Return the terms of a key name; those that depend on what it promises have no prefix yet."""
    words = [word.lower() for word in WORDS.findall(name)]
    flat = "_".join(words)
    found = [(int(str(m.lastgroup)[1:]), m.end(), m.start()) for m in _KIND.finditer(flat)]
    style = "style:upper" if name.isupper() else "style:lower" if name.islower() else "style:mixed"
    if not found:
        return ("name:other", style)
    kind, end, start = min(found, key=lambda f: (f[0], -f[1]))
    first, at = flat.count("_", 0, start), flat.count("_", 0, end - 1)
    out = ["name:" + _KINDS[kind][0], style]
    word = words[at]
    if not _ALONE.match(word):
        out.append("word:inside")
    elif word.endswith("s") and word[-2:] != "ss":
        out.append("word:plural")
    tail = [w for w in words[at + 1 :] if not w.isdigit()]
    if tail:
        out.append("after:" + next((k for k in map(_AFTER.get, reversed(tail)) if k), "other"))
    if head := words[:first]:
        said = {_BEFORE.get(w, "") for w in head}
        out.append("before:" + next((k for k in _RANK if k in said), "other"))
    return tuple(out)
