"""What models answer and write: against transformers' own generation, and by drawn numbers."""

import numpy as np
import pytest
import torch

from models.architectures import Special, build_config, language_model
from models.sampling import continued, likely_tokens, written

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=90)


def model_of(architecture, objective):
    torch.manual_seed(0)
    config = build_config(architecture, "nano", SPECIAL, max_positions=32, dropout=0.0)
    return language_model(objective, config).eval()


@pytest.mark.parametrize("architecture", ["bert", "modernbert", "electra"])
def test_likely_tokens_are_those_of_the_whole_model(architecture):
    model = model_of(architecture, "masked_lm")
    ids, places = torch.tensor([2, 10, 4, 12, 4, 3]), torch.tensor([2, 4])
    shares, tokens = likely_tokens(model, ids, places, 5)
    wanted = model(input_ids=ids[None]).logits[0, places].softmax(-1).topk(5)
    torch.testing.assert_close(shares, wanted.values)
    assert torch.equal(tokens, wanted.indices)


def test_likely_tokens_of_a_pair_know_its_segments():
    model = model_of("bert", "next_sentence")
    ids, kinds = torch.tensor([2, 10, 4, 3, 12, 4, 3]), torch.tensor([0, 0, 0, 0, 1, 1, 1])
    shares, _ = likely_tokens(model, ids, torch.tensor([2]), 5, kinds)
    output = model(input_ids=ids[None], token_type_ids=kinds[None])
    torch.testing.assert_close(shares[0], output.prediction_logits[0, 2].softmax(-1).topk(5).values)
    assert not torch.equal(shares, likely_tokens(model, ids, torch.tensor([2]), 5)[0])


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_first_half_is_what_transformers_writes_greedily(architecture):
    model, prompts = model_of(architecture, "causal_lm"), torch.tensor([[2, 10, 11], [2, 12, 13]])
    texts = continued(model, prompts, np.random.default_rng(0).random((2, 6)))
    own = model.generate(prompts, max_new_tokens=6, min_new_tokens=6, do_sample=False, pad_token_id=0)
    # transformers keeps [SEP] out while a text is too short; an untrained model hardly ever prefers it.
    assert torch.equal(texts[:2], own[:, 3:])


def test_second_half_follows_the_draws_and_leaves_torch_alone():
    model, prompt = model_of("gpt2", "causal_lm"), torch.tensor([[2, 10, 11]])
    draws = np.random.default_rng(0).random((1, 6))
    before = torch.get_rng_state()
    first, again = continued(model, prompt, draws), continued(model, prompt, draws)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first[1], continued(model, prompt, 1 - draws)[1])
    lowest = continued(model, prompt, np.zeros((1, 3)))[1]
    assert lowest.tolist() == [0, 0, 0], "the first token of the vocabulary is at the low end of the distribution"


@pytest.mark.parametrize(("architecture", "objective"), [("t5", "span_corruption"), ("bart", "denoising")])
def test_encoder_decoder_writes_what_the_whole_model_finds_most_probable(architecture, objective):
    model, ids = model_of(architecture, objective), torch.tensor([10, 11, 12, 3])
    text = written(model, ids, 6)
    before = model.prepare_decoder_input_ids_from_labels(text[None])
    assert model(input_ids=ids[None], decoder_input_ids=before).logits[0].argmax(-1).tolist() == text.tolist()
