"""Clusters of duplicates and overlaps with evaluation sets, from the tables that cleaning leaves."""

import polars as pl
import pytest

from lmforge.reporting.data_report_stages import DataStage, read_stages
from lmforge.reporting.data_report_twins import NUM_CLUSTERS, NUM_IDS, duplicates, overlaps


@pytest.fixture
def stages(data_run):
    return {stage.name: stage for stage in read_stages(data_run.made, data_run.reports)}


@pytest.fixture
def written(tmp_path):
    """A stage whose tables hold what a test says."""

    def write(**tables: pl.DataFrame) -> DataStage:
        for name, table in tables.items():
            table.write_parquet(tmp_path / f"{name}.parquet")
        return DataStage("clean", tmp_path, None, None, None, None)

    return write


def test_a_cluster_names_its_kept_text_and_whose_ids_gave_way(stages):
    found = duplicates(stages["clean"])
    assert (found["num_exact"], found["num_near"], found["num_clusters"]) == (7, 0, 1)
    (cluster,) = found["largest"]
    assert cluster["kept_id"] == "twin-0"
    assert cluster["excerpt"].startswith("This very sentence stands in the feed")
    assert (cluster["num_dropped"], cluster["num_exact"]) == (7, 7)
    assert cluster["ids"] == [f"twin-{n}" for n in range(1, 1 + NUM_IDS)]


def test_the_largest_clusters_stand_first_and_equal_ones_by_id(written):
    kept = [f"k{n:02}" for n in range(14) for _ in range(2 if n == 9 else 1)]
    rows = {"id": [f"d{n}" for n in range(15)], "kept_id": kept, "kind": ["near"] * 14 + ["exact"]}
    clean = written(**{"duplicates": pl.DataFrame(rows), "part-00000": pl.DataFrame({"id": ["k09"], "text": ["nine"]})})
    found = duplicates(clean)
    assert [one["kept_id"] for one in found["largest"]] == ["k09", *(f"k{n:02}" for n in range(9))]
    assert len(found["largest"]) == NUM_CLUSTERS
    assert (found["largest"][0]["excerpt"], found["largest"][1]["excerpt"]) == ("nine", "")
    assert (found["num_exact"], found["num_near"], found["num_clusters"]) == (1, 14, 14)


def test_ids_and_texts_are_masked_and_escaped(written):
    mail = "jane.doe@example-company.com"
    rows = pl.DataFrame({"id": [f"{mail}\x1b"], "kept_id": [mail], "kind": ["exact"]})
    clean = written(**{"duplicates": rows, "part-00000": pl.DataFrame({"id": [mail], "text": [f"ask {mail}\u202e"]})})
    (cluster,) = duplicates(clean)["largest"]
    assert (cluster["kept_id"], cluster["excerpt"], cluster["ids"]) == (
        "<EMAIL>", r"ask <EMAIL>\u202e", [r"<EMAIL>\x1b"],
    )  # fmt: skip


def test_no_duplicates_is_an_empty_list_and_no_table_is_none(written, tmp_path):
    schema = {"id": pl.String, "kept_id": pl.String, "kind": pl.String}
    assert duplicates(written(duplicates=pl.DataFrame(schema=schema)))["largest"] == []
    assert duplicates(DataStage("clean", tmp_path / "nowhere", None, None, None, None)) is None


def test_overlaps_are_told_from_both_sides(stages, data_run):
    (row,) = overlaps(stages["clean"], [stages["label-topic"]])
    table = pl.read_parquet(data_run.made["clean"].path / "overlaps.parquet")
    facts = stages["label-topic"].manifest.facts
    assert row["set"] == "topic"
    assert row["num_documents"] == table["id"].n_unique() == 27
    assert 0 < row["num_examples"] <= row["num_examples_in_set"] == facts["num_validation"] + facts["num_test"]
    assert sum(row["by"].values()) == 27
    assert [pair["id"] for pair in row["pairs"]] == table["id"].head(3).to_list()


def test_a_set_of_a_file_is_not_counted(written):
    rows = {"id": ["a"], "set": ["more.jsonl"], "evaluation_id": ["x"], "by": ["text"], "num_ngrams": [0]}
    (row,) = overlaps(written(overlaps=pl.DataFrame(rows)), [])
    assert (row["num_examples_in_set"], row["by"]) == (None, {"text": 1})
    assert row["pairs"] == [{"id": "a", "evaluation_id": "x", "by": "text", "num_ngrams": 0}]
