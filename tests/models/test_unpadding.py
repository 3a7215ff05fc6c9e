"""A classifier that reads texts without their padding answers and learns as with it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.architectures import Special, build_config, classifier
from models.compiling import compile_layers
from models.lightning_module import LanguageModule
from models.memory import recompute_activations
from models.objectives.sequence_classification import Example, SequenceClassification
from models.unpadding import pooled_logits, unpad, unpads
from models.vocabulary import train_used_rows
from tests.models.gradients import assert_same, with_gradients

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=64)
LENGTHS = {"mixed": (9, 4, 30, 9, 31, 5, 17), "equal": (8, 8, 8), "one": (6,), "far apart": (2, 40, 2, 40, 40)}


def network(architecture: str, dropout: float = 0.0):
    torch.manual_seed(0)
    config = build_config(architecture, "nano", SPECIAL, max_positions=48, dropout=dropout)
    return classifier(["a", "b", "c"], config=config).train()


def texts(lengths):
    rng = np.random.default_rng(2)
    rows = [Example(rng.integers(5, 64, length), index % 3) for index, length in enumerate(lengths)]
    return SequenceClassification(pad=0).collate(rows)


def padded(model, batch):
    return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits


@pytest.mark.parametrize("lengths", list(LENGTHS.values()), ids=list(LENGTHS))
@pytest.mark.parametrize("architecture", ["bert", "electra"])
def test_logits_and_gradients_are_those_with_padding(architecture, lengths):
    model, batch = network(architecture), texts(lengths)
    wanted = with_gradients(model, padded(model, batch))
    assert_same(with_gradients(model, pooled_logits(model, batch)), wanted)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_with_half_the_bits_padding_is_not_seen_either(dtype):
    model, batch = network("bert").eval(), texts(LENGTHS["mixed"])
    wanted = padded(model, batch).detach()
    with torch.autocast("cpu", dtype=dtype), torch.inference_mode():
        found = pooled_logits(model, batch).float()
    torch.testing.assert_close(found, wanted, rtol=0.05, atol=0.02)


def test_used_rows_of_the_vocabulary_are_enough():
    model, batch = network("bert"), texts((9, 4, 12))
    wanted = pooled_logits(model, batch).detach()
    assert train_used_rows(model, batch["input_ids"].numpy())
    torch.testing.assert_close(pooled_logits(model, batch).detach(), wanted, rtol=1e-5, atol=1e-6)


def test_the_row_has_every_token_once_and_no_padding():
    batch = texts(LENGTHS["mixed"])
    row = unpad(batch)
    assert row.ids.shape == row.position_ids.shape == (1, sum(LENGTHS["mixed"]))
    for text, first in enumerate(row.firsts[row.order].tolist()):
        length = LENGTHS["mixed"][text]
        assert torch.equal(row.ids[0, first : first + length], batch["input_ids"][text, :length])
        assert row.position_ids[0, first : first + length].tolist() == list(range(length))
    assert sum(group.num_texts for group in row.groups) == len(LENGTHS["mixed"])
    assert max(group.length for group in row.groups) == max(LENGTHS["mixed"])


def test_texts_far_apart_in_length_go_in_groups_of_their_own():
    batch = texts([4] * 40 + [120] * 40)
    assert unpad(batch).groups == ((40, 4, None, None, None), (40, 120, None, None, None)), "nothing is gathered"


def test_of_the_last_layer_only_first_tokens_are_computed():
    model, batch, counts = network("bert"), texts(LENGTHS["mixed"]), []
    for layer in model.bert.encoder.layer:
        for module in (layer.attention.self.query, layer.intermediate):
            module.register_forward_hook(lambda _, given, __: counts.append(len(given[0])))
    pooled_logits(model, batch)
    assert counts == [sum(LENGTHS["mixed"]), len(LENGTHS["mixed"]), len(LENGTHS["mixed"])], "the others are one product"


def test_dropout_of_attention_is_drawn():
    model, batch = network("bert", dropout=0.5), texts(LENGTHS["mixed"])
    assert not torch.equal(pooled_logits(model, batch), pooled_logits(model, batch))
    model.eval()
    assert torch.equal(pooled_logits(model, batch), pooled_logits(model, batch))


def test_what_cannot_go_unpadded_goes_in_parts_of_like_length():
    batch = texts([4] * 40 + [120] * 40)

    def parts(model):
        settings = {"learning_rate": 1e-3, "warmup_steps": 1, "max_steps": 4, "schedule": "constant"}
        settings |= {"weight_decay": 0.0, "betas": (0.9, 0.98), "seed": 1, "by_length": True}
        return len(LanguageModule(model, SequenceClassification(pad=0), **settings).parts(batch))

    assert (unpads(network("bert")), parts(network("bert"))) == (True, 1)
    assert (unpads(network("gpt2")), parts(network("gpt2"))) == (False, 2)
    recomputing, compiled = network("bert"), network("bert")
    recompute_activations(recomputing)
    compile_layers(compiled, dynamic=True)
    assert [(unpads(one), parts(one)) for one in (recomputing, compiled)] == [(False, 2), (False, 2)]
