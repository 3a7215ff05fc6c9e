"""Articles of a dump: what they become, what is passed over, and dumps that are refused."""

import bz2
import gzip
import tracemalloc

import pytest

from lmforge.errors import InputError
from lmforge.sources.wikipedia import WikipediaSource
from lmforge.text.records import Record

HEAD = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="de">\n<siteinfo>'
    "<dbname>dewiki</dbname><base>https://de.wikipedia.org/wiki/Hauptseite</base><namespaces>"
    '<namespace key="6" case="first-letter">Datei</namespace><namespace key="0" case="first-letter" />'
    "</namespaces></siteinfo>\n"
)


def page(title, number, text, ns=0, extra=""):
    return (
        f"<page><title>{title}</title><ns>{ns}</ns><id>{number}</id>{extra}<revision><id>9{number}</id>"
        f"<contributor><username>x</username><id>7</id></contributor>"
        f'<text bytes="3" xml:space="preserve">{text}</text></revision></page>\n'
    )


def read(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(WikipediaSource(kind="wikipedia", path=path.name, **options).read(path, path.name))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dump.xml"


PAGES = (
    page("Ada L", 1, "'''Ada''' &lt;ref&gt;x&lt;/ref&gt;[[Datei:x.jpg|Bild]]schrieb.")
    + page("Weiter", 2, "#REDIRECT [[Ada L]]", extra='<redirect title="Ada L" />')
    + page("Vorlage:T", 3, "x", ns=10)
    + page("Leer", 4, "{{Vorlage}}")
    + page("C&amp;A?", 5, "Ein Haus.")
)


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lambda raw: bz2.compress(raw[:700]) + bz2.compress(raw[700:])]
)
def test_articles_become_records(path, pack):
    first, empty, last = read(path, pack((HEAD + PAGES + "</mediawiki>").encode()))
    assert first == Record(
        "Ada schrieb.", "dump.xml", 3, "dewiki:1", language="de", origin="https://de.wikipedia.org/wiki/Ada_L"
    )
    assert (empty.reason, empty.line, empty.detail) == ("missing_text", 6, "Leer")
    assert (last.id, last.origin) == ("dewiki:5", "https://de.wikipedia.org/wiki/C%26A%3F")


def test_a_dump_that_does_not_name_its_site_has_titles_for_origins(path):
    (record,) = read(path, "<mediawiki>" + page("Ada L", 1, "Text.") + "</mediawiki>")
    assert (record.id, record.origin, record.language) == ("1", "Ada L", None)


def test_a_long_page_is_quarantined_and_the_next_is_read(path):
    items = read(path, HEAD + page("A", 1, "ä" * 60) + page("B", 2, "kurz") + "</mediawiki>", max_page_bytes=100)
    assert [getattr(item, "reason", "") for item in items] == ["page_too_long", ""]


def test_a_page_without_a_number_is_quarantined(path):
    (item,) = read(path, "<mediawiki><page><title>A</title><ns>0</ns><text>x</text></page></mediawiki>")
    assert item.reason == "missing_id"


BOMB = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><mediawiki>&b;</mediawiki>'
EXTERNAL = '<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]><mediawiki>&x;</mediawiki>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (BOMB, r"dump.xml: declares a document type"),
        (EXTERNAL, "declares a document type"),
        (HEAD + PAGES, r"dump.xml:8: the XML is damaged or cut off here \(no element found\)"),
        (HEAD + PAGES[: len(PAGES) // 2], "damaged or cut off"),
        (HEAD + "<page>&nbsp;</page></mediawiki>", r"undefined entity"),
        (HEAD.encode() + b"<page><title>\xff</title></page>", "not well-formed"),
        ("<html><body>x</body></html>", "is XML of <html>, not a MediaWiki dump"),
        ("", "no element found"),
        ("{}", "damaged or cut off"),
        ("<mediawiki>" + "<a>" * 100, "nested deeper than any dump is"),
        (bz2.compress((HEAD + PAGES).encode())[:-20], "dump.xml"),
    ],
)
def test_a_broken_dump_stops(path, content, words):
    with pytest.raises(InputError, match=words):
        read(path, content)


def test_memory_does_not_grow_with_the_dump(path):
    def peak(number):
        path.write_text(
            HEAD + "".join(page(f"T{i}", i, "Some [[words]] here. " * 20) for i in range(number)) + "</mediawiki>"
        )
        tracemalloc.start()
        try:
            assert sum(1 for _ in WikipediaSource(kind="wikipedia", path="x").read(path, "x")) == number
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(1_000) < 1.5 * peak(100) + 200_000
