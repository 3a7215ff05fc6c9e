"""What a probe chose in the first run is found in its records, and written into the recipe of the second."""

import json

import pytest

from lmforge.errors import InputError
from lmforge.release.execution import recorded_execution, with_execution


def test_choice_of_a_probe_wins_over_the_spec(tmp_path):
    logs, own = tmp_path / "logs", tmp_path / "own"
    for directory in (logs, own):
        directory.mkdir()
    assert recorded_execution([logs, own]) is None
    settings = {"precision": "auto", "num_threads": None, "num_processes": 2, "compile": "auto"}
    (logs / "spec.json").write_text(json.dumps({"num_threads": 4, "settings": settings}))
    assert recorded_execution([logs, own]) == {"precision": "32-true", "num_threads": 2, "compiled": False}
    chosen = {"precision": "bf16-mixed", "num_threads": 1, "compiled": True}
    (own / "execution.json").write_text(json.dumps(chosen | {"seconds": 3}))
    assert recorded_execution([logs, own]) == chosen
    (own / "execution.json").write_text("{")
    with pytest.raises(InputError, match=r"execution\.json: cannot be read as JSON"):
        recorded_execution([logs, own])


def test_choices_become_settings_of_their_training():
    recipe = {"pretraining": {"max_steps": 3}, "tasks": [{"name": "a", "finetuning": {"precision": "auto"}}]}
    chosen = {
        "pretrain": {"precision": "bf16-mixed", "num_threads": 2, "compiled": True},
        "finetune-a": {"precision": "32-true", "num_threads": 1, "compiled": False},
        "scratch-a": {"precision": "32-true", "num_threads": 8, "compiled": False},
    }
    assert with_execution(recipe, chosen) == {
        "pretraining": {"max_steps": 3, "precision": "bf16-mixed", "num_threads": 2, "compile": "on"},
        "tasks": [{"name": "a", "finetuning": {"precision": "32-true", "num_threads": 1, "compile": "off"}}],
    }
    assert recipe["tasks"][0]["finetuning"] == {"precision": "auto"}, "the recipe itself is left alone"
