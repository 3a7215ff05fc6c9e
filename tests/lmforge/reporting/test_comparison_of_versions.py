"""Versions go by their names, and the parts of the test set with a loss are named."""

from __future__ import annotations

import pytest

from lmforge.reporting.comparison import compare, render_comparison, render_runs
from tests.lmforge.reporting.test_comparison import SECOND_ID, facts, row


def loss(name, change, worse=False, judged=True):
    return {"slice": name, "num_examples": 120, "change": change, "worse": worse, "judged": judged}


@pytest.mark.parametrize(
    ("slices", "lines"),
    [
        ([loss("class=a", 0.1), loss("class=b", 0.0)], ["  worse on none of 2 parts of the test set"]),
        (
            [loss("class=a", -0.3, judged=False), loss("class=b", -0.2, worse=True), loss("class=c", -0.1)],
            [
                "  worse on 3 of 3 parts of the test set, measurably on 1",
                "    class=b: -0.2000 on 120 examples, measurably worse",
                "    class=a: -0.3000 on 120 examples, too few to judge",
                "    class=c: -0.1000 on 120 examples, within noise",
            ],
        ),
        ([loss(f"k={at}", -0.1) for at in range(10)], ["    and 2 more: --json has all of them"]),
    ],
)
def test_the_parts_of_the_test_set_with_a_loss_are_named(slices, lines):
    gain = {"metric": "accuracy", "gain": 0.1, "interval": {"low": 0.0, "high": 0.2}, "num_examples": 240}
    text = render_comparison(compare([facts(), facts(SECOND_ID)]) | {"gains": {"section": gain | {"slices": slices}}})
    assert text.splitlines()[-len(lines) :] == lines


def test_versions_go_by_their_names():
    runs = [facts(version="reviews/1"), facts(SECOND_ID, version="reviews/2", parameters={"seed": 7})]
    lines = render_comparison(compare(runs)).splitlines()
    assert lines[0] == "version                      reviews/1                reviews/2"
    assert lines[1] == "run                          3f2a9c1b                 7b11ee02"
    mixed = render_comparison(compare([facts(version="reviews/1"), facts(SECOND_ID)])).splitlines()
    assert mixed[0] == "version                      reviews/1                7b11ee02"


def base(version, value, **changes):
    document = {
        "metric": "bits_per_byte", "value": value, "floors": {"5-gram": 0.7}, "num_documents": 60,
        "registered_model": "places-base", "version": version, "verdict": "first version", "aliases": ["champion"],
    }  # fmt: skip
    return document | changes


def test_base_models_are_compared_with_what_their_gate_said():
    second = base("2", 0.5, verdict="improved", facts={"gate/gain_over_champion": 0.1})
    text = render_comparison(compare([facts(base=base("1", 0.6)), facts(SECOND_ID, base=second)]))
    lines = text.split("base model\n")[1].splitlines()
    assert [line.split(maxsplit=1)[0] for line in lines[:4]] == [
        "verdict", "version", "bits_per_byte", "gate/gain_over_champion",
    ]  # fmt: skip
    assert "floor" not in text, "floors are the same"
    assert lines[2].split() == ["bits_per_byte", "0.6", "0.5"]


def test_the_list_of_runs_names_a_base_model():
    lines = render_runs([row(tasks=[], language=None, base=base("1", 0.6))]).splitlines()
    assert lines[-1] == "  base: bits_per_byte 0.600, first version, places-base 1 (champion)"
