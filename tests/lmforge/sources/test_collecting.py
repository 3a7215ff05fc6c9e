"""Collect: sources become one schema, ids are unique, everything is counted, empty files stop."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from lmforge.artifacts.artifact import Counts
from lmforge.artifacts.store import Store
from lmforge.errors import InputError
from lmforge.sharding import Workshop
from lmforge.sources.base import source_name
from lmforge.sources.collecting import changes
from lmforge.sources.collecting import collect as collect_with
from lmforge.sources.files import FilesSource
from lmforge.text.records import scan


def collect(sources: list[FilesSource], out: Path, *, root: Path) -> Counts:
    out.mkdir(exist_ok=True)
    return collect_with(sources, out, root=root, workshop=Workshop(Store(root / "store")))[0]


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
    assert scan(root / "out").select("id", "text", "source", "line").collect().rows() == [
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


def test_provenance_goes_into_every_record(root: Path) -> None:
    source = FilesSource(path="data/*.txt", license="CC0-1.0", language="en", origin="a diary")
    collect([source], root / "out", root=root)
    assert scan(root / "out").select("license", "language", "origin").collect().unique().rows() == [
        ("CC0-1.0", "en", "a diary")
    ]


def test_every_file_is_listed_with_its_hash_and_numbers(root: Path) -> None:
    collect(SOURCES, root / "out", root=root)
    listed = json.loads((root / "out" / "files.json").read_text())
    assert [(one["name"], one["num_records"], one["num_quarantined"]) for one in listed] == [
        ("data/a.jsonl", 4, 1),
        ("data/b.txt", 2, 0),
    ]
    assert listed[1]["sha256"] == hashlib.sha256((root / "data" / "b.txt").read_bytes()).hexdigest()


def test_only_what_is_new_is_read_again(root: Path) -> None:
    names = [f"data/text-{number:03d}.txt" for number in range(200)]
    for name in names:
        (root / name).write_text(f"the text of {name}\n")
    source = FilesSource(path="data/text-*.txt")
    collect([source], root / "one", root=root)
    units = set((root / "store" / "collect.units").iterdir())
    (root / "data" / "text-100b.txt").write_text("a text that came later\n")
    collect([source], root / "two", root=root)
    made = [unit for unit in set((root / "store" / "collect.units").iterdir()) - units if unit.is_dir()]
    assert len([unit for unit in units if unit.is_dir() and not unit.name.startswith(".")]) > 1
    assert len([unit for unit in made if not unit.name.startswith(".")]) == 1
    assert scan(root / "two").select("id").collect().height == 201


def test_changes_between_two_runs_are_named() -> None:
    then = [{"name": "a", "sha256": "1"}, {"name": "b", "sha256": "2"}, {"name": "c", "sha256": "3"}]
    now = [{"name": "a", "sha256": "1"}, {"name": "b", "sha256": "9"}, {"name": "d", "sha256": "4"}]
    assert changes(now, then) == {"arrived": ["d"], "vanished": ["c"], "changed": ["b"]}


def test_an_id_that_two_files_use_is_kept_once(root: Path) -> None:
    (root / "data" / "z.jsonl").write_text('{"body": "elsewhere", "n": 1}\n{"body": "new", "n": 7}\n')
    sources = [*SOURCES, FilesSource(path="data/z.jsonl", text="body", id="n")]
    counts = collect(sources, root / "out", root=root)
    assert counts.reasons == {"duplicate_id": 2, "invalid_json": 1}
    assert scan(root / "out").collect()["text"].to_list() == ["one text", "two", "a line", "another line", "new"]
    counts.check()


def test_columns_that_the_recipe_does_not_name_are_counted_by_source_and_logged_once(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(70):
        (root / "data" / f"part-{number:02}.jsonl").write_text('{"text": "a", "url": 1}\n{"text": "b", "date": [2]}\n')
    sources = [*SOURCES, FilesSource(path="data/part-*.jsonl"), FilesSource(path="data/*.csv")]
    (root / "data" / "c.csv").write_text("text,url\nc,3\n")
    wanted = {"data/part-*.jsonl": {"date": 70, "url": 70}, "data/*.csv": {"url": 1}}
    workshop = Workshop(Store(root / "store"))
    with caplog.at_level("INFO", logger="lmforge.stage"):
        for out, more in (("one", 0), ("two", 1)):
            if more:  # a file that arrives; the units of the others are reused
                (root / "data" / "part-70.jsonl").write_text('{"text": "new", "url": 1, "author": 5}\n')
                wanted["data/part-*.jsonl"] = {"author": 1, "date": 70, "url": 71}
            (root / out).mkdir()
            facts = collect_with(sources, root / out, root=root, workshop=workshop)[1]
            assert facts["unused_columns"] == wanted
    assert [record.getMessage() for record in caplog.records if "columns" in record.getMessage()] == [
        "data/part-*.jsonl: columns not used: date, url",
        "data/*.csv: columns not used: url",
        "data/part-*.jsonl: columns not used: author, date, url",
        "data/*.csv: columns not used: url",
    ]
