"""Shards and quarantine: the same bytes for the same rows, bounded files, escaped and cut excerpts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lmforge.errors import IntegrityError
from lmforge.text.records import QuarantineWriter, Record, Rejected, ShardWriter, scan
from lmforge.text.tables import RAW_SCHEMA, read_frames


def _rows(number: int) -> list[dict[str, object]]:
    return [{"id": f"r{n}", "text": f"text {n}", "source": "a.txt", "line": n} for n in range(number)]


def _write(directory: Path, number: int) -> None:
    with ShardWriter(directory, RAW_SCHEMA) as shards:
        for row in _rows(number):
            shards.write(row)


def test_rows_come_back_in_order_from_several_shards(tmp_path: Path) -> None:
    _write(tmp_path, 110_001)
    sizes = [pq.read_metadata(path).num_rows for path in sorted(tmp_path.iterdir())]
    assert sizes == [50_000, 50_000, 10_001]
    assert scan(tmp_path).collect()["line"].to_list() == list(range(110_001))


def test_a_full_shard_leaves_no_empty_one_behind(tmp_path: Path) -> None:
    _write(tmp_path, 50_000)
    assert [path.name for path in tmp_path.iterdir()] == ["part-00000.parquet"]


def test_no_rows_make_one_empty_shard_with_the_columns(tmp_path: Path) -> None:
    _write(tmp_path, 0)
    assert scan(tmp_path).collect_schema().names() == RAW_SCHEMA.names
    assert [frame.height for frame in read_frames(tmp_path / "part-00000.parquet")] == [0]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    _write(tmp_path / "one", 7_000)
    _write(tmp_path / "two", 7_000)
    one, two = ((tmp_path / name / "part-00000.parquet").read_bytes() for name in ("one", "two"))
    assert one == two


def test_long_texts_cut_row_groups_so_that_memory_stays_flat(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, RAW_SCHEMA) as shards:
        for n in range(6):
            shards.write({"id": str(n), "text": "x" * 3_000_000, "source": "a", "line": n})
    assert pq.read_metadata(tmp_path / "part-00000.parquet").num_row_groups == 2


def test_an_exception_is_not_hidden_and_writes_no_further_rows(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"), ShardWriter(tmp_path, RAW_SCHEMA) as shards:
        shards.write(_rows(1)[0])
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_a_flipped_bit_is_found_on_reading(tmp_path: Path) -> None:
    _write(tmp_path, 100)
    path = tmp_path / "part-00000.parquet"
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"part-00000\.parquet is damaged"):
        list(read_frames(path))


def test_a_directory_without_shards_is_named(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="no shard part"):
        scan(tmp_path)


def test_a_record_is_named_by_its_id_or_its_place() -> None:
    assert Record("text", "a/b.txt", 7).name == "a/b.txt:7"
    assert Record("text", "a/b.txt", 7, id="x").name == "x"


def test_an_excerpt_is_escaped_and_short() -> None:
    rejected = Rejected.of("nul_byte", "a", 1, b"\x1b[31m\x00\xff " + "é\u202e".encode() + b"x" * 5_000)
    assert rejected.excerpt.startswith("\\x1b[31m\\x00\\xff é\\u202e")
    assert len(rejected.excerpt) == 200 and rejected.excerpt.isprintable()


def test_a_rejected_text_keeps_the_hash_of_its_bytes() -> None:
    assert Rejected.of("empty", "a", 1, "né").sha256 == hashlib.sha256("né".encode()).hexdigest()
    assert len(Rejected.of("lone_surrogate", "a", 1, "\ud800").sha256) == 64


def test_a_secret_is_hashed_and_not_shown() -> None:
    rejected = Rejected.of("secret", "a.txt", 1, "key canary-7731", excerpt=False)
    assert rejected.sha256 == hashlib.sha256(b"key canary-7731").hexdigest()
    assert "canary" not in repr(rejected)


def test_quarantine_is_sorted_json_with_counts(tmp_path: Path) -> None:
    document = "A sentence that goes on. " * 100
    with QuarantineWriter(tmp_path) as quarantine:
        quarantine.write(Rejected.of("too_short", "b.txt", 2, "hi", offset=9))
        quarantine.write(Rejected.of("duplicate", "a.txt", 1, document))
        quarantine.write(Rejected.of("too_short", "b.txt", 3, "ho"))
        assert quarantine.reasons == {"duplicate": 1, "too_short": 2}
    content = (tmp_path / "quarantine.jsonl").read_text()
    assert document[:201] not in content
    first = json.loads(content.splitlines()[0])
    assert list(first) == ["detail", "excerpt", "line", "offset", "reason", "sha256", "source"]
    assert (first["line"], first["offset"], first["excerpt"]) == (2, 9, "hi")
