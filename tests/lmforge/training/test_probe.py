"""The choice of precision, threads and compilation: what is open, what is remembered, and that it is measured."""

import json

import numpy as np
import pytest
import torch

from lmforge.errors import InputError
from lmforge.training.building import build_model
from lmforge.training.mixing import TrainingData
from lmforge.training.probe import Execution, prepare_execution
from lmforge.training.processes import joined
from models.lightning_module import LanguageModule


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def prepare():
    """The choice for a spec, as the program makes it."""

    def prepared(spec, *, resumed: bool = False) -> Execution:
        spec.run_dir.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        data = TrainingData(spec)
        optimizer = {"learning_rate": 1e-3, "warmup_steps": 1, "max_steps": 9, "schedule": "linear"}
        module = LanguageModule(
            build_model(spec), data.objective, **optimizer, weight_decay=0.0, betas=(0.9, 0.98), seed=1,
            micro_batch_size=None,
        )  # fmt: skip
        before = {name: weight.clone() for name, weight in module.named_parameters()}
        batch = data.training(0).batch(0)
        with joined(1) as processes:
            chosen = prepare_execution(spec, module, batch, processes, same_shapes=True, resumed=resumed)
        assert all(torch.equal(weight, before[name]) for name, weight in module.named_parameters())
        assert all(weight.grad is None for weight in module.parameters())
        return chosen

    return prepared


def test_short_runs_are_not_probed(make_spec, prepare):
    spec = make_spec(max_steps=20)
    assert prepare(spec) == Execution("32-true", 1, compiled=False)
    assert not list(spec.run_dir.glob("probes*"))


def test_what_the_recipe_says_is_not_measured(make_spec, prepare):
    spec = make_spec(max_steps=500, warmup_steps=3, precision="bf16-mixed", num_threads=1, compile="off")
    assert prepare(spec) == Execution("bf16-mixed", 1, compiled=False)


def test_the_fastest_is_taken_and_later_runs_find_it(make_spec, prepare, tmp_path, caplog):
    caplog.set_level("INFO")
    probes = tmp_path / "home" / "probes.json"
    spec = make_spec(max_steps=500, warmup_steps=3).model_copy(update={"num_threads": 2, "probes": probes})
    chosen = prepare(spec)
    (told,) = [message for message in caplog.messages if "probe of precision" in message]
    taken = {option: int(told.split(f"{option}: ")[1].split(" ms")[0]) for option in _OPTIONS}
    assert len(taken) == 4
    name = f"{chosen.precision} x {chosen.num_threads}"
    # Within what two turns differ by, and a millisecond of rounding, the default stays.
    assert taken[name] <= min(taken.values()) / 0.94 + 1
    assert torch.get_num_threads() == chosen.num_threads
    other = Execution("bf16-mixed", 1, compiled=False)
    (key,) = json.loads(probes.read_text(encoding="utf-8"))
    probes.write_text(json.dumps({key: other._asdict()}), encoding="utf-8")
    again = make_spec("again", max_steps=500, warmup_steps=3).model_copy(update={"num_threads": 2, "probes": probes})
    assert prepare(again) == other


def test_a_resumed_run_keeps_its_choice(make_spec, prepare):
    spec = make_spec(max_steps=500, warmup_steps=3, num_threads=1, precision="32-true")
    assert prepare(spec).precision == "32-true"
    kept = Execution("bf16-mixed", 1, compiled=False)
    spec.execution_file.write_text(json.dumps(kept._asdict()), encoding="utf-8")
    assert prepare(spec, resumed=True) == kept
    assert prepare(spec, resumed=False).precision == "32-true"


def test_compilation_without_a_compiler_is_refused(make_spec, prepare, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match=r"needs a C\+\+ compiler; install g\+\+"):
        prepare(make_spec(compile="on"))


def test_a_damaged_list_of_probes_is_measured_again(make_spec, prepare, tmp_path):
    probes = tmp_path / "probes.json"
    probes.write_text("{half", encoding="utf-8")
    spec = make_spec(max_steps=500, warmup_steps=3).model_copy(update={"num_threads": 2, "probes": probes})
    chosen = prepare(spec)
    assert [Execution(**one) for one in json.loads(probes.read_text(encoding="utf-8")).values()] == [chosen]


_OPTIONS = [f"{precision} x {number}" for precision in ("32-true", "bf16-mixed") for number in (1, 2)]


def test_losses_in_half_precision_are_close(make_spec):
    spec = make_spec()
    torch.manual_seed(0)
    data = TrainingData(spec)
    model, batch = build_model(spec), data.training(0).batch(0)
    with torch.no_grad():
        whole = data.objective.loss(model, batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = data.objective.loss(model, batch)
    assert np.isclose(half.item(), whole.item(), rtol=0.02)
