"""Mixed objectives and replayed text: what is drawn, that resuming equals continuing, and that replay helps."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from lmforge.errors import InputError
from lmforge.recipe.mixing import Mixed, Replay
from lmforge.training.mixing import MixedBatches, Replaying, TrainingData
from models.objectives.mixture import PART, Mixture

PAIRS = {"mixture": (Mixed(objective="sentence_order", share=0.4),)}
DENOISERS = {
    "architecture": "t5",
    "objective": "span_corruption",
    "mixture": (
        Mixed(objective="span_corruption", share=0.3, name="long_spans", mean_span_length=8, mask_share=0.5),
        Mixed(objective="denoising", share=0.2),
    ),
}


def equal(one, other) -> bool:
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def test_each_step_has_one_objective_drawn_by_share(make_spec):
    data = TrainingData(make_spec(**DENOISERS, max_steps=10_000))
    batches = data.training(0)
    assert isinstance(batches, MixedBatches)
    drawn = np.array([batches.draw(step)[0] for step in range(10_000)])
    assert np.bincount(drawn) / len(drawn) == pytest.approx([0.5, 0.3, 0.2], abs=0.015)
    numbers = [batches.draw(step)[1] for step in range(10_000)]
    for part in range(3):
        own = [number for number, one in zip(numbers, drawn, strict=True) if one == part]
        assert own == list(range(len(own))), "each objective counts its own steps"
    other_seed = TrainingData(make_spec(**DENOISERS, max_steps=10_000, seed=2)).training(0)
    assert [other_seed.draw(step)[0] for step in range(50)] != drawn[:50].tolist()


def test_a_start_in_the_middle_gives_the_same_batches(make_spec):
    spec = make_spec(**PAIRS, max_steps=30)
    whole = list(TrainingData(spec).training(0))
    late = list(TrainingData(spec).training(17))
    assert {int(batch[PART][0]) for batch in whole} == {0, 1}
    assert len(late) == 13
    assert all(equal(one, other) for one, other in zip(whole[17:], late, strict=True))


def test_a_part_learns_what_it_would_alone(make_spec):
    """The first objective's batches are those of a run without a mixture, in the same order."""
    mixed = [batch for batch in TrainingData(make_spec(**PAIRS, max_steps=30)).training(0) if not batch[PART][0]]
    alone = list(TrainingData(make_spec(max_steps=30)).training(0))
    for one, other in zip(mixed, alone, strict=False):
        assert equal({name: tensor for name, tensor in one.items() if name != PART}, other)


def test_a_run_of_one_objective_is_not_wrapped(make_spec):
    data = TrainingData(make_spec())
    assert not isinstance(data.objective, Mixture)
    assert PART not in data.training(0).batch(0)


@pytest.mark.parametrize("settings", [PAIRS, DENOISERS], ids=["bert", "t5"])
def test_stopping_twice_changes_nothing(make_spec, program, settings):
    whole, parts = (program(make_spec(name, **settings, dropout=0.1, max_steps=24)) for name in ("whole", "parts"))
    assert whole.run() == 0, whole.errors.read_text(encoding="utf-8")
    assert [parts.run(stop_at=5), parts.run(stop_at=13), parts.run()] == [143, 143, 0]
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()
    result = json.loads(whole.spec.result_file.read_text(encoding="utf-8"))
    prefixes = ["", *(f"{one.label}_" for one in settings["mixture"])]
    assert all(0 < result[f"val/{prefix}loss"] < 10 for prefix in prefixes)
    assert ("val/sentence_order_pair_accuracy" in result) == (settings is PAIRS)


@pytest.fixture
def earlier(training_data, tmp_path):
    """Earlier tokens as stage tokenize leaves them: here the validation text."""
    directory = tmp_path / "earlier"
    shutil.copytree(training_data, directory)
    return directory


def replaying(make_spec, earlier, name="run", share=0.25, **changes):
    spec = make_spec(name, replay=Replay(share=share, tokens="x"), **changes)
    return spec.model_copy(update={"replay": earlier})


def test_each_batch_has_its_share_of_earlier_rows(make_spec, earlier):
    data = TrainingData(replaying(make_spec, earlier))
    batches = data.training(0)
    (part,) = batches.parts
    assert isinstance(part.objective, Replaying)
    new, old = part.rows, part.objective.earlier
    assert len(batches.batch(0)["input_ids"]) == 8
    assert len(part.rows.take(part._epoch(0)[0]).ids) == 6
    assert part.objective.num_rows == 2
    assert len(new) == len(old)
    assert equal(batches.batch(5), TrainingData(replaying(make_spec, earlier)).training(5).batch(5))
    assert not equal(batches.batch(5), batches.batch(6))


def test_replay_is_exact_over_a_stop_and_measured_by_its_own_loss(make_spec, program, earlier):
    whole, parts = (program(replaying(make_spec, earlier, name, max_steps=16, **PAIRS)) for name in ("whole", "parts"))
    assert whole.run() == 0, whole.errors.read_text(encoding="utf-8")
    assert [parts.run(stop_at=6), parts.run()] == [143, 0]
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()
    last = [row for row in whole.rows() if "val/loss" in row][-1]
    # Both are the same text here, with the same masks.
    assert last["val/replay_loss"] == pytest.approx(last["val/loss"], rel=1e-6)
    assert "val/sentence_order_loss" in last


def test_earlier_text_that_does_not_fit_is_refused(make_spec, earlier):
    with pytest.raises(InputError, match="the spec has no directory"):
        TrainingData(replaying(make_spec, None))
    with pytest.raises(InputError, match=r"to 32$"):
        TrainingData(replaying(make_spec, earlier, max_seq_length=16))
    tokenizer = earlier / "tokenizer" / "tokenizer.json"
    content = json.loads(tokenizer.read_text(encoding="utf-8"))
    content["normalizer"] = None
    tokenizer.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="encoded by another tokenizer"):
        TrainingData(replaying(make_spec, earlier))
