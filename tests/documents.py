"""Documents and exports, as small as their formats allow, with a text of ours inside; none is kept in a file."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from leakguard.config import Config
from leakguard.engine.scan import Engine
from leakguard.model.blob import path_in
from leakguard.model.finding import Report
from leakguard.pipeline import Setup
from leakguard.pipeline import scan as run
from leakguard.pipeline.setup import build_engine, load_baseline, today
from leakguard.sources.files import FilesSource
from leakguard.suppress.identity import id_key

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
_RELS = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
_ODF = 'xmlns:{0}="urn:oasis:names:tc:opendocument:xmlns:{0}:1.0"'
_TYPES = ("[Content_Types].xml", '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>')


def zipped(*members: tuple[str, str | bytes]) -> bytes:
    """Return a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def paragraph(text: str) -> str:
    """Return a paragraph whose text lies in runs of seven characters, as spelling checks and formats leave it."""
    runs = (text[i : i + 7] for i in range(0, len(text), 7))
    return (
        "<w:p>"
        + "".join(f'<w:r><w:rPr><w:b/></w:rPr><w:t xml:space="preserve">{escape(run)}</w:t></w:r>' for run in runs)
        + "</w:p>"
    )


def docx(*paragraphs: str, parts: dict[str, str | bytes] | None = None, body: str = "") -> bytes:
    """Return a document; `body` is WordprocessingML of its own after the paragraphs."""
    text = f"<w:document {_W}><w:body>{''.join(map(paragraph, paragraphs))}{body}</w:body></w:document>"
    return zipped(_TYPES, ("word/document.xml", text), *(parts or {}).items())


def word_part(*paragraphs: str) -> str:
    """Return a header, footer or comments of a document."""
    return f"<w:hdr {_W}>{''.join(map(paragraph, paragraphs))}</w:hdr>"


def word_table(*rows: tuple[str, ...]) -> str:
    """Return a table of a document."""
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


def links(target: str) -> str:
    """Return the relationships of a part, with one link."""
    return f'<Relationships {_RELS}><Relationship Id="rId1" TargetMode="External" Target={quoteattr(target)}/></Relationships>'


def pptx(*slides: str) -> bytes:
    """Return a presentation, a text a slide."""
    text = "<p:sld {0} xmlns:p='urn:p'><a:p><a:r><a:t>Title</a:t></a:r></a:p><a:p><a:r><a:t>{1}</a:t></a:r></a:p></p:sld>"
    return zipped(_TYPES, *((f"ppt/slides/slide{n}.xml", text.format(_A, escape(t))) for n, t in enumerate(slides, 1)))


def xlsx(sheet: str, *rows: tuple[str, ...], unused: tuple[str, ...] = ()) -> bytes:
    """Return a book with one sheet whose first row is row 3 and whose cells are shared strings."""
    strings = [cell for row in rows for cell in row]
    shared = "".join(f"<si><r><t>{escape(s[:5])}</t></r><r><t>{escape(s[5:])}</t></r></si>" for s in (*strings, *unused))
    cells, number = "", 0
    for line, row in enumerate(rows, 3):
        cells += f'<row r="{line}">'
        for column, _cell in enumerate(row):
            cells += f'<c r="{chr(66 + column)}{line}" t="s"><v>{number}</v></c>'
            number += 1
        cells += "</row>"
    return zipped(
        ("xl/workbook.xml", f'<workbook {_S} {_R}><sheets><sheet name={quoteattr(sheet)} r:id="rId7"/></sheets></workbook>'),
        (
            "xl/_rels/workbook.xml.rels",
            f'<Relationships {_RELS}><Relationship Id="rId7" Target="worksheets/sheet1.xml"/></Relationships>',
        ),
        ("xl/worksheets/sheet1.xml", f"<worksheet {_S}><sheetData>{cells}</sheetData></worksheet>"),
        ("xl/sharedStrings.xml", f"<sst {_S}>{shared}</sst>"),
        _TYPES,
    )


def opendocument(body: str) -> bytes:
    """Return an OpenDocument file."""
    spaces = " ".join(map(_ODF.format, ("office", "text", "table", "draw")))
    content = f"<office:document-content {spaces}><office:body>{body}</office:body></office:document-content>"
    return zipped(("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", content))


def pdf(*pages: tuple[str, ...], link: str = "", user_password_entry: bool = False) -> bytes:
    """Return a PDF with some lines a page, the streams deflated."""
    import zlib

    objects: list[bytes] = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Courier>>"]
    kids = []
    for lines in pages:
        shown = "".join(f"({line.replace(chr(92), '').replace('(', '').replace(')', '')}) Tj 0 -20 Td " for line in lines)
        stream = zlib.compress(f"BT /F1 12 Tf 50 700 Td {shown}ET".encode("latin-1"))
        objects.append(b"<</Filter/FlateDecode/Length %d>>stream\n" % len(stream) + stream + b"\nendstream")
        note = f"/Annots[<</Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI({link})>>>>]" if link else ""
        page = (
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 900 800]/Resources<</Font<</F1 3 0 R>>>>/Contents {len(objects)} 0 R{note}>>"
        )
        objects.append(page.encode())
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>".encode()
    out, places = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj" % number + body + b"endobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % p for p in places)
    locked = (
        "/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<" + "00" * 32 + ">/U<" + "00" * 32 + ">>>/ID[<00><00>]"
        if user_password_entry
        else ""
    )
    out += f"trailer<</Size {len(objects) + 1}/Root 1 0 R{locked}>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def notebook(source: list[str], printed: str) -> bytes:
    """Return a notebook whose second cell has this source and output."""
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "text"]},
        {
            "cell_type": "code",
            "execution_count": 1,
            "metadata": {},
            "outputs": [{"name": "stdout", "output_type": "stream", "text": ["ok\n", printed]}],
            "source": source,
        },
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1).encode()


Value = str
Facts = dict[str, str]


def mail(value: Value, *, html: bool = False) -> bytes:
    """Return a mail that holds a value in its text, or only in its HTML."""
    message = EmailMessage()
    message["Subject"], message["From"], message["Message-ID"] = "Zugänge", "Ada <ada@acme.example>", "<7@acme.example>"
    message.set_content("see below\n" if html else f"Grüße\nkey {value}\n", cte="quoted-printable")
    message.add_alternative(f"<p>see below</p><p>key <b>{value[:9]}</b>{value[9:]}</p>", subtype="html", cte="base64")
    return bytes(message)


MAIL = {"subject": "Zugänge", "author": "Ada <ada@acme.example>", "message": "<7@acme.example>"}


def attached(value: Value) -> bytes:
    """Return a mail with a zip attached."""
    message = EmailMessage()
    message["Subject"], message["From"] = "files", "ada@acme.example"
    message.set_content("attached")
    message.add_attachment(
        zipped(("deep/a.env", f"T={value}\n")), maintype="application", subtype="octet-stream", filename="all.zip"
    )
    return bytes(message)


def mailbox(value: Value) -> bytes:
    """Return an mbox whose second mail holds the value behind a quoted `From `."""
    second = b">From here on\n" + mail(value)
    return (
        b"From a@b Thu Jan  1 00:00:00 2024\nSubject: one\n\nhello\n\nFrom c@d Thu Jan  1 00:00:00 2024\n"
        + second[second.index(b"\n") + 1 :]
    )


def source_map(value: Value) -> bytes:
    """Return a source map of two sources."""
    sources = ["webpack:///src/a.ts", "webpack:///src/b.ts"]
    contents = ["let a;\n", f"// b\nconst k = '{value}';\n"]
    return json.dumps({"version": 3, "sources": sources, "sourcesContent": contents, "names": [], "mappings": "AAAA"}).encode()


def bundle(value: Value) -> bytes:
    """Return a script that ends with its source map."""
    return b"let a;\n//# sourceMappingURL=data:application/json;base64," + base64.b64encode(source_map(value)) + b"\n"


TABLE: tuple[tuple[str, Callable[[Value], bytes], str, int, Facts], ...] = (
    ("a.docx", lambda v: docx("Title", f"Token: {v}"), "word/document.xml", 2, {}),
    ("header.docx", lambda v: docx(parts={"word/header1.xml": word_part(f"k {v}")}), "word/header1.xml", 1, {}),
    ("comment.docx", lambda v: docx(parts={"word/comments.xml": word_part("a", f"k {v}")}), "word/comments.xml", 2, {}),
    ("custom.docx", lambda v: docx(parts={"customXml/item1.xml": f"<x><key>{v}</key></x>"}), "customXml/item1.xml", 1, {}),
    (
        "link.docx",
        lambda v: docx(parts={"word/_rels/document.xml.rels": links(f"https://x.example/?t={v}")}),
        "word/_rels/document.xml.rels",
        1,
        {"part": "attributes"},
    ),
    ("embedded.docx", lambda v: docx(parts={"word/embeddings/a.txt": f"k {v}\n"}), "word/embeddings/a.txt", 1, {}),
    ("table.docx", lambda v: docx(body=word_table(("where", "what"), ("api", v))), "word/document.xml", 2, {}),
    ("a.pptx", lambda v: pptx("nothing", f"k {v}"), "ppt/slides/slide2.xml", 2, {"slide": "2"}),
    ("a.xlsx", lambda v: xlsx("My Keys", ("api", v)), "xl/worksheets/sheet1.xml", 3, {"cell": "My Keys!C3"}),
    (
        "deleted.xlsx",
        lambda v: xlsx("S", ("a", "b"), unused=(v,)),
        "xl/sharedStrings.xml",
        1,
        {"part": "strings without a cell"},
    ),
    (
        "a.odt",
        lambda v: opendocument(f"<text:p>one</text:p><text:p>k <text:span>{v[:9]}</text:span>{v[9:]}</text:p>"),
        "content.xml",
        2,
        {},
    ),
    (
        "a.ods",
        lambda v: opendocument(
            f'<table:table table:name="Keys"><table:table-row><table:table-cell><text:p>{v}</text:p></table:table-cell></table:table-row></table:table>'
        ),
        "content.xml",
        1,
        {"sheet": "Keys"},
    ),
    (
        "a.odp",
        lambda v: opendocument(f'<draw:page draw:name="page1"/><draw:page draw:name="page2"><text:p>{v}</text:p></draw:page>'),
        "content.xml",
        1,
        {"slide": "page2"},
    ),
    ("a.pdf", lambda v: pdf(("nothing",), ("one", f"k {v}")), "", 2, {"page": "2"}),
    ("link.pdf", lambda v: pdf(("one",), link=f"https://x.example/?t={v}"), "", 2, {"page": "1"}),
    (
        "a.rtf",
        lambda v: b"{\\rtf1{\\fonttbl{\\f0 A;}}one\\par k " + v[:9].encode() + b"{\\b " + v[9:].encode() + b"}\\par}",
        "",
        2,
        {},
    ),
    (
        "source.ipynb",
        lambda v: notebook(["import os\n", f"key = '{v}'\n"], "done\n"),
        "",
        27,
        {"cell": "2", "kind": "code"},
    ),
    (
        "output.ipynb",
        lambda v: notebook(["import os\n"], f"{v}\n"),
        "",
        21,
        {"cell": "2", "kind": "code", "output": "1"},
    ),
    ("text.eml", mail, "", 2, MAIL | {"part": "1"}),
    ("html.eml", lambda v: mail(v, html=True), "", 2, MAIL | {"part": "2"}),
    ("attached.eml", attached, "all.zip!/deep/a.env", 1, {"subject": "files", "author": "ada@acme.example"}),
    ("a.mbox", mailbox, "2.eml", 2, MAIL | {"mail": "2", "part": "1"}),
    ("Inbox", mailbox, "2.eml", 2, MAIL | {"mail": "2", "part": "1"}),
    ("a.js", bundle, "sourceMappingURL!/webpack:///src/b.ts", 2, {}),
    (
        "a.css",
        lambda v: b"a{}/*# sourceMappingURL=data:application/json," + quote(source_map(v)).encode() + b" */",
        "sourceMappingURL!/webpack:///src/b.ts",
        2,
        {},
    ),
    ("a.js.map", source_map, "webpack:///src/b.ts", 2, {}),
)


_CONFIG = Config(jobs=1, baseline="")


@cache
def _engine() -> Engine:
    """Return the engine of all tests of this process: making its rules ready takes seconds."""
    return build_engine(_CONFIG, {}, keep=False)


def scan(tree: Path) -> Report:
    """Scan a folder."""
    setup = Setup(_engine(), _CONFIG, id_key({}, None, create=False), today=today(), baseline=load_baseline(_CONFIG))
    return run(FilesSource([str(tree)]), setup, roots=[str(tree)], clock=time.monotonic)


def places(report: Report) -> list[tuple[str, int, dict[str, str]]]:
    """Return path, line and facts of every place of a report."""
    found = [place for finding in report.findings for place in finding.places]
    return [(path_in(p.provenance), p.start_line, dict(getattr(p.provenance, "facts", ()))) for p in found]


def told(report: Report) -> list[tuple[str, str, bool]]:
    """Return path, reason and choice of all that was not scanned."""
    return [(path_in(s.provenance), s.reason, s.by_choice) for s in report.skipped]
