"""Collect: sources become one schema, ids are unique, everything is counted, empty files stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lmforge.artifacts.artifact import Counts
from lmforge.errors import InputError
from lmforge.recipe.data import FilesSource
from lmforge.sources.collecting import collect, source_name
from lmforge.text.records import scan


@pytest.fixture
def root(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    lines = ['{"body": "one text", "n": 1}', '{"body": "two"}', "broken", '{"body": "again", "n": 1}']
    (data / "a.jsonl").write_text("\n".join(lines) + "\n")
    (data / "b.txt").write_text("a line\nanother line\n")
    return tmp_path


SOURCES = [FilesSource(path="data/a.jsonl", text="body", id="n"), FilesSource(path="data/*.txt")]


def test_sources_become_rows_in_order(root: Path) -> None:
    counts = collect(SOURCES, root / "out", root=root)
    assert scan(root / "out").collect().rows() == [
        ("1", "one text", "data/a.jsonl", 1),
        ("data/a.jsonl:2", "two", "data/a.jsonl", 2),
        ("data/b.txt:1", "a line", "data/b.txt", 1),
        ("data/b.txt:2", "another line", "data/b.txt", 2),
    ]
    assert counts == Counts(read=6, kept=4, quarantined=2, reasons={"duplicate_id": 1, "invalid_json": 1})


def test_quarantine_says_what_and_where(root: Path) -> None:
    collect(SOURCES, root / "out", root=root)
    entries = [json.loads(line) for line in (root / "out" / "quarantine.jsonl").read_text().splitlines()]
    assert [(e["reason"], e["source"], e["line"]) for e in entries] == [
        ("invalid_json", "data/a.jsonl", 3),
        ("duplicate_id", "data/a.jsonl", 4),
    ]


def test_the_same_sources_give_the_same_bytes(root: Path) -> None:
    for name in ("one", "two"):
        collect(SOURCES, root / name, root=root)
    for name in ("part-00000.parquet", "quarantine.jsonl"):
        assert (root / "one" / name).read_bytes() == (root / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("c.jsonl", "", "it is empty"),
        ("c.jsonl", " \n\n", "it is empty"),
        ("c.csv", "text\n", "it is empty"),
        ("c.txt", "\n", "it is empty"),
        ("c.jsonl", "broken\nbroken\n", "line 1 is refused as invalid_json Expecting value"),
    ],
)
def test_a_file_without_records_stops(root: Path, name: str, content: str, why: str) -> None:
    (root / "data" / name).write_text(content)
    with pytest.raises(InputError, match=f"0 records in data/{name}: {why}"):
        collect([FilesSource(path=f"data/{name}")], root / "out", root=root)


def test_a_file_that_two_sources_name_stops(root: Path) -> None:
    with pytest.raises(InputError, match=r"named by data/\*\.txt and by data/b\.txt"):
        collect([FilesSource(path="data/*.txt"), FilesSource(path="data/b.txt")], root / "out", root=root)


def test_settings_of_a_source_reach_the_reader(root: Path) -> None:
    (root / "data" / "c.log").write_bytes(b"caf\xe9 " + b"x" * 20 + b"\nshort\n")
    source = FilesSource(path="data/c.log", format="text", encoding="latin-1", max_line_bytes=10)
    counts = collect([source], root / "out", root=root)
    assert counts.reasons == {"line_too_long": 1}
    assert scan(root / "out").collect()["text"].to_list() == ["short"]


def test_a_file_outside_of_the_project_keeps_its_whole_name(root: Path) -> None:
    assert source_name(root.resolve() / "data" / "a.jsonl", root) == "data/a.jsonl"
    assert source_name(Path("/elsewhere/a.jsonl"), root) == "/elsewhere/a.jsonl"
