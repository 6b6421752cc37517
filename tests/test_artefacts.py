"""A credential is found wherever a container, an encoding or a document holds it, and its place says where exactly."""

from __future__ import annotations

from collections import defaultdict
from importlib.util import find_spec
from shutil import which

import pytest

import leakguard
from conftest import Planted
from containers import ROWS, Row

Places = list[tuple[str, int]]


def missing(row: Row) -> list[str]:
    """Return what a row needs and is not there."""
    return [need for need in row.needs if not (which(need[1:]) if need.startswith("!") else find_spec(need))]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Places]:
    """Plant one credential in each container, scan them all, and return the places by file."""
    folder = tmp_path_factory.mktemp("artefacts")
    planted = Planted()
    for row in ROWS:
        if not missing(row):
            text = f"MODE=live\nTOKEN={planted.github()}\nLEVEL=3\n"
            (folder / row.name).write_bytes(row.build(text.encode()))
    report = leakguard.scan_path(folder)
    places: dict[str, Places] = defaultdict(list)
    for place in (place for finding in report.findings for place in finding.places):
        places[place.provenance.path.partition("!/")[0]].append((place.provenance.path, place.start_line))
    for skip in report.skipped:
        if not skip.by_choice:
            places[skip.provenance.path.partition("!/")[0]].append((f"{skip.reason}: {skip.detail}", 0))
    return places


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_credential_is_found_with_its_inner_place(row: Row, found: dict[str, Places]) -> None:
    if lacks := missing(row):
        pytest.skip(f"{', '.join(lacks)} is not installed")

    assert found[row.name] == [("!/".join((row.name, *row.inside)), row.line)]


def test_each_row_has_a_name_of_its_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
