"""A Wikipedia dump (`pages-articles` XML, mostly bz2) as a source: its articles as plain text.

Redirects, talk, user and template pages are passed over and not counted. A document type, and so every entity of one's
own, is refused: no dump has one, and entities are how a small XML file becomes a huge one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from urllib.parse import quote
from xml.parsers import expat

from pydantic import Field

from lmforge.errors import InputError
from lmforge.recipe.base import Positive
from lmforge.sources.base import SourceBase
from lmforge.sources.wikitext import DROPPED_NAMESPACES, to_text
from lmforge.wording import shown

if TYPE_CHECKING:
    from lmforge.text.records import Record, Rejected

_CHUNK_BYTES = 1 << 16
_KEPT = {"title", "ns", "id", "base", "dbname", "namespace"}
# Namespaces that every MediaWiki numbers alike.
_FILE, _CATEGORY = "6", "14"
_MAX_FIELD_CHARS = 1000
_MAX_DEPTH = 64


class WikipediaSource(SourceBase):
    """Articles of a MediaWiki XML dump; the id is wiki and page number (`enwiki:12`), the origin the page's address."""

    kind: Literal["wikipedia"]
    max_page_bytes: Positive = Field(default=1 << 23, description="longer pages (in markup) are quarantined")

    def read(self, path: Path, source: str) -> Iterator[Record | Rejected]:
        """The articles of a dump in its order; `line` is where a page begins.

        Reason codes: page_too_long, missing_id, missing_text (nothing but templates and tables).
        Raises InputError for XML that is damaged, cut off or declares a document type, and for a file without pages.
        """
        from lmforge.sources.opening import open_bytes

        dump = _Dump(source, self.max_page_bytes)
        with open_bytes(path, "xml") as file:
            while True:
                chunk = file.read(_CHUNK_BYTES)
                try:
                    dump.parser.Parse(chunk, not chunk)
                except expat.ExpatError as error:
                    raise InputError(_damaged(error, source)) from error
                yield from (self._record(page, dump, source) for page in dump.take())
                if not chunk:
                    return

    def _record(self, page: _Page, dump: _Dump, source: str) -> Record | Rejected:
        from lmforge.text.records import Record, Rejected

        markup = "".join(page.text)
        if page.is_cut:
            reason = f"more than {self.max_page_bytes:,} bytes"
            return Rejected.of("page_too_long", source, page.line, markup, detail=reason, offset=page.offset)
        identity, title = page.fields.get("id", "").strip(), page.fields.get("title", "").strip()
        if not identity:
            return Rejected.of("missing_id", source, page.line, markup, detail=shown(title), offset=page.offset)
        text = to_text(markup, dump.dropped)
        if not text:
            return Rejected.of("missing_text", source, page.line, markup, detail=shown(title), offset=page.offset)
        name = f"{dump.wiki}:{identity}" if dump.wiki else identity
        return Record(text, source, page.line, name, language=dump.language, origin=dump.address(title))


class _Page:
    """A page while it is read."""

    def __init__(self, line: int, offset: int) -> None:
        self.line, self.offset = line, offset
        self.fields: dict[str, str] = {}
        self.text: list[str] = []
        self.num_bytes = 0
        self.is_redirect = self.is_cut = False

    @property
    def is_article(self) -> bool:
        return not self.is_redirect and self.fields.get("ns", "0").strip() == "0"


class _Dump:
    """What the parser of a dump has understood so far: the site, and articles that are waiting to be taken."""

    def __init__(self, source: str, max_page_bytes: int) -> None:
        self._source = source
        self.wiki = ""
        self.language: str | None = None
        self.dropped = set(DROPPED_NAMESPACES)
        self._base = ""
        self._done: list[_Page] = []
        self._page: _Page | None = None
        self._path: list[str] = []
        self._namespace = ""
        self._characters: list[str] = []
        self._num_characters = 0
        self._max_page_bytes = max_page_bytes
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._read
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype

    def take(self) -> list[_Page]:
        """The articles that ended since the last call."""
        done, self._done = self._done, []
        return done

    def address(self, title: str) -> str:
        """Where a page is on the web; its title where the dump does not say of which site it is."""
        return self._base + quote(title.replace(" ", "_"), safe="/:,;()!*'@") if self._base else title

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path and name != "mediawiki":
            raise InputError(f"{shown(self._source)}: is XML of <{shown(name)}>, not a MediaWiki dump")
        if len(self._path) > _MAX_DEPTH:
            raise InputError(f"{shown(self._source)}:{self.parser.CurrentLineNumber}: nested deeper than any dump is")
        if not self._path:
            self.language = attributes.get("xml:lang", "").partition("-")[0].lower()[:_MAX_FIELD_CHARS] or None
        self._path.append(name)
        self._characters, self._num_characters = [], 0
        if name == "page":
            self._page = _Page(self.parser.CurrentLineNumber, self.parser.CurrentByteIndex)
        elif name == "redirect" and self._page:
            self._page.is_redirect = True
        elif name == "namespace":
            self._namespace = attributes.get("key", "")
        # A page has one text a revision, and articles dumps hold the newest only; of several the last one counts.
        elif name == "text" and self._page:
            self._page.text, self._page.num_bytes, self._page.is_cut = [], 0, False

    def _read(self, characters: str) -> None:
        name = self._path[-1] if self._path else ""
        if name == "text" and self._page:
            self._page.num_bytes += len(characters) if characters.isascii() else len(characters.encode())
            if self._page.num_bytes > self._max_page_bytes:
                self._page.is_cut = True
            elif self._page.is_article:
                self._page.text.append(characters)
        elif name in _KEPT and self._num_characters < _MAX_FIELD_CHARS:
            self._characters.append(characters[:_MAX_FIELD_CHARS])
            self._num_characters += len(characters)

    def _end(self, name: str) -> None:
        parent = self._path[-2] if len(self._path) > 1 else ""
        self._path.pop()
        value = "".join(self._characters)
        self._characters = []
        if name == "page" and self._page:
            if self._page.is_article:
                self._done.append(self._page)
            self._page = None
        elif parent == "page" and self._page and name in _KEPT:
            self._page.fields[name] = value
        elif name == "base" and "/" in value:
            self._base = value.strip().rpartition("/")[0] + "/"
        elif name == "dbname":
            self.wiki = value.strip()
        elif name == "namespace" and self._namespace in (_FILE, _CATEGORY):
            self.dropped.add(value.strip().lower())

    def _refuse_doctype(self, *_: Any) -> NoReturn:
        raise InputError(
            f"{shown(self._source)}: declares a document type, which no dump does and which can define entities that "
            "grow without end; remove the <!DOCTYPE ...> if you trust the file"
        )


def _damaged(error: expat.ExpatError, source: str) -> str:
    why = expat.ErrorString(error.code)
    return (
        f"{shown(source)}:{error.lineno}: the XML is damaged or cut off here ({why}); "
        "copy or download the dump again and compare its checksum"
    )
