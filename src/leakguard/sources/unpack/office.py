"""Office documents, which are zips of XML: docx, pptx, xlsx (ECMA-376), odt, ods, odp (ISO 26300) and their templates.

`zip` asks `reader` what to do with each member: parts that hold text become text, all others (embedded files,
`vbaProject.bin`, pictures) are looked into as in any zip. Lines are paragraphs, rows of tables or lines of cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from zipfile import ZipInfo

from leakguard.sources.unpack import Member, Read, Untold
from leakguard.sources.unpack._flow import Flow
from leakguard.sources.unpack._sheets import Sheets
from leakguard.sources.unpack._written import Facts, Written, fact, written
from leakguard.sources.unpack._xml import write

_SLIDE = re.compile(r"ppt/(slides|notesSlides)/[A-Za-z]+(\d+)\.xml")
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_STYLE = re.compile(r"(?:word|ppt|xl)/(?:theme/|styles|fontTable|stylesWithEffects|slideLayouts/_rels|printerSettings)")
"""What says only how things look."""

Open = Callable[[ZipInfo], Read]
Infos = Mapping[str, ZipInfo]


def reader(infos: Infos, open_member: Open) -> Callable[[ZipInfo], Iterable[Member | Untold] | None]:
    """Return what makes members of one document's parts; None for a part that is no text of ours."""
    sheets = Sheets(infos, open_member) if "xl/workbook.xml" in infos else None

    def read(info: ZipInfo) -> list[Member] | None:
        name = info.filename
        if not name.endswith((".xml", ".rels")) or _STYLE.match(name):
            return None
        if sheets is not None and name == sheets.STRINGS:
            return [written(name, partial(sheets.unused, info))]
        if sheets is not None and _SHEET.fullmatch(name):
            return [written(name, partial(sheets.cells, info))]
        return [written(name, partial(_flow, open_member(info)), _facts(name))]

    return read


def _facts(name: str) -> Facts:
    if slide := _SLIDE.fullmatch(name):
        return (*fact("slide", slide[2]), *(fact("part", "notes") if slide[1] == "notesSlides" else ()))
    return ()


def _flow(read: Read, out: Written) -> Iterator[None]:
    return write(read, Flow(out), out)
