"""A spec that contradicts itself is refused before anything is loaded."""

from __future__ import annotations

import json

import pytest

from lmforge.training.__main__ import main
from lmforge.training.spec import TrainingSpec


def test_spec_survives_its_file(make_spec):
    for objective in ("masked_lm", "causal_lm", "sequence_classification"):
        spec = make_spec(objective=objective)
        assert TrainingSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_threads": 0}, "num_threads"),
        ({"objective": "causal_lm"}, "objective causal_lm but settings.objective masked_lm"),
        ({"objective": "sequence_classification"}, "objective sequence_classification"),
        ({"labels": ["a", "b"]}, "leave `labels` out"),
        ({"sede": 3}, "sede"),
        ({"run_dir": None}, "run_dir"),
    ],
)
def test_bad_spec_exits_with_2_and_says_what(make_spec, tmp_path, capsys, change, message):
    content = json.loads(make_spec().model_dump_json()) | change
    (tmp_path / "spec.json").write_text(json.dumps(content), encoding="utf-8")
    assert main([str(tmp_path / "spec.json")]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.rstrip().endswith("(the file is a lmforge.training.spec.TrainingSpec as JSON)")


def test_fine_tuning_needs_two_labels(make_spec):
    spec = make_spec(objective="sequence_classification")
    with pytest.raises(ValueError, match="at least two labels"):
        TrainingSpec.model_validate(spec.model_dump() | {"labels": ("only",)})


def test_usage(capsys, tmp_path):
    assert main(["--help"]) == 0
    assert main([]) == 2
    assert main([str(tmp_path / "missing.json")]) == 2
    assert "missing.json" in capsys.readouterr().err
