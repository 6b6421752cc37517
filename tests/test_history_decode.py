"""The walk over deltas knows encoded text: runs that come, are cut, moved and mended are told as the plain way tells them."""

from __future__ import annotations

from base64 import decodebytes, encodebytes
from pathlib import Path
from random import Random

import pytest

from conftest import Planted
from histories import repack, repository, same, versions
from test_decode import WAYS


@pytest.mark.parametrize("seed", range(4))
def test_histories_with_encoded_tokens_are_reported_alike(tmp_path: Path, seed: int) -> None:
    rng, planted = Random(seed), Planted(seed)
    lines = [b"    total_%d = compute(%d)\n" % (n, n) for n in range(80)]
    contents = []
    for n in range(20):
        for way in rng.sample(sorted(WAYS), 3):
            text = b"%s words\nkey %s\nand more\n" % (
                rng.choice(WORDS),
                rng.choice([planted.github, planted.stripe, planted.random])().encode(),
            )
            lines.insert(rng.randrange(len(lines)), b"x%d = " % n + WAYS[way][0](text) + b"\n")
        at = rng.randrange(len(lines) - 8)
        del lines[at : at + rng.randrange(4)]
        for _ in range(3):
            at = rng.randrange(len(lines))
            place = rng.randrange(len(lines[at]) + 1)
            lines[at] = (
                lines[at][:place] + rng.choice([b"", b"Q", b"=", b"%41", b"\\n", b" "]) + lines[at][place + rng.randrange(3) :]
            )
        at = rng.randrange(len(lines))
        lines = [*lines[at:], *lines[:at]]
        contents.append({("app.py", "conf.yaml", "notes.txt")[n % 3]: b"".join(lines)})
    repo = repository(tmp_path / "repo")
    versions(repo, contents)
    repack(repo, depth=(1, 10, 50, 50)[seed])

    assert sum(any(place.via for place in finding.places) for finding in same(repo).findings) > 10


WORDS = (b"some", b"a few", b"hardly any", b"many, many")


def test_a_token_in_lines_of_base64_of_which_only_one_changed_is_found(tmp_path: Path, planted: Planted) -> None:
    """Alone the line that changed says nothing: the ones before it tell how it is to be read."""
    token = planted.github().encode()
    lines = encodebytes(b"word " * 300 + token + b" and on it goes" + b" word" * 300).splitlines(keepends=True)
    fill = b"".join(b"total_%d = compute(%d)\n" % (n, n) for n in range(200))
    which = next(n for n in range(len(lines)) if token[:8] in decodebytes(b"".join(lines[: n + 1])))
    before = [*lines]
    before[which] = before[which][:20] + b"AAAA" + before[which][24:]
    repo = repository(tmp_path / "repo")
    versions(repo, [{"a.txt": fill + b"data:\n" + b"".join(some) + fill} for some in (before, lines)])
    repack(repo)

    assert [finding.secret.reveal() for finding in same(repo).findings if finding.rule.id.startswith("github")] == [token]
