"""The source of local files: its settings reach the reader, and a recipe does not wait for what reads."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import get_args

import pydantic
import pytest

from lmforge.errors import InputError
from lmforge.sources.decoding import NulBytes
from lmforge.sources.files import FilesSource
from lmforge.sources.rows import Documents
from lmforge.text.records import Record, Rejected


def _read(path: Path, **settings: object) -> list[Record | Rejected]:
    source = FilesSource.model_validate({"path": path.name, **settings})
    (found,) = source.files(path.parent)
    return list(source.read(found, "s"))


def _texts(items: list[Record | Rejected]) -> list[str]:
    return [item.reason if isinstance(item, Rejected) else item.text for item in items]


def test_settings_reach_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"caf\xe9\nb\0c\n\n" + b"x" * 20)
    assert _texts(_read(path, format="text", encoding="cp1252")) == ["café", "nul_byte", "x" * 20]
    settings = {"format": "text", "encoding": "cp1252", "nul_bytes": "strip", "max_line_bytes": 15}
    assert _texts(_read(path, documents="paragraph", **settings)) == ["café\nbc", "line_too_long"]
    assert _texts(_read(path, documents="file", **settings)) == ["document_too_long"]


def test_fields_of_a_record(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("key\tbody\tauthor\n1\tone\tx\n")
    assert _read(tmp_path / "a.tsv", text="body", id="key", group="author") == [Record("one", "s", 2, "1", None, "x")]


def test_members_of_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one.txt", "text")
        archive.writestr("LICENSE", "free")
    assert _read(tmp_path / "a.zip", members="*.txt") == [Record("text", "s!one.txt", 1)]


def test_the_cap_on_unpacking(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"line\n" * 100))
    with pytest.raises(InputError, match="unpacks to more than 400 bytes"):
        _read(tmp_path / "a.txt.gz", max_unpacked_bytes=400)


@pytest.mark.parametrize(
    "settings",
    [
        {"format": "docx"},
        {"documents": "page"},
        {"nul_bytes": "keep"},
        {"max_line_bytes": 0},
        {"max_unpacked_bytes": 0},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        FilesSource.model_validate({"path": "a", **settings})


def test_the_recipe_and_the_reader_know_the_same_words() -> None:
    fields = FilesSource.model_fields
    assert get_args(fields["documents"].annotation) == get_args(Documents)
    assert get_args(fields["nul_bytes"].annotation) == get_args(NulBytes)


def test_a_recipe_does_not_import_what_reads() -> None:
    code = "import sys, lmforge.sources.files; sys.exit(any(m in sys.modules for m in ('pyarrow', 'orjson', 'polars')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
