"""What the terms of a score mean, in words for people; nothing of a value."""

from __future__ import annotations

_SAYS = {
    "prior:format": "has the form of this token",
    "prior:keyword": "stands beside its vendor's name",
    "prior:pattern": "matches the rule's pattern",
    "prior:generic": "is assigned to a telling name",
    "check:ok": "passes its offline check",
    "check:impossible": "fails its offline check: no such token was issued",
    "placeholder": "is a placeholder",
    "reference": "refers to a value kept elsewhere",
    "repeated": "repeats few characters",
    "sequence": "counts up or follows the keyboard",
    "entropy": "how random its characters are",
    "words": "reads as words",
    "name:not-a-secret": "its name says that it is something else",
    "not-a-secret": "its name says that it is something else",
    "far": "stands near its vendor's name, not assigned to it",
    "far:near": "stands near its vendor's name, behind a word that tells a secret",
    "far:told": "stands near its vendor's name and is called a key, token or secret",
    "loose": "begins as this token does, in another length or alphabet",
    "repeats-vendor": "repeats its vendor's name",
    "own-baseline": "is public: a salt or a peer's hash in a line of our own baseline",
    "reads-a-variable": "reads a variable, sets none",
    "companion": "its other part stands beside it",
    "companion:apart": "its other part stands in the same folder",
    "generic": "what values assigned to such names are, all told",
    "odd-sign": "holds signs that tokens don't have",
    "path-or-url": "is a path, URL, e-mail address or version",
    "algorithm": "names an algorithm",
    "code": "is an expression or a keyword of code",
    "stock-words": "is made of words that stand in for a secret",
    "ends-a-sentence": "ends as a sentence does",
    "starts-with-sign": "begins with a sign",
    "brackets": "holds brackets",
    "backslash": "holds a backslash",
    "one-space": "holds a space",
    "many-spaces": "holds spaces",
    "refers": "refers to a value kept elsewhere, or is a hash",
    "repeats": "repeats few characters",
    "counts": "counts up or follows the keyboard",
    "same-as-name": "is its own name",
    "like-its-name": "repeats its own name",
    "example": "the line speaks of an example",
    "again": "stands there more than once",
    "word:inside": "its name holds the telling word by chance",
    "word:plural": "its name is a plural",
    "login:near": "a login or host stands near",
    "login:none": "no login or host stands near",
    "random:high": "its characters are random",
    "random:usual": "its characters are rather random",
    "random:low": "its characters are hardly random",
    "random:least": "its characters are not random",
    "siblings:none": "no like assignment stands near",
    "siblings:one": "a like assignment stands near",
    "siblings:few": "some like assignments stand near",
    "siblings:many": "stands in a list of like assignments",
}
_GROUPS = {
    "rule": "how it is assigned",
    "name": "what its name promises: {}",
    "after": "what its name ends with: {}",
    "before": "what its name begins with: {}",
    "file": "the kind of file: {}",
    "quote": "its quotes: {}",
    "style": "the letters of its name: {}",
    "sign": "what joins name and value: {}",
    "form": "its characters: {}",
    "length": "its length",
    "words": "its share of common words: {}",
    "pairs": "its share of letter pairs of language: {}",
    "tail": "what follows it: {}",
}


def says(term: str) -> str:
    """Return the words of a term."""
    plain = term.rpartition(".")[2] if term.startswith(("password.", "token.")) else term
    group, _colon, value = plain.partition(":")
    if term.startswith("password.form:"):
        return "its kinds of characters"
    return _SAYS.get(plain) or _GROUPS.get(group, plain).format(value)
