"""Leaks: planted ones are found by the rule that can see them, and chance is none."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from lmforge.text.leaking import leak_facts
from lmforge.text.splitting import Example

NAMES = ("id_only_gain", "order_only_gain", "single_token_gain")
Change = Callable[[int, str, random.Random], dict[str, Any]]


def _split(
    number: int, num_labels: int, change: Change, *, seed: int = 0, in_order: bool = False, given: bool = False
) -> tuple[list[Example], list[Example]]:
    """Examples about nothing whose labels are drawn, or go in blocks; a fifth of them for validation."""
    draw = random.Random(seed)
    words = [f"w{n}" for n in range(400)]
    parts: tuple[list[Example], list[Example]] = ([], [])
    for line in range(1, number + 1):
        label = f"c{(line - 1) * num_labels // number if in_order else draw.randrange(num_labels)}"
        fields = {"id": str(draw.random()), "text": " ".join(draw.choices(words, k=30))} | change(line, label, draw)
        held_out = draw.random() < 0.2
        split = ("validation" if held_out else "train") if given else None
        fields |= {"group": fields["id"], "key": fields["text"], "source": "a.csv", "line": line}
        parts[held_out].append(Example(label=label, repaired=False, split=split, **fields))
    return parts


def _texts(write: Callable[[str, str], str]) -> Change:
    words = [f"v{n}" for n in range(400)]
    return lambda line, label, draw: {"text": write(label, " ".join(draw.choices(words, k=15)))}


NOTHING: Change = lambda line, label, draw: {}  # noqa: E731
TOKENS = {
    "after a cue": (_texts(lambda label, text: f"{text} Label: {label} {text}"), "after 'label'", 4),
    "first": (_texts(lambda label, text: f"__{label}__ {text}"), "first", 4),
    "last, far behind": (_texts(lambda label, text: f"{text * 200} {label}"), "last", 4),
    "one word for one of two": (_texts(lambda label, text: text + " Secret" * (label == "c1")), "'secret'", 2),
}


@pytest.mark.parametrize(("change", "rule", "num_labels"), TOKENS.values(), ids=TOKENS)
def test_a_label_in_the_text_is_found_with_its_place(change: Change, rule: str, num_labels: int) -> None:
    facts = leak_facts(*_split(800, num_labels, change))
    assert facts == {**dict.fromkeys(NAMES, 0.0), "single_token_gain": 1.0, "single_token": rule}


IDS: dict[str, Change] = {
    "named by label": lambda line, label, draw: {"id": f"{label}-{draw.randrange(10**9)}"},
    "ending in the label's name": lambda line, label, draw: {"id": f"{draw.randrange(10**9)}-{'xyz'[int(label[1])]}"},
    "numbered by label, with numbers of any length": (
        lambda line, label, draw: {"id": f"{10 ** (5_000 + int(label[1])) + draw.randrange(10**6):x}".replace("a", "")}
    ),
    "numbered in blocks": lambda line, label, draw: {"id": str(int(label[1]) * 10**6 + draw.randrange(10**6))},
}


@pytest.mark.parametrize("change", IDS.values(), ids=IDS)
def test_ids_that_tell_the_label_are_found(change: Change) -> None:
    facts = leak_facts(*_split(800, 3, change))
    assert facts["id_only_gain"] > 0.9
    assert max(facts["order_only_gain"], facts["single_token_gain"]) < 0.2


@pytest.mark.parametrize("given", [False, True])
def test_a_file_in_the_order_of_its_labels_is_found(given: bool) -> None:
    facts = leak_facts(*_split(800, 4, NOTHING, in_order=True, given=given))
    assert facts["order_only_gain"] > 0.8
    assert max(facts["id_only_gain"], facts["single_token_gain"]) < 0.2


def test_an_id_of_file_and_line_is_not_asked() -> None:
    facts = leak_facts(*_split(800, 4, lambda line, label, draw: {"id": f"a.csv:{line}"}, in_order=True))
    assert facts["id_only_gain"] == 0.0 < facts["order_only_gain"]


@pytest.mark.parametrize("number", [10, 60, 1000])
def test_chance_is_no_leak(number: int) -> None:
    found = [leak_facts(*_split(number, 2, NOTHING, seed=seed)) for seed in range(10)]
    assert sum(facts[name] > 0.2 for facts in found for name in NAMES) <= 1


def test_the_gain_is_a_share_of_what_the_majority_gets_wrong() -> None:
    # One of three labels is told by a word, the other two are not: half of the majority's errors.
    change = _texts(lambda label, text: text + " secret" * (label == "c2"))
    assert leak_facts(*_split(3000, 3, change))["single_token_gain"] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_next_to_no_examples_have_no_leak(number: int) -> None:
    train, validation = _split(number, 2, NOTHING)
    assert leak_facts([*train, *validation], []) == {**dict.fromkeys(NAMES, 0.0), "single_token": ""}
    assert leak_facts([], [*train, *validation]) == {**dict.fromkeys(NAMES, 0.0), "single_token": ""}


def test_more_examples_than_are_looked_at_still_tell_all_of_a_sorted_file() -> None:
    rows = _split(26_000, 2, lambda line, label, draw: {"text": "a text"}, in_order=True)
    assert leak_facts(*rows)["order_only_gain"] > 0.95


def test_the_same_examples_give_the_same_facts() -> None:
    parts = _split(300, 3, TOKENS["after a cue"][0])
    assert leak_facts(*parts) == leak_facts(*parts)
