"""Text of HTML and of what is stored like it (Confluence's storage format): text joined over tags, a block a line.

Attributes' values follow their block, since links hold tokens. Entities are decoded.
Rejected: `html.parser`, whose time grows with the square of what never ends.
"""

from __future__ import annotations

import re
from html import unescape

_TAG = re.compile(r"<(/?)([a-zA-Z][\w:.-]{0,63})([^<>]{0,8192})>")
_ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_SPECIAL = (("<!--", "-->"), ("<![CDATA[", "]]>"))
_CELLS = frozenset(("td", "th"))
_INLINE = frozenset(
    ("a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark", "q", "s",
     "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr", "at", "e_m", "ss")
)  # fmt: skip
"""Tags within which a word goes on."""
_NO_TEXT = frozenset(("class", "style", "id", "align", "valign", "width", "height", "colspan", "rowspan", "border", "dir", "lang"))
"""Attributes that say how something looks."""


def is_markup(text: str) -> bool:
    """Whether a text holds tags."""
    return "<" in text and (_TAG.search(text) is not None or "<![CDATA[" in text)


def text_of(markup: str) -> str:
    """Return the text of some HTML."""
    out: list[str] = []
    values: list[str] = []
    at = told = 0
    endless: set[str] = set()
    while (at := markup.find("<", at)) >= 0:
        start = at
        for begin, end in _SPECIAL:
            if begin not in endless and markup.startswith(begin, at):
                close = markup.find(end, at)
                if close < 0:
                    # looked for once only, or the time grows with the square of the length
                    endless.add(begin)
                    continue
                out += [unescape(markup[told:start]), "\n" * (begin == "<!--"), markup[at + len(begin) : close]]
                told = at = close + len(end)
                break
        else:
            if (tag := _TAG.match(markup, at)) is None:
                at += 1
                continue
            out.append(unescape(markup[told:start]))
            told = at = tag.end()
            _tag(out, values, tag)
    out.append(unescape(markup[told:]))
    _end_line(out, values)
    return re.sub(r"\n{2,}", "\n", "".join(out)).strip("\n")


def _tag(out: list[str], values: list[str], tag: re.Match[str]) -> None:
    ends, name = tag[1], tag[2].lower()
    for key, *quoted in _ATTRIBUTE.findall(tag[3]):
        value = "".join(quoted)
        if value and key.lower() not in _NO_TEXT:
            values.append(f"{key}: {unescape(value)}")
    if name in _CELLS:
        out.append(" | " if ends else "")
    elif name == "tr" and not ends:
        out.append("\n| ")
    elif name not in _INLINE:
        _end_line(out, values)


def _end_line(out: list[str], values: list[str]) -> None:
    out.append("\n")
    if values:
        out += [value + "\n" for value in values]
        values.clear()
