"""Thresholds of a recipe: which of them warn, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lmforge.errors import RecipeError
from lmforge.recipe import load_recipe
from lmforge.recipe.promises import CleanPromises, Promises
from tests.tiny import make_project


@pytest.mark.parametrize("name", sorted(set(Promises.model_fields) - {"max_failing_rows"}))
def test_what_compares_with_the_last_run_warns_by_default(name):
    promises = getattr(Promises(), name)
    drifts = {field for field in type(promises).model_fields if field.endswith("_drift")}
    assert drifts <= set(promises.warn) <= set(type(promises).model_fields)
    assert "max_volume_ratio" in promises.warn


def test_only_half_a_raw_corpus_stops_by_default():
    promises = Promises()
    assert "min_volume_ratio" not in promises.raw_corpus.warn
    assert "min_volume_ratio" in promises.clean_corpus.warn


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "warn=[max_lenght_drift]",
            "names max_lenght_drift, which is no threshold of this suite; did you mean max_length_drift?",
        ),
        ("warn=[min_blocks]", "names min_blocks, which is no threshold"),
        ("warn=[warn]", "names warn, which is no threshold"),
        ("min_volume_ratio=3", "min_volume_ratio 3.0 is above max_volume_ratio 2.0"),
        ("min_volume_ratio=0", "more than 0"),
        ("max_duplicate_share=1.5", "at most 1"),
    ],
)
def test_wrong_thresholds_are_named_in_the_recipe(tmp_path, override, message):
    path = make_project(tmp_path / "project", num_documents=4)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, [f"expectations.clean_corpus.{override}"])
    assert message in str(caught.value)


def test_named_thresholds_replace_the_defaults(tmp_path):
    path = make_project(tmp_path / "project", num_documents=4)
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "expectations:\n  clean_corpus: {warn: [max_duplicate_share]}\n", encoding="utf-8")
    assert load_recipe(path).expectations.clean_corpus.warn == ("max_duplicate_share",)


def test_promises_are_frozen_and_know_their_names():
    with pytest.raises(ValidationError):
        CleanPromises(max_duplicates=1)
    with pytest.raises(ValidationError):
        CleanPromises().warn = ()
