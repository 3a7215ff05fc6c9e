"""Ratios and goals from turns, with turns that are made up, and what a missing peer looks like."""

import pytest
import training_speed
from training_configurations import CONFIGURATIONS, ENCODER_DECODERS, PEERS
from training_flops import encoder_decoder

MLM, SHORT = CONFIGURATIONS["mlm_4x256"], CONFIGURATIONS["finetune_short"]


def turn(seconds: float, tokens: int = 4_096, examples: int = 32, **more: float) -> dict[str, float]:
    return {"wall_seconds": seconds, "cpu_seconds": 2 * seconds, "tokens": tokens, "examples": examples,
            "peak_mb": 900, "matrix_share": 0.7} | more  # fmt: skip


def turns(**seconds: list[float]) -> dict[str, list[dict[str, float]]]:
    return {system: [turn(one) for one in values] for system, values in seconds.items()}


def test_ratios_are_of_seconds_a_real_token_and_paired_by_round():
    found = turns(ours=[1.0, 2.0], ours_dropout=[2.0, 2.0], trainer_group=[4.0, 6.0])
    found["trainer_line_dynamic"] = [turn(4.0, tokens=2_048), turn(4.0, tokens=2_048)]
    rows = {row.name: row for row in training_speed.speed_rows(MLM, found)}
    assert rows["mlm_4x256_vs_trainer_group_wall"].values == (4.0, 3.0)
    assert rows["mlm_4x256_vs_trainer_group_wall"].reached is True
    assert rows["mlm_4x256_vs_trainer_line_dynamic_wall"].values == (8.0, 4.0), "padding is no work done"
    assert rows["mlm_4x256_dropout_vs_trainer_group_wall"].values == (2.0, 3.0)
    assert rows["mlm_4x256_dropout_vs_trainer_group_wall"].goal == "at least 2.4"
    assert rows["mlm_4x256_vs_trainer_group_cpu"].goal == "", "goals are of wall time"
    assert rows["mlm_4x256_share_of_matrix_rate"].reached is True


def test_a_peer_that_cannot_run_keeps_its_goal_and_says_what_to_install():
    rows = {row.name: row for row in training_speed.speed_rows(MLM, turns(ours=[1.0], ours_dropout=[1.0]))}
    missing = rows["mlm_4x256_vs_trainer_group_wall"]
    assert (missing.median, missing.goal, missing.reached) == (None, "at least 3.2", None)
    assert "pip install" in missing.note


def test_the_share_counts_the_work_and_not_the_padding():
    padded, packed = turn(1.0, tokens=640), turn(1.0, tokens=640)
    shares = [training_speed.share_of_rate(SHORT, name, one, 2_000, 1e12)
              for name, one in (("trainer_pad_max", padded), ("ours", packed))]  # fmt: skip
    assert shares[0] == shares[1] == 640 * SHORT.flops(20, 2_000) / 1e12
    assert training_speed.share_of_rate(MLM, "ours", turn(2.0), 30_522, 1e12) == pytest.approx(
        4_096 * MLM.flops(128, 30_522) / 2.0 / 1e12
    )


def test_encoder_decoders_are_counted_by_rows():
    denoising = CONFIGURATIONS["denoising_4x256"]
    one = turn(1.0, inputs=70.0, targets=90.0)
    expected = 32 * encoder_decoder(denoising.network(1_000), 70, 90) / 1e12
    assert training_speed.share_of_rate(denoising, "ours", one, 1_000, 1e12) == expected


def test_the_table_has_a_line_a_system_and_examples_where_texts_are_short():
    detail = {"turns": turns(ours=[1.0, 2.0]), "tokens_an_example": 16.0}
    plain = {"turns": turns(ours=[1.0]), "tokens_an_example": None}
    lines = training_speed.speed_table({"finetune_short": detail, "mlm_4x256": plain}).splitlines()[2:]
    assert lines == [
        "| finetune_short | ours | 3,072 | 192.0 | 2,048 to 4,096 | 2.00 | 0.70 | 900 |",
        "| mlm_4x256 | ours | 4,096 |  |  | 2.00 | 0.70 | 900 |",
    ]


@pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=lambda one: one.name)
def test_configurations_name_systems_that_there_are(configuration):
    assert set(configuration.dropout_goals) <= set(configuration.peers) <= set(PEERS)
    ways = {PEERS[peer].way for peer in configuration.peers}
    assert ways <= (
        {"pad_max", "dynamic", "by_length"} if configuration.texts else {"group", "line_max", "line_dynamic"}
    )
    assert not (configuration.objective in ENCODER_DECODERS and configuration.peers)
    assert all(goal is None for peer, goal in configuration.peers.items() if PEERS[peer].once), "goals need all rounds"
