"""The package index: descriptions in the wanted languages, with section and source package from beside them."""

import gzip
import lzma
from pathlib import Path

import pyarrow as pa
import pytest

from lmforge.errors import InputError
from lmforge.sources.debian import DebianIndexSource
from lmforge.text.records import Record

PACKAGES = """Package: zed-data
Source: zed (1.2-3)
Version: 1.2-3
Description: data of an editor
Description-md5: 1111
Section: contrib/editors
Tag: role::app-data,
 works-with::text

Package: alone
Description: stands alone
Section: misc
"""
ENGLISH = """Package: zed-data
Description-md5: 1111
Description-en: data of an editor
 First paragraph
 of two lines.
 .
 Then:
  * an item

Package: gone
Description-md5: 2222
Description-en: no longer in Packages
 Still described.
"""
GERMAN = "Package: zed-data\nDescription-md5: 1111\nDescription-de: Daten eines Editors\n Lange Fassung: schön.\n"
PREFIX = "example.org_dists_stable_main_"


def lz4(content):
    return pa.compress(content, "lz4", asbytes=True)


@pytest.fixture
def root(tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / f"{PREFIX}binary-amd64_Packages").write_text(PACKAGES)
    (lists / f"{PREFIX}i18n_Translation-en.xz").write_bytes(lzma.compress(ENGLISH.encode()))
    (lists / f"{PREFIX}i18n_Translation-de.gz").write_bytes(gzip.compress(GERMAN.encode()))
    (lists / f"{PREFIX}InRelease").write_text("not an index")
    (lists / "other.org_Packages.lz4").write_bytes(
        lz4(PACKAGES.replace("an editor", "an editor\n Long text.").encode())
    )
    return tmp_path


def source(**options):
    return DebianIndexSource(kind="debian", path="lists", **options)


def records(root, chosen):
    return [item for path in chosen.files(root) for item in chosen.read(path, chosen.name_of(path, root))]


def test_descriptions_carry_section_and_source_package(root):
    first, second = (item for item in records(root, source()) if item.source.endswith("Translation-en.xz"))
    name = f"{PREFIX}i18n_Translation-en.xz"
    text = "First paragraph\nof two lines.\n\nThen:\n * an item"
    assert first == Record(text, f"lists/{name}", 1, "zed-data:en", "editors", "zed", language="en", origin=name)
    assert (second.id, second.label, second.group, second.line) == ("gone:en", None, "gone", 10)


def test_packages_are_read_where_no_translation_is(root):
    items = [item for item in records(root, source()) if item.source.startswith("lists/other")]
    assert [(item.text, item.id) for item in items[:1]] == [("Long text.", "zed-data:en")]
    assert (items[1].reason, items[1].line, items[1].detail) == ("missing_text", 11, "alone has no description")


def test_languages_and_the_synopsis_are_options(root):
    (item,) = records(root, source(languages=("de",), text="synopsis"))
    assert (item.text, item.id, item.language) == ("Daten eines Editors", "zed-data:de", "de")


def test_the_packages_files_of_its_archive_belong_to_a_translation(root):
    lists = root / "lists"
    assert source().companions(lists / f"{PREFIX}i18n_Translation-de.gz") == [lists / f"{PREFIX}binary-amd64_Packages"]
    assert source().companions(lists / "other.org_Packages.lz4") == []


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b"Version: 1\nDescription: x\n y\n", "missing_id", 1),
        (b"\n\nPackage: a\nDescription: x\n .\n", "missing_text", 3),
        (b"Package: a\nDescription: x\n caf\xe9\n", "invalid_utf8", 1),
        (b"Package: a\nDescription: x\n " + b"y" * (1 << 20) + b"\n", "line_too_long", 3),
        (
            b"Package: a\nDescription: x\n" + (b" " + b"y" * 999 + b"\n") * 1100,
            "document_too_long",
            1,
        ),
        (b"no field at all\n", "missing_id", 1),
    ],
)
def test_a_broken_stanza_is_quarantined_and_the_next_is_read(tmp_path, content, reason, line):
    path = tmp_path / "x_Packages"
    path.write_bytes(content + b"\nPackage: b\nDescription: s\n good\n")
    broken, good = source().read(path, "x")
    assert (broken.reason, broken.line) == (reason, line)
    assert good.text == "good"


def test_a_language_that_is_not_there_says_which_are(root):
    with pytest.raises(InputError, match="no descriptions in fr; languages there: de, en"):
        source(languages=("fr",)).files(root)


def test_a_directory_without_an_index_stops(root):
    (root / "empty").mkdir()
    (root / "empty" / "x.txt").write_text("x")
    with pytest.raises(InputError, match="no Packages or Translation file"):
        DebianIndexSource(kind="debian", path="empty").files(root)


@pytest.mark.parametrize("path", ["/etc", "/var/lib/apt", "/var/lib/apt/lists/../../dpkg", "../lists"])
def test_only_the_place_of_apt_is_read_outside_of_the_project(root, path):
    with pytest.raises(InputError, match="outside of the project"):
        DebianIndexSource(kind="debian", path=path).files(root)


def test_the_default_is_where_apt_keeps_its_lists(root):
    chosen = DebianIndexSource(kind="debian")
    try:
        files = chosen.files(root)
    except InputError as error:
        assert "apt-get update" in str(error)
    else:
        assert {path.parent for path in files} == {Path("/var/lib/apt/lists")}
