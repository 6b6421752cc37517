"""What a value looks like: entropy, language, placeholders, references, names. Pure functions on text.

Everything is linear in the length of the value; the tables are `language` (frozen).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from math import log2
from operator import add
from typing import Any

_Test = Callable[..., Any]


def late(method: str, pattern: Any, flags: int = 0) -> _Test:
    """Return a pattern's method, compiled at its first call: a scan that finds nothing compiles nothing."""
    bound: _Test | None = None

    def test(*args: Any) -> Any:
        nonlocal bound
        if bound is None:
            bound = getattr(re.compile(pattern, flags), method)
        return bound(*args)

    return test


_CLIP = 256
"""Longer values are judged by their beginning."""


def entropy(text: str) -> float:
    """Return Shannon entropy in bits a character."""
    text = text[:_CLIP]
    n = len(text)
    if n < 2:
        return 0.0
    return -sum((c := text.count(ch)) / n * log2(c / n) for ch in set(text))


def expected_entropy(text: str) -> float:
    """Return about the entropy that random characters of the same alphabet and length would have."""
    n = min(len(text), _CLIP)
    if n < 2:
        return 0.0
    size = 16 if _HEX_GROUPS(text) else 10 if text.isdigit() else 36 if text.lower() == text or text.upper() == text else 62
    # a sample of n from an alphabet of `size` shows about (size-1)/(2n ln 2) bits less than log2(size), never more than log2(n)
    return min(log2(n) - 0.15, max(0.5 * log2(n), log2(size) - (size - 1) / (2 * n * 0.6931)))


def randomness(text: str) -> float:
    """Return how far its entropy is above (or below) that of random characters of its alphabet, bits a character."""
    return entropy(text) - expected_entropy(text)


_HEX = late("match", r"(?:0x)?(?:[0-9a-f]+|[0-9A-F]+)\Z")
_HEX_GROUPS = late("match", r"(?=[^0-9]*[0-9])(?:0x)?(?:[0-9a-f]+(?:[-.:][0-9a-f]+)*|[0-9A-F]+(?:[-.:][0-9A-F]+)*)\Z")
_UUID = late("match", r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")


def is_hex(text: str) -> bool:
    """Whether it is hex in one case, with a digit."""
    return bool(_HEX(text)) and any(c.isdigit() for c in text)


def is_uuid(text: str) -> bool:
    """Whether it is a UUID with dashes."""
    return bool(_UUID(text))


_PLACEHOLDER_WORDS = late(
    "search",
    r"example|sample|dummy|placeholder|change[_\- ]?(?:me|it|this)|replace|insert|fake|mock|redacted|removed|censored|masked|"
    r"your[_\-. ]?\w|my[_\-. ]?(?:secret|password|token|key|pass)|(?:^|[_\-. ])(?:some|any|the|a|an|foo|bar|baz|todo|tbd|xxx+|none|null|undefined|nil|test(?:ing)?)(?:$|[_\-. ])|"
    r"not[_\- ]?(?:set|real|a[_\- ])|(?:secret|password|token|key|value)[_\-. ]?here|goes[_\- ]?here|hidden|lorem|ipsum|deadbeef|cafebabe|"
    r"IkpvaG4gRG9l|x{4,}|\*{3,}|\.{3,}|#{3,}|_{4,}|-{5,}|0{8,}|1{6,}|9{6,}",
    re.IGNORECASE,
)
_ANGLE = late("search", r"<[^<>]{1,80}>|\[[A-Za-z_ ]{2,40}\]|\{[A-Za-z_ ]{2,40}\}")
_MASKED = late("match", r"[*•xX.#?]{5,}\Z")
_PATTERN = late("search", r"\[\^?[^\[\]\s]{0,40}(?:0-9|[Aa]-[FfZz])[^\[\]\s]{0,40}\]|\\[dws][+*{]|\(\?[:=!<P]")


def placeholder(text: str) -> str:
    """Say what makes it a placeholder, or nothing. The words describe the form, never the value."""
    head = text[:_CLIP]
    if _MASKED(head) or "••••" in head:
        return "is masked"
    if _PATTERN(head):
        return "is a regular expression"
    if _ANGLE(head):
        return "is a form to fill in"
    if _alternates(head):
        return "counts through letters and digits"
    if found := _PLACEHOLDER_WORDS(head):
        # in a long random run a short word stands by chance, or tells one kind of key from another (`_test_`)
        rest = head[: found.start()] + head[found.end() :]
        if (
            len(rest) >= 16
            and found[0][:1].isalpha() | (not found[0].isalnum())
            and word_share(rest) < 0.4
            and language(rest) < 0.3
        ):
            return ""
        return "holds a placeholder word"
    return ""


_REFERENCE = late(
    "search",
    r"\$\{|\$\(|\{\{|\}\}|<%|%\(|(?<![^\s:/=@,;])\$[A-Za-z_][A-Za-z0-9_]*\Z|%[A-Za-z_]+%\Z|%[sdv]|\{[A-Za-z0-9_.]*(?:\([^{}]*\))?\}|#\{|@[A-Za-z]+@|"
    r"process\.env|os\.environ|getenv|ENV\[|secrets\.|vault:|arn:aws|ssm:|op://|(?<![^\s:/=@,;])\$[A-Z_]{3,}|!vault|!Ref|!Sub|env\.|env\(|"
    r"ENC\[|ENC\(|\{cipher\}|\{bcrypt\}|\$2[aby]\$|\$argon2|\$pbkdf2|pbkdf2_|sha256[:$]|sha512[:$]|\{SSHA\}|\$6\$|\$5\$|\$1\$",
)


def reference(text: str) -> bool:
    """Whether it points to a value kept elsewhere, or is a hash or ciphertext."""
    return bool(_REFERENCE(text[:_CLIP]))


def repeated(text: str) -> bool:
    """Whether it is made of few characters or of one short piece again and again."""
    n = len(text)
    if n < 4:
        return True
    distinct = len(set(text.lower()))
    if distinct <= 2 or (n >= 12 and distinct <= n // 6 and distinct < 8):
        return True
    return any(text == (text[:size] * (n // size + 1))[:n] for size in range(1, min(9, n // 3 + 1)))


_UP = "0123456789012345 abcdefghijklmnopqrstuvwxyzabcde"
_ALL_ROWS = _UP + " qwertyuiopasdfghjklzxcvbnm 9876543210987654321 0123456789abcdef0123456789abcdef zyxwvutsrqponmlkjihgfedcba"


def _alternates(text: str) -> bool:
    """Whether letters and digits take turns, each in their order: `a1b2c3d4e5f6`."""
    low = text.lower()
    return len(low) >= 12 and low[::2].isalpha() != low[1::2].isalpha() and low[::2] in _UP and low[1::2] in _UP


def sequence(text: str) -> bool:
    """Whether most of it counts up or follows alphabet or keyboard."""
    low = text[:64].lower()
    n = len(low)
    if n < 6:
        return False
    if _alternates(low):
        return True
    if low in _ALL_ROWS:
        return True
    # runs of five that stand in a row of the keyboard or alphabet
    covered = at = 0
    while at <= n - 5:
        if low[at : at + 5] in _UP:
            end = at + 5
            while end < n and low[end - 4 : end + 1] in _UP:
                end += 1
            covered += end - at
            at = end
        else:
            at += 1
    return covered >= n * 0.6


@cache
def _tables() -> tuple[str, frozenset[str]]:
    from leakguard.engine.language import PAIRS, WORDS

    return PAIRS, frozenset(WORDS.split())


_LETTER_RUNS = late("findall", r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def letters_only(text: str) -> str:
    """Return its letters in lower case."""
    return "".join(filter(str.isalpha, text.lower()))


def word_share(text: str) -> float:
    """Return the share of its characters (separators aside) that belong to common words."""
    text = text[:_CLIP]
    _pairs, words = _tables()
    total = sum(map(str.isalnum, text))
    if not total:
        return 0.0
    covered = 0
    for piece in _LETTER_RUNS(text):
        low = piece.lower()
        if len(low) >= 3 and (low in words or (len(low) > 4 and (low[:-1] in words or low.rstrip("s") in words))):
            covered += len(low)
        elif len(low) >= 7:
            covered += _split(low, words)
    return covered / total


def _split(low: str, words: frozenset[str]) -> int:
    """Return how many letters of a run two joined words cover."""
    return next((len(low) for i in range(4, len(low) - 3) if low[:i] in words and low[i:] in words), 0)


@cache
def _points() -> dict[str, int]:
    """Return how common each pair of letters is."""
    pairs, _words = _tables()
    letters = "abcdefghijklmnopqrstuvwxyz"
    return {a + b: int(pairs[26 * i + j]) for i, a in enumerate(letters) for j, b in enumerate(letters)}


def language(text: str) -> float:
    """Return 0 (letters follow each other at random) to 1 (as in words); below 0 where letters are too few to tell."""
    low = text[:_CLIP].lower()
    points = [p for p in map(_points().get, map(add, low, low[1:])) if p is not None]
    n = len(points)
    if n < 5 or n < len(low) * 0.4:
        return -1.0
    return max(0.0, min(1.0, (sum(points) / n - 3.8) / 1.2))


_PATH = late(
    "match",
    r"(?:[A-Za-z]:)?[\\/][\w.\-]+[\\/]|\.{1,2}/|~/|https?://|file:|[\w.+\-]+@[\w\-]+\.[a-z]{2,6}\Z|v?\d+\.\d+(?:\.\d+)?(?:[\-+.]\w+)?\Z|"
    r"[\w\-]+\.(?:json|ya?ml|xml|txt|pem|key|crt|cer|p12|pfx|jks|py|js|ts|go|java|rb|php|html?|css|png|svg|conf|cfg|ini|properties|log|sh|md)\Z|"
    r"\d{4}-\d\d-\d\d|[\w\-]+(?:\.[\w\-]+)*\.(?:com|org|net|io|local|example|internal)\b",
)


def path_or_url(text: str) -> bool:
    """Whether it is a path, URL, file name, mail address, host, date or version."""
    return bool(_PATH(text[:_CLIP]))


_CODE = late(
    "match",
    r"[\^~<>=]{1,2}v?\d+(?:\.[\dx*]+)+(?:[\-+]\w+)?\Z|[\w.\]]{1,80}\(|\)\Z|.{0,80}(?:::|->|=>|&&|\|\|)|[;{}]\Z|\w{1,40}\[[\w'\"]{0,40}\]|"
    r"(?:self|this|new|await|return|function|const|config|request|req|args|opts|options|params|props|data|ctx|settings|env)\b[.\[ ]|"
    r"(?i:true|false|none|null|nil|undefined|yes|no|on|off|required|optional|string|str|int|bool|boolean|bytes|object|any|void|char|byte|number|text|"
    r"password|passwd|secret|token|key|private|public|default|auto|enabled|disabled|hidden|basic|bearer|admin|root|user|username|"
    r"utf-?8|utf-?16|ascii|latin-?1|hex|base64|allow|deny|accept|reject|grant|pass|fail|ok)\Z|[\w.]{1,80}\[\Z",
)
_NAME = late("match", r"[A-Za-z_$@][A-Za-z_.$\-]*\Z")
_JOINED = late("search", r"[a-z][A-Z]|[A-Za-z][_.\-][A-Za-z]")


def code(text: str) -> bool:
    """Whether it is a call, a keyword, a range of versions or another expression."""
    head = text[:_CLIP]
    if (
        head.endswith((")", "(", "{", ";"))
        and (head.endswith(("(", "{", ";")) or "(" not in head)
        and head[:-1].replace("_", "").isalnum()
    ):
        return True
    return bool(_CODE(head)) and not (len(head) > 15 and sum(map(str.isdigit, head)) > 3 and "(" not in head)


def identifier(text: str) -> bool:
    """Whether it is letters joined as names are (`user_token`, `userToken`, `user.token`), without a digit."""
    head = text[:_CLIP]
    return bool(_NAME(head)) and bool(_JOINED(head))


@lru_cache(maxsize=4096)
def something_else(name: str) -> bool:
    """Whether a name that holds a secret's word says that its value is something else (`token_type`, `keyboard`)."""
    return bool(_NOT_A_SECRET(name))


_NOT_A_SECRET = late(
    "search",
    r"pass(?:es|ed|ing|ive|ion|ages?)\b|(?:[_\-.](?:id|ids|name|names|path|file|files|filename|url|uri|type|types|size|len|length|field|fields|label|header|format|prefix|suffix|env|var|policy|"
    r"ttl|timeout|count|index|column|class|mode|version|regex|pattern|provider|manager|handler|arn|hint|error|message|msg|title|text|help|description|desc|"
    r"placeholder|input|reset|strength|rules?|validator|algorithm|alg|hash|hashed|digest|fingerprint|checksum|expiry|expires?|expiration|lifetime|"
    r"required|enabled|disabled|min|max|status|state|date|time|at|by|from|to|for|in|of|on|ref|reference|mapping|map|list|set|table|schema|selector|"
    r"encoder|decoder|encoding|confirm|confirmation|prompt|attr|attribute|property|prop|param|parameter|option|kind|alias|dir|directory|location|endpoint|host|port|domain|issuer|scope|scopes|store|storage|holder|generator|"
    r"vault|manager|rotation|lambda|function|source|target|button|icon|color|page|view|form|model|dto|event|action|request|response)"
    r"|(?:Id|Ids|Name|Names|Path|File|FileName|Url|Uri|Type|Types|Size|Len|Length|Field|Fields|Label|Header|Format|Prefix|Suffix|Env|Var|Policy|Ttl|TTL|Timeout|Count|Index|"
    r"Column|Class|Mode|Version|Regex|Pattern|Provider|Manager|Handler|Arn|ARN|Hint|Error|Message|Msg|Title|Text|Help|Description|Placeholder|Input|Reset|"
    r"Strength|Rule|Rules|Validator|Algorithm|Alg|Hash|Digest|Fingerprint|Checksum|Expiry|Expires|Expiration|Lifetime|Required|Enabled|Disabled|Status|State|"
    r"Date|Time|At|By|From|For|Ref|Map|List|Set|Table|Schema|Selector|Encoder|Decoder|Encoding|Confirm|Confirmation|Prompt|Attr|Attribute|Property|Param|"
    r"Parameter|Option|Kind|Alias|Dir|Directory|Location|Endpoint|Host|Port|Domain|Issuer|Scope|Scopes|Store|Storage|Holder|Generator|Factory|Service|Button|Icon|Color|Page|View|Form|Model|Dto|Event|Action|Request|Response|Exception|Builder|Code))\Z|"
    r"^(?:public|primary|foreign|partition|sort|cache|row|hot|shortcut|index|unique|composite|natural|surrogate|map|dict|hash|object|lookup|group|order|"
    r"translation|i18n|message|locale|label|config|setting|option|property|attr|field|column|header|json|yaml|xml|test|next|prev|first|last|old|new|left|right|up|down|min|max)[_\-.]?key|"
    r"^(?:is|has|use|show|hide|should|can|num|max|min|forgot|reset|change|confirm|validate|verify|check|enable|disable|require|invalid|missing|wrong|incorrect|without)(?:[_\-]|(?=[A-Z]))|"
    r"(?:^|[_\-.])hash(?:ed)?[_\-.]|(?:^|[a-z])Hash(?:ed)?[A-Z]|keyboard|monkey|turkey|donkey|hockey|jockey|keyword|keynote|keyframe|keypress|keydown|keyup|keycode|keystroke|tokeniz|author(?!iz)|compass|bypass|"
    r"passenger|passage|passive|passing|passed|secretary|public_?key|pubkey|key_?pair|keyspace|keyset|token_?type|keyid|key_?id\b|credential_?type|tokens\b|keys\b",
    re.ASCII,
)
"""Names that hold a secret's word and are something else."""

OWN_LINE = late(
    "search",
    rb'\{"v": 1, "rule": "[a-z0-9\-]{1,80}", "path": "[^"\r\n]{0,400}", (?:"name": "[0-9A-Za-z_.\-]{0,160}", )?"salt": "\Z|"foreign": "foreign:[a-z\-]{1,20}:\Z',
)
"""What stands before the salt of a baseline line: that is public by design."""

TOLD = late(
    "search",
    rb"(?i:key|token|secret|auth|bearer|basic|password|passwd|[_-]pat|credentials?|\bdefault)[\"'\]})]{0,3}[ \t]{0,8}(?:[:=]=?>?|\||->)[ \t]{0,8}(?i:(?:bearer|basic|token)[ \t]{1,2})?[\"'`({\[<]{0,3}\Z"
    rb"|<[^<>]{0,40}(?i:key|token|secret|password)[^<>]{0,40}>[^<>\r\n]{0,40}\Z"
    rb"|\A[0-9a-z.\-]{0,40}\.[a-z]{2,6}/(?:[0-9A-Za-z_\-]{1,24}/){0,2}v[0-9]{1,2}/\Z",
)
"""What stands right before a value that is called a secret: an assignment to such a name, an element of such a name; and what
stands between a vendor's name in a host and a value that is the path below the version of its API."""

CALLED = late("search", rb"\(\s*[@bBrRuUfFLN$]{0,2}[\"'`][0-9A-Za-z_.\-]*\Z")
"""What stands before a name that is the first argument of a call: `define('DB_PASSWORD', '...')`."""

COMPARED = late("match", rb"[0-9A-Za-z_]*[\"'}][ \t]*[!=]?=")
"""What follows a variable that a shell compares: `"$pass" = link`."""

EXAMPLE = late(
    "search",
    rb"example|e\.g\.|placeholder|dummy|fake|lorem|for instance|replace with|change me|changeme|your[ _-](?:own|api|secret|token|password)",
)

_FILE_KINDS = {
    "settings": "env envrc ini cfg conf config cnf properties toml netrc npmrc pypirc htpasswd credentials secrets kubeconfig rdp ovpn service cf hcl tf tfvars pem key dockercfg",
    "yaml": "yaml yml",
    "json": "json tfstate har cast",
    "xml": "xml plist resx csproj pom wsdl xsd xaml",
    "shell": "sh bash zsh fish ps1 bat cmd dockerfile makefile mk",
    "sql": "sql",
    "script": "py rb php pl pm lua r jl ex exs erl",
    "web": "js ts jsx tsx mjs cjs vue svelte",
    "typed": "java kt kts scala groovy go rs c cc cpp cxx h hh hpp hxx cs vb fs swift m mm dart hs clj elm sol",
    "text": "md rst txt adoc html htm tex org wiki textile csv tsv log ipynb",
    "generated": "lock sum map min svg po pot snap",
}
KINDS = tuple(_FILE_KINDS)
_KIND_OF = {ext: kind for kind, exts in _FILE_KINDS.items() for ext in exts.split()}
CODE = frozenset({"script", "web", "typed"})
"""Kinds of files in which a value without quotes is a variable."""


def file_kind(path: str) -> str:
    """Return the kind of file by its name; `other` for names that tell nothing, whose values may stand bare."""
    name = path[path.rfind("/") + 1 :].lower()
    if ".min." in name or name.endswith(("-lock.json", "-lock.yaml", ".lock", "go.sum", "-lock.yml")):
        return "generated"
    _stem, dot, ext = name.rpartition(".")
    return _KIND_OF.get(ext if dot else name, "other")


TEST_PLACE = late(
    "search",
    r"(?:^|[/_.\-])(?:tests?|testing|testdata|spec|specs|fixtures?|mocks?|__mocks__|examples?|samples?|demos?|docs?|e2e|stubs?|snapshots?|__snapshots__|testutil|unittests?)(?:$|[/_.\-])|"
    r"(?:Test|Tests|Spec|Mock|IT)\.\w+\Z|_test\.\w+\Z",
)
"""Paths of tests and examples: they lower the severity of a finding, never its score."""
