"""Reads PDFs with pypdfium2 in a process of its own, `python -m leakguard.sources.unpack._pdfium`; see `pdf`.

In: pieces, each after its length (4 bytes, big-endian), ended by one of length 0. Out: frames of kind (1 byte), number and
length (4 bytes each), and that many bytes: `P` a page's text, `M` what belongs to no page, `A` an attached file (its name, a NUL,
its content), `E` encrypted, `D` damaged, `.` the end. No file is opened and nothing is written but to the pipe.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any

import pypdfium2 as pdfium
import pypdfium2.raw as c

MEMORY = 1536 << 20
"""Bytes of address space; a PDF that needs more ends the process, which is told."""
_STRINGS = ("Contents", "V", "T", "DV")
"""What a comment or a field of a form says."""


def main() -> None:
    """Answer until the input ends."""
    _limit()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (data := _read(source)) is not None:
        for kind, number, content in _frames(data):
            sink.write(kind + struct.pack(">II", number, len(content)) + content)
            sink.flush()


def _limit() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _read(source: IO[bytes]) -> bytes | None:
    pieces: list[bytes] = []
    while True:
        head = source.read(4)
        if len(head) < 4:
            return None
        size = int.from_bytes(head, "big")
        if not size:
            return b"".join(pieces)
        pieces.append(source.read(size))


def _frames(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as e:
        locked = getattr(e, "err_code", None) == c.FPDF_ERR_PASSWORD or "assword" in str(e)
        yield b"E" if locked else b"D", 0, b""
    else:
        yield from _content(document)
    yield b".", 0, b""


def _content(document: Any) -> Iterator[tuple[bytes, int, bytes]]:
    for number in range(len(document)):
        try:
            page = document[number]
            text = page.get_textpage().get_text_bounded()
            lines = [text.replace("\r\n", "\n").replace("\ufffe", "-"), *_annotations(document, page)]
            yield b"P", number + 1, "\n".join(lines).encode("utf-8", "replace")
            page.close()
        except (pdfium.PdfiumError, MemoryError):
            yield b"D", number + 1, b""
    try:
        told = "".join(f"{key}: {value}\n" for key, value in document.get_metadata_dict(skip_empty=True).items())
        if told:
            yield b"M", 0, told.encode("utf-8", "replace")
        for number in range(document.count_attachments()):
            attached = document.get_attachment(number)
            yield b"A", number + 1, attached.get_name().encode("utf-8", "replace") + b"\0" + bytes(attached.get_data())
    except (pdfium.PdfiumError, MemoryError):
        yield b"D", 0, b""


def _annotations(document: Any, page: Any) -> Iterator[str]:
    """Yield what comments and fields say, and where links lead."""
    for number in range(c.FPDFPage_GetAnnotCount(page)):
        annotation = c.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        for key in _STRINGS:
            if text := _wide(c.FPDFAnnot_GetStringValue, annotation, key.encode()):
                yield f"{key}: {text}"
        link = c.FPDFAnnot_GetLink(annotation)
        action = c.FPDFLink_GetAction(link) if link else None
        if action and (size := c.FPDFAction_GetURIPath(document, action, None, 0)):
            buffer = ctypes.create_string_buffer(size)
            c.FPDFAction_GetURIPath(document, action, buffer, size)
            yield f"link: {buffer.value.decode('utf-8', 'replace')}"
        c.FPDFPage_CloseAnnot(annotation)


def _wide(call: Callable[..., int], handle: Any, key: bytes) -> str:
    size = call(handle, key, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    call(handle, key, ctypes.cast(buffer, ctypes.POINTER(c.FPDF_WCHAR)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(1)
