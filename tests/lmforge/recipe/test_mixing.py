"""What a recipe may mix: shares, names, objectives of one network, and replay only where there is something earlier."""

from __future__ import annotations

import pytest

from lmforge.recipe.mixing import Mixed, Replay
from lmforge.recipe.optimization import Pretraining
from lmforge.recipe.schema import Recipe

ORDER = {"objective": "sentence_order", "share": 0.3}
SOURCES = {"sources": [{"kind": "files", "path": "a.txt", "license": "CC0-1.0"}]}


def test_parts_have_their_own_settings_and_else_those_of_the_run():
    settings = Pretraining(
        objective="span_corruption",
        mask_share=0.2,
        mixture=[{"objective": "span_corruption", "share": 0.25, "name": "long", "mean_span_length": 12}],
    )
    main, own = settings.alone(), settings.alone(settings.mixture[0])
    assert settings.objectives == ("span_corruption", "span_corruption")
    assert (main.mixture, own.mixture) == ((), ())
    assert (main.mean_span_length, own.mean_span_length) == (3.0, 12.0)
    assert (main.mask_share, own.mask_share) == (0.2, 0.2)
    assert settings.mixture[0].label == "long"
    assert Mixed(**ORDER).label == "sentence_order"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mixture": [ORDER, ORDER]}, "the name sentence_order stands twice; give each a `name`"),
        ({"mixture": [ORDER, {**ORDER, "name": "b", "share": 0.7}]}, "add up to 1 and leave nothing for masked_lm"),
        ({"mixture": [{"objective": "causal_lm", "share": 0.1}]}, "learns both masked_lm and causal_lm"),
        ({"mixture": [{**ORDER, "name": "replay"}], "replay": {}}, "the name replay stands twice"),
        ({"replay": {"share": 0.01}}, "0.01 of 32 rows is 0 rows when rounded"),
        ({"replay": {"share": 0.99}}, "0.99 of 32 rows is 32 rows when rounded"),
        (
            {"objective": "sentence_order", "replay": {}, "max_tokens_per_batch": 500},
            "leave max_tokens_per_batch out with it",
        ),
    ],
)
def test_mixtures_that_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        Pretraining(**changes)


def test_replayed_rows_are_whole():
    assert Pretraining().num_replayed_rows == 0
    assert Pretraining(replay=Replay(share=0.25), global_batch_size=10).num_replayed_rows == 2


def recipe(**parts):
    return Recipe.model_validate({"name": "x", "corpus": SOURCES, **parts})


def test_every_objective_of_a_mixture_must_fit_the_architecture():
    mixed = {"mixture": [ORDER]}
    assert recipe(model={"architecture": "bert"}, pretraining=mixed).pretraining.mixture[0].share == 0.3
    with pytest.raises(ValueError, match="architecture modernbert does not fit objective sentence_order: use bert"):
        recipe(pretraining=mixed)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"pretraining": {"replay": {}}}, "is for going on from `model.from` with a `corpus`"),
        ({"model": {"from": "base"}, "pretraining": {"replay": {}}}, "`pretraining.replay.tokens` is missing"),
        ({"model": {"from": "base"}, "tokenizer": {"vocab_size": 500}}, "`tokenizer.vocab_size` has no effect"),
    ],
)
def test_starts_that_are_not_whole(parts, message):
    with pytest.raises(ValueError, match=message):
        recipe(**parts)


def test_starts_that_are_whole():
    registered = recipe(model={"from": "models:/reviews/3"}, pretraining={"replay": {"share": 0.5}})
    assert registered.model.start_from == "models:/reviews/3"
    local = recipe(model={"from": "base"}, pretraining={"replay": {"tokens": "t"}}, tokenizer={"engine": "tokenizers"})
    assert local.pretraining.replay == Replay(tokens="t")
