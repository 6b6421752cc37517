"""Mail (RFC 5322, MIME): headers and texts decoded as one text; attachments and attached mails are looked into.

A place has the line of the mail as a reader shows it and, as facts, subject, sender and id of the message, and the number of its
part. What the HTML form says again is not told twice.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from functools import partial
from typing import IO

from leakguard.sources._text import reader
from leakguard.sources.unpack import Member, Untold
from leakguard.sources.unpack._markup import is_markup, text_of
from leakguard.sources.unpack._written import Facts, Written, fact, written
from leakguard.sources.unpack.budget import Budget, SpentError

SEEKS = False
BIGGEST = 64 << 20
"""Bytes of one mail, which is held in memory."""
PARTS = 10_000


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the text of a mail, then its attachments."""
    raw = b"".join(iter(partial(file.read, 1 << 20), b""))
    if len(raw) > BIGGEST:
        raise SpentError(f"a mail of more than {BIGGEST >> 20} MiB")
    try:
        mail: Message = message_from_bytes(raw, policy=policy.compat32)
        parts = _parts(mail)
        facts = _facts(mail)
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # the standard library's parser has no errors of its own for what nobody would send
        yield Member("", reader(raw), text=True)
        yield Untold("", "damaged", by_choice=True, detail="it is no sound mail, and was scanned as it stands")
        return
    texts = [(number, part) for number, part in parts if _is_text(part)]
    yield written("", partial(_write, mail, texts), facts)
    for number, part in parts:
        if not _is_text(part):
            yield _attached(number, part, facts)


def _parts(mail: Message) -> list[tuple[int, Message]]:
    """Return the parts that hold no others, numbered as they stand; attached mails whole."""
    out: list[tuple[int, Message]] = []
    waiting = [mail]
    while waiting:
        part = waiting.pop()
        if part.is_multipart() and part.get_content_type() != "message/rfc822":
            waiting += reversed(part.get_payload())  # type: ignore[arg-type]
        else:
            out.append((len(out) + 1, part))
        if len(out) > PARTS:
            raise SpentError(f"a mail of more than {PARTS:,} parts")
    return out


def _is_text(part: Message) -> bool:
    return part.get_content_maintype() == "text" and not part.get_filename() and part.get_content_disposition() != "attachment"


def _attached(number: int, part: Message, facts: Facts) -> Member:
    name = _plain(part.get_filename() or "")
    if part.get_content_type() == "message/rfc822" and part.is_multipart():
        inner = part.get_payload(0)
        return Member(name or f"part-{number}.eml", reader(bytes(inner)), facts, kind="eml")  # type: ignore[arg-type]
    ending = mimetypes.guess_extension(part.get_content_type()) or ""
    return Member(name or f"part-{number}{ending}", reader(_content(part)), facts)


def _content(part: Message) -> bytes:
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AssertionError):
        content = None
    if isinstance(content, bytes):
        return content
    return str(part.get_payload()).encode("utf-8", "surrogateescape")


def _facts(mail: Message) -> Facts:
    return (
        *fact("subject", _plain(mail.get("Subject", ""))),
        *fact("author", _plain(mail.get("From", ""))),
        *fact("message", _plain(mail.get("Message-ID", ""))),
    )


def _plain(value: object) -> str:
    """Return a header's value decoded (RFC 2047)."""
    text = str(value)
    try:
        pieces = decode_header(text) if "=?" in text else [(text, None)]
        return "".join(p if isinstance(p, str) else p.decode(c or "ascii", "surrogateescape") for p, c in pieces)
    except (MessageError, ValueError, LookupError):
        return text


def _write(mail: Message, texts: list[tuple[int, Message]], out: Written) -> Iterator[None]:
    out.part(fact("part", "headers"))
    for name, value in mail.items():
        out.write(f"{name}: {_plain(value)}\n")
    yield
    said: set[str] = set()
    for number, part in texts:
        content = _content(part)
        try:
            text = content.decode(part.get_content_charset() or "utf-8", "surrogateescape")
        except (LookupError, ValueError):
            text = content.decode("utf-8", "surrogateescape")
        if part.get_content_subtype() == "html" and is_markup(text):
            text = "\n".join("" if row.strip() in said else row for row in text_of(text).split("\n"))
        said.update(row.strip() for row in text.splitlines())
        # what lies before the first part and after the last is of no use to a reader, and may hold anything
        out.part(fact("part", number))
        out.write(text + "\n")
        yield
    for around in (mail.preamble, mail.epilogue):
        if around:
            out.part(fact("part", "around"))
            out.write(str(around) + "\n")
