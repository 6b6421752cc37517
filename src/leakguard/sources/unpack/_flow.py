"""Text of a part of an office document: runs joined, a paragraph or a row of a table a line, whatever else holds text after it.

One reader for WordprocessingML, PresentationML, SpreadsheetML's comments (ECMA-376) and OpenDocument (ISO 26300), told apart by
nothing, since their local names do not clash. Values of attributes count where they are long enough to hold a credential:
targets of links, alternative texts, document variables.
"""

from __future__ import annotations

from leakguard.sources.unpack._written import Facts, Written, fact
from leakguard.sources.unpack._xml import Handler, local

LONG = 12
"""Characters from which on the value of an attribute is told."""
_HELD = 10_000
"""Lines of attributes that are held."""
_RUNS = frozenset(("t", "delText", "instrText", "delInstrText", "span", "a", "s", "r", "tab", "br", "line-break", "cr"))
_BLOCKS = frozenset(("p", "h"))
_BREAKS = {"br": "\n", "cr": "\n", "line-break": "\n", "tab": "\t", "s": " "}
_ROWS, _CELLS = frozenset(("tr", "table-row")), frozenset(("tc", "table-cell", "covered-table-cell"))
_PAGES = frozenset(("page", "table"))
_DULL = ("rsid", "schemas.", "urn:", "http://purl.org/", "http://www.w3.org/", "application/vnd.", "http://docs.oasis-open.org/")
"""Beginnings of names and values of attributes that every document has."""


class Flow(Handler):
    """Writes the text of one part."""

    def __init__(self, out: Written) -> None:
        self._out = out
        self._line: list[str] = []
        self._after: dict[str, None] = {}
        """Lines of attributes, told after all paragraphs, which so keep their numbers as lines."""
        self._cells: list[list[str]] = []
        """Cells of the rows that are open, innermost last."""
        self._in_block = 0
        self._facts: Facts = ()
        self._told = 0
        """Lines since these facts hold."""
        out.part()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = local(name)
        if tag in _BLOCKS:
            self._in_block += 1
        elif tag in _BREAKS:
            self._line.append(_BREAKS[tag])
        elif tag in _ROWS:
            self._end_line()
            self._cells.append([])
        elif tag in _CELLS and self._cells:
            self._end_line()
            self._cells[-1].append("")
        elif tag in _PAGES:
            # a page of odp, a sheet of ods
            page = next((value for key, value in attributes.items() if local(key) == "name"), "")
            if page:
                self._end_line()
                self._facts, self._told = fact("slide" if tag == "page" else "sheet", page), 0
                self._out.part(self._facts)
        for key, value in attributes.items():
            if len(value) >= LONG and not value.startswith(_DULL) and not local(key).startswith(_DULL):
                self._after[f"{local(key)}: {value}"] = None
                if len(self._after) > _HELD:
                    self._tell_after()
                    self._out.part(self._facts, self._told + 1)

    def end(self, name: str) -> None:
        tag = local(name)
        if tag in _BLOCKS:
            self._in_block -= 1
            self._end_line()
        elif tag in _CELLS and self._cells:
            self._end_line()
        elif tag in _ROWS and self._cells:
            self._end_row()
        elif not self._in_block and tag not in _RUNS and self._line:
            # text outside paragraphs: properties, custom XML
            text = "".join(self._line).strip()
            self._line.clear()
            if text:
                self._tell(f"{tag}: {text}")

    def text(self, data: str) -> None:
        self._line.append(data)

    def close(self) -> None:
        """Write what is left; also of a part that broke off."""
        while self._cells:
            self._end_row()
        self._end_line()
        self._tell_after()

    def _end_line(self) -> None:
        text = "".join(self._line)
        self._line.clear()
        if self._cells and self._cells[-1]:
            cell = self._cells[-1][-1]
            self._cells[-1][-1] = f"{cell}\n{text}" if cell and text else cell or text
        elif self._cells:
            return
        elif text.strip() or self._in_block:
            self._tell(text)

    def _end_row(self) -> None:
        cells = self._cells.pop()
        row = joined(cells)
        if not row:
            return
        if self._cells and self._cells[-1]:
            outer = self._cells[-1][-1]
            self._cells[-1][-1] = f"{outer}\n{row}" if outer else row
        else:
            self._tell(row)

    def _tell(self, text: str) -> None:
        self._told += text.count("\n") + 1
        self._out.write(text + "\n")

    def _tell_after(self) -> None:
        if self._after:
            self._out.part(fact("part", "attributes"))
            self._out.write("\n".join(self._after) + "\n")
            self._after.clear()


def joined(cells: list[str]) -> str:
    """Return a row as a line, so that a name and its value stand beside each other; cells of several lines stand apart."""
    if not any(cells):
        return ""
    if any("\n" in cell for cell in cells):
        return "\n".join(cell for cell in cells if cell)
    return "| " + " | ".join(cells) + " |"
