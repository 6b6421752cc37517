"""The walk over deltas reports what reading every version reports, on histories made to break it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Planted
from histories import commit, deltas, git, look, places, repack, repository, same, versions, where
from leakguard.sources.history import Scope


def code(lines: int, seed: int = 1) -> list[bytes]:
    """Return lines of ordinary code."""
    rng = Random(seed)
    return [b"    total_%d = compute(%d, name_%d)\n" % (rng.randrange(999), rng.randrange(99), n) for n in range(lines)]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def history(repo: Path, contents: list[bytes], name: str = "app.py") -> None:
    """Store versions of one file as deltas, and see that they are."""
    versions(repo, [{name: content} for content in contents])
    repack(repo)
    blobs, chained, _depth = deltas(repo)
    assert chained >= blobs // 2


def test_a_secret_is_found_in_every_version_that_copies_it(repo: Path, planted: Planted) -> None:
    base, token = code(400), f'TOKEN = "{planted.github()}"\n'.encode()
    more = code(400, seed=2)
    # each version changes further lines, so that its neighbour is its best base
    contents = [
        b"".join([*base[:200], token, *more[200 : 200 + 4 * n], *base[200 + 4 * n :], b"# %d\n" % n * n]) for n in range(40)
    ]
    history(repo, contents)
    assert deltas(repo)[2] >= 10, deltas(repo)
    report = same(repo)
    assert len(report.findings) == 1
    assert len(report.findings[0].places) == 40


def test_a_secret_that_came_and_went_is_found(repo: Path, planted: Planted) -> None:
    base, token = code(300), f'TOKEN = "{planted.github()}"\n'.encode()
    contents = [b"".join([*base, b"# %d\n" % n, *([token] if n == 7 else [])]) for n in range(20)]
    history(repo, contents)
    assert [line for _kind, _path, line in where(same(repo))] == [302]


def test_a_value_that_only_a_join_of_copies_makes_is_found(repo: Path, planted: Planted) -> None:
    token = planted.github().encode()
    base = code(300)
    whole = [*base[:100], b'TOKEN = "' + token + b'"\n', *base[100:]]
    split = [*base[:100], b'TOKEN = "' + token[:20] + b'"\n# a word between\nREST = "' + token[20:] + b'"\n', *base[100:]]
    history(repo, [b"".join([*(split if n % 2 else whole), b"# %d\n" % n]) for n in range(12)])
    assert len(same(repo).findings[0].places) == 6


def test_a_secret_at_an_end_that_a_long_copy_cut_is_found(repo: Path, planted: Planted) -> None:
    token = planted.github().encode()
    base = b"".join(code(300))
    history(
        repo,
        [
            base + b"T = " + token + b"0123456789",
            base + b"T = " + token,
            base + b"# 3\n",
            token + b"\n" + base,
            b"x" + token + b"\n" + base,
        ],
    )
    same(repo)


def test_a_key_with_a_line_changed_in_its_middle_and_one_whose_end_comes_later_are_found(repo: Path, planted: Planted) -> None:
    key = planted.pem().encode().splitlines(keepends=True)
    base = code(200)
    changed = [*key[:5], key[5][::-1].strip() + b"\n", *key[6:]]
    contents = [
        b"".join([*base, *part, b"\n# %d\n" % n])
        for n, part in enumerate([key, changed, key[:-1], key[:3], key, changed[:-1], key])
    ]
    history(repo, contents)
    assert same(repo).findings


def test_a_key_id_that_comes_beside_a_copied_secret_is_paired(repo: Path, planted: Planted) -> None:
    key_id, secret = planted.aws()
    base = code(300)
    line = f"aws_secret_access_key = {secret}\n".encode()
    contents = [
        b"".join([*base[:150], *([f"aws_access_key_id = {key_id}\n".encode()] if n % 2 else []), line, *base[150:], b"# %d\n" % n])
        for n in range(12)
    ]
    history(repo, contents, "aws.ini")
    report = same(repo)
    assert {p.part for f in report.findings for p in f.places} >= {"key_id"}


def test_a_mark_that_goes_away_far_from_the_change_uncovers_the_secret(repo: Path, planted: Planted) -> None:
    base = code(300)
    token = planted.github()
    lines = [f'T = "{token}"  # leakguard: allow\n'.encode(), f'T = "{token}"\n'.encode()]
    history(repo, [b"".join([*base[:150], lines[n % 2], *base[150:], b"# %d\n" % n]) for n in range(10)])
    report = same(repo)
    assert len(report.findings[0].places) == 5
    assert sum(len(s.finding.places) for s in report.suppressed) == 5


def test_encodings_that_flip_are_read_each_time(repo: Path, planted: Planted) -> None:
    text = b"".join(code(200)).decode() + f'TOKEN = "{planted.github()}"\n'
    forms = [
        text.encode(),
        text.encode("utf-16"),
        b"\0\1\2" * 400 + text.encode(),
        b"\xef\xbb\xbf" + text.encode(),
        text.encode("utf-16-le"),
    ]
    history(repo, [form + b"\n" * n for n, form in enumerate(forms * 3)], "notes.txt")
    report = same(repo)
    assert report.findings
    assert sum(s.number for s in report.skipped if s.reason == "binary") >= 1


def test_one_content_under_paths_of_different_kinds_is_judged_for_each(repo: Path, planted: Planted) -> None:
    body = b"".join(code(100)) + b"db_password = %s\n" % planted.password().encode()
    versions(repo, [{"settings.ini": body + b"# %d\n" % n, "app.c": body + b"# %d\n" % n, "notes.txt": body} for n in range(8)])
    repack(repo)
    assert {path for _kind, path, _line in where(same(repo))} >= {"settings.ini"}


def test_loose_objects_several_packs_and_alternates_are_read(repo: Path, planted: Planted, tmp_path: Path) -> None:
    commit(repo, a__py=f'A = "{planted.github()}"\n')
    repack(repo)
    commit(repo, b__py=f'B = "{planted.github()}"\n')
    git(repo, "repack", "-q")
    git(repo, "repack", "-qa")
    commit(repo, c__py=f'C = "{planted.github()}"\n')
    borrower = tmp_path / "borrower"
    git(tmp_path, "clone", "-q", "--shared", str(repo), str(borrower))
    commit(borrower, d__py=f'D = "{planted.github()}"\n')
    assert [path for _kind, path, _line in where(same(repo))] == ["a.py", "b.py", "c.py"]
    assert [path for _kind, path, _line in where(same(borrower))] == ["a.py", "b.py", "c.py", "d.py"]


def test_references_by_name_and_an_old_index_are_read(repo: Path, planted: Planted) -> None:
    token = f'TOKEN = "{planted.github()}"\n'.encode()
    base = code(300)
    versions(repo, [{"app.py": b"".join([*base[:n], token, *base[n:]])} for n in range(20)])
    git(repo, "-c", "repack.useDeltaBaseOffset=false", "repack", "-qadf")
    pack = next((repo / ".git" / "objects" / "pack").glob("*.pack"))
    pack.with_suffix(".idx").chmod(0o644)
    git(repo, "index-pack", "--index-version=1", "-o", str(pack.with_suffix(".idx")) + ".new", str(pack))
    Path(str(pack.with_suffix(".idx")) + ".new").replace(pack.with_suffix(".idx"))
    assert len(same(repo).findings[0].places) == 20


def test_a_sha256_repository_is_read(tmp_path: Path, planted: Planted) -> None:
    repo = repository(tmp_path / "repo", "--object-format=sha256")
    token = f'TOKEN = "{planted.github()}"\n'.encode()
    base = code(300)
    versions(repo, [{"app.py": b"".join([*base[:n], token, *base[n:]])} for n in range(20)])
    repack(repo)
    assert len(same(repo).findings[0].places) == 20


@settings(max_examples=12)
@given(st.data())
def test_random_histories_are_reported_alike(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    planted = Planted(data.draw(st.integers(0, 10_000)))
    secrets = [
        f'TOKEN = "{planted.github()}"\n',
        f"password: {planted.password()}\n",
        f"aws_secret_access_key = {planted.aws()[1]}\n",
        f"aws_access_key_id = {planted.aws()[0]}\n",
        planted.pem() + "\n",
        f"url = https://u:{planted.random(20)}@db.acme.example/x\n",
    ]
    lines = code(data.draw(st.integers(20, 200)))
    contents = []
    for n in range(data.draw(st.integers(5, 30))):
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(lines)))
            match data.draw(st.sampled_from(["insert", "secret", "delete", "cut", "move"])):
                case "insert":
                    lines.insert(at, b"    more_%d = %d\n" % (n, at))
                case "secret":
                    lines.insert(at, data.draw(st.sampled_from(secrets)).encode())
                case "delete":
                    del lines[at : at + data.draw(st.integers(1, 5))]
                case "cut" if at < len(lines):
                    keep = data.draw(st.integers(0, len(lines[at])))
                    lines[at] = lines[at][:keep] + b"\n"
                case "move":
                    lines = [*lines[at:], *lines[:at]]
        contents.append({data.draw(st.sampled_from(["app.py", "conf.yaml"])): b"".join(lines) or b"\n"})
    repo = repository(tmp_path_factory.mktemp("random") / "repo")
    versions(repo, contents)
    repack(repo, depth=data.draw(st.sampled_from([1, 10, 50])))
    same(repo)


def test_messages_names_refs_tags_and_notes_are_read(repo: Path, planted: Planted, leaks: object) -> None:
    tokens = [planted.github() for _ in range(5)]
    commit(repo, f"use {tokens[0]}", a__py="x\n")
    (repo / tokens[1]).write_text("named\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "name")
    git(repo, "branch", tokens[2])
    git(repo, "tag", "-a", "-m", f"release with {tokens[3]}", "v1")
    git(repo, "notes", "add", "-m", f"note {tokens[4]}")
    report = same(repo)
    assert {kind for kind, _path, _line in where(report)} == {"commit", "path-name", "ref-name", "tag", "history"}
    assert len(report.findings) == 5
    assert not any(leaks(repr(places(report)), token, public=4) for token in tokens)  # type: ignore[operator]


def test_only_what_a_ref_leads_to_counts_unless_everything_is_asked_for(repo: Path, planted: Planted) -> None:
    commit(repo, a__py="x = 1\n")
    commit(repo, b__py=f'B = "{planted.github()}"\n')
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    git(repo, "hash-object", "-w", "--stdin", feed=f'C = "{planted.github()}"\n'.encode())
    (repo / "d.py").write_text(f'D = "{planted.github()}"\n')
    git(repo, "add", "d.py")
    assert same(repo).findings == ()
    assert len(same(repo, Scope(unreachable=True)).findings) == 3


def test_a_value_that_counts_only_as_the_argument_of_a_call_is_found(repo: Path, planted: Planted) -> None:
    line = f'    client.configure("acme_api_key", "{planted.random(36)}")\n'.encode()
    base = code(300)
    history(repo, [b"".join([*base, b"# %d\n" % n, *([line] if n > 5 else []), *base]) for n in range(12)])
    assert len(same(repo).findings[0].places) == 6


def test_code_frames_mask_what_stands_on_their_lines_in_a_long_content(repo: Path, planted: Planted) -> None:
    beside = f'db_password = "{planted.password()}"\n'.encode()
    token = f'TOKEN = "{planted.github()}"\n'.encode()
    base = code(2000)
    history(repo, [b"".join([*base[:900], beside, token, beside, *base[900:], b"# %d\n" % n]) for n in range(8)])
    fast, plain = look(repo), look(repo, fast=False)
    assert fast.findings
    assert [[p.frame for p in f.places] for f in fast.findings] == [[p.frame for p in f.places] for f in plain.findings]
