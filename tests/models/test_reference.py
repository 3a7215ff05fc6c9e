"""The blocks that are written to be read equal those of `transformers`: outputs, gradients, masks and positions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, GPT2Config, LlamaConfig
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.gpt2.modeling_gpt2 import GPT2Block
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

from models.reference import LlamaBlock, MultiHeadAttention, PostNormBlock, PreNormBlock, attention

HIDDEN, HEADS, INNER, LENGTH = 32, 4, 48, 11
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
# Names of ours on the left, in pairs of a module here and one of `transformers`.
BERT = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "output_norm": "output.LayerNorm",
}
GPT2 = {
    "attention_norm": "ln_1", "attention.output": "attn.c_proj", "output_norm": "ln_2", "inner": "mlp.c_fc",
    "outer": "mlp.c_proj",
}  # fmt: skip
LLAMA = {
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "attention_norm": "input_layernorm",
    "output_norm": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "inner": "mlp.up_proj",
    "outer": "mlp.down_proj",
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


def drawn(module: nn.Module) -> nn.Module:
    """Weights of every kind away from where they start: a gain of one and a bias of zero hide mistakes."""
    for weight in module.parameters():
        nn.init.normal_(weight, 0.3 if weight.ndim == 1 else 0.0, 0.3)
    return module.eval()


def tensors_of(theirs: nn.Module, names: dict[str, str], kind: str) -> dict[str, Tensor]:
    """Weights, or their gradients, of a block of `transformers` under our names and in our shapes."""
    found: dict[str, Tensor] = {}
    for ours, name in names.items():
        layer = theirs.get_submodule(name)
        for part, weight in layer.named_parameters():
            value = weight if kind == "weight" else weight.grad
            # Conv1D of GPT-2 keeps [in, out].
            found[f"{ours}.{part}"] = value.T if type(layer).__name__ == "Conv1D" and part == "weight" else value
    if isinstance(theirs, GPT2Block):
        joint = theirs.attn.c_attn
        for part, weight in joint.named_parameters():
            value = weight if kind == "weight" else weight.grad
            for name, piece in zip(("query", "key", "value"), value.movedim(-1, 0).chunk(3), strict=True):
                found[f"attention.{name}.{part}"] = piece
    return found


def assert_equal(ours: nn.Module, theirs: nn.Module, names: dict[str, str], our_output, their_output) -> None:
    """Same outputs, and after the same loss the same gradient of every weight and of the input."""
    weights = {name: value.detach().clone() for name, value in tensors_of(theirs, names, "weight").items()}
    assert ours.load_state_dict(weights) == nn.modules.module._IncompatibleKeys([], [])
    assert sum(value.numel() for value in weights.values()) == sum(value.numel() for value in theirs.parameters())
    hidden = torch.randn(3, LENGTH, HIDDEN).requires_grad_()
    target = torch.randn(3, LENGTH, HIDDEN)
    outputs, gradients = [], []
    for output in (our_output, their_output):
        result = output(hidden)
        (gradient,) = torch.autograd.grad((result * target).sum(), hidden, retain_graph=True)
        (result * target).sum().backward()
        outputs.append(result)
        gradients.append(gradient)
    torch.testing.assert_close(*outputs, **CLOSE)
    torch.testing.assert_close(*gradients, **CLOSE)
    expected = tensors_of(theirs, names, "gradient")
    for name, weight in ours.named_parameters():
        # A bias of all keys moves a query's scores alike, so its gradient is zero but for rounding.
        scale = expected[name].abs().max().clamp(min=1.0)
        torch.testing.assert_close(
            weight.grad / scale, expected[name] / scale, **CLOSE, msg=lambda m, n=name: f"{n}: {m}"
        )


def within_documents() -> Tensor:
    """Two documents in a row of tokens: `[3, LENGTH, LENGTH]`, with another border in each row."""
    document = torch.arange(LENGTH) >= torch.tensor([4, 5, 9])[:, None]
    return document[:, :, None] == document[:, None, :]


def additive(mask: Tensor) -> Tensor:
    """As `transformers` adds it to the scores: `[n, 1, length, length]`."""
    return torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)[:, None]


CAUSAL = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
EVERYTHING = torch.ones(3, LENGTH, LENGTH, dtype=torch.bool)


@pytest.mark.parametrize("masked", [False, True])
def test_post_norm_block_equals_a_layer_of_bert(masked):
    config = BertConfig(hidden_size=HIDDEN, num_attention_heads=HEADS, intermediate_size=INNER)
    theirs, ours = drawn(BertLayer(config)), PostNormBlock(HIDDEN, HEADS, INNER)
    mask = within_documents() if masked else None
    assert_equal(
        ours,
        theirs,
        BERT,
        lambda hidden: ours(hidden, mask),
        lambda hidden: theirs(hidden, attention_mask=None if mask is None else additive(mask)),
    )


@pytest.mark.parametrize("masked", [False, True])
def test_pre_norm_block_equals_a_block_of_gpt2(masked):
    config = GPT2Config(n_embd=HIDDEN, n_head=HEADS, n_inner=INNER)
    theirs, ours = drawn(GPT2Block(config, layer_idx=0)), PreNormBlock(HIDDEN, HEADS, INNER)
    mask = within_documents() if masked else None
    seen = CAUSAL & (EVERYTHING if mask is None else mask)
    assert_equal(
        ours,
        theirs,
        GPT2,
        lambda hidden: ours(hidden, mask),
        lambda hidden: theirs(hidden, attention_mask=additive(seen)),
    )


@pytest.mark.parametrize("masked", [False, True])
def test_llama_block_equals_a_layer_of_llama(masked):
    """With positions that begin again in the second document, as in a packed row."""
    config = LlamaConfig(hidden_size=HIDDEN, num_attention_heads=HEADS, intermediate_size=INNER)
    theirs, ours = drawn(LlamaDecoderLayer(config, layer_idx=0)), LlamaBlock(HIDDEN, HEADS, INNER)
    mask = within_documents() if masked else None
    seen = CAUSAL & (EVERYTHING if mask is None else mask)
    places = seen.sum(-1) - 1 if masked else torch.arange(LENGTH).expand(3, -1)
    assert (places[:, 6].tolist() == [2, 1, 6]) == masked
    rotary = LlamaRotaryEmbedding(config)
    assert_equal(
        ours,
        theirs,
        LLAMA,
        lambda hidden: ours(hidden, mask, places if masked else None),
        lambda hidden: theirs(
            hidden, attention_mask=additive(seen), position_embeddings=rotary(hidden, position_ids=places)
        ),
    )


def test_attention_equals_that_of_torch():
    query, key, value = (torch.randn(2, HEADS, LENGTH, 8) for _ in range(3))
    mask = within_documents()[:2, None]
    expected = nn.functional.scaled_dot_product_attention(query, key, value, mask)
    torch.testing.assert_close(attention(query, key, value, mask), expected, **CLOSE)
    longer = torch.cat([key, key], dim=-2), torch.cat([value, value], dim=-2)
    torch.testing.assert_close(attention(query, *longer), attention(query, key, value), **CLOSE)


def test_attention_by_hand():
    """Two keys whose scores differ by log 3: three quarters and one quarter of the values."""
    query = torch.tensor([[2.0, 0, 0, 0]])
    key = torch.tensor([[math.log(3), 0, 0, 0], [0, 5.0, 0, 0]])
    value = torch.tensor([[4.0], [8.0]])
    assert attention(query, key, value).item() == pytest.approx(0.75 * 4 + 0.25 * 8)
    assert attention(query, key, value, torch.tensor([[False, True]])).item() == 8
    assert attention(query, key, value, torch.tensor([[False, False]])).isnan().all()


@pytest.mark.parametrize("block", [PreNormBlock, LlamaBlock])
def test_a_later_token_changes_nothing_before_it(block):
    module, hidden = drawn(block(HIDDEN, HEADS, INNER)), torch.randn(1, LENGTH, HIDDEN)
    changed = hidden.clone()
    changed[:, 7, :9] += 1  # a change of all features alike would not outlive LayerNorm
    before, after = module(hidden), module(changed)
    torch.testing.assert_close(before[:, :7], after[:, :7], rtol=0, atol=1e-6)
    assert ((before[:, 7:] - after[:, 7:]).abs().amax(-1) > 1e-4).all()


def test_rotary_scores_depend_on_distance_alone():
    """Positions that all move by 100 leave the outputs; other distances do not."""
    module, hidden = drawn(MultiHeadAttention(HIDDEN, HEADS, rotary=True)), torch.randn(2, LENGTH, HIDDEN)
    places = torch.arange(LENGTH).expand(2, -1)
    here = module(hidden)
    torch.testing.assert_close(module(hidden, positions=places), here, rtol=0, atol=0)
    torch.testing.assert_close(module(hidden, positions=places + 100), here, rtol=1e-4, atol=1e-4)
    assert (module(hidden, positions=places * 2) - here).abs().max() > 1e-2


def test_heads_must_divide_the_hidden_size():
    with pytest.raises(ValueError, match="hidden_size 30 is not a multiple of num_heads 4"):
        MultiHeadAttention(30, 4)
