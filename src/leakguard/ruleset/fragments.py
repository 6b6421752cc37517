"""Pieces that generic patterns share, written `{name}` in rule files; in gates `{~name}`, never narrower.

Hyperscan is quicker without bounds and knows no possessive quantifiers, hence the second spelling. How far a gate's end
may lie behind its anchor is bounded by the pattern all the same (`reach`), since the engine without Hyperscan asks for no gate.
"""

from __future__ import annotations

_BLANKS = r"[ \t]{0,8}(?:\\?\r?\n[ \t]{1,40})?"
_JOINT = _BLANKS + r"(?:\+|\.{1,2}|&|<>)?" + _BLANKS
"""What stands between two pieces of a value: a sign or nothing, on the next line as well; see `engine/written.py`."""
_FIELD = (
    r"[\"']?(?:type|description|enabled|sensitive|required|nullable|secret|scope|label|masked|protected|noecho|in)[\"']?"
    r"[ \t]{0,10}[:=][ \t]{0,4}(?:\"[^\"\r\n]{0,40}\"|'[^'\r\n]{0,40}'|[0-9A-Za-z_.]{1,16})[\s,;]{1,12}"
)
_FIELD_GATE = (
    r"[\"']?(?:type|description|enabled|sensitive|required|nullable|secret|scope|label|masked|protected|noecho|in)[\"']?"
    r"[ \t]*[:=][ \t]*(?:\"[^\"\r\n]*\"|'[^'\r\n]*'|[0-9A-Za-z_.]+)[\s,;]+"
)
_PIECE = r"(?:[^\r\n\\\"'`]{1,256}+|(?!(?P=q))(?:[\"'`]|\\(?:[^\r\n]|\r?\n)))"

FRAGMENTS = {
    "{password}": r"(?i:pass(?:w(?:or)?d|wd|phrase|code)?|pwd|psw)",
    "{~password}": r"(?:pass|pwd|psw)",
    "{keyword}": r"(?i:secret|token|key|auth|cred|salt|nonce)",
    "{~keyword}": r"(?:secret|token|key|auth|cred|salt|nonce)",
    # quoted, whole or in pieces: `"ab" + "cd"`, neighbours, a backslash at the end of a line. The next piece is none where
    # it is the name of something else (a YAML key in quotes) or a variable of a shell.
    "{pieces}": r"(?![^\r\n]{0,2}(?P=q))"
    + _PIECE
    + r"{1,64}+(?:(?P=q)"
    + _JOINT
    + r"(?P=q)(?=[^\"'`\r\n$ ]{1,256}(?P=q)(?![ \t]{0,4}(?::|=)))"
    + _PIECE
    + r"{1,64}+){0,7}",
    "{bare}": r"(?P<secret>[^\s\"'`<>,;&|(){}\[\]\\][^\s\"'`<>,;&|(){}\[\]\\]{3,127})(?=[\s,;&<>\"'`|}\])]|\Z)",
    "{~bare}": r"[^\s\"'`<>,;&|(){}\[\]\\]{4}",
    "{argument}": r"(?:[\"'](?P<secret>[^\s\"'`$][^\"'\r\n`$]{2,127})[\"']|(?P<secret>[^\s\"'`$|&;<>\-(){}\[\]\\][^\s\"'`$|&;<>(){}\[\]\\]{2,127})(?=[\s\"'`|&;<>)\\]|\Z))",
    "{~argument}": r"[\"']?[^\s\"'`$|&;<>(){}\[\]]{3}",
    "{fields}": "[\\s,;{(:]{1,24}(?i:" + _FIELD + "){0,3}",
    "{~fields}": "[\\s,;{(:]+(?:" + _FIELD_GATE + ")*",
    # the words of a command up to its flag; a backslash goes on with the next line
    "{words}": r"(?:[^\r\n\\|;]|\\\r?\n|\\[^\r\n]){0,200}?",
    "{~words}": r"(?:[^\r\n|;]|\\\r?\n)*",
}
