"""What a source is asked by collect, as far as every kind answers alike."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import ValidationError

from lmforge.errors import InputError
from lmforge.sources.base import SourceBase


class LinesSource(SourceBase):
    """The kind of CONTRIBUTING: a document a line."""

    kind: Literal["lines"]


def test_files_are_what_the_glob_names_in_order(tmp_path):
    for name in ("b.txt", "a.txt", ".hidden.txt"):
        (tmp_path / name).write_text("x")
    source = LinesSource(kind="lines", path="*.txt")
    assert [path.name for path in source.files(tmp_path)] == ["a.txt", "b.txt"]
    assert source.companions(tmp_path / "a.txt") == []
    source.prepare(tmp_path)
    with pytest.raises(InputError, match="no file matches"):
        LinesSource(kind="lines", path="*.csv").files(tmp_path)


def test_names_are_relative_to_the_project(tmp_path):
    source = LinesSource(kind="lines", path="*.txt")
    assert source.name_of(tmp_path.resolve() / "data" / "a.txt", tmp_path) == "data/a.txt"
    assert source.name_of(Path("/elsewhere/a.txt"), tmp_path) == "/elsewhere/a.txt"


def test_provenance_is_short_and_kept(tmp_path):
    source = LinesSource(kind="lines", path="a", license="CC0-1.0", language="en", origin="https://example.org")
    assert (source.license, source.language, source.origin) == ("CC0-1.0", "en", "https://example.org")
    with pytest.raises(ValidationError, match="at most 200 characters"):
        LinesSource(kind="lines", path="a", origin="x" * 201)
