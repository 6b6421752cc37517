"""Which vendor a name speaks of: `ACME_API_KEY`, `acmeToken`.

A generic rule finds a value by the name it is assigned to; where that name begins with a vendor's, the finding can say
whose credential it is, although its form is no vendor's. The words come from the rules themselves (ids of providers and
the keywords of their rules), except those that are words of ordinary code and prose. Patterns are compiled at their
first use: most scans have no generic match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from leakguard.engine.match import RawMatch
from leakguard.engine.values import late

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
_REACH = 512
"""Bytes round a match in which its vendor may be named."""
_HOST = late("search", rb"https?://(?:[^\s/@\"'<>]{1,80}@)?([0-9A-Za-z.\-]{3,80})\.[a-z]{2,12}(?=[/:?\s\"'\\]|\Z)")
_UNDER = 6
"""Lines above a value in which its heading is looked for."""
_HEADING = late(
    "match",
    rb"([ \t]*)(?:\[[\"']?([A-Za-z0-9_.\-]{3,32})[\"']?\]|[\"']?([A-Za-z0-9_.\-]{3,32})[\"']?[ \t]*(?:=>|[:=])?[ \t]*[\[{(]?)[ \t]*\Z",
)
_WORD_AHEAD = 72
"""Bytes before a match in which a word may name its vendor."""
_WORD_BEFORE = late(
    "search",
    rb"(?<![A-Za-z0-9_.\-])([A-Za-z0-9_.\-]{3,32})[ \t]{1,4}(?:(?i:api|access|auth|secret|private|app|client|user|personal|bearer)[ \t]{1,2}){0,2}[A-Za-z0-9_.\-]{0,24}\Z",
)


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


def vendor_near(data: bytes, match: RawMatch, name: str, words: Mapping[str, str], *, header: bool) -> str:
    """Return the vendor that a generic value's name speaks of, or the word before it (`Acme API key: ...`), or its heading.

    Of a header it is the host that the request on the same line goes to. It names the finding and lifts no score: that
    it stands behind a vendor's name makes a value no likelier to be a secret than that it stands behind any telling one.
    """
    found = vendor_of(name, words)
    if name and not found and not header:
        found = vendor_of(_word_before(data, match), words) or vendor_of(_heading(data, match), words)
    return found or vendor_of(_host(data, match), words)


def _word_before(data: bytes, match: RawMatch) -> str:
    """Return the word before the name, on its line; `api` and its like are no words of their own."""
    found = _WORD_BEFORE(data, max(0, match.whole_start - _WORD_AHEAD), match.whole_start)
    return str(found[1], "ascii") if found else ""


def _heading(data: bytes, match: RawMatch) -> str:
    """Return the key or section that the line of the match stands under: `acme:`, `"acme": {`, `[acme]`."""
    low = max(0, match.whole_start - _REACH + 64)
    lines = data[low : match.whole_start].split(b"\n")
    indent = len(lines[-1]) - len(lines[-1].lstrip(b" \t"))
    # a first line that begins before the region is cut, so it is none
    for line in lines[-2 : 0 if low else None : -1][:_UNDER]:
        found = _HEADING(line.rstrip(b"\r"))
        if found and (found[2] or len(found[1]) < indent):
            return str(found[2] or found[3], "ascii")
    return ""


def _host(data: bytes, match: RawMatch) -> str:
    """Return the host that is named on the line of a header, without its top level domain."""
    begin = max(data.rfind(b"\n", 0, match.start) + 1, match.start - _REACH // 2)
    stop = data.find(b"\n", match.end, match.end + _REACH // 2)
    found = _HOST(data, begin, match.start) or _HOST(data, match.end, stop if stop >= 0 else match.end + _REACH // 2)
    return str(found[1], "ascii") if found else ""
