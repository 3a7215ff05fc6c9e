"""Architectures are what `transformers` builds: its own loss agrees, and settings reach the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.architectures import Special, build_config, classifier, language_model, load_language_model
from models.fitting import DECODERS, ENCODER_DECODERS, ENCODERS

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=64)


def config_of(architecture: str, dropout: float = 0.0):
    return build_config(architecture, "nano", SPECIAL, max_positions=32, dropout=dropout)


def test_modernbert_has_about_as_many_weights_as_bert():
    bert, modern = (
        sum(weight.numel() for name, weight in language_model("masked_lm", config_of(one)).named_parameters()
            if "embeddings" not in name)
        for one in ("bert", "modernbert")
    )  # fmt: skip
    assert modern / bert == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("architecture", "objective"),
    [
        ("bert", "causal_lm"),
        ("modernbert", "next_sentence"),
        ("gpt2", "masked_lm"),
        ("t5", "causal_lm"),
        ("llama", "denoising"),
    ],
)
def test_objective_that_an_architecture_cannot_learn_is_refused(architecture, objective):
    with pytest.raises(ValueError, match=f"architecture {architecture} does not fit objective {objective}: use "):
        language_model(objective, config_of(architecture))


def test_same_seed_same_weights():
    def drawn(seed):
        torch.manual_seed(seed)
        return torch.cat([weight.flatten() for weight in language_model("causal_lm", config_of("gpt2")).parameters()])

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


@pytest.mark.parametrize("architecture", [*ENCODERS, *DECODERS, *ENCODER_DECODERS])
@pytest.mark.parametrize(("before", "after"), [(0.0, 0.4), (0.4, 0.0)])
def test_dropout_of_a_directory_is_replaced_everywhere(tmp_path, architecture, before, after):
    old = classifier(["a", "b"], config=config_of(architecture, before))
    old.save_pretrained(tmp_path)
    new = classifier(["a", "b"], start=tmp_path, dropout=after).train()
    fresh = classifier(["a", "b"], config=config_of(architecture, after))
    rates = [[one.p for one in model.modules() if isinstance(one, nn.Dropout)] for model in (new, fresh)]
    assert rates[0] == rates[1]
    new_config, fresh_config = ({k: v for k, v in m.config.to_dict().items() if "drop" in k} for m in (new, fresh))
    assert new_config == fresh_config
    ids = torch.randint(5, 64, (4, 16), generator=torch.Generator().manual_seed(0))
    ids[:, -1] = SPECIAL.sep  # encoder-decoders classify by what stands there
    outputs = [new(input_ids=ids).logits for _ in range(2)]
    assert torch.equal(*outputs) == (after == 0)


@pytest.mark.parametrize(
    ("architecture", "objective"),
    [
        ("bert", "masked_lm"),
        ("bert", "sentence_order"),
        ("modernbert", "masked_lm"),
        ("electra", "masked_lm"),
        ("gpt2", "causal_lm"),
        ("llama", "causal_lm"),
        ("t5", "span_corruption"),
        ("bart", "denoising"),
    ],
)
def test_classifier_and_evaluation_start_from_the_language_model(tmp_path, architecture, objective):
    base = language_model(objective, config_of(architecture)).eval()
    base.save_pretrained(tmp_path)
    model = classifier(["x", "y", "z"], start=tmp_path)
    # A language model of T5 has no body of its own apart from it, its classifier has one.
    body = dict(model.base_model.named_parameters())
    for name, weight in base.base_model.named_parameters():
        assert name.startswith("lm_head") or torch.equal(weight, body[name]), name
    assert model.config.id2label == {0: "x", 1: "y", 2: "z"}
    assert model.config.num_labels == 3
    loaded = load_language_model(objective, tmp_path)
    assert type(loaded) is type(base)
    assert all(torch.equal(weight, loaded.state_dict()[name]) for name, weight in base.state_dict().items())
