"""The embedded Debian descriptions are the ones their note speaks of, and the script that drew them reads an index."""

import gzip
import hashlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

DATA = Path(__file__).parents[2] / "examples" / "data"
SAMPLE = DATA / "debian_descriptions.jsonl.gz"
MAX_BYTES = 8_000_000

PACKAGES = """\
Package: chess-data
Source: chess (1.2-3)
Description-md5: aa
Section: games
Tag: game::board, role::app-data,
 use::gameplaying

Package: chess
Description-md5: bb
Section: contrib/games

Package: silent
Description-md5: cc
Section: utils
"""

TRANSLATIONS = """\
Package: chess-data
Description-md5: aa
Description-en: board game (data)
 Pictures of the pieces.

Package: chess
Description-md5: bb
Description-en: board game
 Plays chess against
 a human: opponent.
 .
 Features:
  * an opening
    book
  * no network

Package: chess
Description-md5: old
Description-en: board game
 An older text.

Package: silent
Description-md5: cc
Description-en: says nothing
"""


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_debian_descriptions", DATA / "make_debian_descriptions.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def records() -> list[dict[str, object]]:
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def draw(maker: ModuleType, seed: int, packages: str = PACKAGES) -> list[dict[str, object]]:
    stanzas = maker.read_stanzas(packages.splitlines())
    drawn: list[dict[str, object]] = maker.make_records(stanzas, maker.read_stanzas(TRANSLATIONS.splitlines()), seed)
    return drawn


def test_sample_is_the_one_that_the_note_describes(records: list[dict[str, object]]) -> None:
    note = (DATA / "LICENSE-NOTE.md").read_text(encoding="utf-8")
    digests = re.findall(r"`([0-9a-f]{64})`", note)
    content = SAMPLE.read_bytes()
    assert len(content) <= MAX_BYTES
    assert digests == [hashlib.sha256(content).hexdigest(), hashlib.sha256(gzip.decompress(content)).hexdigest()]
    assert re.findall(r"\| records \| (\d+) \|", note) == [str(len(records))]


def test_sample_has_one_complete_record_a_source(records: list[dict[str, object]]) -> None:
    ids = [str(record["id"]) for record in records]
    assert ids == sorted(set(ids))
    for record in records:
        assert list(record) == ["id", "package", "section", "synopsis", "description", "tags"]
        assert all(record[field] for field in ("package", "section", "synopsis", "description")), record["id"]
        assert "/" not in str(record["section"])


def test_fields_are_read_from_both_halves_of_the_index(maker: ModuleType) -> None:
    [record] = [record for seed in range(20) for record in draw(maker, seed) if record["package"] == "chess"][:1]
    assert record == {
        "id": "chess",
        "package": "chess",
        "section": "games",
        "synopsis": "board game",
        "description": "Plays chess against a human: opponent.\n\nFeatures:\n* an opening book\n* no network",
        "tags": [],
    }


def test_source_is_drawn_once_and_every_package_can_be_drawn(maker: ModuleType) -> None:
    draws = [draw(maker, seed) for seed in range(20)]
    assert all([record["id"] for record in records] == ["chess"] for records in draws), "silent has no long text"
    assert {records[0]["package"] for records in draws} == {"chess", "chess-data"}
    tagged = next(records[0] for records in draws if records[0]["package"] == "chess-data")
    assert tagged["tags"] == ["game::board", "role::app-data", "use::gameplaying"]


def test_draw_does_not_depend_on_the_order_of_the_index(maker: ModuleType) -> None:
    backwards = "\n\n".join(reversed(PACKAGES.strip().split("\n\n")))
    assert [draw(maker, seed, backwards) for seed in range(10)] == [draw(maker, seed) for seed in range(10)]


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("one\n two", "one two"),
        (" one\n .\n .\n two", "one\n\ntwo"),
        (" - first\n - second and\n more", "- first\n- second and more"),
        (" Use:\n   run --fast\n   run --slow", "Use:\nrun --fast\nrun --slow"),
        ("  1. first\n     goes on\n after", "1. first goes on\nafter"),
        ("", ""),
    ],
)
def test_unwrap_joins_wrapped_lines_only(maker: ModuleType, description: str, expected: str) -> None:
    assert maker.unwrap(description) == expected


def test_written_bytes_repeat_and_hold_no_time(maker: ModuleType, tmp_path: Path) -> None:
    for name in ("first.gz", "second.gz"):
        maker.write_records(draw(maker, 0), tmp_path / name)
    first = (tmp_path / "first.gz").read_bytes()
    assert first == (tmp_path / "second.gz").read_bytes()
    assert first[4:8] == bytes(4)
    assert json.loads(gzip.decompress(first)) == draw(maker, 0)[0]


def test_command_reads_a_directory_and_names_what_is_missing(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.gz"
    monkeypatch.setattr(sys, "argv", ["make", "--lists", str(tmp_path), "--out", str(out)])
    with pytest.raises(SystemExit, match=r"no index .*binary-.*_Packages"):
        maker.main()
    (tmp_path / "mirror_dists_bookworm_main_binary-amd64_Packages").write_text(PACKAGES)
    (tmp_path / "mirror_dists_bookworm_main_i18n_Translation-en").write_text(TRANSLATIONS)
    maker.main()
    assert capsys.readouterr().out.startswith(f"1 records, sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}")
