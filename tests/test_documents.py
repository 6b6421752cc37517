"""A credential in a document is found, with the page, cell or paragraph where it stands."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import documents as make
from conftest import Planted
from documents import TABLE, Facts, Value, bundle, mail, places, scan, told
from leakguard.model.blob import Blob, Gone, MemberProvenance, Skipped, path_in
from leakguard.model.finding import Place
from leakguard.sources.files import FilesSource
from leakguard.sources.unpack import pdf


@pytest.mark.parametrize(("name", "made", "inner", "line", "facts"), TABLE, ids=[row[0] for row in TABLE])
def test_a_credential_in_a_document_is_found_once_and_exactly_there(
    tree: Path, planted: Planted, name: str, made: Callable[[Value], bytes], inner: str, line: int, facts: Facts
) -> None:
    (tree / name).write_bytes(made(planted.github()))
    report = scan(tree)
    assert places(report) == [(f"{name}!/{inner}" if inner else name, line, facts)]
    assert not report.incomplete


@pytest.mark.parametrize(("name", "made"), [row[:2] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_place_in_a_document_is_opened_again(tree: Path, planted: Planted, name: str, made: Callable[[Value], bytes]) -> None:
    value = planted.github().encode()
    (tree / name).write_bytes(made(value.decode()))
    source = FilesSource([str(tree)])
    (blob,) = (b for b in source.blobs() if isinstance(b, Blob) and value in b.data)
    place = Place(blob.provenance, 1, 1, 1, 1, blob.data.index(value), len(value), encoding=blob.encoding)
    assert source.reopen(place) == value


def test_a_script_before_its_source_map_keeps_its_place(tree: Path, planted: Planted) -> None:
    (tree / "a.js").write_bytes(f"let a;\nconst k = '{planted.github()}';\n".encode() + bundle(planted.stripe()))
    found = [(path, line) for path, line, _facts in places(scan(tree))]
    assert sorted(found) == [("a.js", 2), ("a.js!/sourceMappingURL!/webpack:///src/b.ts", 2)]


def test_a_name_and_its_value_in_two_cells_are_one_line(tree: Path, planted: Planted) -> None:
    """So that what only a name tells is found: in tables of documents and in sheets, also below a heading."""
    (tree / "a.docx").write_bytes(make.docx(body=make.word_table(("database password", planted.password()))))
    (tree / "b.xlsx").write_bytes(make.xlsx("S", ("database password", planted.password())))
    heading = ("System", "User", "Password")
    (tree / "c.xlsx").write_bytes(
        make.xlsx("S", heading, ("prod", "root", planted.password()), ("test", "root", planted.password()))
    )
    report = scan(tree)
    cells = [(path.partition("!")[0], facts.get("cell")) for path, _line, facts in places(report)]
    assert sorted(cells, key=str) == [("a.docx", None), ("b.xlsx", "S!C3"), ("c.xlsx", "S!D4"), ("c.xlsx", "S!D5")]


def test_code_in_a_cell_of_a_table_keeps_its_lines(tree: Path, planted: Planted) -> None:
    code = "".join(map(make.paragraph, ("import os", f"key = '{planted.github()}'")))
    (tree / "a.docx").write_bytes(
        make.docx(body=f"<w:tbl><w:tr><w:tc>{make.paragraph('step')}</w:tc><w:tc>{code}</w:tc></w:tr></w:tbl>")
    )
    report = scan(tree)
    assert [line for _path, line, _facts in places(report)] == [3]


def test_what_html_says_again_in_a_mail_is_told_once(tree: Path, planted: Planted) -> None:
    value = planted.github()
    message = EmailMessage()
    message["From"] = "ada@acme.example"
    message.set_content(f"key {value}\n")
    message.add_alternative(f"<p>key {value}</p>", subtype="html")
    (tree / "a.eml").write_bytes(bytes(message))
    assert [facts["part"] for _path, _line, facts in places(scan(tree))] == ["1"]


def test_a_mail_in_a_mail_is_looked_into(tree: Path, planted: Planted) -> None:
    from email import message_from_bytes, policy

    outer = EmailMessage()
    outer["From"] = "bob@acme.example"
    outer.set_content("fyi")
    outer.add_attachment(message_from_bytes(mail(planted.github()), policy=policy.default))
    (tree / "a.eml").write_bytes(bytes(outer))
    assert [path for path, _line, _facts in places(scan(tree))] == ["a.eml!/part-2.eml"]


def test_a_private_key_over_the_lines_of_a_notebook_is_one(tree: Path, planted: Planted) -> None:
    lines = planted.pem().splitlines(keepends=True)
    (tree / "a.ipynb").write_bytes(make.notebook(["key = '''\n", *lines, "\n'''"], "ok"))
    report = scan(tree)
    assert [f.rule.id for f in report.findings] == ["private-key-pem"]


def test_an_ordinary_file_with_the_ending_of_a_structure_stays_a_text(tree: Path, planted: Planted) -> None:
    value = planted.github()
    for name in ("a.json", "b.ipynb", "c.eml", "d.map", "e.xml", "f.mbox", "From"):
        (tree / name).write_text(f'{{"x": "y"}}\ntoken = "{value}"\n')
    report = scan(tree)
    found = [(path_in(p.provenance), p.start_line, p.provenance.kind) for f in report.findings for p in f.places]
    assert sorted(found) == [(name, 2, "file") for name in ("From", "a.json", "b.ipynb", "c.eml", "d.map", "e.xml", "f.mbox")]


def test_a_pdf_without_its_reader_is_told_with_the_line_that_installs_it(
    tree: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "a.pdf").write_bytes(make.pdf((planted.github(),)))
    monkeypatch.setattr(pdf, "find_spec", lambda _name: None)
    skips = [item for item in FilesSource([str(tree)]).blobs() if isinstance(item, Skipped)]
    assert [(t.reason, t.by_choice, t.detail) for t in skips] == [("extra", True, 'pip install "leakguard[documents]"')]


def test_a_pdf_that_asks_for_a_password_is_told(tree: Path) -> None:
    (tree / "a.pdf").write_bytes(make.pdf(("x",), user_password_entry=True))
    skips = [item for item in FilesSource([str(tree)]).blobs() if isinstance(item, Skipped)]
    assert [(t.reason, t.by_choice) for t in skips] == [("encrypted", True)]


def test_a_damaged_pdf_is_told_and_the_next_one_read(tree: Path, planted: Planted) -> None:
    (tree / "a.pdf").write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 9)
    (tree / "b.pdf").write_bytes(make.pdf((f"k {planted.github()}",)))
    report = scan(tree)
    assert [path for path, _line, _facts in places(report)] == ["b.pdf"]
    assert told(report) == [("a.pdf", "damaged", False)]


def test_a_pdf_that_ends_its_process_or_takes_too_long_is_told_and_the_next_one_read(
    tree: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "a.pdf").write_bytes(make.pdf((f"k {planted.github()}",)))
    start = pdf._start

    def dying() -> Any:
        process = start()
        process.kill()
        return process

    monkeypatch.setattr(pdf, "_start", dying)
    skips = [item for item in FilesSource([str(tree)]).blobs() if isinstance(item, Skipped)]
    assert [(t.reason, t.by_choice) for t in skips] == [("damaged", False)]
    monkeypatch.setattr(pdf, "_start", start)
    monkeypatch.setattr(pdf, "PAGE_SECONDS", 0)
    skips = [item for item in FilesSource([str(tree)]).blobs() if isinstance(item, Skipped)]
    assert [(t.reason, t.by_choice) for t in skips] == [("budget", False)]
    monkeypatch.setattr(pdf, "PAGE_SECONDS", 30)
    assert [item for item in FilesSource([str(tree)]).blobs() if isinstance(item, Skipped)] == []


def bomb() -> str:
    """Return XML that would grow by ten with each of nine entities."""
    names = "abcdefghi"
    entities = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip(names, names[1:], strict=False))
    return f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{entities}]><x>&i;</x>'


def test_xml_that_declares_entities_is_told_not_expanded_and_the_other_parts_read(tree: Path, planted: Planted) -> None:
    (tree / "a.docx").write_bytes(
        make.docx(parts={"word/footer1.xml": bomb(), "word/header1.xml": make.word_part(planted.github())})
    )
    report = scan(tree)
    assert [path for path, _line, _facts in places(report)] == ["a.docx!/word/header1.xml"]
    assert told(report) == [("a.docx!/word/footer1.xml", "damaged", False)]


def test_a_part_that_breaks_off_is_scanned_as_it_stands_from_there_on(tree: Path, planted: Planted) -> None:
    value = planted.github()
    (tree / "a.docx").write_bytes(make.docx(parts={"customXml/item1.xml": f"<a><b>one</b> & <c>{value}</c>"}))
    report = scan(tree)
    assert [path for path, _line, _facts in places(report)] == ["a.docx!/customXml/item1.xml"]
    assert told(report) == [("a.docx!/customXml/item1.xml", "damaged", False)]


def test_a_notebook_that_breaks_off_loses_nothing(tree: Path, planted: Planted) -> None:
    whole = make.notebook([f"a = '{planted.github()}'\n"], f"{planted.github()}\n")
    cut = whole.index(b'"execution_count"')
    (tree / "a.ipynb").write_bytes(whole[:cut] + b"<<<<<<< HEAD\n" + whole[cut:])
    report = scan(tree)
    assert len(places(report)) == 2
    assert told(report) == [("a.ipynb", "damaged", True)]


def test_a_document_whose_index_lists_nothing_is_read_by_its_members(tree: Path, planted: Planted) -> None:
    raw = bytearray(make.docx(planted.github()))
    end = raw.rindex(b"PK\5\6")
    raw[end + 8 : end + 16] = bytes(8)
    (tree / "a.docx").write_bytes(raw)
    report = scan(tree)
    assert told(report) == [("a.docx", "damaged", False)]


def test_a_member_without_a_name_is_looked_into(tree: Path, planted: Planted) -> None:
    (tree / "a.docx").write_bytes(make.docx(parts={"": f"k {planted.github()}\n"}))
    assert [path for path, _line, _facts in places(scan(tree))] == ["a.docx!/(no name)"]


def everything(data: bytes, name: str, folder: Path) -> Iterator[Blob | Skipped]:
    """Yield what is read of a file, with nothing lost: blobs or a reason."""
    (folder / name).write_bytes(data)
    yield from FilesSource([str(folder / name)]).blobs()


MUTABLE = {name: made for name, made, *_rest in TABLE if not name.startswith(("link", "header", "comment", "custom"))}


@given(data=st.data())
def test_documents_from_a_fuzzer_are_read_or_told(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever bytes change, something is said of the file, and nothing but what the pipe knows comes of it."""
    folder = tmp_path_factory.mktemp("fuzzed")
    name = data.draw(st.sampled_from(sorted(MUTABLE)))
    raw = bytearray(MUTABLE[name](Planted().github()))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        kind = data.draw(st.sampled_from(("change", "cut", "repeat", "insert")))
        if kind == "change":
            raw[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del raw[at : at + data.draw(st.integers(1, 64))]
        elif kind == "repeat":
            raw[at:at] = raw[at : at + data.draw(st.integers(1, 200))] * data.draw(st.integers(1, 20))
        else:
            raw[at:at] = data.draw(st.binary(max_size=16))
        if not raw:
            return
    items = list(everything(bytes(raw), name, folder))
    assert items
    assert all(isinstance(item, (Blob, Skipped)) for item in items)


@given(
    inner=st.binary(max_size=300), part=st.sampled_from(("word/document.xml", "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"))
)
def test_parts_of_any_bytes_are_read_or_told(inner: bytes, part: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The zip is sound, what lies in it is not."""
    folder = tmp_path_factory.mktemp("fuzzed")
    book = make.zipped(("[Content_Types].xml", "<Types/>"), ("xl/workbook.xml", inner), (part, b"<a>" + inner + b"</a>"))
    items = list(everything(book, "a.docx", folder))
    assert {i.provenance.path for i in items if isinstance(i.provenance, MemberProvenance)} >= {f"a.docx!/{part}"}


def test_json_that_nests_without_end_is_scanned_as_it_stands(tree: Path, planted: Planted) -> None:
    for depth in (500, 5_000, 500_000):
        (tree / f"{depth}.ipynb").write_text('{"cells": ' + "[" * depth + f'"{planted.github()}"' + "]" * depth + "}")
    report = scan(tree)
    assert sorted(path for path, _line, _facts in places(report)) == ["500.ipynb", "5000.ipynb", "500000.ipynb"]


def test_a_part_that_grows_without_end_is_told(tree: Path) -> None:
    from leakguard.model.blob import FileProvenance
    from leakguard.sources.unpack import inside
    from leakguard.sources.unpack.budget import Budget, Limits

    path = tree / "a.docx"
    path.write_bytes(make.docx(parts={"word/footer1.xml": b"<a>" + b" " * (8 << 20) + b"</a>"}))
    limits = Limits(out=1 << 20, ratio=1)
    with path.open("rb") as file:
        skips = [
            i for i in inside(file, FileProvenance(str(tree), "a.docx"), "zip", Budget(limits, 1000)) if isinstance(i, Skipped)
        ]
    assert [t.reason for t in skips][:1] == ["budget"]


def test_a_document_is_gone_where_it_changed(tree: Path, planted: Planted) -> None:
    (tree / "a.docx").write_bytes(make.docx(planted.github()))
    source = FilesSource([str(tree)])
    blob = next(b for b in source.blobs() if isinstance(b, Blob) and b.provenance.path.endswith("document.xml"))
    (tree / "a.docx").write_bytes(make.docx("x"))
    assert isinstance(FilesSource([str(tree)]).reopen(Place(blob.provenance, 1, 1, 1, 1, 0, 30)), Gone)


def test_pictures_of_a_notebook_are_left_out(tree: Path) -> None:
    picture = base64.b64encode(zlib.compress(bytes(range(256)) * 40)).decode()
    cell = {"cell_type": "code", "source": [], "outputs": [{"data": {"image/png": picture}, "output_type": "display_data"}]}
    (tree / "a.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    (blob,) = FilesSource([str(tree)]).blobs()
    assert isinstance(blob, Blob)
    assert picture[:40].encode() not in blob.data
