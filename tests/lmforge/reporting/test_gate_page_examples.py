"""The examples that changed are counted and ordered, and labels that are mixed up are found in any number."""

import pytest

from lmforge.release.examples import Answers, examples_frame
from lmforge.reporting.excerpts import UNSHOWN
from lmforge.reporting.gate_page_examples import MAX_LABELS, NUM_MIXED_UP, NUM_SHOWN, changed_examples, confusion
from tests.lmforge.release.conftest import make_examples, make_facts


def frame(gold, challenger, champion, losses=None):
    def answers(given, losses):
        return Answers(given, [float(a == b) for a, b in zip(given, gold, strict=True)], [1.0] * len(gold), losses)

    losses = losses or [[1.0] * len(gold)] * 2
    ids = [f"e{at}" for at in range(len(gold))]
    return examples_frame(ids, gold, answers(challenger, losses[0]), champion and answers(champion, losses[1]), {})


def test_changes_are_counted_and_the_largest_come_first():
    found = changed_examples(
        frame(list("aaaaaa"), list("aaabcb"), list("bbbacb"), [[1.0] * 6, [2.0, 9.0, 2.0, 0.1, 1.0, 1.0]])
    )
    assert (found["num_better"], found["num_worse"], found["num_other"], found["num_same"]) == (3, 1, 0, 2)
    assert [row["id"] for row in found["better"]] == ["e1", "e0", "e2"]
    assert [(row["id"], row["champion"], row["challenger"]) for row in found["worse"]] == [("e3", "a", "b")]


def test_another_wrong_answer_is_no_change_of_the_score():
    assert changed_examples(frame(["a"], ["b"], ["c"]))["num_other"] == 1


def test_only_some_are_shown():
    found = changed_examples(make_examples(gain=0.2))
    assert len(found["better"]) == len(found["worse"]) == NUM_SHOWN < found["num_worse"]


def test_without_a_champion_the_hardest_are_shown():
    found = changed_examples(frame(["a", "b"], ["a", "a"], None, [[0.1, 5.0], None]))
    assert [row["id"] for row in found.pop("hardest")] == ["e1", "e0"]
    assert found == {}


def test_private_answers_are_not_shown():
    row = changed_examples(frame(["a"], ["write to jane.doe@example-company.com"], ["a"]))["worse"][0]
    assert (row["challenger"], row["champion"], row["gold"]) == (UNSHOWN, "a", "a")


def test_confusion_has_a_row_a_gold_label():
    found = confusion(frame(list("aab"), list("abb"), list("bbb")), make_facts(labels=("a", "b")))
    assert found["labels"] == ["a", "b"]
    assert found["matrices"] == {"challenger": [[1, 1], [0, 1]], "champion": [[0, 2], [0, 1]]}
    assert found["mixed_up"] == [{"gold": "a", "answer": "b", "challenger": 1, "champion": 2}]


def test_many_labels_are_told_as_pairs():
    gold = [f"l{at:02}" for at in range(30)]
    found = confusion(frame(gold, gold[1:] + gold[:1], gold), make_facts(labels=()))
    assert len(found["labels"]) == 30 > MAX_LABELS
    assert (found["matrices"], len(found["mixed_up"])) == ({}, NUM_MIXED_UP)


@pytest.mark.parametrize("metric", ["bits_per_byte", "chrf"])
def test_answers_that_are_no_labels_have_no_confusion(metric):
    assert confusion(make_examples(), make_facts(metric=metric)) is None
