"""Which vendor a name speaks of: `ACME_API_KEY`, `acmeToken`.

A generic rule finds a value by the name it is assigned to; where that name begins with a vendor's, the finding can say
whose credential it is, although its form is no vendor's. The words come from the rules themselves (ids of providers and
the keywords of their rules), except those that are words of ordinary code and prose. Patterns are compiled at their
first use: most scans have no generic match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

COMMON = (
    "age audit axis box branch checkout close column cursor figure float here iterable jina line linear linechannel meta "
    "metaapp minimax mistral modal openapi persona phrase proof readme render replicate scale segment segmentio "
    "segmentwrite servicerole shortcut spectral square together"
)
"""Words of ordinary code that are vendors' names, too: they name nobody."""
DOUBTFUL = (
    "alchemy astra beamer brave braze bunny canny canva cfx chatbot cicero clay clerk cloze copper courier coze cypress "
    "daily dandelion debounce deputy devin discourse ditto docparser doppler drone duo duply elastic enigma entra envoy "
    "eraser exa fal fixer front fulcrum gist goodday groove guardian guru harness harvest hive humanity hunter instantly "
    "ionic kagi kraken lark lob magnetic manifestly mercury mite monday mux neon nimble notarize noticeable notion octopus "
    "particle pixie polar postman ramp recharge refiner resend retell rev riot roaring runway salad sanity semaphore smarty "
    "smooch sonar stability stitch streak swell tableau temporal tines tly twist unkey vault voyage wise wit wiz zoom"
)
"""Words of prose that are vendors' names, too: they name one only where nothing stands beside them but `key`, `token`, ..."""
_TELLING = r"secret|token|key|auth|pass|cred|client|access|hash|sign|api|user|login|admin|session|consumer|webhook|url|host|mail|bot|_id|-id"
"""A keyword that holds one of these is not the vendor's bare name."""
_ONLY_TELLING = r"(?:secret|token|key|auth|api|access|client|app|private|password|pass|bearer|account|service|user|admin|id){0,4}"
_PLAIN = r"[^0-9a-z]"
_SEGMENT = r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+[a-z]*"
_SHORT = 4
"""Longest word that has to stand alone between separators or humps; a longer one may run into `key`, `token`, ..."""
_LONGEST = 24


def table(rules: Iterable[tuple[str, str, Iterable[str]]]) -> dict[str, str]:
    """Return word -> provider of `(provider, shape, anchors)`; a word of two providers names neither, a doubtful one has a `?`."""
    words: dict[str, set[str]] = {}
    for provider, shape, anchors in rules:
        words.setdefault(re.sub(_PLAIN, "", provider), set()).add(provider)
        if shape == "keyword":
            for anchor in anchors:
                plain = re.sub(_PLAIN, "", anchor)
                if not re.search(_TELLING, anchor) and len(plain) > _SHORT:
                    words.setdefault(plain, set()).add(provider)
    left_out = {*COMMON.split(), "generic", "http", "jwt", "privatekey", "passwordhash"}
    doubtful = set(DOUBTFUL.split())
    return {
        word: ("?" if word in doubtful else "") + min(who)
        for word, who in words.items()
        if len(who) == 1 and 3 <= len(word) <= _LONGEST and word not in left_out
    }


def vendor_of(name: str, words: Mapping[str, str]) -> str:
    """Return the provider that a name speaks of, or nothing; of several the one with the longest word."""
    starts: list[int] = []
    plain = ""
    for segment in re.findall(_SEGMENT, name):
        starts.append(len(plain))
        plain += segment.lower()
    best, found = 0, ""
    for start in starts:
        for end in range(min(len(plain), start + _LONGEST), start + max(best, 2), -1):
            provider = words.get(plain[start:end])
            if not provider:
                continue
            if provider.startswith("?"):
                fits = start == 0 and bool(re.fullmatch(_ONLY_TELLING, plain[end:]))
            else:
                fits = end == len(plain) or end in starts or (end - start > _SHORT and bool(re.match(_TELLING, plain[end:])))
            if fits:
                best, found = end - start, provider.lstrip("?")
                break
    return found
