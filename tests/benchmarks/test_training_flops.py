"""FLOPs of a step: by hand for a small network, and against the products that torch really makes."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.training_flops import Network, causal_lm, classification, encoder_decoder, masked_lm

MINI = Network(4, 256, 1024, 30_522)


def test_known_counts_of_the_measured_networks():
    assert masked_lm(MINI, 128) == pytest.approx(27.5e6, rel=0.005)
    assert causal_lm(Network(4, 256, 1024, 16_384), 256) == pytest.approx(45.6e6, rel=0.005)


def test_a_small_network_by_hand():
    network = Network(num_layers=1, hidden_size=2, intermediate_size=3, vocab_size=5)
    # 4 matrices of 2 x 2 and 2 of 2 x 3, two operations a weight; scores and weighted sum over 10 tokens of width 2.
    layer, attention, head = 2 * (16 + 12), 2 * 2 * 10 * 2, 2 * 2 * 5
    assert classification(network, 10) == 3 * (layer + attention)
    assert causal_lm(network, 10) == 3 * (layer + attention / 2 + head)
    assert masked_lm(network, 10, mask_share=0.5) == 3 * (layer + attention + 0.5 * (head + 8))


def test_a_gated_layer_has_a_third_matrix():
    plain, gated = Network(1, 8, 16, 100), Network(1, 8, 16, 100, gated=True)
    assert gated.layer - plain.layer == 2 * 8 * 16


def test_padding_and_unpredicted_positions_cost_nothing():
    assert masked_lm(MINI, 128, mask_share=0.15) < 0.5 * masked_lm(MINI, 128, mask_share=1.0)
    assert classification(MINI, 16) < classification(MINI, 128)


@pytest.mark.parametrize(("architecture", "objective"), [("bert", "masked"), ("bart", "denoising")])
def test_counts_are_those_of_the_network(architecture, objective):
    """Forward of the real network, all positions predicted, attention counted in full as its mask makes it do."""
    from models.architectures import Special, build_config, language_model

    special = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=500)
    config = build_config(architecture, "nano", special, max_positions=64, dropout=0.0)
    config._attn_implementation = "eager"
    name = {"masked": "masked_lm", "denoising": "denoising"}[objective]
    model, ids = language_model(name, config).eval(), torch.full((3, 32), 7)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(input_ids=ids, **({"labels": ids} if objective == "denoising" else {}))
    network = Network(2, 128, 512, 500)
    if objective == "masked":
        expected = 3 * 32 * masked_lm(network, 32, mask_share=1.0) / 3
    else:
        seen_half = 3 * 2 * 32 * network.attention(16)
        expected = 3 * encoder_decoder(network, 32, 32) / 3 + seen_half
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.01)
