"""Programs, byte code and stores of keys: what stands printable in them is scanned, at the offset where it stands."""

from __future__ import annotations

import os
import py_compile
from functools import lru_cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Planted
from leakguard.engine import encoded, native
from leakguard.engine.scan import Engine
from leakguard.engine.written import unwrap
from leakguard.model.blob import Blob, Skipped, StreamProvenance
from leakguard.model.finding import Candidate
from leakguard.ruleset import load, templates
from leakguard.ruleset.store import compiled
from leakguard.sources._chunks import chunks
from leakguard.sources._text import STRINGS, reader, sniff
from leakguard.sources.files import FilesSource


@lru_cache
def engine() -> Engine:
    return Engine(compiled((), hyperscan=True, environ=os.environ))


def scan(file: Path) -> list[tuple[Candidate, bytes]]:
    """Return the candidates of a file, each with the bytes that its place gives when it is opened again."""
    source = FilesSource([str(file)])
    out = []
    for blob in source.blobs():
        assert isinstance(blob, Blob), blob
        for candidate in engine().scan(blob).candidates:
            raw = source.reopen(candidate.place)
            assert isinstance(raw, bytes)
            out.append((candidate, unwrap(raw, candidate.place.via)))
    return out


def constant(text: bytes) -> bytes:
    """A string of a Java class: a tag, two bytes that tell its length, and then those of the next constant."""
    return b"\x01" + len(text).to_bytes(2, "big") + text + b"\x07\0\x02"


PROGRAMS = {
    "elf": lambda token: (
        b"\x7fELF\x02\x01\x01" + bytes(9) + b"/lib64/ld-linux.so.2\0usage: %s\0" + token + b"\0" + b"\xc3\x90" * 40
    ),
    "pe": lambda token: b"MZ\x90\0\x03\0\0\0" + bytes(60) + b"This program cannot be run in DOS mode.\r\r\n$\0\0" + token + b"\0",
    "pe with UTF-16": lambda token: b"MZ\x90\0\x03\0\0\0" + bytes(64) + b"".join(bytes((c, 0)) for c in token) + bytes(8),
    "mach-o": lambda token: b"\xcf\xfa\xed\xfe\x07\0\0\x01" + bytes(30) + b"__TEXT\0\0" + token + b"\0",
    "class": lambda token: b"\xca\xfe\xba\xbe\0\0\0\x41\0\x09" + constant(b"<init>") + constant(token) + constant(b"Code"),
    "wasm": lambda token: b"\0asm\x01\0\0\0\x0b\x40\x01\0\x41\x80\x08\x0b" + bytes((len(token),)) + token + b"\0\x04name",
}


@pytest.mark.parametrize("kind", PROGRAMS)
@pytest.mark.parametrize("template", ["ghp_${body=base62:30}${crc32_base62:body}", "glpat-${base64url:20}", "sk_live_${base62:48}"])
def test_a_token_in_a_program_is_found_at_its_offset(kind: str, template: str, tree: Path) -> None:
    token = templates.expand(template, Random(kind)).encode()
    data = PROGRAMS[kind](token)
    (tree / "program").write_bytes(data)

    ((found, value),) = scan(tree / "program")

    assert value == token
    assert found.secret is not None
    assert found.secret.reveal() == token
    place = found.place
    at = data.index(b"".join(bytes((c, 0)) for c in token) if "UTF-16" in kind else token)
    assert (place.encoding, place.start_line, place.start_column, place.offset) == (STRINGS, 1, at + 1, at)


@pytest.mark.parametrize("template", ["ghp_${body=base62:30}${crc32_base62:body}", "sk_live_${base62:48}", "sk_live_${base62:92}"])
def test_a_token_in_byte_code_of_python_is_found_and_nothing_of_it_is_loaded(template: str, tree: Path) -> None:
    token = templates.expand(template, Random(5))
    source = tree / "a.py"
    source.write_text(f'NAME, TOKEN, OTHER = "deploy", "{token}", "zebra"\nraise SystemExit("it ran")\n')
    py_compile.compile(str(source), str(tree / "a.pyc"), doraise=True)

    assert [value.decode() for _found, value in scan(tree / "a.pyc")] == [token]


def test_a_string_over_the_end_of_a_chunk_is_whole(planted: Planted) -> None:
    token = planted.github().encode()
    data = b"\x7fELF" + b"\0\xff" * 32_700 + token + b"\0" * 70_000
    for start in range(65_530, 65_540):
        moved = data[:4] + bytes(start - 65_404) + data[4:]
        blobs = chunks(reader(moved), StreamProvenance("a"), STRINGS)
        assert token in next(blobs).data


def test_images_fonts_and_media_are_still_left_out(tree: Path) -> None:
    for magic in (b"\x89PNG\r\n\x1a\n\0", b"GIF89a\0", b"OggS\0", b"wOF2\0", b"\xff\xd8\xff\xe0\0"):
        assert sniff(magic + bytes(300), whole=True) == "binary"


def test_a_name_beside_a_word_in_a_program_is_no_password(tree: Path) -> None:
    """Its strings are messages and names."""
    words = b"\0".join([b"password: enter", b"password=%s", b"token: required", b"secret key missing", b"Password", b"changeit"])
    (tree / "program").write_bytes(b"\x7fELF\0\0" + words + b"\0")
    assert scan(tree / "program") == []


@settings(max_examples=300)
@given(st.lists(st.one_of(st.binary(max_size=40), st.text("ab c", max_size=20).map(str.encode)), max_size=9).map(b"".join))
def test_strings_are_the_same_with_and_without_the_compiled_loops(data: bytes) -> None:
    text = native.strings(data)
    assert text == encoded.strings(data)
    assert len(text) == len(data)


def test_a_damaged_byte_code_is_scanned_as_far_as_it_goes(tree: Path) -> None:
    for size in range(40):
        (tree / "a.pyc").write_bytes((b"\xa7\r\r\n\0\0\0\0" + b"\xfa\x10abc\xda\xff" * 9)[:size])
        FilesSource([str(tree / "a.pyc")]).blobs()
        for blob in FilesSource([str(tree / "a.pyc")]).blobs():
            assert isinstance(blob, Blob | Skipped)


def stores() -> dict[str, tuple[str, str]]:
    """Return id, severity and template of the rules for stores and keys with a password."""
    folder = Path(__file__).parents[1] / "rules"
    loaded = load.load([str(folder / "keystore.toml"), str(folder / "private-key.toml")])
    rules = {rule.id: rule.severity for rule in loaded.rules}
    docs = {rule.id: doc.template for rule, doc in zip(loaded.rules, loaded.docs, strict=True)}
    return {i: (rules[i], docs[i]) for i in rules if i.startswith("keystore") or i.endswith("-encrypted")}


@pytest.mark.parametrize("rule", sorted(stores()))
def test_a_store_of_keys_is_told_as_such_and_lower_than_an_open_key(rule: str, tree: Path) -> None:
    severity, template = stores()[rule]
    value = templates.expand(template, Random(3)).encode("latin-1")
    (tree / "store").write_bytes(value)

    ((found, again),) = scan(tree / "store")

    assert (found.rule.id, severity) == (rule, "medium" if rule.startswith("keystore") else "high")
    assert again == value


def test_a_store_in_base64_is_the_same_store(tree: Path) -> None:
    from base64 import b64encode

    value = templates.expand(stores()["keystore-pkcs12"][1], Random(3)).encode("latin-1")
    (tree / "a.yaml").write_bytes(b"data:\n  store: " + b64encode(value) + b"\n")

    assert [again for _found, again in scan(tree / "a.yaml")] == [value]
