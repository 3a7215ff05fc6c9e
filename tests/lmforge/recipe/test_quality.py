"""The published thresholds, and what a recipe may write about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmforge.errors import RecipeError
from lmforge.recipe import load_recipe
from lmforge.recipe.base import Part
from lmforge.recipe.quality import C4, FineWeb, Gopher, GopherRepetition, Quality


def test_defaults_are_the_published_numbers() -> None:
    assert (C4().min_words_per_line, C4().min_sentences, C4().max_word_chars) == (5, 3, 1000)
    assert Gopher().model_dump(exclude={"stop_words"}) == {
        "min_words": 50, "max_words": 100_000, "min_mean_word_chars": 3, "max_mean_word_chars": 10,
        "max_hashes_per_word": 0.1, "max_ellipses_per_word": 0.1, "max_bullet_line_share": 0.9,
        "max_ellipsis_line_share": 0.3, "min_alphabetic_word_share": 0.8, "min_stop_words": 2,
    }  # fmt: skip
    assert set(Gopher().stop_words["en"]) == {"the", "be", "to", "of", "and", "that", "have", "with"}
    assert list(GopherRepetition().model_dump().values()) == [
        0.30, 0.20, 0.30, 0.20, 0.20, 0.18, 0.16, 0.15, 0.14, 0.13, 0.12, 0.11, 0.10,
    ]  # fmt: skip
    assert list(FineWeb().model_dump().values()) == [0.12, 30, 0.67, 0.01, 0.3]


@pytest.mark.parametrize("part", [C4, Gopher, GopherRepetition, FineWeb])
def test_every_threshold_names_its_source(part: type[Part]) -> None:
    for name, field in part.model_fields.items():
        assert "arXiv:" in str(field.description) or "code of" in str(field.description), name


def test_every_threshold_is_in_the_guide() -> None:
    guide = Path("docs/quality-filters.md").read_text(encoding="utf-8")
    names = [name for part in (C4, Gopher, FineWeb) for name in part.model_fields]
    assert [name for name in names if f"`{name}`" not in guide] == []


def test_no_filter_is_asked_by_default() -> None:
    assert Quality().filters == ()


def _recipe(tmp_path: Path, quality: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"name: x\ncorpus:\n  sources: [{{path: a.txt}}]\n  cleaning:\n    quality: {quality}\n")
    return path


def test_a_recipe_changes_one_threshold(tmp_path: Path) -> None:
    text = "{filters: [gopher, c4], gopher: {min_words: 20, stop_words: {de: [der, und]}}}"
    quality = load_recipe(_recipe(tmp_path, text)).cleaning.quality
    assert (quality.filters, quality.gopher.min_words, quality.gopher.max_words) == (("gopher", "c4"), 20, 100_000)
    assert quality.gopher.stop_words == {"de": ("der", "und")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{filters: [gofer]}", "quality.filters"),
        ("{gopher: {min_word: 3}}", "did you mean min_words"),
        ("{gopher: {max_bullet_line_share: 1.5}}", "at most 1"),
        ("{gopher: {max_hashes_per_word: -1}}", "at least 0"),
        ("{c4: {end_marks: []}}", "at least 1"),
        ("{c4: {end_marks: ['']}}", "at least 1 character"),
        ("{gopher: {stop_words: {de: 3}}}", "expected a list"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        load_recipe(_recipe(tmp_path, text))
