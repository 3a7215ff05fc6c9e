"""The table of what fits, seen from both sides; names that it does not know are someone else's to refuse."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

from lmforge.recipe.optimization import Pretraining
from lmforge.recipe.schema import Model
from models.fitting import DECODERS, ENCODER_DECODERS, ENCODERS, clash, misfit, network_of

ARCHITECTURES = get_args(Model.model_fields["architecture"].annotation)
OBJECTIVES = get_args(Pretraining.model_fields["objective"].annotation)


def test_every_architecture_of_the_recipe_is_in_one_family_and_learns_something():
    assert sorted(ARCHITECTURES) == sorted((*ENCODERS, *DECODERS, *ENCODER_DECODERS))
    for architecture in ARCHITECTURES:
        assert misfit("sequence_classification", architecture) is None
        assert [one for one in OBJECTIVES if misfit(one, architecture) is None], architecture


def test_every_objective_of_the_recipe_has_an_architecture_and_not_all():
    for objective in OBJECTIVES:
        fitting = [one for one in ARCHITECTURES if misfit(objective, one) is None]
        assert 0 < len(fitting) < len(ARCHITECTURES), objective


@pytest.mark.parametrize(
    ("objective", "architecture", "message"),
    [
        ("causal_lm", "t5", "use gpt2 or llama for it, or with t5 span_corruption or denoising"),
        ("span_corruption", "llama", "use t5 or bart for it, or with llama causal_lm"),
        ("next_sentence", "modernbert", "use bert for it, or with modernbert masked_lm or contrastive_masked_lm"),
    ],
)
def test_a_misfit_names_both_ways_out(objective, architecture, message):
    assert (
        misfit(objective, architecture) == f"architecture {architecture} does not fit objective {objective}: {message}"
    )


def test_unknown_names_are_no_misfit():
    assert misfit("causal_lm", "lstm") is None
    assert misfit("poetry", "bert") is None


def test_the_table_costs_no_import_of_torch():
    code = "import sys, models.fitting; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("objectives", "reason"),
    [
        (["masked_lm", "sentence_order", "next_sentence", "contrastive_masked_lm"], None),
        (["span_corruption", "denoising", "span_corruption"], None),
        (["replaced_token_detection"], None),
        (["masked_lm", "replaced_token_detection"], "trains two networks and mixes with no other objective"),
        (["masked_lm", "causal_lm"], "no architecture learns both masked_lm and causal_lm; with it mix masked_lm or "),
        (["denoising", "masked_lm"], "with it mix span_corruption or denoising"),
    ],
)
def test_what_mixes(objectives, reason):
    found = clash(objectives)
    assert (found is None) == (reason is None)
    assert reason is None or reason in found


def test_the_network_of_a_mixture_has_the_head_for_pairs():
    assert network_of(["masked_lm", "sentence_order"]) == "sentence_order"
    assert network_of(["contrastive_masked_lm", "masked_lm"]) == "contrastive_masked_lm"
    assert network_of(["denoising", "span_corruption"]) == "denoising"
