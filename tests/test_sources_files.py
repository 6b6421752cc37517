"""Files and folders: everything is either read or told, nothing hangs, links are not followed, big files stream."""

from __future__ import annotations

import errno
import os
import pickle
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leakguard.errors import SourceError, UsageError
from leakguard.model.blob import Blob, FileProvenance, Gone, Skipped, StreamProvenance
from leakguard.model.finding import Place
from leakguard.sources import files
from leakguard.sources._chunks import CHUNK, WHOLE
from leakguard.sources.files import FilesSource


def read(*paths: object, **options: object) -> list[Blob | Skipped]:
    """Return all that a scan of some paths yields."""
    return list(FilesSource([os.fspath(p) for p in paths], **options).blobs())  # type: ignore[arg-type]


def texts(items: list[Blob | Skipped]) -> dict[str, bytes]:
    """Return path -> data of what was read."""
    return {item.provenance.path: item.data for item in items if isinstance(item, Blob)}  # type: ignore[union-attr]


def skips(items: list[Blob | Skipped]) -> dict[str, tuple[str, bool]]:
    """Return path -> reason and whether by choice, of what was not."""
    return {i.provenance.path: (i.reason, i.by_choice) for i in items if isinstance(i, Skipped)}  # type: ignore[union-attr]


def place(root: object, path: str, offset: int, length: int, encoding: str = "", kind: str = "file") -> Place:
    """Return a place to reopen."""
    return Place(FileProvenance(os.fspath(root), path, kind), 1, 1, 1, 1, offset, length, encoding=encoding)  # type: ignore[arg-type]


def test_a_folder_is_read_in_a_stable_order_with_slashes_between_parts(tmp_path: Path) -> None:
    """Files come sorted, a folder's own before those below it."""
    for name in ["b.txt", "a/z.txt", "a/b/c.txt", "c.txt", "B.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    found = read(tmp_path)

    assert [item.provenance for item in found] == [
        FileProvenance(str(tmp_path), path) for path in ["B.txt", "b.txt", "c.txt", "a/z.txt", "a/b/c.txt"]
    ]
    assert all(data.decode() == path for path, data in texts(found).items())


def test_a_file_named_alone_has_its_folder_as_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative name becomes an absolute root and a path below it."""
    (tmp_path / "one.txt").write_text("1")
    monkeypatch.chdir(tmp_path)

    assert [item.provenance for item in read("one.txt")] == [FileProvenance(str(tmp_path), "one.txt")]


def test_several_paths_are_several_roots_and_the_same_one_twice_is_one(tmp_path: Path) -> None:
    """Naming a path again does not scan it again."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("x")
    (tmp_path / "b").write_text("b")

    found = read(tmp_path / "a", tmp_path / "b", f"{tmp_path}/a/")

    assert [(item.provenance.root, item.provenance.path) for item in found] == [  # type: ignore[union-attr]
        (str(tmp_path / "a"), "x"),
        (str(tmp_path), "b"),
    ]


@pytest.mark.parametrize("path", ["nowhere", "", "a\0b", "file/below"])
def test_a_path_that_does_not_exist_is_a_usage_error_with_a_hint(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The empty path (an unset variable) is not the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    with pytest.raises(UsageError) as error:
        FilesSource([path])

    assert error.value.hint


def test_a_missing_path_with_odd_bytes_is_named_printably() -> None:
    """The message can be printed anywhere."""
    with pytest.raises(UsageError) as error:
        FilesSource([os.fsdecode(b"no-\xff")])

    error.value.message.encode("utf-8")


def test_links_are_read_as_links_and_a_loop_among_them_ends(tmp_path: Path) -> None:
    """The text of a link is its target; what it points to is not read through it."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "up").symlink_to("..")
    (tmp_path / "dangling").symlink_to("https://user:word@host/")
    (tmp_path / "null").symlink_to("/dev/null")

    found = read(tmp_path)

    assert texts(found) == {"loop": b"loop", "up": b"..", "dangling": b"https://user:word@host/", "null": b"/dev/null"}
    assert {item.provenance.kind for item in found} == {"link"}


def test_a_named_link_to_a_folder_or_file_is_followed(tmp_path: Path) -> None:
    """Who names a link means what it points to."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").write_text("x")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "file").symlink_to("real/x")

    assert texts(read(tmp_path / "folder")) == texts(read(tmp_path / "file")) == {"x": b"x"}


def test_a_named_link_that_dangles_is_its_text_and_one_that_loops_is_an_error(tmp_path: Path) -> None:
    """Hooks name dangling links too."""
    (tmp_path / "dangling").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")

    assert texts(read(tmp_path / "dangling")) == {"dangling": b"gone"}
    with pytest.raises(SourceError, match="symbolic links"):
        FilesSource([str(tmp_path / "loop")])


def test_fifos_sockets_and_devices_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder they are skipped by choice; named, the scan is incomplete."""
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        monkeypatch.setattr(os, "open", lambda *_args: pytest.fail("opened"))

        assert skips(read(tmp_path)) == {"fifo": ("device", True), "socket": ("device", True)}
        assert skips(read("fifo", "/dev/null")) == {"fifo": ("device", False), "null": ("device", False)}


def test_a_named_pipe_behind_a_link_is_not_taken_for_its_text(tmp_path: Path) -> None:
    """`scan /dev/stdin` and `scan <(command)` are links to pipes; a scan that read nothing must not look clean."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")

    assert skips(read(tmp_path / "link")) == {"link": ("device", False)}


@pytest.mark.parametrize(
    ("kind", "expected"), [("fifo", ("device", True)), ("folder", ("changed", False)), ("link", ("changed", False))]
)
def test_a_file_replaced_between_walk_and_read_neither_hangs_nor_is_followed(
    kind: str, expected: tuple[str, bool], tmp_path: Path
) -> None:
    """The descriptor is looked at again after it was opened."""
    (tmp_path / "a").write_text("a")
    (shard,) = FilesSource([str(tmp_path)]).shards()
    (tmp_path / "a").unlink()
    if kind == "fifo":
        os.mkfifo(tmp_path / "a")
    elif kind == "folder":
        (tmp_path / "a").mkdir()
    else:
        (tmp_path / "a").symlink_to("/etc/passwd")

    assert skips(list(shard.blobs())) == {"a": expected}  # type: ignore[union-attr]


def test_a_file_or_folder_that_vanishes_is_told_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan of a living tree is incomplete, not broken."""
    for name in ["a", "b", "c"]:
        (tmp_path / name).write_text(name)
    (tmp_path / "d").mkdir()
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "f").write_text("f")
    scandir = os.scandir

    def vanish(path: str) -> Iterator[os.DirEntry[str]]:
        if path.rstrip("/").endswith("d"):
            os.rmdir(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanish)
    shards = []
    found: list[Blob | Skipped] = []
    for item in FilesSource([str(tmp_path)], ignore=False).shards():
        (found if isinstance(item, Skipped) else shards).append(item)  # type: ignore[arg-type]
    (tmp_path / "b").unlink()
    found += [item for shard in shards for item in shard.blobs()]

    assert texts(found) == {"a": b"a", "c": b"c", "e/f": b"f"}
    assert skips(found) == {"b": ("vanished", False), "d": ("vanished", False)}


def test_what_may_not_be_read_is_told_in_the_systems_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, folder and the root itself; simulated, since root may read everything."""
    (tmp_path / "file").write_text("a")
    (tmp_path / "folder").mkdir()
    os_open, scandir = os.open, os.scandir

    def refuse(path: str, *args: int) -> int:
        if path.endswith("file"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return os_open(path, *args)

    def refuse_folder(path: str) -> Iterator[os.DirEntry[str]]:
        if path.endswith(("folder/", "root", "root/")):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "scandir", refuse_folder)
    (tmp_path / "root").mkdir()

    found = read(tmp_path / "folder" / "..", tmp_path / "root", ignore=False)

    assert skips(found) == {
        "file": ("unreadable", False),
        "folder": ("unreadable", False),
        "root": ("unreadable", False),
        ".": ("unreadable", False),
    }
    assert {item.detail for item in found if isinstance(item, Skipped)} == {"Permission denied"}


def test_a_read_that_fails_half_way_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad disk block makes one file unreadable."""
    (tmp_path / "a").write_text("a")

    def fail(*_args: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "read", fail)

    assert skips(read(tmp_path)) == {"a": ("unreadable", False)}


def test_an_empty_file_counts_as_read(tmp_path: Path) -> None:
    """It yields one empty blob."""
    (tmp_path / "empty").touch()

    assert texts(read(tmp_path)) == {"empty": b""}


@pytest.mark.parametrize(
    ("raw", "data", "encoding"),
    [
        (b"a\r\nb\r\n", b"a\r\nb\r\n", ""),
        (b"caf\xe9 \xff\xfe\n", b"caf\xe9 \xff\xfe\n", ""),
        ("\ufeffné = 1".encode(), "né = 1".encode(), "utf-8-sig"),
        ("\ufeffkey=né\r\n".encode("utf-16-le"), "key=né\r\n".encode(), "utf-16-le"),
        ("key=né\n".encode("utf-16-be"), "key=né\n".encode(), "utf-16-be"),
        ("key=né\n".encode("utf-32-le"), "key=né\n".encode(), "utf-32-le"),
        (b"one entry\0another entry\0", b"one entry\0another entry\0", ""),
    ],
    ids=["crlf", "invalid-utf-8", "utf-8-bom", "utf-16-bom", "utf-16", "utf-32", "nul"],
)
def test_text_of_any_encoding_arrives_as_bytes_to_match(raw: bytes, data: bytes, encoding: str, tmp_path: Path) -> None:
    """Line ends and invalid bytes stay; other encodings become UTF-8; each place opens again."""
    (tmp_path / "a").write_bytes(raw)

    (blob,) = read(tmp_path)

    assert isinstance(blob, Blob)
    assert (blob.data, blob.encoding, blob.offset, blob.first_line, blob.first_column) == (data, encoding, 0, 1, 1)
    assert FilesSource([]).reopen(place(tmp_path, "a", 2, 4, encoding)) == data[2:6]


def test_binary_and_large_files_are_skipped_by_choice(tmp_path: Path) -> None:
    """Without `max_size` no size is too large."""
    (tmp_path / "a.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 60)
    (tmp_path / "big").write_bytes(b"x" * 101)
    (tmp_path / "fits").write_bytes(b"x" * 100)

    assert skips(read(tmp_path, max_size=100)) == {"a.txt": ("binary", True), "big": ("max-size", True)}
    assert skips(read(tmp_path)) == {"a.txt": ("binary", True)}


def test_a_big_binary_is_told_by_its_head(tmp_path: Path) -> None:
    """A file above the size of one blob is not read to its end for that."""
    (tmp_path / "big").write_bytes(b"\x89PNG\r\n\x1a\n\0" + bytes(range(256)) * 200)
    os.truncate(tmp_path / "big", WHOLE * 4)

    assert skips(read(tmp_path)) == {"big": ("binary", True)}


def test_a_big_file_comes_in_chunks_and_its_places_open_again(tmp_path: Path) -> None:
    """Lines count through the chunks; any offset can be reopened."""
    line = b"0123456789abcdef" * 64 + "é\n".encode()
    data = line * (3 * CHUNK // len(line))
    (tmp_path / "big").write_bytes(data)

    blobs = [item for item in read(tmp_path) if isinstance(item, Blob)]

    assert len(blobs) == 3
    for blob in blobs:
        assert blob.data == data[blob.offset : blob.offset + len(blob.data)]
        assert blob.first_line == data.count(b"\n", 0, blob.offset) + 1
    assert FilesSource([]).reopen(place(tmp_path, "big", 2 * CHUNK + 5, 9)) == data[2 * CHUNK + 5 : 2 * CHUNK + 14]


@pytest.mark.parametrize("size", [1000, WHOLE + CHUNK])
def test_a_file_cut_while_it_is_read_is_scanned_and_told(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was left is scanned, and the scan is incomplete."""
    file = tmp_path / "log"
    file.write_bytes(b"x" * size)
    fstat, seen = os.fstat, []

    def cut(fd: int) -> os.stat_result:
        status = fstat(fd)
        if not seen:
            os.truncate(file, 300)
        seen.append(fd)
        return status

    monkeypatch.setattr(os, "fstat", cut)

    found = read(tmp_path)

    assert texts(found) == {"log": b"x" * 300}
    assert skips(found) == {"log": ("truncated", False)}


def test_a_file_that_grows_while_it_is_read_is_read_to_its_new_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines added between looking and reading are scanned too."""
    file = tmp_path / "log"
    file.write_bytes(b"old\n")
    fstat = os.fstat

    def grow(fd: int) -> os.stat_result:
        status = fstat(fd)
        with file.open("ab") as out:
            out.write(b"new\n")
        return status

    monkeypatch.setattr(os, "fstat", grow)

    assert texts(read(tmp_path)) == {"log": b"old\nnew\n"}


def test_a_file_that_grows_without_end_ends_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log written faster than it is scanned must not hold the scan for ever."""
    file = tmp_path / "log"
    file.write_bytes(b"x" * 100)
    monkeypatch.setattr(files, "GROWTH", 1000)
    os_read = os.read

    def grow(fd: int, size: int) -> bytes:
        with file.open("ab") as out:
            out.write(b"x" * 300)
        return os_read(fd, min(size, 200))

    monkeypatch.setattr(os, "read", grow)
    monkeypatch.setattr(files, "HEAD", 100)

    assert skips(read(tmp_path)) == {"log": ("changed", False)}


@pytest.mark.skipif(not os.path.exists("/proc/version"), reason="this system has no /proc")
def test_a_file_of_the_kernel_without_a_size_is_read() -> None:
    """Its size says 0, its content is there."""
    (blob,) = read("/proc/version")

    assert isinstance(blob, Blob)
    assert blob.data


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Callable[[str, int], None]]:
    """Make a file many folders below `tmp_path`, deeper than one path can say; removed here, since pytest's own way recurses."""

    def make(name: str, levels: int) -> None:
        fd = os.open(tmp_path, os.O_RDONLY)
        for _ in range(levels):
            os.mkdir(name, dir_fd=fd)
            fd, old = os.open(name, os.O_RDONLY, dir_fd=fd), fd
            os.close(old)
        leaf = os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
        os.write(leaf, b"leaf")
        os.close(leaf)
        os.close(fd)

    yield make
    subprocess.run(["rm", "-rf", tmp_path], check=True)


def test_two_thousand_levels_deep_is_read(tmp_path: Path, deep: Callable[[str, int], None]) -> None:
    """The walk does not recurse; a path that the system takes is read."""
    levels = min(2000, (4000 - len(str(tmp_path))) // 2)
    deep("d", levels)

    assert texts(read(tmp_path)) == {"d/" * levels + "leaf": b"leaf"}


def test_a_path_longer_than_the_system_takes_is_told(tmp_path: Path, deep: Callable[[str, int], None]) -> None:
    """Beyond PATH_MAX the folder is unreadable, and what stands beside it is read."""
    deep("d" * 200, 30)
    (tmp_path / "beside").write_text("b")

    found = read(tmp_path)

    assert texts(found) == {"beside": b"b"}
    assert set(skips(found).values()) == {("unreadable", False)}


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    """The bytes of a name come back from its provenance, and the file opens again."""
    raw = os.fsencode(tmp_path) + b"/caf\xe9"
    try:
        with open(raw, "wb") as out:
            out.write(b"data")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")

    (blob,) = read(tmp_path)

    assert isinstance(blob.provenance, FileProvenance)
    assert os.fsencode(blob.provenance.path) == b"caf\xe9"
    assert FilesSource([]).reopen(place(tmp_path, blob.provenance.path, 0, 4)) == b"data"


def test_path_settings_skip_files_and_whole_folders_with_their_words(tmp_path: Path) -> None:
    """A folder that is excluded is not entered and is told once; a named file is asked about too."""
    for name in ["keep.py", "drop.py", "vendor/a.py", "vendor/b.py"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")

    def exclude(_root: str) -> object:
        return lambda path: "not ours" if path in {"drop.py", "vendor/"} else ""

    found = read(tmp_path, exclude=exclude)

    assert texts(found) == {"keep.py": b"x"}
    assert skips(found) == {"drop.py": ("excluded", True), "vendor": ("excluded", True)}
    assert {item.detail for item in found if isinstance(item, Skipped)} == {"not ours"}
    assert skips(read(tmp_path / "drop.py", exclude=exclude)) == {"drop.py": ("excluded", True)}


def test_shards_are_picklable_pieces_that_give_the_same_blobs_in_the_same_order(tmp_path: Path) -> None:
    """Small files share a shard, a huge one has its own."""
    for n in range(250):
        (tmp_path / f"{n:03}").write_bytes(b"x" * n)
    (tmp_path / "100a").write_bytes(b"y" * (3 << 20))
    source = FilesSource([str(tmp_path)])

    shards = [pickle.loads(pickle.dumps(shard)) for shard in source.shards()]

    assert [blob for shard in shards for blob in shard.blobs()] == list(source.blobs())
    assert len(shards) > 3
    assert sum(shard.size for shard in shards) == sum(range(250)) + (3 << 20)
    assert [len(list(shard.blobs())) for shard in shards if shard.size >= 3 << 20] == [1]


def test_named_files_of_one_folder_share_a_shard(tmp_path: Path) -> None:
    """A hook that names a hundred files does not make a hundred pieces."""
    for name in "abc":
        (tmp_path / name).write_text(name)

    shards = list(FilesSource([str(tmp_path / name) for name in "abc"]).shards())

    assert len(shards) == 1


def test_a_place_that_can_not_be_opened_again_says_why(tmp_path: Path) -> None:
    """Gone, shorter, a link now, a stream."""
    (tmp_path / "short").write_text("abc")
    (tmp_path / "link").symlink_to("short")
    os.mkfifo(tmp_path / "fifo")
    source = FilesSource([str(tmp_path)])

    assert isinstance(source.reopen(place(tmp_path, "never", 0, 1)), Gone)
    assert isinstance(source.reopen(place(tmp_path, "short", 2, 2)), Gone)
    assert isinstance(source.reopen(place(tmp_path, "link", 0, 1)), Gone)
    assert isinstance(source.reopen(place(tmp_path, "fifo", 0, 1)), Gone)
    assert isinstance(source.reopen(place(tmp_path, "link", 3, 9, kind="link")), Gone)
    assert isinstance(source.reopen(Place(StreamProvenance("-"), 1, 1, 1, 1, 0, 1)), Gone)
    assert source.reopen(place(tmp_path, "link", 1, 3, kind="link")) == b"hor"
