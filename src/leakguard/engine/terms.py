"""What the score of a generic match is summed over: named observations of its name, its place and its value.

An observation is a name in `fitted.FITTED`, with its weight; what is not there counts nothing. They come in groups of which
one at most holds (`length:...`), cheapest first. Password rules and the others have weights of their own where the same
observation tells different things. What reads beyond the match (`near`) only ever lowers a score: the history sieve asks
without it. Nothing here tells a password's length or alphabet more closely than a reader of the report may know.
"""

from __future__ import annotations

from functools import lru_cache

from leakguard.engine import values
from leakguard.engine.match import RawMatch
from leakguard.engine.names import name_terms
from leakguard.engine.values import late
from leakguard.model.rule import Rule

NEAR = 200
"""Bytes before a match that `near` reads; behind it, fewer."""

_QUOTES = {b'"': "double", b"'": "single", b"`": "back", b"": "bare"}
_AFTER_NAME = late("match", rb"[0-9A-Za-z_.\-]*")
_COMPARES = late("search", rb"[!=]==?|<>|\.equals|isEqual")
_VALUE_KEY = late("search", rb"[Vv]alue")


def outside(who: str, rule: Rule, match: RawMatch, data: bytes, name: str, kind: str, *, alone: bool) -> list[str]:
    """Return what its name, the sign before it, its quotes and the kind of file say; `who` is `password` or `token`."""
    out = [x if x.startswith("name:") else f"{who}.{x}" for x in name_terms(name)]
    if values.something_else(name):
        out.append("not-a-secret")
    if name.lower().endswith("-authenticate"):
        out.append("refers")  # a server's challenge, for everybody to read
    out.append(f"{who}.file:{kind}")
    out.append("quote:" + _QUOTES.get(match.groups.get("q", b""), "escaped"))
    between = data[match.whole_start : match.start]
    if rule.id.endswith(("-element", "-column")):
        return out
    sign = _sign(between)
    if sign == "," and (alone or values.CALLED(data, max(0, match.whole_start - 80), match.whole_start)):
        sign = "called"
    out.append("sign:" + sign)
    return out


def _sign(between: bytes) -> str:
    named = _AFTER_NAME(between)
    return _sign_of(between[named.end() :] if named else between)


@lru_cache(maxsize=4096)
def _sign_of(between: bytes) -> str:
    """Say what joins name and value."""
    if b"=>" in between:
        return "arrow"
    if _COMPARES(between):
        return "compares"
    if _VALUE_KEY(between):
        return "value-key"
    call = "(" if b"(" in between else ""
    if b"=" in between:
        return "=" + (call or ("" if b" " in between or b":" in between else "tight"))
    if b":" in between:
        return ":" + call
    return "," if b"," in between else call or "other"


_STOCK_WORDS = frozenset(
    """
    password passwd passw passwort passphrase passcode pass pwd pw secret secrets token tokens key keys apikey credential credentials
    auth login access public private admin administrator root guest user username users client server sa oracle postgres postgresql
    mysql redis mongo mongodb vagrant docker minio minioadmin rabbitmq john jane doe smith bob alice joe test tests tester testing
    foo foobar bar baz qux hello world demo default changeme change me letmein let in welcome qwerty asdf abc abcd abcde abcdef abcdefg
    xyz value string data example sample dummy fake mock temp tmp none null empty blank sesame monkey dragon hunter something anything
    whatever stuff bla blah nope dev prod local my the a some super new old db your bad wrong invalid good valid not is no very this it
    right correct secure strong long here to for of and an with api id real top another other first second one two three last random
    simple basic plain text enter insert put replace todo fixme v
    """.split()  # noqa: SIM905 - a list of words to be read
)
_ALGORITHM_WORDS = frozenset(
    """
    ssh hmac sha md rsa dsa ec ecdsa ecdh es eddsa ed x curve secp r k p nistp aes des gcm cbc ctr ecb hkdf pbkdf bcrypt scrypt argon i d
    hs rs ps with wrap a kw oaep pss pkcs padding none plain basic digest bearer crypt dir enc sig
    """.split()  # noqa: SIM905 - a list of words to be read
)
_RUNS = late("findall", r"[a-z]+|[0-9]+")


def algorithm(text: str) -> bool:
    """Whether it names an algorithm: `SHA-256`, `aes-128-gcm`, `ssh-ed25519`."""
    if len(text) > 32 or not text.replace("-", "").replace("_", "").replace("/", "").isalnum():
        return False
    runs = _RUNS(text.lower())
    return any(map(str.isalpha, runs)) and all(len(run) < 6 if run.isdigit() else run in _ALGORITHM_WORDS for run in runs)


_LETTERS = late("findall", r"[a-z]+")


def stock(text: str) -> bool:
    """Whether it is made of words that stand in for a secret (`my-secret1`), with any digits and signs."""
    low = text[:64].lower().replace("$", "s").replace("@", "a").replace("w0rd", "word")
    runs = _LETTERS(low)
    if not runs or sum(map(len, runs)) * 2 < len(low):
        return False
    return all(run in _STOCK_WORDS or _two(run) for run in runs)


def _two(run: str) -> bool:
    return len(run) <= 24 and any(run[:i] in _STOCK_WORDS and run[i:] in _STOCK_WORDS for i in range(2, len(run) - 1))


_LOWER, _UPPER, _DIGITS = late("search", r"[a-z]"), late("search", r"[A-Z]"), late("search", r"[0-9]")
_ALNUM = late("match", r"[0-9A-Za-z]+\Z")
_BASE64 = late("match", r"[0-9A-Za-z+/]{16,}={0,2}\Z")
_URLSAFE = late("match", r"[0-9A-Za-z_\-]+={0,2}\Z")
_JOINED = late("match", r"[A-Za-z0-9]+(?:[_\-.][A-Za-z0-9]+)+\Z")


def form(text: str) -> str:
    """Return which characters it is made of, and how they are joined."""
    if not text.isascii():
        return "non-ascii"
    lower, upper, digit = bool(_LOWER(text)), bool(_UPPER(text)), bool(_DIGITS(text))
    if _ALNUM(text):
        if digit:
            if not lower and not upper:
                return "digits"
            if not (lower and upper) and len(text) >= 8 and values.is_hex(text):
                return "hex"
            return "mixed" if lower and upper else "lower+digits" if lower else "upper+digits"
        if lower and upper:
            return "capital" if text[1:].islower() else "two-cases"
        return "lower" if lower else "upper"
    if values.is_uuid(text):
        return "uuid"
    if " " in text:
        return "spaces"
    if not lower and not upper:
        return "digits+signs" if digit else "signs"
    if _BASE64(text):
        return "base64"
    if _JOINED(text):
        return "joined" if not digit else "joined-mixed" if lower and upper else "joined+digits"
    if _URLSAFE(text):
        return "urlsafe" if digit and len(text) >= 16 else "signs-end"
    return f"signs{lower + upper + digit}" if len(text) <= 24 else "signs-long"


_ENDS = late("search", r"[.:!?,]\Z")
_BRACKETS = late("search", r"[(){}\[\]<>]")
_ODD = late("search", r"[^0-9A-Za-z_\-+/=.:~]")
_DIGEST_SIZES = frozenset((32, 40, 64))
_STARTS = "-./@#:%$~(,&?|*"


def shape(who: str, text: str) -> list[str]:
    """Return what its form says: length, alphabet, signs, code, stock words."""
    n = len(text)
    out = [f"{who}.form:{form(text)}"]
    if who == "password":
        out.append("password.length:" + ("short" if n < 6 else "long" if n >= 20 else "usual"))
    else:
        out.append("token.length:" + _length(n))
        if _ODD(text):
            out.append("odd-sign")
    if values.path_or_url(text):
        out.append("path-or-url")
    if algorithm(text):
        out.append("algorithm")
    elif values.code(text):
        out.append(who + ".code")
    if stock(text):
        out.append(who + ".stock-words")
    if _ENDS(text):
        out.append(who + ".ends-a-sentence")
    if text[:1] in _STARTS:
        out.append(who + ".starts-with-sign")
    if _BRACKETS(text):
        out.append(who + ".brackets")
    if "\\" in text:
        out.append("backslash")
    spaces = text.count(" ")
    if spaces:
        out.append("one-space" if spaces == 1 else "many-spaces")
    return out


def _length(n: int) -> str:
    if n < 12:
        return "8"
    if n < 16:
        return "12"
    if n < 24:
        return "16" if n < 20 else "20"
    if n < 64:
        return "digest" if n in _DIGEST_SIZES else "24"
    return "digest" if n == 64 else "64" if n < 128 else "128"


def pairs(who: str, text: str) -> str:
    """Return whether its letters follow each other as in words."""
    share = values.language(text)
    return f"{who}.pairs:" + ("none" if share <= 0 else "few" if share < 0.3 else "some" if share < 0.6 else "most")


def language(who: str, text: str) -> list[str]:
    """Return whether its characters are random or words."""
    random = values.randomness(text)
    share = values.word_share(text)
    return [
        f"{who}.random:{'high' if random >= -0.2 else 'usual' if random >= -0.4 else 'low' if random >= -0.6 else 'least'}",
        f"{who}.words:" + ("none" if share < 0.2 else "some" if share < 0.5 else "most" if share < 0.9 else "all"),
    ]


def no_secret(who: str, text: str, name: str) -> list[str]:
    """Return why it is no secret at all, however it looks; all of it only lowers a score."""
    out = []
    if values.reference(text):
        out.append("refers")
    elif values.placeholder(text):
        out.append(who + ".placeholder")
    if values.repeated(text):
        out.append("repeats")
    if values.sequence(text):
        out.append("counts")
    plain, plain_name = values.letters_only(text), values.letters_only(name)
    if plain and plain_name:
        if plain == plain_name:
            out.append(who + ".same-as-name")
        elif plain in plain_name or (len(plain_name) > 5 and plain_name in plain):
            out.append(who + ".like-its-name")
    return out


_LOGIN = late("search", rb"user|login|host|email|port|server|database|account")
_TAILS = {
    b",": "comma",
    b";": "semicolon",
    b")": "bracket",
    b"}": "bracket",
    b"]": "bracket",
    b".": "dot",
    b"+": "plus",
    b"\n": "end",
    b"\r": "end",
    b"": "end",
    b":": "colon",
    b"'": "quote",
    b'"': "quote",
    b"\\": "escape",
}


def near(match: RawMatch, data: bytes) -> list[str]:
    """Return what stands round it, at most 512 bytes away."""
    begin, end = match.whole_start, match.end
    before, after = data[max(0, begin - 512) : begin], data[end : end + 512]
    line_before = before[before.rfind(b"\n") + 1 :][-160:]
    stop = after.find(b"\n")
    between = data[begin : match.start]
    line = (line_before + b" " + between + b" " + after[: min(80, stop) if stop >= 0 else 80]).lower()
    out = []
    if values.EXAMPLE(line):
        out.append("example")
    out.append("login:near" if _LOGIN((before[-NEAR:] + b" " + after[:120]).lower()) else "login:none")
    tail = after[len(match.groups.get("q", b"")) :][:12].lstrip(b" \t")[:1]
    if tail == b")" and (b"(" in between or b"," in between):
        out.append("tail:call-ends")
    else:
        out.append("tail:" + (_TAILS.get(tail) or ("word" if tail.isalnum() else "other")))
    value = data[match.start : end]
    if end - match.start >= 6 and (value in before or value in after):
        out.append("again")
    like = before.count(between) + after.count(between) if len(between) >= 5 else 0
    out.append("siblings:" + ("none" if like == 0 else "one" if like == 1 else "few" if like < 4 else "many"))
    return out


STAGES = (
    frozenset({"name", "word", "after", "before", "file", "sign", "quote", "style", "not-a-secret"}),
    frozenset(
        {
            "form",
            "length",
            "odd-sign",
            "path-or-url",
            "code",
            "algorithm",
            "stock-words",
            "ends-a-sentence",
            "starts-with-sign",
            "brackets",
        }
        | {"backslash", "one-space", "many-spaces"}
    ),
    frozenset({"pairs"}),
    frozenset({"random", "words"}),
    frozenset({"placeholder", "refers", "repeats", "counts", "same-as-name", "like-its-name"}),
    frozenset({"example", "login", "tail", "again", "siblings"}),
)
"""Groups of terms by the stage that tells them: `outside`, `shape`, `pairs`, `language`, `no_secret`, `near`."""
