"""A credential in an export of a chat or of tickets is found, with channel, ticket or page, message and author."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Planted
from documents import Facts, Value, places, scan, told, zipped
from exports import TABLE, discord, jira_backup
from leakguard.model.blob import Blob
from leakguard.model.finding import Place
from leakguard.sources._text import reader
from leakguard.sources.files import FilesSource
from leakguard.sources.unpack._json import Raw, Reader, Record, leaves
from leakguard.sources.unpack._markup import text_of


def write(path: Path, data: str | bytes) -> None:
    """Write a file."""
    path.write_bytes(data.encode() if isinstance(data, str) else data)


@pytest.mark.parametrize(("name", "made", "inner", "line", "facts"), TABLE, ids=[row[0] for row in TABLE])
def test_a_credential_in_an_export_is_found_once_with_who_said_it_where(
    tree: Path, planted: Planted, name: str, made: Callable[[Value], str | bytes], inner: str, line: int, facts: Facts
) -> None:
    data = made(planted.github())
    write(tree / name, data)
    report = scan(tree)
    assert places(report) == [(f"{name}!/{inner}" if inner else name, line, facts)]
    assert told(report) == []


@pytest.mark.parametrize(("name", "made"), [row[:2] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_place_in_an_export_is_opened_again(
    tree: Path, planted: Planted, name: str, made: Callable[[Value], str | bytes]
) -> None:
    value = planted.github().encode()
    write(tree / name, made(value.decode()))
    source = FilesSource([str(tree)])
    (blob,) = (b for b in source.blobs() if isinstance(b, Blob) and value in b.data)
    place = Place(blob.provenance, 1, 1, 1, 1, blob.data.index(value), len(value), encoding=blob.encoding)
    assert source.reopen(place) == value


def test_the_column_is_that_of_the_string_in_the_file(tree: Path, planted: Planted) -> None:
    value = planted.github()
    text = json.dumps([{"type": "message", "user": "U1", "text": f"use {value}", "ts": "1704153600.000100"}])
    (tree / "a.json").write_text(text)
    (finding,) = scan(tree).findings
    (place,) = finding.places
    assert (place.start_line, place.start_column, place.end_column) == (
        1,
        text.index(value) + 1,
        text.index(value) + 1 + len(value),
    )


def test_escapes_in_a_message_do_not_hide_a_password(tree: Path, planted: Planted) -> None:
    """In the raw file the value is followed by two characters, a backslash and an `n`."""
    value = planted.password()
    said = f"user: root\npassword: {value}\nbye"
    (tree / "a.json").write_text(json.dumps([{"type": "message", "user": "U1", "text": said, "ts": "1704153600.000100"}]))
    (finding,) = scan(tree).findings
    assert finding.secret.reveal() == value.encode()


def test_what_is_no_message_is_scanned_too(tree: Path, planted: Planted) -> None:
    export = json.loads(discord("nothing"))
    export["guild"]["topic"] = planted.github()
    export["messages"][0]["embeds"] = [{"fields": [{"name": "k", "value": planted.github()}]}]
    (tree / "a.json").write_text(json.dumps(export))
    assert sorted(facts.get("message", "") for _path, _line, facts in places(scan(tree))) == ["", "70"]


def test_a_message_that_is_broken_off_is_scanned_as_it_stands(tree: Path, planted: Planted) -> None:
    text = discord(planted.github())
    whole = text[: text.index("embeds", text.index('"id": "71"'))]
    (tree / "a.json").write_text(whole)
    report = scan(tree)
    assert [line for _path, line, _facts in places(report)] == [33]
    assert told(report) == [("a.json", "damaged", True)]


def test_a_zip_with_users_that_is_no_slack_export_loses_nothing(tree: Path, planted: Planted) -> None:
    members = {
        "users.json": '{"a": 1}',
        "src/a.json": f'{{"token": "{planted.github()}"}}',
        "src/b.py": f"t = '{planted.github()}'\n",
    }
    (tree / "a.zip").write_bytes(zipped(*members.items()))
    assert sorted(path for path, _line, _facts in places(scan(tree))) == ["a.zip!/src/a.json", "a.zip!/src/b.py"]


def test_an_export_of_any_size_is_read_in_bounded_memory(tree: Path, planted: Planted) -> None:
    import tracemalloc

    head, tail = discord(planted.github()).split('"messages": [', 1)
    filler = json.dumps({"id": "1", "content": "x" * 3_000, "author": {"name": "ada"}}) + ",\n"
    with (tree / "a.json").open("w") as file:
        file.write(head + '"messages": [')
        for _ in range(8_000):
            file.write(filler)
        file.write(tail)
    source = FilesSource([str(tree)])
    tracemalloc.start()
    size = sum(len(b.data) for b in source.blobs() if isinstance(b, Blob))
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 24_000_000
    assert most < 24_000_000, most
    assert [facts["message"] for _path, _line, facts in places(scan(tree))] == ["71"]


def read_in_pieces(data: bytes, size: int) -> Callable[[int], bytes]:
    """Return a reader that gives no more than `size` bytes at once."""
    read = reader(data)
    return lambda wanted: read(min(size, wanted))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def all_strings(value: Any) -> list[str]:
    """Return every string and number, in order."""
    if isinstance(value, dict):
        return [s for inner in value.values() for s in all_strings(inner)]
    if isinstance(value, list):
        return [s for inner in value for s in all_strings(inner)]
    return [] if value is None or isinstance(value, bool) else [str(value)]


@given(value=JSON, indent=st.sampled_from((None, 0, 3)), size=st.integers(1, 50), ascii_only=st.booleans(), count=st.integers(1, 3))
def test_every_string_of_json_is_read_and_its_line_and_column_told(
    value: Any, indent: int | None, size: int, ascii_only: bool, count: int
) -> None:
    text = "\n".join([json.dumps(value, indent=indent, ensure_ascii=ascii_only)] * count)
    records = list(Reader(read_in_pieces(text.encode("utf-8", "surrogatepass"), size), ("a", "b")).records())
    found = [leaf for record in records if isinstance(record, Record) for leaf in leaves(record) if not isinstance(leaf[1], dict)]
    assert [leaf[1] for leaf in found] == all_strings(value) * count
    lines = text.split("\n")
    for _keys, string, line, column in found:
        written = {json.dumps(string)[1:-1], json.dumps(string, ensure_ascii=False)[1:-1]}
        assert any(lines[line - 1].startswith(form, column - 1) for form in written)


@given(text=st.text(alphabet='{}[]",:\\ \nab1\ud800', max_size=60), size=st.integers(1, 9))
def test_what_is_no_json_comes_as_it_is(text: str, size: int) -> None:
    data = text.encode("utf-8", "surrogatepass")
    items = list(Reader(read_in_pieces(data, size), ("a",)).records())
    rest = "".join(item.text for item in items if isinstance(item, Raw))
    assert data.endswith(rest.encode("utf-8", "surrogateescape"))
    kept = data[: len(data) - len(rest.encode("utf-8", "surrogateescape"))]
    assert rest or not kept.strip(b' \n[]{},":ab1\\') or items


@given(st.text(alphabet="<>/!-[]CDAT&;=\"' pabtd\n", max_size=400))
def test_any_markup_gives_text(markup: str) -> None:
    assert "\n\n" not in text_of(markup)


def test_markup_that_never_ends_takes_no_longer_than_its_length(tree: Path) -> None:
    """Each of these made a parser for HTML take the square of its length."""
    for piece in ("<", "<!--", "<![CDATA[", "<a b=", '<a b="', "</", "&#"):
        text_of(piece * 100_000)


def test_a_damaged_export_in_a_zip_is_told_and_the_rest_read(tree: Path, planted: Planted) -> None:
    text = jira_backup(planted.github())
    with zipfile.ZipFile(tree / "a.zip", "w") as archive:
        archive.writestr("entities.xml", text[: text.index("</Action>")])
        archive.writestr("data/attachments/x.txt", planted.github())
    report = scan(tree)
    assert sorted(path for path, _line, _facts in places(report)) == ["a.zip!/data/attachments/x.txt", "a.zip!/entities.xml"]
    assert told(report) == [("a.zip!/entities.xml", "damaged", False)]
