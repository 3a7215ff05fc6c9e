"""The suite `labelled_examples`: what labelling promises to fine-tuning and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import polars as pl

from expectations.comparing import VOLUME, compared
from expectations.patterns import mojibake, personal_data_left
from expectations.sharing import personal_residue, repeated_id, repetitive, wrongly_decoded
from expectations.suite import RowRule, Suite, bounded
from lmforge.recipe.cleaning import PersonalDataKind
from lmforge.recipe.promises import LabelledPromises

KEY = "expectations.labelled_examples."
KINDS: tuple[str, ...] = get_args(PersonalDataKind)
SPLITS = ("train", "validation", "test")


def labelled_examples(
    *, mask_personal_data: bool = False, personal_data: Sequence[str] = KINDS, **thresholds: Any
) -> Suite:
    """Return the suite over the examples of all splits in one table, told apart by its column `split`.

    thresholds: those of `LabelledPromises`. mask_personal_data, personal_data: as in `clean_corpus`. Needs the facts
    `repetitive_share` of the table's profile, and `id_only_gain`, `order_only_gain` and `single_token_gain`.
    Texts are the same when they agree in lower case with white space collapsed. The majority share is taken of all
    examples; the least number per label over labels and splits, so a label that a split lacks counts as 0.
    """
    promises = LabelledPromises(**thresholds)
    residue = (personal_residue(KEY, "examples", promises.max_personal_data_share),) if mask_personal_data else ()
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
            "words": pl.col("text").str.count_matches(r"\S+"),
            "mojibake": mojibake(),
            "personal_data": personal_data_left(personal_data),
        },
        rules=(
            *_field_rules(),
            *_leakage_rules(promises.max_overlap_share),
            repeated_id("examples with the id of an earlier one"),
            wrongly_decoded(KEY, "examples", promises.max_mojibake_share),
            *residue,
        ),
        summary={
            **{f"num_{split}_examples": f"COUNT(CASE WHEN split = '{split}' THEN 1 END)" for split in SPLITS},
            "num_labels": "COUNT(DISTINCT label)",
            "least_examples_per_label": f"MIN(LEAST({per_split}))",
            "majority_share": "CAST(MAX(COUNT(*) OVER (PARTITION BY label)) AS DOUBLE) / COUNT(*)",
            "mean_words": "AVG(words)",
            "p95_words": "QUANTILE_CONT(words, 0.95)",
        },
        ratios=VOLUME,
        expectations=(
            *_bounds(promises),
            *_shortcuts(promises),
            repetitive(KEY, "examples", promises.max_repetitive_share),
            *compared(KEY, "examples", promises),
        ),
        place="CONCAT('split ', split)",
        warn=promises.warn,
    )


def _bounds(promises: LabelledPromises) -> tuple[dict[str, Any], ...]:
    train, test = promises.min_train_examples, promises.min_test_examples
    rarest, least = "examples of the rarest label in any split", promises.min_examples_per_label
    largest, most = "share of the most frequent label", promises.max_majority_share
    return (
        bounded("num_train_examples", "number of training examples", minimum=train, key=KEY + "min_train_examples"),
        bounded("num_validation_examples", "number of validation examples", minimum=1),
        bounded("num_test_examples", "number of test examples", minimum=test, key=KEY + "min_test_examples"),
        bounded("num_labels", "number of labels", minimum=2),
        bounded("least_examples_per_label", rarest, minimum=least, key=KEY + "min_examples_per_label"),
        bounded("majority_share", largest, maximum=most, key=KEY + "max_majority_share"),
    )


def _shortcuts(promises: LabelledPromises) -> tuple[dict[str, Any], ...]:
    """What tells labels without understanding a text; a label that stands in its text would be learned as such."""
    told = "errors of the majority label that {} avoids"
    return (
        bounded("id_only_gain", told.format("the id"), maximum=promises.max_id_only_gain, key=KEY + "max_id_only_gain"),
        bounded(
            "order_only_gain",
            told.format("the place in the file"),
            maximum=promises.max_order_only_gain,
            key=KEY + "max_order_only_gain",
        ),
        bounded(
            "single_token_gain",
            told.format("one token"),
            maximum=promises.max_single_token_gain,
            key=KEY + "max_single_token_gain",
        ),
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
