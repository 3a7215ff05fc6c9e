"""The suite `labelled_examples`: what labelling promises to fine-tuning and evaluation."""

from __future__ import annotations

import polars as pl

from expectations.raw_corpus import repeated_id
from expectations.suite import RowRule, Suite, bounded

KEY = "expectations.labelled_examples."
SPLITS = ("train", "validation", "test")


def labelled_examples(
    *,
    min_train_examples: int = 20,
    min_test_examples: int = 20,
    min_examples_per_label: int = 2,
    max_overlap_share: float = 0.0,
    max_majority_share: float = 0.95,
) -> Suite:
    """Return the suite over the examples of all splits in one table, told apart by its column `split`.

    Texts are the same when they agree in lower case with white space collapsed. The majority share is taken of all
    examples; the least number per label over labels and splits, so a label that a split lacks counts as 0.
    """
    per_split = ", ".join(
        f"SUM(CASE WHEN split = '{split}' THEN 1 ELSE 0 END) OVER (PARTITION BY label)" for split in SPLITS
    )
    return Suite(
        name="labelled_examples",
        promise="Fine-tuning can start and its test result can be believed: enough examples, and no leakage.",
        columns={**dict.fromkeys(("id", "text", "label", "split"), "text"), "group": "any"},
        derived={
            "id_key": pl.col("id").hash(seed=0),
            "text_key": pl.col("text").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars().hash(seed=0),
        },
        rules=(
            *_field_rules(),
            *_leakage_rules(max_overlap_share),
            repeated_id("examples with the id of an earlier one"),
        ),
        summary={
            **{f"num_{split}_examples": f"COUNT(CASE WHEN split = '{split}' THEN 1 END)" for split in SPLITS},
            "num_labels": "COUNT(DISTINCT label)",
            "least_examples_per_label": f"MIN(LEAST({per_split}))",
            "majority_share": "CAST(MAX(COUNT(*) OVER (PARTITION BY label)) AS DOUBLE) / COUNT(*)",
        },
        expectations=(
            bounded(
                "num_train_examples",
                "number of training examples",
                minimum=min_train_examples,
                key=KEY + "min_train_examples",
            ),
            bounded("num_validation_examples", "number of validation examples", minimum=1),
            bounded(
                "num_test_examples", "number of test examples", minimum=min_test_examples, key=KEY + "min_test_examples"
            ),
            bounded("num_labels", "number of labels", minimum=2),
            bounded(
                "least_examples_per_label",
                "examples of the rarest label in any split",
                minimum=min_examples_per_label,
                key=KEY + "min_examples_per_label",
            ),
            bounded(
                "majority_share",
                "share of the most frequent label",
                maximum=max_majority_share,
                key=KEY + "max_majority_share",
            ),
        ),
        place="CONCAT('split ', split)",
    )


def _field_rules() -> tuple[RowRule, ...]:
    splits = ", ".join(f"'{split}'" for split in SPLITS)
    return (
        RowRule("empty", r"NOT (text ~ '\S')", 0.0, "examples without text", show=("label",)),
        RowRule("unlabelled", r"NOT (label ~ '\S')", 0.0, "examples without a label"),
        RowRule("split", f"split NOT IN ({splits})", 0.0, "examples in an unknown split", show=("split",)),
    )


def _leakage_rules(max_overlap_share: float) -> tuple[RowRule, ...]:
    return (
        RowRule(
            "overlap",
            "SUM(CASE WHEN split = 'train' THEN 1 ELSE 0 END) OVER (PARTITION BY text_key) > 0",
            max_overlap_share,
            "test examples whose text also stands in the training split",
            among="split = 'test'",
            show=("label",),
            key=KEY + "max_overlap_share",
        ),
        RowRule(
            "straddling",
            'COUNT(DISTINCT split) OVER (PARTITION BY "group") > 1 OR "group" IS NULL',
            0.0,
            "examples whose group stands in two splits",
            show=("group",),
        ),
    )
