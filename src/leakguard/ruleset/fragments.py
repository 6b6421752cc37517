"""Pieces that generic patterns share, written `{name}` in rule files; in gates `{~name}`, never narrower.

Hyperscan is quicker without bounds and knows no possessive quantifiers, hence the second spelling. How far a gate's end
may lie behind its anchor is bounded by the pattern all the same (`reach`), since the engine without Hyperscan asks for no gate.
"""

from __future__ import annotations

_BLANKS = r"[ \t]{0,8}(?:\\?\r?\n[ \t]{1,40})?"
_JOINT = _BLANKS + r"(?:\+|\.{1,2}|&|<>)?" + _BLANKS
"""What stands between two pieces of a value: a sign or nothing, on the next line as well; `written._JOINT` takes it out again."""
_FIELDS = r"[\"']?(?:type|description|enabled|sensitive|required|nullable|secret|scope|label|masked|protected|noecho|in)[\"']?"
"""Fields that may stand between a name and its value."""
_FIELD = _FIELDS + r"[ \t]{0,10}[:=][ \t]{0,4}(?:\"[^\"\r\n]{0,40}\"|'[^'\r\n]{0,40}'|[0-9A-Za-z_.]{1,16})[\s,;]{1,12}"
_FIELD_GATE = _FIELDS + r"[ \t]*[:=][ \t]*(?:\"[^\"\r\n]*\"|'[^'\r\n]*'|[0-9A-Za-z_.]+)[\s,;]+"
_PIECE = r"(?:[^\r\n\\\"'`]{1,256}+|(?!(?P=q))(?:[\"'`]|\\(?:[^\r\n]|\r?\n)))"

_CLOSES = r"(?:\\{0,3}[\"'`]|&quot;|[\])}]){0,3}"
"""What ends a name: quotes (escaped where text stands inside a string), brackets."""
_TYPED = r"(?:\[[0-9A-Za-z_]{0,16}\]|:[ \t]?[A-Za-z_&][0-9A-Za-z_.<>\[\]|?&' ]{0,30}(?==)|[ \t]{1,4}(?:const |\*|[Aa]s )?[A-Za-z][a-z0-9]{2,10}(?=[ \t]{0,8}:?=))?"
"""A type between name and sign: `key: string = `, `var key string = `."""
_SIGN = r"[:!?|+.~<]{0,3}={1,3}>?|:{1,3}|,|\(|->|<-|\|\||\?\?|-(?=[ \t])|or(?=[ \t])|\{(?=[\"'])"
"""What assigns, compares, passes or stands in (`process.env.KEY || "..."`)."""
_CALL = r"(?:(?:new )?[0-9A-Za-z_.:\[\]]{0,32}[({][ \t]{0,2})?(?:<<)?"
"""A call round the value, or a language's own quotes."""
_VALUE_KEY = r"(?:(?:,?[ \t]{0,8}(?:\r?\n[ \t]{0,32})?)?[\"']?(?:default)?[Vv]alue[\"']?[ \t]{0,4}[:=]|\{[ \t]{0,4}\r?\n[ \t]{0,16}default[ \t]{0,8}=)"
"""A value that stands under a key of its own: `name: TOKEN` and `value: ...`, `variable "token" {` and `default = ...`."""
_SEPARATOR = (
    r"[0-9A-Za-z_.\- ]{0,40}"
    + _CLOSES
    + _TYPED
    + r"[ \t]{0,8}(?:"
    + _SIGN
    + r"|>|-|[ \t])\s{0,24}(?:[0-9A-Za-z_.]{0,24}\()?(?:\\{0,3}[\"'`]|&quot;|[{\[<]){0,3}[ \t]{0,2}(?:(?i:bearer|token|basic|apikey|api-key)[ \t:=]{1,2})?"
)
"""What may stand between a vendor's name and the value: the rest of a name, an assignment, quotes, a call."""
GAP = f"(?:{_SEPARATOR}|(?P<far>[\\s\\S]{{0,48}}))"
"""Or anything, close by; `score` takes that for less."""

_COLUMNS = 6
"""Columns of a table in which values are looked for."""
_HEADING = r"[A-Za-z][0-9A-Za-z_.#/\-]{0,39}(?:[ ][0-9A-Za-z_.#/\-]{1,20}){0,3}(?<!\.)"
"""A word or four: a sentence with commas is none."""


def _table(value: str, sign: str, cell: str, quote: str, lead: str, rule: str) -> str:
    """Return what follows a heading of a table: the other headings, `rule` and rows; `value` is looked for in its column."""
    opens, closes = rf"[ \t]{{0,8}}{quote}", rf"{quote}[ \t]{{0,40}}"
    heading = rf"{opens}{_HEADING}{closes}"
    ways = []
    for column in range(_COLUMNS):
        before = rf"(?<=(?:\A|\n){lead}(?:{heading}{sign}){{{column}}}{heading})"
        row = rf"(?>{lead}(?:{cell}{sign}){{{column}}}(?:{opens}{value}{closes}(?={sign}|[\r\n]|\Z)|{cell})(?:{sign}{cell}){{0,12}}(?:\r?\n|\Z))"
        ways.append(rf"{before}{'' if column else f'(?={sign})'}(?:{sign}(?:{heading})?){{0,12}}\r?\n{rule}{row}{{1,12}}+")
    return "(?:" + "|".join(ways) + ")"


def _tables(value: str) -> str:
    # code is indented by tabs: a first cell before a tab is not empty
    rows = _table(value, r"[,;\t]", r"(?:\"[^\"\r\n]{0,200}\"|[^\",;|\r\n\t]{0,200})", r"[\"']?", "", r"(?!\t)")
    lines = _table(value, r"\|", r"[^|\r\n]{0,200}", r"[*`]{0,2}", r"[ \t]{0,8}\|?", r"[ \t|:\-]{3,200}\r?\n")
    return rf"[0-9A-Za-z_ .#/\-]{{0,40}}[\"'*`]{{0,2}}[ \t]{{0,8}}(?:{rows}|{lines})"


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
    "{rest}": r"[0-9A-Za-z_.\-]{0,40}",
    "{assign}": _CLOSES + _TYPED + r"[ \t]{0,16}(?:" + _VALUE_KEY + "|" + _SIGN + r")\s{0,32}" + _CALL,
    "{set}": r"[\"'`\])]{0,2}[ \t]{0,16}(?::-(?=[^\s{}]{1,127}\})|[:!?|+.~<]{0,3}=>?|:{1,3})[ \t]{0,16}(?:(?:!!str|&[0-9A-Za-z_\-]{1,24})[ \t]{1,4})?",
    "{inside}": r"(?:[\"']?(?:[ \t][^<>\r\n]{0,80})?|</(?i:name|key|param-name)>\s{0,40}<(?i:value|string|param-value))>\s{0,60}(?:<(?i:value|string)>\s{0,20})?(?:<!\[CDATA\[)?",
    # in a column of a CSV or Markdown table, under its heading
    "{column password}": _tables(
        r"(?=[^\s\"'`,;|]{0,63}[0-9])(?=[^\s\"'`,;|]{0,63}[A-Za-z])(?P<secret>[^\s\"'`,;|<>{}$\\][^\s\"'`,;|<>{}\\]{4,63})"
    ),
    "{column secret}": _tables(
        r"(?=[^\s\"'`,;|]{0,63}[0-9])(?=[^\s\"'`,;|]{0,63}[A-Za-z])(?P<secret>[0-9A-Za-z_+/][0-9A-Za-z_\-.+/=~]{15,199})"
    ),
    "{~heading}": r"(?:[\r\n,;\t|]|^)[ \t\"'*`]*(?:[A-Za-z][0-9A-Za-z_ .#/\-]*)?",
    "{~column}": r"[0-9A-Za-z_ .#/*\"'`\-]*(?:[,;\t|][0-9A-Za-z_ .#/*\"'`\-]*)*\r?\n(?:[^\r\n,;|]*\||[^\r\n,;\t|]+\t|[^\r\n,;\t|]*[,;])",
    # the same for gates, never narrower: every bound costs Hyperscan as many states as it counts to
    "{~rest}": r"[0-9A-Za-z_.\-]*",
    "{~assign}": r"[\\\"'`\])}&;quot]*(?:\[[0-9A-Za-z_]*\]|:?[ \t]*[A-Za-z_&*][0-9A-Za-z_.<>\[\]|?&*' ]*)?[ \t]*(?:[:!?|+.~<]*=+>?|:+|,|\(|->|<-|\|\||\?\?|or[ \t]|-|\{|"
    r"(?:,?[ \t]*(?:\r?\n[ \t]*)?)?[\"']?(?:default)?[Vv]alue[\"']?[ \t]*[:=]|\{[ \t]*\r?\n[ \t]*default[ \t]*=)\s*(?:(?:new )?[0-9A-Za-z_.:\[\]]*[({][ \t]*)?(?:<<)?",
    "{~set}": r"[\"'`\])]*[ \t]*(?:[:!?|+.~<]*=>?|:+-?)[ \t]*(?:(?:!!str|&[0-9A-Za-z_\-]*)[ \t]+)?",
    "{~inside}": r"(?:[\"']?(?:[ \t][^<>\r\n]*)?|</(?:name|key|param-name)>\s*<(?:value|string|param-value))>\s*(?:<(?:value|string)>\s*)?(?:<!\[CDATA\[)?",
}
"""Pieces that generic patterns and gates share, written `{name}`."""
