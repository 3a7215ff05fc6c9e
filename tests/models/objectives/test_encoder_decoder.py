"""Losses of targets are those of `transformers`; ignored labels and padded inputs change nothing."""

from __future__ import annotations

import pytest
import torch

from models.objectives.encoder_decoder import example_losses, target_loss, token_losses
from models.objectives.masked_lm import IGNORED


def batch_of(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, 29, (4, 12), generator=generator)
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "labels": torch.randint(5, 29, (4, 9), generator=generator),
    }


@pytest.mark.parametrize("architecture", ["t5", "bart"])
def test_loss_is_that_of_transformers(network, architecture):
    model, batch = network(architecture, "denoising"), batch_of()
    batch["labels"][1, 5:] = IGNORED
    torch.testing.assert_close(target_loss(model, batch), model(**batch).loss)


@pytest.mark.parametrize("architecture", ["t5", "bart"])
def test_losses_of_examples_do_not_depend_on_their_neighbours(network, architecture):
    model, batch = network(architecture, "denoising"), batch_of()
    batch["labels"][2, 4:] = IGNORED
    batch["input_ids"][1, 7:], batch["attention_mask"][1, 7:] = 0, 0
    together = example_losses(model, batch)
    assert together.shape == (4,)
    for row in range(4):
        alone = {name: tensor[row : row + 1] for name, tensor in batch.items()}
        alone["input_ids"] = alone["input_ids"][:, alone["attention_mask"][0].bool()]
        alone["attention_mask"] = torch.ones_like(alone["input_ids"])
        torch.testing.assert_close(example_losses(model, alone)[0], together[row], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(model(**alone).loss, together[row], atol=1e-5, rtol=1e-5)


def test_ignored_targets_have_no_loss_and_are_never_right(network):
    model, batch = network("t5", "denoising"), batch_of()
    batch["labels"][:, 3] = IGNORED
    losses, right = token_losses(model, batch)
    assert not losses[:, 3].any()
    assert not right[:, 3].any()
    assert (losses[:, :3] > 0).all()
