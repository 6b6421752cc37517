"""Which format with structure some text is: a notebook, a mail, an export of a chat or of tickets.

Such files have no first bytes of their own. Their names say what they may be, what they begin with decides, so that any
other text costs no more than a look at its name. The same first bytes always give the same answer: whoever opens a place
again must read the file as the scan did.
"""

from __future__ import annotations

LOOKED = 8192
"""Bytes that decide."""

JSON = {"json": "exports", "jsonl": "exports", "ndjson": "exports", "ipynb": "notebook", "map": "sourcemap"}
XML = {"xml": "atlassian"}
MAIL = {"eml": "eml", "mht": "eml", "mhtml": "eml", "mbox": "mbox", "mbx": "mbox"}

Groups = tuple[tuple[bytes, ...], ...]

EXPORTS: tuple[tuple[str, Groups], ...] = (
    ("slack", ((b'"ts"',), (b'"type"',), (b'"message"',), (b'"user"', b'"bot_id"', b'"text"'))),
    ("discord", ((b'"guild"',), (b'"channel"',), (b'"dateRange"', b'"messages"'))),
    ("discord_package", ((b'"ID"',), (b'"Timestamp"',), (b'"Contents"',))),
    ("teams", ((b'"messageType"',), (b'"createdDateTime"',), (b'"body"', b'"chatId"', b'"channelIdentity"'))),
    ("skype", ((b'"conversations"',), (b'"MessageList"',))),
    ("jira", ((b'"fields"',), (b'"key"',), (b'"issues"', b"/rest/api/"))),
    ("confluence", ((b'"type"',), (b'"title"',), (b'"status"',), (b'"storage"', b"/rest/api/content", b'"spaceId"'))),
    ("zendesk", ((b'"requester_id"', b'"author_id"'), (b'"tickets"', b'"raw_subject"', b"/api/v2/tickets", b'"html_body"'))),
)
"""Exports in JSON: of each group, one must stand in the first bytes."""

EXPORTS_XML = (b"<entity-engine-xml", b"<hibernate-generic")
"""Roots of Jira's backup and of Confluence's export of a space or site."""

_KEYS = {"notebook": (b'"cells"', b'"nbformat"', b'"worksheets"'), "sourcemap": (b'"version"', b'"sections"')}
_MBOX = rb"From \S[^\r\n]*\r?\n>?[!-9;-~]+:"
_HEADER = rb"(?:[!-9;-~]{1,76}:[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*)+"
_MAIL_NAMES = rb"(?im)^(?:from|subject|message-id|received|mime-version|date|to):"
_BLANK = b"\xef\xbb\xbf \t\r\n"


def text_kind(head: bytes, ending: str) -> str:
    """Return the name of the format with structure that a text is, or `""`; `ending` of its name, without the dot."""
    head = head[:LOOKED].lstrip(_BLANK)
    first = head[:1]
    if first in {b"{", b"["}:
        kind = JSON.get(ending, "")
        if kind == "exports":
            return kind if export_of(head) else ""
        return kind if kind and first == b"{" and any(key in head for key in _KEYS[kind]) else ""
    if first == b"<":
        return "atlassian" if ending in XML and any(root in head for root in EXPORTS_XML) else ""
    return mail_kind(head, ending) if ending in MAIL or not ending else ""


def inline_map(data: bytes) -> int:
    """Return where the last line of a script or style sheet names a source map that stands in it itself; -1 where none does."""
    end = len(data) - len(data[-64:]) + len(data[-64:].rstrip())
    at = data.rfind(b"sourceMappingURL=data:", data.rfind(b"\n", 0, end) + 1)
    return at - 4 if at >= 4 and data[at - 4 : at] in {b"//# ", b"//@ ", b"/*# "} else -1


def mail_kind(head: bytes, ending: str) -> str:
    """Return `mbox` or `eml` for what begins like one; a mail alone has to be named as one."""
    if not ending and not head.startswith(b"From "):
        return ""
    import re

    if head.startswith(b"From ") and re.match(_MBOX, head):
        return "mbox"
    if MAIL.get(ending) == "eml" and (header := re.match(_HEADER, head)) and re.search(_MAIL_NAMES, header[0]):
        return "eml"
    return ""


def export_of(head: bytes) -> str:
    """Return the name of the export in JSON that begins so, or `""`."""
    return next((name for name, groups in EXPORTS if all(any(key in head for key in group) for group in groups)), "")
