"""A small clean corpus on disk, and a workshop of its own for each test."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lmforge.artifacts import Store
from lmforge.sharding import Workshop


@pytest.fixture
def workshop(tmp_path) -> Workshop:
    return Workshop(Store(tmp_path / "store"))


@pytest.fixture(scope="session")
def rows(descriptions) -> list[dict]:
    """Documents as clean shards hold them; every tenth is for validation, every third is said to be German."""
    return [
        {
            "id": str(number),
            "text": row["description"],
            "language": "de" if number % 3 == 0 else "en",
            "num_words": len(row["description"].split()),
            "split": "validation" if number % 10 == 0 else "train",
        }
        for number, row in enumerate(descriptions)
    ]


@pytest.fixture(scope="session")
def clean(tmp_path_factory, rows) -> Path:
    """A clean corpus of two shards with documents and an empty one between them."""
    directory = tmp_path_factory.mktemp("clean")
    half = len(rows) // 2
    for shard, part in enumerate((rows[:half], rows[:0], rows[half:])):
        pl.DataFrame(part, schema=pl.DataFrame(rows).schema).write_parquet(directory / f"part-{shard:05}.parquet")
    return directory
