"""`entities.xml` of Jira's backup and of Confluence's export of a space or site: entity after entity, in one pass of any size.

A place names ticket and author of a comment or change, or space, page and author of a body. Which id is which ticket or page is
gathered in a pass before, where the input can be read twice. Shapes: for Jira
https://developer.atlassian.com/server/jira/platform/database-schema/ (an entity is an element, its columns attributes or, with
line ends, elements); for Confluence https://confluence.atlassian.com/doc/confluence-data-model-127369837.html and
https://www.xwiki.org/xwiki/bin/view/documentation/extensions/admin/confluence/xml-format/ (objects with properties).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO
from zipfile import ZipInfo

from leakguard.sources.unpack import TROUBLE, Member, Read, Untold
from leakguard.sources.unpack._markup import is_markup, text_of
from leakguard.sources.unpack._written import Facts, Written, fact, written
from leakguard.sources.unpack._xml import Handler, parse, write
from leakguard.sources.unpack.budget import Budget

SEEKS = True
STREAMS = True
"""One pass will do: then places name ids alone."""
KNOWN = 2_000_000
"""Entities whose names are kept."""
_HELD = 64 << 20
"""Characters of one value."""


Field = tuple[str, str, int, int]
"""Name, text, line and column of a value."""


class Entity:
    """An issue, a comment, a page, a body, ..."""

    __slots__ = ("_values", "fields", "kind", "refs")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.fields: list[Field] = []
        self._values: dict[str, str] = {}
        self.refs: dict[str, str] = {}
        """Ids of others, by the name of the property."""

    def add(self, name: str, text: str, place: tuple[int, int]) -> None:
        """Add a value."""
        self.fields.append((name, text, *place))
        self._values.setdefault(name, text)

    def get(self, name: str) -> str:
        """Return a value, empty where there is none."""
        return self._values.get(name, "").strip()


class Known:
    """What ids stand for, gathered from the entities themselves."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._refs: dict[tuple[str, str], str] = {}

    def learn(self, e: Entity) -> None:
        """Keep what places need of an entity."""
        ident = e.get("id") or e.get("key")
        if len(self._names) + len(self._refs) >= KNOWN:
            return
        if e.kind == "Project":
            self._names["project", ident] = e.get("key")
        elif e.kind == "Issue":
            self._names["issue", ident] = e.get("key") or f"{e.get('project')}\0{e.get('number')}"
        elif e.kind == "ChangeGroup":
            self._refs["change", ident] = e.get("issue")
            self._refs["changer", ident] = e.get("author")
        elif e.kind == "Space":
            self._names["space", ident] = e.get("key") or e.get("name")
        elif e.kind == "ConfluenceUserImpl":
            self._names["user", e.get("key")] = e.get("name")
        elif e.kind in {"Page", "BlogPost", "Comment", "CustomContentEntityObject", "SpaceDescription"}:
            self._names["content", ident] = e.get("title")
            for name, key in (("space", "space"), ("author", "lastModifier"), ("author", "creator"), ("page", "containerContent")):
                if key in e.refs:
                    self._refs.setdefault((name, ident), e.refs[key])

    def facts(self, e: Entity) -> Facts:
        """Return what a place in an entity is told with."""
        if e.kind == "Issue":
            return (*fact("ticket", self._ticket(e.get("id"))), *fact("author", e.get("creator") or e.get("reporter")))
        if issue := e.get("issue") or self._refs.get(("change", e.get("group"))):
            author = fact("author", e.get("author") or self._refs.get(("changer", e.get("group"))))
            return (*fact("ticket", self._ticket(issue)), *author, *fact(e.get("type") or e.kind, e.get("id")))
        content = e.refs.get("content") or (e.get("id") if ("content", e.get("id")) in self._names else "")
        if content:
            return self._page(content)
        return (*fact("entity", e.kind), *fact("id", e.get("id")))

    def _ticket(self, ident: str) -> str:
        name = self._names.get(("issue", ident), "")
        project, nul, number = name.partition("\0")
        if nul:
            key = self._names.get(("project", project), "")
            return f"{key}-{number}" if key else f"id {ident}"
        return name or f"id {ident}"

    def _page(self, ident: str) -> Facts:
        page = self._refs.get(("page", ident), ident)
        author = self._refs.get(("author", ident), "")
        space = self._names.get(("space", self._refs.get(("space", page), "")), "")
        return (
            *fact("space", space),
            *fact("page", self._names.get(("content", page)) or f"id {page}"),
            *fact("author", self._names.get(("user", author), author)),
            *fact("comment" if page != ident else "page id", ident),
        )


def members(file: IO[bytes], _name: str, _budget: Budget) -> Iterator[Member | Untold]:
    """Yield the text of an export."""
    known = Known()
    if file.seekable():
        _learn(file.read, known)
        file.seek(0)
    yield written("", lambda out: _write(file.read, known, out))


def reader(
    infos: Mapping[str, ZipInfo], open_member: Callable[[ZipInfo], Read]
) -> Callable[[ZipInfo], Iterable[Member | Untold] | None]:
    """Return what makes a text of the entities in a zip; attachments are looked into as in any zip."""

    def read(info: ZipInfo) -> Iterable[Member | Untold] | None:
        if info is not infos.get("entities.xml"):
            return None
        return [written(info.filename, lambda out: _write_again(info, out))]

    def _write_again(info: ZipInfo, out: Written) -> Iterator[None]:
        known = Known()
        _learn(open_member(info), known)
        yield from _write(open_member(info), known, out)

    return read


def _learn(read: Read, known: Known) -> None:
    try:
        for _piece in parse(read, _Entities(known.learn)):
            pass
    except TROUBLE:
        return  # met and told again where it is read


def _write(read: Read, known: Known, out: Written) -> Iterator[None]:
    def take(e: Entity) -> None:
        known.learn(e)
        facts = known.facts(e)
        for name, text, line, column in e.fields:
            if not text or text.isspace():
                continue
            markup = name == "body" and is_markup(text)
            # a section of plain text within a body ends so, since sections can't lie in each other
            shown = text_of(text.replace("]] >", "]]>")) if markup else text
            out.part(facts, line, column, flat=markup or "\n" not in shown)
            out.write(f"{shown}\n" if "\n" in shown or name in _BODIES else f"{name}: {shown}\n")

    return write(read, _Entities(take), out)


_BODIES = frozenset(("body", "description", "summary", "title", "environment", "stringvalue", "textvalue"))


class _Entities(Handler):
    """Children of the root, each given once it is whole."""

    def __init__(self, take: Callable[[Entity], None]) -> None:
        self._take = take
        self._depth = 0
        self._line, self._column = 1, 1
        self._entity: Entity | None = None
        self._name = ""
        self._ref = ""
        self._pieces: list[str] = []
        self._size = 0
        self._begun = (1, 1)

    def at(self, line: int, column: int) -> None:
        self._line, self._column = line, column

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._flush()
        self._depth += 1
        place = (self._line, self._column)
        if self._depth == 2:
            kind = attributes.get("class") or name
            self._entity = Entity(kind.rpartition(".")[2])
            for key, value in attributes.items():
                if key not in {"class", "package"}:
                    self._entity.add(key, value, place)
        elif self._depth > 2:
            if self._depth == 3:
                self._name = attributes.get("name") or name
                self._ref = self._name if "class" in attributes else ""
            if self._entity is not None:
                for key, value in attributes.items():
                    if key not in {"name", "class", "package"}:
                        self._entity.add(key, value, place)
        self._begun = place

    def end(self, name: str) -> None:
        if name == "id" and self._ref and self._depth == 4 and self._entity is not None:
            self._entity.refs[self._ref] = "".join(self._pieces).strip()
        self._flush()
        if self._depth == 2 and self._entity is not None:
            self._take(self._entity)
            self._entity = None
        if self._depth == 3:
            self._name = self._ref = ""
        self._depth -= 1

    def text(self, data: str) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _HELD:
            self._flush()

    def close(self) -> None:
        self._flush()
        if self._entity is not None:
            self._take(self._entity)
            self._entity = None

    def _flush(self) -> None:
        if not self._pieces:
            return
        text = "".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._entity is not None and text.strip():
            self._entity.add(self._name or self._entity.kind, text, self._begun)
