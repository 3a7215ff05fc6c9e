"""Less memory, the same gradient: of a batch in parts, a mean over tokens, and of activations computed twice."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from models.architectures import Special, build_config, classifier, language_model
from models.lightning_module import LanguageModule
from models.memory import cuts, recompute_activations, split, split_by_length
from models.objectives import OBJECTIVES
from models.objectives.denoising import Noise
from models.objectives.sequence_classification import Example

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=64)
ORDINARY = np.arange(SPECIAL.vocab_size) >= 5
MASKED = {"special": SPECIAL, "ordinary": ORDINARY, "mask_share": 0.3}
SPANS = {"sep": SPECIAL.sep, "sentinels": np.arange(54, 64), "mask_share": 0.3, "mean_span_length": 2.0}
NOISE = Noise(mask_share=0.0, deletion_share=0.0, infilling_share=0.3, permutation_share=1.0, mean_span_length=2.0)
ENDS = np.array([7])
OPTIONS = {
    "masked_lm": ("bert", MASKED),
    "next_sentence": ("bert", MASKED | {"max_seq_length": 24}),
    "replaced_token_detection": ("electra", MASKED),
    "causal_lm": ("llama", {}),
    "span_corruption": ("t5", SPANS),
    "denoising": ("bart", {"special": SPECIAL, "ordinary": ORDINARY, "sentence_ends": ENDS, "noise": NOISE}),
    "sequence_classification": ("bert", {"pad": 0}),
}


def rows_for(name: str, rng: np.random.Generator):
    if name == "sequence_classification":
        return [Example(rng.integers(5, 54, length), length % 2) for length in (4, 9, 6, 12, 5, 7, 8)]
    if name == "next_sentence":
        return [rng.integers(5, 54, length) for length in (16, 19, 26, 32, 22, 30, 18)]
    return rng.integers(5, 54, (7, 24))


def setup(name: str, dropout: float = 0.0):
    architecture, options = OPTIONS[name]
    torch.manual_seed(0)
    config = build_config(architecture, "nano", SPECIAL, max_positions=48, dropout=dropout)
    fine = name == "sequence_classification"
    model = classifier(["a", "b"], config=config) if fine else language_model(name, config)
    objective = OBJECTIVES[name](**options)
    rng = np.random.default_rng(3)
    return model.train(), objective, objective.collate(rows_for(name, rng), rng)


def gradients(model) -> list[torch.Tensor]:
    return [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("name", list(OPTIONS))
def test_loss_and_gradient_are_those_of_the_whole_batch(name, size):
    model, objective, batch = setup(name)
    whole = objective.loss(model, batch)
    whole.backward()
    wanted = gradients(model)
    model.zero_grad()
    counts, loss = objective.counts(batch), 0.0
    for part in split(batch, size):
        one = objective.loss(model, part, counts)
        one.backward()
        loss += one.item()
    scale = max(one.abs().max() for one in wanted)
    assert loss == pytest.approx(whole.item(), rel=1e-6)
    assert len(wanted) == len(gradients(model))
    for first, second in zip(wanted, gradients(model), strict=True):
        torch.testing.assert_close(second, first, rtol=1e-4, atol=1e-6 * max(1.0, float(scale)))


def test_means_of_the_parts_would_give_another_loss():
    """What the counts are for."""
    model, objective, batch = setup("masked_lm")
    means = [objective.loss(model, part).item() for part in split(batch, 2)]
    assert abs(float(np.mean(means)) - objective.loss(model, batch).item()) > 1e-3


def test_parts_hold_all_rows_in_order():
    _, _, batch = setup("next_sentence")
    parts = split(batch | {"scalar": torch.tensor(5)}, 3)
    assert [len(part["input_ids"]) for part in parts] == [3, 3, 1]
    for name, tensor in batch.items():
        assert torch.equal(torch.cat([part[name] for part in parts]), tensor)
    assert all(part["scalar"] == 5 for part in parts)
    assert split(batch, 7) == [batch]


def saved_elements(model, objective, batch) -> tuple[float, int]:
    """The loss, and how many numbers its graph keeps for the backward pass, which is done."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    torch.manual_seed(5)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = objective.loss(model, batch)
    loss.backward()
    return loss.item(), sum(kept.values())


@pytest.mark.parametrize("name", list(OPTIONS))
def test_recomputed_activations_give_the_same_gradient_with_less_kept(name):
    # A layer that is computed again is whole, and dropout draws for all of it.
    model, objective, batch = setup(name, dropout=0.0 if OPTIONS[name][0] in ("bert", "electra") else 0.1)
    loss, kept = saved_elements(model, objective, batch)
    wanted = gradients(model)
    model.zero_grad()
    recompute_activations(model)
    again, fewer = saved_elements(model, objective, batch)
    assert again == pytest.approx(loss, rel=1e-6)
    assert fewer < 0.8 * kept
    assert len(wanted) == len(gradients(model))
    for first, second in zip(wanted, gradients(model), strict=True):
        torch.testing.assert_close(second, first, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [None, 2])
def test_parts_of_like_length_have_the_gradient_of_the_random_batch(size):
    model, objective, batch = setup("sequence_classification")
    whole = objective.loss(model, batch)
    whole.backward()
    wanted = gradients(model)
    model.zero_grad()
    parts = split_by_length(batch, size)
    losses = [objective.loss(model, part, objective.counts(batch)) for part in parts]
    sum(losses).backward()
    assert float(sum(losses).detach()) == pytest.approx(float(whole.detach()), rel=1e-5)
    for first, second in zip(wanted, gradients(model), strict=True):
        torch.testing.assert_close(second, first, rtol=1e-4, atol=1e-6)
    assert size is None or max(len(part["labels"]) for part in parts) <= size


def test_rows_are_cut_where_padding_costs_more_than_a_pass():
    lengths = np.random.default_rng(0).permutation([8] * 20 + [64] * 12)
    ids = torch.zeros(32, 64, dtype=torch.long)
    mask = torch.from_numpy((np.arange(64) < lengths[:, None]).astype(np.int64))
    parts = split_by_length({"input_ids": ids, "attention_mask": mask, "labels": torch.arange(32)})
    assert [tuple(part["input_ids"].shape) for part in parts] == [(20, 8), (12, 64)]
    assert sorted(torch.cat([part["labels"] for part in parts]).tolist()) == list(range(32))
    assert all(part["attention_mask"].all() for part in parts)
    # Three tokens of padding are cheaper than a pass.
    short = {"input_ids": ids[:4, :9], "attention_mask": (torch.arange(9) < torch.tensor([[8], [8], [8], [9]])).long()}
    assert len(split_by_length(short)) == 1


def test_cuts_are_the_cheapest_of_all():
    costs = np.sort(np.random.default_rng(3).integers(1, 50, 7)).astype(float)

    def cost(parts):
        return sum((stop - start) * costs[stop - 1] + 20.0 for start, stop in parts)

    borders = [[place for place in range(1, 7) if chosen >> (place - 1) & 1] for chosen in range(64)]
    every = [list(zip([0, *inner], [*inner, 7], strict=True)) for inner in borders]
    assert cost(cuts(costs, 20.0)) == min(map(cost, every))
    assert max(stop - start for start, stop in cuts(costs, 20.0, size=2)) == 2


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_steps_in_parts_train_like_whole_steps(precision):
    results = {}
    for size in (None, 2):
        model, objective, batch = setup("masked_lm")
        module = LanguageModule(
            model, objective, learning_rate=1e-3, warmup_steps=1, max_steps=4, schedule="constant", weight_decay=0.0,
            betas=(0.9, 0.98), seed=1, micro_batch_size=size,
        )  # fmt: skip
        seen = Seen()
        trainer = pl.Trainer(
            accelerator="cpu", precision=precision, max_steps=4, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0, callbacks=[seen],
        )  # fmt: skip
        trainer.fit(module, DataLoader([batch] * 4, batch_size=None))
        assert trainer.global_step == 4
        assert seen.losses[-1] < seen.losses[0]
        results[size] = seen.losses + seen.norms
    assert results[2] == pytest.approx(results[None], rel=1e-4 if precision == "32-true" else 3e-2)


class Seen(pl.Callback):
    """Losses and gradient norms of all steps."""

    def __init__(self) -> None:
        self.losses, self.norms = [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        assert pl_module.step_loss == pytest.approx(float(outputs["loss"]))
        self.losses.append(pl_module.step_loss)
        self.norms.append(pl_module.gradient_norm)
