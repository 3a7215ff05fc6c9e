"""The table of what fits, seen from both sides; names that it does not know are someone else's to refuse."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

from lmforge.recipe.optimization import Pretraining
from lmforge.recipe.schema import Model
from models.fitting import DECODERS, ENCODER_DECODERS, ENCODERS, misfit

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
