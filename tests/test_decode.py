"""Encoded text: whatever a credential stands in, it is the same credential, told at the bytes that stand for it."""

from __future__ import annotations

import gzip
import os
import quopri
import subprocess
import sys
import zlib
from array import array
from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Planted
from leakguard import plugins
from leakguard.engine import decode, encoded, native
from leakguard.engine.scan import Engine
from leakguard.engine.written import unwrap
from leakguard.model.blob import Blob, FileProvenance
from leakguard.model.finding import Candidate
from leakguard.ruleset.store import compiled

needs_native = pytest.mark.skipif(native.loops is None, reason="the compiled loops were not built: no C compiler")


@lru_cache
def engine(*, portable: bool = False) -> Engine:
    return Engine(compiled((), hyperscan=not portable, environ=os.environ), portable=portable)


def scan(data: bytes, *, portable: bool = False, path: str = "notes.txt") -> list[Candidate]:
    return engine(portable=portable).scan(Blob(data, FileProvenance("/r", path))).candidates


def wrapped(raw: bytes) -> bytes:
    return b"\n  " + encodebytes(raw).replace(b"\n", b"\n  ")


def escaped(form: str) -> Callable[[bytes], bytes]:
    return lambda raw: "".join(form % byte for byte in raw).encode()


def jwt(raw: bytes) -> bytes:
    """A token's claims hold the text; it isn't signed."""
    parts = (
        b'{"alg":"none","typ":"JWT"}',
        b'{"sub":"x","note":"' + raw.replace(b"\n", b" ") + b'"}',
        b"not signed by anybody at all",
    )
    return b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in parts)


WAYS: dict[str, tuple[Callable[[bytes], bytes], tuple[str, ...]]] = {
    "base64": (b64encode, ("base64",)),
    "base64 for URLs": (urlsafe_b64encode, ("base64",)),
    "base64 without padding": (lambda raw: b64encode(raw).rstrip(b"="), ("base64",)),
    "base64 over lines": (wrapped, ("base64",)),
    "base64 in JSON": (lambda raw: b'"' + encodebytes(raw).replace(b"\n", b"\\n") + b'"', ("base64",)),
    "hex": (lambda raw: raw.hex().encode(), ("hex",)),
    "hex in capitals": (lambda raw: b"0x" + raw.hex().upper().encode(), ("hex",)),
    "percent": (escaped("%%%02X"), ("percent",)),
    "x": (escaped("\\x%02x"), ("backslash",)),
    "u": (escaped("\\u%04x"), ("backslash",)),
    "u in braces": (escaped("\\u{%x}"), ("backslash",)),
    "octal": (escaped("\\%03o"), ("backslash",)),
    "decimal entities": (escaped("&#%d;"), ("html",)),
    "hex entities": (escaped("&#x%X;"), ("html",)),
    "quoted-printable": (
        lambda raw: quopri.encodestring(b"=" + raw.replace(b"first: ", b"first: ".rjust(54))),
        ("quoted-printable",),
    ),
    "UTF-16": (lambda raw: raw.decode().encode("utf-16-le"), ("utf-16-le",)),
    "UTF-16, big end first": (lambda raw: raw.decode().encode("utf-16-be"), ("utf-16-be",)),
    "UTF-16 in base64": (lambda raw: b64encode(raw.decode().encode("utf-16-le")), ("base64", "utf-16-le")),
    "gzip in base64": (lambda raw: b64encode(gzip.compress(raw, mtime=0)), ("base64", "gzip")),
    "zlib in base64": (lambda raw: b64encode(zlib.compress(raw)), ("base64", "zlib")),
    "base64 in base64": (lambda raw: b64encode(b"data: " + b64encode(raw)), ("base64", "base64")),
    "base64 in a query": (lambda raw: b"?data=" + b64encode(raw).replace(b"=", b"%3D") + b"&x=%3D", ("base64",)),
    "a JWT's claims": (jwt, ("base64",)),
    "three ways": (lambda raw: escaped("%%%02x")(b64encode(raw.hex().encode())), ("percent", "base64", "hex")),
}

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.encode)


@pytest.mark.parametrize("portable", [False, True], ids=["hyperscan", "portable"])
@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=4)
@given(before=TEXT, after=TEXT, seed=st.integers(0, 1 << 30))
def test_a_token_is_found_however_it_is_encoded(way: str, *, portable: bool, before: bytes, after: bytes, seed: int) -> None:
    """Once, at bytes that stand for it and hardly more, by the same value as the plain one, shown nowhere."""
    token = Planted(seed).github().encode()
    encode, ways = WAYS[way]
    data = (
        b"see "
        + encode(before.replace(b'"', b"'").replace(b"\\", b"/") + b"\nplain text first: " + token + b"\n" + after)
        + b" there\n"
    )

    found = [c for c in scan(data, portable=portable) if c.rule.id.startswith("github")]

    assert [c.secret.reveal() for c in found if c.secret] == [token]
    place = found[0].place
    raw = data[place.offset : place.offset + place.length]
    assert tuple(step.way for step in place.via) == ways
    assert unwrap(raw, place.via) == token
    if not {"gzip", "zlib"} & set(ways):
        assert len(raw) <= len(token) * len(encode(b"x" * 3000)) / 3000 + 16
    shown = "".join(line.text for line in place.frame)
    assert not any(raw[i : i + 24].decode("latin-1") in shown for i in range(max(1, len(raw) - 23)))


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("go(password: 'abc%s')\n", "\\u0021Xk7v9"),
        ("<a password=&quot;abc%s&quot;>\n", "Xk&#33;7v9q"),
        ("https://acme.test/?password=abc%s&x=1\n", "Xk%217v9"),
    ],
    ids=["\\u", "entities", "query"],
)
def test_a_password_with_an_escape_is_told_as_it_is_meant(text: str, raw: str) -> None:
    plain = "abc" + raw.replace("\\u0021", "!").replace("&#33;", "!").replace("%21", "!")
    data = (text % raw).encode()

    (found,) = scan(data)

    assert found.secret is not None
    assert found.secret.reveal().decode() == plain
    assert data[found.place.offset : found.place.offset + found.place.length].decode() == "abc" + raw


def test_a_password_in_base64_has_the_name_that_stands_before_it(planted: Planted) -> None:
    value = planted.password()
    (found,) = scan(b"DB_PASSWORD: " + b64encode(value.encode()) + b"\n")

    assert found.secret is not None
    assert (found.secret.reveal().decode(), found.place.name) == (value, "DB_PASSWORD")


def test_what_is_told_as_it_stands_is_not_told_again(planted: Planted) -> None:
    """A JWT is base64 of JSON, a token in a query is a token."""
    token = planted.make("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${base64url:43}")
    github = planted.github()

    assert [c.place.via for c in scan(f"t: {token}\nhttps://x.test/?a=%3D&token={github}&c=%26\n".encode())] == [(), ()]


def test_a_kubernetes_secret_tells_that_it_was_decoded(planted: Planted) -> None:
    value = planted.password().encode()
    data = b"apiVersion: v1\nkind: Secret\ndata:\n  db: " + b64encode(value) + b"\n"
    (found,) = scan(data, path="a.yaml")

    place = found.place
    assert unwrap(data[place.offset : place.offset + place.length], place.via) == value


def test_an_image_in_a_data_uri_is_not_decoded() -> None:
    image = b"\x89PNG\r\n\x1a\n" + Random(1).randbytes(3000)
    assert not native.runs(b'src="data:image/png;base64,' + b64encode(image) + b'"', array("q", (0, 4000)), True, False)


def test_hashes_of_a_lock_file_are_not_decoded() -> None:
    lines = b"".join(b'"integrity": "sha512-' + b64encode(Random(seed).randbytes(64)) + b'",\n' for seed in range(500))
    assert not native.runs(lines, array("q", (0, len(lines))), True, False)


def test_a_run_cut_at_the_start_of_a_chunk_is_read_at_its_own_step(planted: Planted) -> None:
    token = planted.github().encode()
    run = b64encode(b"some text before it: " + token)
    for cut in range(4):
        blob = Blob(run[cut:] + b"\n", FileProvenance("/r", "a"), offset=9)
        assert [c.secret.reveal() for c in engine().scan(blob).candidates if c.secret] == [token]


def test_text_encoded_over_and_over_is_given_up_and_told() -> None:
    data = b"no secret in here, only words"
    for _ in range(decode.DEPTH + 2):
        data = b64encode(data)
    assert "encoded more than" in engine().scan(Blob(data, FileProvenance("/r", "a"))).cut


def test_a_packed_bomb_is_given_up_and_told() -> None:
    bomb = b64encode(zlib.compress(b"a" * (64 << 20), 9))
    scanned = engine().scan(Blob(b"\n".join([bomb] * 6), FileProvenance("/r", "a")))
    assert "MB" in scanned.cut


PIECES = st.one_of(
    st.binary(max_size=30),
    st.binary(max_size=40).map(b64encode),
    st.text(max_size=30).map(lambda text: b64encode(text.encode())),
    st.text("ab c%=\\xu0041&;#\n", max_size=30).map(str.encode),
    st.text("abcdef /+-_", max_size=40).map(str.encode),
    st.text(max_size=20).map(lambda text: text.encode("utf-16-le", "surrogatepass")),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(lambda text: text.encode("utf-16-be")),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass").hex().encode()),
    st.binary(max_size=30).map(lambda raw: b64encode(zlib.compress(raw))),
    st.sampled_from(b"&amp; &#65; &#x41; &Tab; \\u0041 \\u{1F600} \\ud800 \\101 \\377 %41 %3D =3D 0x \\n".split()),
    st.sampled_from([b"=\r\n", b"x" * 70 + b"=\n", b"\n", b"\r\n", b"a" * 600, b"\x1f\x8b\x08", b"\0a\0b\0c\0d\0e\0f\0"]),
)
MIXED = st.lists(PIECES, max_size=12).map(b"".join)


@needs_native
@settings(max_examples=400)
@given(data=MIXED, cuts=st.lists(st.integers(0, 3000), max_size=6), grow=st.booleans(), cut=st.booleans())
def test_the_compiled_loops_give_what_their_twin_gives(data: bytes, cuts: list[int], *, grow: bool, cut: bool) -> None:
    windows = sorted(min(place, len(data)) for place in cuts)
    windows = windows[: len(windows) // 2 * 2] or [0, len(data)]

    rows = native.runs(data, array("q", windows), grow, cut)

    assert rows == encoded.runs(data, windows, grow, cut)
    each = array("q", rows)
    escapes = array("q", [n for i in range(0, len(each), 3) if 3 <= each[i] <= 6 for n in each[i : i + 3]]).tobytes()
    assert native.unescape(data, escapes) == encoded.unescape(data, escapes)


def test_two_windows_that_meet_do_not_cut_what_stands_between_them() -> None:
    data = b"words\n" * 200 + b"".join(b"\\u{%x}" % char for char in b"one text of many letters" * 4) + b"\nwords" * 200

    whole = native.runs(data, array("q", (0, len(data))), True, False)

    assert len(array("q", whole)) == 3
    assert native.runs(data, array("q", (0, 1000, 1500, len(data))), True, False) == whole


@settings(max_examples=300)
@given(data=MIXED)
def test_every_byte_of_a_layer_leads_back_to_bytes_that_stand_for_it(data: bytes) -> None:
    made, _left = decode.layers(data, native.runs(data, array("q", (0, len(data))), True, False))
    for number, layer in enumerate(made):
        for segment in layer.segments:
            for start in range(segment.body, segment.stop, 7):
                end = min(segment.stop, start + 5)
                low, high, via = decode.trace(made[: number + 1], start, end)
                assert 0 <= low < high <= len(data)
                assert unwrap(data[low:high], via) == layer.text[start:end]


def test_a_scan_that_finds_nothing_encoded_loads_no_decoder(tree: Path) -> None:
    """Start-up is counted in modules."""
    (tree / "a.py").write_text("import os\nprint(os.environ['HOME'])\n")
    code = "import sys\ntry:\n    from leakguard.__main__ import main; main()\nexcept SystemExit: pass\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "scan", "-q", "."], cwd=tree, capture_output=True, text=True)
    loaded = {name.removeprefix("leakguard.engine.") for name in done.stdout.split() if name.startswith("leakguard.engine.")}
    assert "scan" in loaded
    assert not loaded & {"decode", "inside", *(() if native.loops is None else ("encoded",))}


@pytest.mark.parametrize("form", plugins.names("leakguard.reporters"))
def test_no_format_holds_bytes_of_a_value_that_stands_encoded(
    form: str, tree: Path, planted: Planted, leaks: Callable[..., list[str]]
) -> None:
    """Neither of the value nor of what stands for it."""
    token, password = planted.github().encode(), planted.password().encode()
    text = b"a first line of some words\nthe key: " + token + b"\nDB_PASSWORD=" + password + b"\nand a last one"
    runs = {way: encode(text) for way, (encode, _ways) in WAYS.items() if "UTF-16" not in way or "base64" in way}
    (tree / "a.txt").write_bytes(b"\n".join(b"%d: %s" % (n, run) for n, run in enumerate(runs.values())))
    (tree / "b.bin").write_bytes(b"\x7fELF\0" + token + b"\0" + b"\0".join(bytes((c,)) for c in token) + b"\0\0")

    done = subprocess.run(
        [sys.executable, "-m", "leakguard", "scan", "-f", form, "--verbose", "."], cwd=tree, capture_output=True, text=True
    )

    assert done.returncode == 1, done.stderr
    out = done.stdout + done.stderr
    assert not leaks(out, token.decode(), 4)
    assert not leaks(out, password.decode())
    for way in ("x", "u", "octal", "decimal entities", "hex entities"):
        each = WAYS[way][0](token[8:13]).decode()
        assert each not in out


def test_a_key_id_beside_its_encoded_secret_is_told_with_it(planted: Planted) -> None:
    """One stands as it is, the other encoded on the same line."""
    key_id, secret = planted.aws()
    data = f"aws_access_key_id={key_id} aws_secret_access_key={b64encode(secret.encode()).decode()}\n".encode()

    found = next(c for c in scan(data) if c.secret and c.secret.reveal() == secret.encode())

    parts = [(p.part, unwrap(data[p.offset : p.offset + p.length], p.via).decode()) for p in found.others]
    assert key_id in {value for _part, value in parts}
