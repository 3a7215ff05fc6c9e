"""Texts that stand in more than one place: the largest clusters of duplicates, and overlaps with evaluation sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lmforge.reporting.data_report_stages import DataStage
from lmforge.reporting.excerpts import presentable
from lmforge.text.clean_units import OVERLAPS
from lmforge.text.cleaning import DUPLICATES
from lmforge.text.records import scan

NUM_CLUSTERS, NUM_IDS, NUM_PAIRS = 10, 5, 3


def duplicates(clean: DataStage) -> dict[str, Any] | None:
    """Numbers of duplicates, and the 10 largest clusters: the kept text, and whose ids gave way to it.

    None where the stage wrote no table of them.
    """
    if clean.path is None or not (clean.path / DUPLICATES).is_file():
        return None
    table = pl.scan_parquet(clean.path / DUPLICATES)
    exact = (pl.col("kind") == "exact").sum()
    totals = table.select(exact.alias("num_exact"), (pl.len() - exact).alias("num_near")).collect()
    clusters = (
        table.group_by("kept_id", maintain_order=True)
        .agg(
            pl.len().alias("num_dropped"), exact.alias("num_exact"), pl.col("id").head(NUM_IDS).alias("ids")
        )
    )  # fmt: skip
    counted = clusters.select(pl.len()).collect().item()
    largest = clusters.sort(["num_dropped", "kept_id"], descending=[True, False]).head(NUM_CLUSTERS).collect()
    texts = _kept_texts(clean.path, largest["kept_id"])
    return {
        **totals.row(0, named=True),
        "num_clusters": counted,
        "largest": [_cluster(row, texts) for row in largest.iter_rows(named=True)],
    }


def overlaps(clean: DataStage, labelled: Sequence[DataStage]) -> list[dict[str, Any]]:
    """By evaluation set: documents that gave way, examples they overlap with, how, and the first pairs of ids."""
    if clean.path is None or not (clean.path / OVERLAPS).is_file():
        return []
    table = pl.read_parquet(clean.path / OVERLAPS)
    sizes = _evaluation_sizes(labelled)
    rows = []
    for name in table["set"].unique().sort():
        part = table.filter(pl.col("set") == name)
        how = dict(part["by"].value_counts().sort("by").iter_rows())
        rows.append(
            {
                "set": presentable([name])[0],
                "num_documents": part["id"].n_unique(),
                "num_examples": part["evaluation_id"].n_unique(),
                "num_examples_in_set": sizes.get(name),
                "by": how,
                "pairs": [_pair(row) for row in part.head(NUM_PAIRS).iter_rows(named=True)],
            }
        )
    return rows


def _kept_texts(clean: Path, ids: pl.Series) -> dict[str, str]:
    if ids.is_empty():
        return {}
    rows = scan(clean).filter(pl.col("id").is_in(ids.implode())).select("id", "text").collect(engine="streaming")
    return dict(rows.iter_rows())


def _cluster(row: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    kept, text, *ids = presentable([row["kept_id"], texts.get(row["kept_id"], ""), *row["ids"]])
    numbers = {"num_dropped": row["num_dropped"], "num_exact": row["num_exact"]}
    return {"kept_id": kept, "excerpt": text, **numbers, "ids": ids}


def _pair(row: Mapping[str, Any]) -> dict[str, Any]:
    document, example = presentable([row["id"], row["evaluation_id"]])
    return {"id": document, "evaluation_id": example, "by": row["by"], "num_ngrams": row["num_ngrams"]}


def _evaluation_sizes(labelled: Sequence[DataStage]) -> dict[str, int]:
    """Examples of the validation and test splits by task; a set of a file is not counted anywhere."""
    facts = {stage.name.removeprefix("label-"): stage.manifest.facts for stage in labelled if stage.manifest}
    return {name: one["num_validation"] + one["num_test"] for name, one in facts.items()}
