"""The walk over deltas knows every form: in pieces, in base64, with name and value far apart."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from forms import PASSWORD, write
from forms_code import ASSIGNED
from forms_commands import COMMANDS, CONNECTIONS, HEADERS, PIECES
from forms_config import SETTINGS
from histories import repack, repository, same, versions
from leakguard.ruleset import templates

FORMS = [form for forms in (ASSIGNED, SETTINGS, COMMANDS, HEADERS, CONNECTIONS, PIECES) for form in forms.values()]


@pytest.mark.parametrize("seed", range(4))
def test_histories_made_of_every_form_are_reported_alike(tmp_path: Path, seed: int) -> None:
    """Forms come, are cut in two, moved and mended; both ways of reading tell the same places."""
    rng = Random(seed)
    lines = [b"    total_%d = compute(%d)\n" % (n, n) for n in range(60)]
    contents = []
    for n in range(16):
        for form in rng.sample(FORMS, 12):
            lines.insert(rng.randrange(len(lines)), write(form, rng).data)
        at = rng.randrange(len(lines) - 8)
        del lines[at : at + rng.randrange(8)]
        at = rng.randrange(len(lines))
        lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)] + b"\n"
        at = rng.randrange(len(lines))
        lines = [*lines[at:], *lines[:at]]
        contents.append({("app.py", "conf.yaml", "run.sh")[n % 3]: b"".join(lines)})
    repo = repository(tmp_path / "repo")
    versions(repo, contents)
    repack(repo, depth=(1, 10, 50, 50)[seed])

    assert len(same(repo).findings) > 50


def test_a_secret_whose_kind_or_value_changes_far_away_is_told(tmp_path: Path) -> None:
    """An entry counts by the `kind` of its document, which a version may bring hundreds of bytes off."""
    rng = Random(3)
    value = write(SETTINGS["kubernetes data vague"], rng).data.split(b"db: ")[1]
    note = b"".join(b"    note-%d: some words about it\n" % n for n in range(30))
    contents = [
        b"apiVersion: v1\nkind: %s\nmetadata:\n  annotations:\n%sdata:\n  user: Ym90\n  db: %s" % (kind, note, what)
        for kind, what in [
            (b"ConfigMap", value),
            (b"Secret", value),
            (b"Secret", b"eA==\n"),
            (b"Secret", value + b"# again\n"),
            (b"List", value),
        ]
    ]
    repo = repository(tmp_path / "repo")
    versions(repo, [{"a.yaml": content} for content in contents])
    repack(repo)

    assert len(same(repo).findings[0].places) == 2


def test_a_piece_that_a_later_version_adds_changes_the_value(tmp_path: Path) -> None:
    """The first piece alone is one value, with the second it is another."""
    first, second = (templates.expand(PASSWORD, Random(seed)) for seed in (1, 2))
    fill = b"".join(b"total_%d = compute(%d)\n" % (n, n) for n in range(200))
    whole = f'db_password = ("{first}"\n'.encode()
    contents = [fill + whole + b")\n" + fill, fill + whole + f'  "{second}"\n)\n'.encode() + fill]
    repo = repository(tmp_path / "repo")
    versions(repo, [{"a.py": content} for content in contents])
    repack(repo)

    assert {f.secret.reveal() for f in same(repo).findings} == {first.encode(), (first + second).encode()}
