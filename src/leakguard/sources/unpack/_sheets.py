"""Cells of xlsx (ECMA-376, part 1, chapter 18): a row a line, each cell with its name (`Keys!B7`) as a fact.

A row is `| name | value |`. A column whose heading speaks of credentials is told with it: `| admin | Password: ... |`.
Strings that no cell shows any more are told on their own. Rejected: python-calamine, which holds a whole book, knows neither
comments nor strings without a cell, and would be one more package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from zipfile import ZipInfo

from leakguard.sources.unpack import DamagedError, Read
from leakguard.sources.unpack._flow import LONG
from leakguard.sources.unpack._written import Written, fact
from leakguard.sources.unpack._xml import Handler, local, parse, write
from leakguard.sources.unpack.budget import SpentError

STRINGS_HELD = 64 << 20
"""Characters of shared strings that are held."""
_HEADING = re.compile(r"(?i)pass|pwd|secret|token|credential|api.?key|access.?key|private.?key")
_HEADING_LENGTH = 40
_REFERENCE = re.compile(r"\s*\$?([A-Za-z]{1,3})\$?\d+")
_SHARED = re.compile(rb"<(?:\w+:)?c\b[^<>]*?\bt=[\"']s[\"'][^<>]*>\s*(?:<(?:\w+:)?f\b[^<>]*/>)?\s*<(?:\w+:)?v>(\d+)<")


class Sheets:
    """The sheets of one book."""

    STRINGS = "xl/sharedStrings.xml"

    def __init__(self, infos: Mapping[str, ZipInfo], open_member: Callable[[ZipInfo], Read]) -> None:
        self._infos = infos
        self._open = open_member
        self._strings: list[str] | None = None
        self._names: dict[str, str] | None = None

    def cells(self, info: ZipInfo, out: Written) -> Iterator[None]:
        """Write the rows of a sheet."""
        if self._names is None:
            self._names = self._read_names()
        if self._strings is None:
            strings: list[str] = []
            yield from self._read_strings(strings)
            self._strings = strings
        sheet = self._names.get(info.filename) or info.filename.rpartition("/")[2].removesuffix(".xml")
        yield from write(self._open(info), _Rows(out, sheet, self._strings), out)

    def unused(self, _info: ZipInfo, out: Written) -> Iterator[None]:
        """Write the shared strings that no cell of any sheet holds."""
        used: set[int] = set()
        for info in self._infos.values():
            if info.filename.startswith("xl/worksheets/") and info.filename.endswith(".xml"):
                yield from self._find_used(info, used)
        strings: list[str] = []
        yield from self._read_strings(strings)
        out.part(fact("part", "strings without a cell"))
        for number, text in enumerate(strings):
            if number not in used:
                out.write(text + "\n")

    def _find_used(self, info: ZipInfo, used: set[int]) -> Iterator[None]:
        read, rest = self._open(info), b""
        try:
            while piece := read(1 << 16):
                data = rest + piece
                end = 0
                for cell in _SHARED.finditer(data):
                    used.add(int(cell[1]))
                    end = cell.end()
                rest = data[max(end, len(data) - 1024) :]
                yield
        except DamagedError:
            return  # told where its cells are read

    def _read_strings(self, strings: list[str]) -> Iterator[None]:
        if (info := self._infos.get(self.STRINGS)) is None:
            return
        for _piece in parse(self._open(info), _Strings(strings)):
            yield

    def _read_names(self) -> dict[str, str]:
        """Return what each sheet's part is called in the book."""
        targets, names = _Found("Relationship"), _Found("sheet")
        for name, found in (("xl/_rels/workbook.xml.rels", targets), ("xl/workbook.xml", names)):
            if (info := self._infos.get(name)) is not None:
                try:
                    for _piece in parse(self._open(info), found):
                        pass
                except DamagedError:
                    return {}  # told where it is read as a part of its own
        parts = {r.get("Id", ""): r.get("Target", "") for r in targets.attributes}
        return {_part(parts.get(sheet.get("id", ""), "")): sheet.get("name", "") for sheet in names.attributes}


def _part(target: str) -> str:
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


class _Found(Handler):
    def __init__(self, name: str) -> None:
        self._name = name
        self.attributes: list[dict[str, str]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if local(name) == self._name:
            self.attributes.append({local(key): value for key, value in attributes.items()})


class _Strings(Handler):
    """Shared strings: runs (`t`) of one item (`si`) joined; phonetic runs (`rPh`) only repeat."""

    def __init__(self, strings: list[str]) -> None:
        self._strings = strings
        self._runs: list[str] = []
        self._open = False
        self._held = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._open = local(name) == "t"

    def end(self, name: str) -> None:
        self._open = False
        if local(name) == "si":
            self._strings.append("".join(self._runs))
            self._runs.clear()

    def text(self, data: str) -> None:
        if self._open:
            self._held += len(data)
            if self._held > STRINGS_HELD:
                msg = f"more than {STRINGS_HELD >> 20} MiB of shared strings"
                raise SpentError(msg)
            self._runs.append(data)


class _Cell:
    __slots__ = ("column", "text", "type")

    def __init__(self, column: int, kind: str) -> None:
        self.column = column
        self.type = kind
        self.text = ""


class _Rows(Handler):
    """Rows (`row`) of cells (`c`) with a value (`v`, `is`) and maybe a formula (`f`)."""

    def __init__(self, out: Written, sheet: str, strings: list[str]) -> None:
        self._out = out
        self._sheet = sheet
        self._strings = strings
        self._row = 0
        self._cells: list[_Cell] = []
        self._pieces: list[str] = []
        self._headings: dict[int, str] = {}
        self._after: list[str] = []
        self._tag = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = self._tag = local(name)
        if tag == "row":
            number = attributes.get("r", "")
            self._row = int(number) if number.isdecimal() and len(number) < 9 else self._row + 1
        elif tag == "c":
            reference = _REFERENCE.match(attributes.get("r", ""))
            before = self._cells[-1].column if self._cells else 0
            self._cells.append(_Cell(_number(reference[1]) if reference else before + 1, attributes.get("t", "")))
        elif tag != "worksheet":
            self._after += [f"{local(k)}: {v}" for k, v in attributes.items() if len(v) >= LONG and not v.startswith("{")]
        self._pieces.clear()

    def text(self, data: str) -> None:
        self._pieces.append(data)

    def end(self, name: str) -> None:
        tag, self._tag = local(name), ""
        text = "".join(self._pieces)
        self._pieces.clear()
        if tag == "row":
            self._end_row()
        elif not self._cells:
            if text.strip():
                self._out.part(fact("sheet", self._sheet))
                self._out.write(f"{tag}: {text}\n")
        elif tag == "v":
            self._show(self._cells[-1], text)
        elif tag == "t":
            self._cells[-1].text += text
        elif tag == "f" and len(text) >= LONG:
            self._after.append(f"formula: {text}")

    def close(self) -> None:
        """Write what stands after the rows."""
        self._tell_after()

    def _show(self, cell: _Cell, text: str) -> None:
        if cell.type != "s":
            cell.text += text
        elif text.strip().isdecimal() and len(text) < 10 and int(text) < len(self._strings):
            cell.text += self._strings[int(text)]

    def _end_row(self) -> None:
        """Write the row; each cell is a stretch of its own."""
        cells = [cell for cell in self._cells if cell.text]
        self._cells = []
        for number, cell in enumerate(cells):
            self._out.part((*fact("cell", f"{self._sheet}!{_letters(cell.column)}{self._row}"),), self._row, flat=True)
            heading = self._headings.get(cell.column, "")
            label = f"{heading}: " if heading and heading != cell.text else ""
            # a cell of several lines is a text of its own
            multiple = "\n" in cell.text
            before = "" if multiple else "| " if number == 0 else " | "
            self._out.write(("\n" if multiple and number else "") + before + label + cell.text + ("\n" if multiple else ""))
        if cells:
            self._out.write("" if "\n" in cells[-1].text else " |\n")
            self._headings |= {
                cell.column: cell.text.strip()
                for cell in cells
                if len(cell.text) <= _HEADING_LENGTH and "\n" not in cell.text and cell.column not in self._headings
                and len(cells) > 1 and cells[0] is not cell and _HEADING.search(cell.text) and not any(map(str.isdigit, cell.text))
            }  # fmt: skip
        self._tell_after()

    def _tell_after(self) -> None:
        if self._after:
            self._out.part(fact("sheet", self._sheet), self._row or 1, flat=True)
            self._out.write("\n".join(self._after) + "\n")
            self._after.clear()


def _number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _letters(number: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
