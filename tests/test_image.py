"""Images in files and folders: every layer is scanned, and a place says where in the image it lies."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Planted
from images import Built, image, index, layer, layout, places, pointer, saved, scan, skips, special
from leakguard.errors import UsageError
from leakguard.sources.image import manifest as documents
from leakguard.sources.image.reference import reference, wanted


def env(planted: Planted) -> bytes:
    """Return a file with a credential on its second line."""
    return f"A=1\nTOKEN={planted.github()}\n".encode()


@pytest.fixture
def app(planted: Planted) -> Built:
    """Return an image with a credential in each kind of place."""
    low = layer(
        ("etc/app.env", env(planted)), ("opt/x/y.env", env(planted)), ("srv/kept.env", env(planted)), ("srv/new", env(planted))
    )
    middle = layer(("etc/.wh.app.env", b""), ("srv/new", b"nothing any more\n"), ("tmp/z.txt", env(planted)))
    top = layer(("opt/x/.wh..wh..opq", b""), ("opt/x/n", b"hello\n"), special("tmp", tarfile.SYMTYPE, "var/tmp"))
    history = [
        {"created_by": "COPY . / # buildkit"},
        {"created_by": f"RUN |1 TOKEN={planted.github()} /bin/sh -c make # buildkit"},
        {"created_by": "ENV X=1", "empty_layer": True},
        {"created_by": "/bin/sh -c #(nop) ADD file:1 in / "},
    ]
    config = {
        "Env": ["PATH=/bin", f"GH_TOKEN={planted.github()}"],
        "Labels": {"a": "b", "key": planted.github()},
        "Cmd": ["run", f"--token={planted.github()}"],
        "Entrypoint": ["sh", "-c", f"curl -H 'Authorization: token {planted.github()}' x"],
    }
    return image(low, middle, top, pack=gzip.compress, suffix="+gzip", config=config, history=history)


EVERYWHERE = [
    ("config/Cmd", 1, "", ""),
    ("config/Entrypoint", 1, "", ""),
    ("config/Env", 2, "", ""),
    ("config/Labels", 2, "", ""),
    ("config/history/2", 1, "", ""),
    ("etc/app.env", 2, "1 of 3", "no, deleted by layer 2 of 3"),
    ("opt/x/y.env", 2, "1 of 3", "no, deleted by layer 3 of 3"),
    ("srv/kept.env", 2, "1 of 3", "yes"),
    ("srv/new", 2, "1 of 3", "no, overwritten by layer 2 of 3"),
    ("tmp/z.txt", 2, "2 of 3", "no, overwritten by layer 3 of 3"),
]


@pytest.mark.parametrize("kind", ["docker save", "manifest first", "compressed", "layout", "layout in a tar", "compressed layout"])
def test_every_layer_and_the_configuration_is_scanned_however_the_image_is_kept(tmp_path: Path, app: Built, kind: str) -> None:
    path = tmp_path / "app.tar"
    if kind in {"docker save", "manifest first"}:
        saved(path, app, last=kind == "docker save")
    elif kind == "compressed":
        path = saved(tmp_path / "app.tar.gz", app)
    else:
        path = layout(tmp_path / "layout", app)
        if kind != "layout":
            tar = tmp_path / ("l.tar.gz" if "compressed" in kind else "l.tar")
            with tarfile.open(tar, "w:gz" if "compressed" in kind else "w") as archive:
                archive.add(path, ".")
            path = tar
    _code, report = scan(path)
    assert places(report) == EVERYWHERE
    assert skips(report) == []


def test_a_place_names_image_digest_layer_instruction_and_what_became_of_the_file(tmp_path: Path, app: Built) -> None:
    _code, report = scan(layout(tmp_path / "layout", app, top=index(pointer(app, tag="1.4"))))
    (place,) = (p for f in report["findings"] for p in f["locations"] if p["path"].endswith("/etc/app.env"))
    first = json.loads(app.config)["rootfs"]["diff_ids"][0]
    assert place["kind"] == "member"
    assert place["path"] == "layout!/etc/app.env"
    assert place["facts"] == {
        "image": "1.4",
        "digest": app.digest,
        "image id": json.loads(app.manifest)["config"]["digest"],
        "platform": "linux/amd64",
        "layer": "1 of 3",
        "layer digest": first,
        "blob": json.loads(app.manifest)["layers"][0]["digest"],
        "instruction": "COPY . /",
        "in the final image": "no, deleted by layer 2 of 3",
    }


def test_no_value_stands_in_the_facts_of_a_place(tmp_path: Path, app: Built, leaks: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "leakguard", "scan", "-v", "--image", str(saved(tmp_path / "a.tar", app))],
        capture_output=True,
        text=True,
    )
    variable = json.loads(app.config)["config"]["Env"][1].partition("=")[2]
    step = json.loads(app.config)["history"][1]["created_by"].partition("TOKEN=")[2].split()[0]
    assert "RUN |1 TOKEN=" in done.stdout
    for value in (variable, step):
        assert leaks(done.stdout + done.stderr, value, 4) == []


def test_a_layer_of_two_images_is_scanned_once_and_told_for_both(tmp_path: Path, planted: Planted) -> None:
    base = layer(("etc/app.env", env(planted)))
    one, two = image(base, layer(("a", b"a\n"))), image(base, layer(("etc/.wh.app.env", b"")))
    top = index(pointer(one, tag="one"), pointer(two, tag="two"))
    _code, report = scan(layout(tmp_path / "both", one, two, top=top))
    (finding,) = report["findings"]
    told = [(p["facts"]["image"], p["facts"]["in the final image"]) for p in finding["locations"]]
    assert sorted(told) == [("one", "yes"), ("two", "no, deleted by layer 2 of 2")]
    # base, a, and each configuration: Env and others are not set there
    assert report["coverage"]["files"] == len({"etc/app.env", "a"}) + 2 * len(("architecture", "os"))


def test_layers_that_were_read_in_one_archive_are_only_checked_in_the_next(tmp_path: Path, planted: Planted) -> None:
    base = layer(("etc/app.env", env(planted)))
    first, second = saved(tmp_path / "a.tar", image(base)), saved(tmp_path / "b.tar", image(base, layer(("x", b"x\n"))))
    _code, report = scan(first, second)
    assert sorted(p["path"] for f in report["findings"] for p in f["locations"]) == ["a.tar!/etc/app.env", "b.tar!/etc/app.env"]
    lying = saved(tmp_path / "c.tar", image(base), **{"0_layer_tar": layer(("other", b"other\n"))})
    _code, report = scan(first, lying)
    assert skips(report) == [("damaged", "its bytes do not have the digest that the image names")]


def test_zstandard_layers_are_read(tmp_path: Path, planted: Planted) -> None:
    zstd = pytest.importorskip("backports.zstd", reason="leakguard[images] is not installed")
    _code, report = scan(layout(tmp_path / "z", image(layer(("a.env", env(planted))), pack=zstd.compress, suffix="+zstd")))
    assert places(report) == [("a.env", 2, "1 of 1", "yes")]


def test_an_archive_in_a_layer_is_looked_into(tmp_path: Path, planted: Planted) -> None:
    inner = layer(("deep/a.env", env(planted)))
    _code, report = scan(saved(tmp_path / "a.tar", image(layer(("opt/inner.tar.gz", gzip.compress(inner))))))
    assert places(report) == [("opt/inner.tar.gz/deep/a.env", 2, "1 of 1", "yes")]


def test_one_platform_of_several_is_scanned(tmp_path: Path, planted: Planted) -> None:
    built = {name: image(layer((f"{name}.env", env(planted))), architecture=name) for name in ("amd64", "arm64")}
    parts = [pointer(b, platform={"os": "linux", "architecture": name}) for name, b in built.items()]
    folder = layout(tmp_path / "many", *built.values(), top=index(*parts))
    assert [p[0] for p in places(scan(folder, "--platform", "linux/arm64")[1])] == ["arm64.env"]
    assert [p[0] for p in places(scan(folder, "--platform", "all")[1])] == ["amd64.env", "arm64.env"]
    _code, report = scan(folder, "--platform", "windows/amd64")
    assert "linux/amd64, linux/arm64" in skips(report)[0][1]


def test_a_tag_of_an_archive_may_be_named(tmp_path: Path, planted: Planted) -> None:
    one, two = image(layer(("one.env", env(planted)))), image(layer(("two.env", env(planted))))
    folder = layout(tmp_path / "both", one, two, top=index(pointer(one, tag="1"), pointer(two, tag="2")))
    assert [p[0] for p in places(scan(f"oci:{folder}:2")[1])] == ["two.env"]
    assert [p[0] for p in places(scan(f"docker-archive:{saved(tmp_path / 'a.tar', one, tag='app:1.4')}:app:1.4")[1])] == ["one.env"]
    _code, report = scan(f"oci:{folder}:3")
    assert skips(report) == [("damaged", "3: it holds no image '3'")]


def test_what_was_said_of_a_build_is_scanned_too(tmp_path: Path, planted: Planted) -> None:
    built = image(layer(("a", b"a\n")))
    said = json.dumps({"predicate": {"buildArgs": {"TOKEN": planted.github()}}}, indent=1).encode()
    about = image(said)
    raw = json.loads(about.manifest)
    raw["layers"][0] |= {"mediaType": "application/vnd.in-toto+json", "annotations": {"in-toto.io/predicate-type": "provenance"}}
    about = about._replace(manifest=json.dumps(raw).encode())
    about.blobs[about.digest] = about.manifest
    nobody = {"os": "unknown", "architecture": "unknown"}
    noted = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": built.digest}
    parts = (
        pointer(built, platform={"os": "linux", "architecture": "amd64"}),
        pointer(about, platform=nobody) | {"annotations": noted},
    )
    _code, report = scan(layout(tmp_path / "told", built, about, top=index(*parts)))
    assert [p[:2] for p in places(report)] == [("provenance", 4)]


class TestHostile:
    """What is wrong is told, the rest is scanned, and nothing is written or followed."""

    def test_a_layer_with_another_digest_is_scanned_and_told(self, tmp_path: Path, planted: Planted) -> None:
        _code, report = scan(
            saved(tmp_path / "a.tar", image(layer(("x", b"x\n"))), **{"0_layer_tar": layer(("a.env", env(planted)))})
        )
        assert places(report) == [("a.env", 2, "1 of 1", "yes")]
        assert skips(report) == [("damaged", "its bytes do not have the digest that the image names")]

    def test_the_digest_of_a_layer_that_passes_in_a_stream_is_checked_at_the_end(self, tmp_path: Path, planted: Planted) -> None:
        lying = {"0_layer_tar": layer(("a.env", env(planted)))}
        _code, report = scan(saved(tmp_path / "a.tar.gz", image(layer(("x", b"x\n"))), **lying))
        assert len(report["findings"]) == 1
        assert skips(report) == [("damaged", "its bytes do not have the digest that the image names")]

    def test_names_with_dots_links_and_devices_are_only_names(self, tmp_path: Path, planted: Planted) -> None:
        odd = layer(
            ("../../../outside.env", env(planted)),
            ("/etc/absolute.env", env(planted)),
            special("link", tarfile.SYMTYPE, "../../../../etc/passwd"),
            special("hard", tarfile.LNKTYPE, "/etc/shadow"),
            special("dev/sda", tarfile.BLKTYPE),
            special("pipe", tarfile.FIFOTYPE),
        )
        _code, report = scan(saved(tmp_path / "a.tar", image(odd)))
        assert [p[0] for p in places(report)] == ["../../../outside.env", "/etc/absolute.env"]
        assert sorted((s["path"], s["reason"]) for s in report["skipped"]) == [
            ("a.tar!/dev/sda", "device"),
            ("a.tar!/pipe", "device"),
        ]
        assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["a.tar"]

    def test_a_layer_that_is_cut_gives_what_came_before(self, tmp_path: Path, planted: Planted) -> None:
        whole = layer(("a.env", env(planted)), ("big", bytes(range(256)) * 4000), ("b.env", env(planted)))
        _code, report = scan(
            saved(tmp_path / "a.tar", image(whole, layer(("c.env", env(planted)))), **{"0_layer_tar": whole[:200_000]})
        )
        assert [p[:3] for p in places(report)] == [("a.env", 2, "1 of 2"), ("c.env", 2, "2 of 2")]
        assert ("damaged", "the tar ends before the member does") in skips(report)

    def test_a_gzip_layer_that_is_damaged_is_told_once(self, tmp_path: Path, planted: Planted) -> None:
        built = image(layer(("a.env", env(planted))), layer(("b.env", env(planted))), pack=gzip.compress)
        first = json.loads(built.manifest)["layers"][0]["digest"]
        folder = layout(tmp_path / "x", built)
        (folder / "blobs" / first.replace(":", "/")).write_bytes(built.blobs[first][:40] + b"\0" * (len(built.blobs[first]) - 40))
        _code, report = scan(folder)
        assert [p[0] for p in places(report)] == ["b.env"]
        assert all(reason == "damaged" for reason, _detail in skips(report))

    @pytest.mark.parametrize("gone", ["layer", "config", "manifest"])
    def test_a_blob_that_is_not_there_is_told_and_the_other_image_scanned(
        self, tmp_path: Path, planted: Planted, gone: str
    ) -> None:
        bad, good = image(layer(("a.env", env(planted)))), image(layer(("b.env", env(planted))))
        told = json.loads(bad.manifest)
        name = {"layer": told["layers"][0]["digest"], "config": told["config"]["digest"], "manifest": bad.digest}[gone]
        folder = layout(tmp_path / "x", bad, good)
        (folder / "blobs" / name.replace(":", "/")).unlink()
        _code, report = scan(folder)
        assert [p[0] for p in places(report)] == ["b.env"]
        assert len(skips(report)) == 1
        assert "not there" in skips(report)[0][1]

    def test_an_index_that_leads_to_itself_ends(self, tmp_path: Path, planted: Planted) -> None:
        built = image(layer(("a.env", env(planted))))
        inner: bytes = index(pointer(built))
        blobs = {}
        for _ in range(9):
            inner_image = Built(b"", inner, {}, ())
            blobs[inner_image.digest] = inner
            inner = index(pointer(inner_image), pointer(built))
        _code, report = scan(layout(tmp_path / "x", built, top=inner, blobs=blobs))
        assert [p[0] for p in places(report)] == ["a.env"]
        assert [d for _r, d in skips(report)] == ["indexes are nested deeper than 4"]

    def test_a_huge_configuration_is_told(self, tmp_path: Path, planted: Planted) -> None:
        built = image(layer(("a.env", env(planted))), more="x" * (17 << 20))
        _code, report = scan(saved(tmp_path / "a.tar", built))
        assert skips(report) == [("damaged", "app:1.4: a document of more than 16 MiB")]

    def test_a_path_that_leaves_the_folder_is_not_followed(self, tmp_path: Path, planted: Planted) -> None:
        (tmp_path / "secret.tar").write_bytes(layer(("a.env", env(planted))))
        folder = tmp_path / "image"
        folder.mkdir()
        (folder / "config.json").write_bytes(image().config)
        (folder / "link.tar").symlink_to(tmp_path / "secret.tar")
        listed = [{"Config": "config.json", "RepoTags": None, "Layers": ["../secret.tar", "link.tar"]}]
        (folder / "manifest.json").write_text(json.dumps(listed))
        _code, report = scan(folder)
        assert report["findings"] == []
        assert len(skips(report)) == 2

    def test_what_is_no_image_is_an_error_with_a_hint(self, tmp_path: Path) -> None:
        (tmp_path / "a.tar").write_bytes(layer(("a", b"a")))
        _code, report = scan(tmp_path / "a.tar")
        assert "no manifest.json or index.json" in report["said"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just("sha256:" + "0" * 64),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["config", "layers", "manifests", "digest", "size", "mediaType", "annotations", "platform", "urls", "rootfs", "diff_ids",
             "history", "created_by", "empty_layer", "Env", "Labels", "Config", "RepoTags", "Layers", "os", "architecture", "schemaVersion"]
        )
        | st.text(max_size=4),
        inner,
        max_size=5,
    ),
    max_leaves=24,
)  # fmt: skip


@given(JSON | st.binary(max_size=64))
def test_any_document_is_read_or_refused(data: object) -> None:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    for read in (documents.document, documents.saved, documents.config):
        try:
            told = read(raw)
        except documents.BrokenError:
            continue
        if isinstance(told, documents.Config):
            from leakguard.sources.image.config import sections

            assert all(isinstance(s.text, str) for s in sections(told, ()))


@given(JSON)
def test_no_text_of_a_configuration_is_left_out(data: object) -> None:
    from leakguard.sources.image.config import sections

    def texts(value: object) -> list[str]:
        if isinstance(value, dict):
            return [t for v in value.values() for t in texts(v)]
        return [t for v in value for t in texts(v)] if isinstance(value, list) else [value] if isinstance(value, str) else []

    if isinstance(data, dict):
        told = "\n".join(s.text for s in sections(documents.config(json.dumps(data).encode()), ()))
        assert all(text in told or text.startswith("sha256:") for text in texts(data))


def test_a_configuration_nested_to_the_limit_of_json_is_read() -> None:
    from leakguard.sources.image.config import sections

    for depth in range(950, 1000):
        raw = b'{"a":' + b"[" * depth + b'"found"' + b"]" * depth + b"}"
        try:
            told = documents.config(raw)
        except documents.BrokenError:
            continue
        assert "found" in "".join(s.text for s in sections(told, ()))


@pytest.mark.parametrize(
    ("word", "host", "repository", "version", "scheme"),
    [
        ("debian", "registry-1.docker.io", "library/debian", "latest", "https"),
        ("team/app:1.4", "registry-1.docker.io", "team/app", "1.4", "https"),
        ("docker.io/library/debian:12", "registry-1.docker.io", "library/debian", "12", "https"),
        ("registry.example/app", "registry.example", "app", "latest", "https"),
        ("localhost:5000/a/b:c", "localhost:5000", "a/b", "c", "http"),
        ("http://registry.example:5000/app", "registry.example:5000", "app", "latest", "http"),
        ("https://localhost/app", "localhost", "app", "latest", "https"),
        ("ghcr.io/a/b@sha256:" + "0" * 64, "ghcr.io", "a/b", "sha256:" + "0" * 64, "https"),
        ("ghcr.io/a/b:1@sha256:" + "0" * 64, "ghcr.io", "a/b", "sha256:" + "0" * 64, "https"),
    ],
)
def test_names_are_read_as_docker_reads_them(word: str, host: str, repository: str, version: str, scheme: str) -> None:
    named = reference(word)
    assert (named.host, named.repository, named.version, named.scheme) == (host, repository, version, scheme)


@given(st.text(max_size=30))
def test_any_word_is_a_name_or_an_error(word: str) -> None:
    with suppress(UsageError):
        assert wanted("registry:" + word).where == "registry"


def test_prefixes_are_the_ones_of_skopeo() -> None:
    assert [wanted(w).where for w in ("docker://a/b", "docker-daemon:a", "podman:a", "registry:a", "a")] == [
        *("registry", "docker-daemon", "podman", "registry", ""),
    ]
    with pytest.raises(UsageError, match="there is no"):
        wanted("oci:nowhere")
