"""Settings that contradict one another are refused, each with what to write instead."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lmforge.recipe.optimization import Finetuning, Pretraining


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"warmup_steps": 10, "max_steps": 10}, "warmup_steps 10 must be below max_steps 10"),
        ({"global_batch_size": 32, "micro_batch_size": 12}, "32 must be a multiple of micro_batch_size 12"),
        ({"global_batch_size": 8, "micro_batch_size": 16}, "8 must be a multiple of micro_batch_size 16"),
        ({"precision": "16-mixed"}, "it needs not_finite: skip"),
        ({"global_batch_size": 32, "num_processes": 3}, "multiple of num_processes 3: write 33"),
        (
            {"global_batch_size": 24, "num_processes": 2, "micro_batch_size": 8},
            "num_processes 2 times micro_batch_size 8: write 32",
        ),
        ({"strategy": "fsdp"}, "set num_processes above 1"),
        ({"strategy": "fsdp", "num_processes": 2, "ema_decay": 0.9}, "needs the whole model in each process"),
        ({"strategy": "fsdp", "num_processes": 2, "micro_batch_size": 1}, "shards are gathered once a step"),
        ({"ema_decay": 1.0}, "less than 1"),
        ({"early_stopping_patience": 0}, "greater than"),
    ],
)
@pytest.mark.parametrize("part", [Pretraining, Finetuning])
def test_contradiction(part, changes, message):
    with pytest.raises(ValidationError, match=message):
        part(**changes)


@pytest.mark.parametrize("part", [Pretraining, Finetuning])
def test_parts_of_a_batch_that_fill_it(part):
    assert part(global_batch_size=32, micro_batch_size=8).micro_batch_size == 8
    assert part(global_batch_size=32, micro_batch_size=32).micro_batch_size == 32


@pytest.mark.parametrize("objective", ["masked_lm", "causal_lm", "replaced_token_detection"])
def test_token_budget_is_for_rows_of_unequal_length(objective):
    with pytest.raises(ValidationError, match=rf"{objective} packs .* 64 tokens: write global_batch_size: 31"):
        Pretraining(objective=objective, max_tokens_per_batch=2000, max_seq_length=64)
    assert Pretraining(objective="span_corruption", max_tokens_per_batch=2000).max_tokens_per_batch == 2000
    assert Finetuning(max_tokens_per_batch=2000).max_tokens_per_batch == 2000


def test_batch_whose_rows_are_compared_is_not_cut():
    with pytest.raises(ValidationError, match="compares all rows of a batch: leave micro_batch_size out"):
        Pretraining(objective="contrastive_masked_lm", micro_batch_size=8)
    with pytest.raises(ValidationError, match="compares all rows of a batch: leave num_processes out"):
        Pretraining(objective="contrastive_masked_lm", num_processes=2)
