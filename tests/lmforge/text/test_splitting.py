"""Splits: no text and no group in two of them, stable draws, contradictions out, labels checked."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lmforge.errors import InputError
from lmforge.recipe.cleaning import Deduplication
from lmforge.recipe.data import LabelledData
from lmforge.text.normalizing import text_key
from lmforge.text.splitting import Example, check_labels, split_examples

ONE = LabelledData(path="a.csv", validation_share=0.2, test_share=0.3)
THREE = {"train": "a.csv", "validation": "b.csv", "test": "c.csv"}


# The texts here differ in a number only.
NEAR_OFF = Deduplication(near=False)


def _example(number: int, label: str = "", **fields: Any) -> Example:
    text = fields.pop("text", f"text number {number}")
    values = {
        "id": f"e{number}",
        "text": text,
        "label": label or "ab"[number % 2],
        "group": f"e{number}",
        "key": text_key(text),
        "source": "a.csv",
        "line": number,
        "repaired": False,
    }
    return Example(**{**values, **fields})


MANY = [_example(number) for number in range(600)]
GIVEN = [_example(n, split=split) for n, split in enumerate(["train"] * 6 + ["validation"] * 4 + ["test"] * 4)]


def _places(splits: dict[str, list[Example]]) -> dict[str, str]:
    return {example.id: name for name, examples in splits.items() for example in examples}


def test_shares_are_kept_and_every_example_is_somewhere() -> None:
    splits, rejected = split_examples(MANY, ONE, NEAR_OFF)
    sizes = [len(splits[name]) for name in ("train", "validation", "test")]
    assert sizes == pytest.approx([300, 120, 180], abs=40)
    assert sum(sizes) == 600 and rejected == []


def test_an_example_stays_where_it_was_when_others_come_and_in_any_order() -> None:
    whole = _places(split_examples(MANY, ONE, NEAR_OFF)[0])
    part = _places(split_examples(MANY[::-3], ONE, NEAR_OFF)[0])
    assert all(whole[name] == place for name, place in part.items())


def test_a_group_never_straddles_two_splits() -> None:
    grouped = [_example(number, group=f"g{number // 10}") for number in range(600)]
    splits, _ = split_examples(grouped, ONE, NEAR_OFF)
    places = Counter((example.group, name) for name, examples in splits.items() for example in examples)
    assert len(places) == len({group for group, _ in places}) == 60


def test_a_text_with_two_labels_goes_altogether() -> None:
    twins = [
        _example(900, "a", text="Same text"),
        _example(901, "b", text="same  TEXT"),
        _example(902, "a", text="Same text"),
    ]
    _, rejected = split_examples([*MANY, *twins], ONE, NEAR_OFF)
    assert [(item.reason, item.detail) for item in rejected] == [
        ("conflicting_label", name) for name in ("e900", "e901", "e902")
    ]


def test_the_first_of_equal_texts_stays() -> None:
    twins = [_example(900, "a", text="Same text"), _example(901, "a", text="same  TEXT")]
    splits, rejected = split_examples([*MANY, *twins], ONE, NEAR_OFF)
    assert [(item.reason, item.detail) for item in rejected] == [("duplicate", "e901")]
    assert "e900" in _places(splits)


def test_labels_that_are_not_asked_for_go() -> None:
    data = ONE.model_copy(update={"labels": ("a", "b")})
    _, rejected = split_examples([*MANY, _example(900, "c")], data, NEAR_OFF)
    assert [item.reason for item in rejected] == ["other_label"]


def test_a_cap_draws_a_stable_part_of_training_only() -> None:
    whole, _ = split_examples(MANY, ONE, NEAR_OFF)
    fifty, rejected = split_examples(MANY, ONE.model_copy(update={"max_train_examples_per_label": 25}), NEAR_OFF)
    hundred, _ = split_examples(MANY, ONE.model_copy(update={"max_train_examples_per_label": 50}), NEAR_OFF)
    assert Counter(example.label for example in fifty["train"]) == {"a": 25, "b": 25}
    assert set(fifty["train"]) < set(hundred["train"]) < set(whole["train"])
    assert (fifty["test"], fifty["validation"]) == (whole["test"], whole["validation"])
    assert {item.reason for item in rejected} == {"over_max_train_examples"}
    assert len(rejected) == len(whole["train"]) - 50
    # A cap by the first lines would take one end of a sorted file.
    assert max(example.line for example in fifty["train"]) > 500


def test_given_splits_are_kept() -> None:
    splits, rejected = split_examples(GIVEN, LabelledData(**THREE), NEAR_OFF)
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [6, 4, 4]
    assert rejected == []


def test_leaks_are_taken_out_of_the_earlier_split() -> None:
    leaks = [
        _example(90, "a", text="in test", split="train"),
        _example(91, "b", text="in test", split="validation"),
        _example(92, "b", text="in validation", split="train"),
        _example(93, "b", text="in validation", split="validation"),
        _example(94, "a", text="In TEST", split="test"),
    ]
    splits, rejected = split_examples([*leaks, *GIVEN], LabelledData(**THREE), NEAR_OFF)
    assert {(item.reason, item.detail) for item in rejected} == {
        ("in_evaluation_set", name) for name in ("e90", "e91", "e92")
    }
    assert {"e93", "e94"} < _places(splits).keys()


def test_a_named_group_keeps_to_the_later_of_the_given_splits() -> None:
    pair = [_example(90, split="train", group="author"), _example(91, split="test", group="author")]
    named, rejected = split_examples([*pair, *GIVEN], LabelledData(**THREE, group="who"), NEAR_OFF)
    assert [item.detail for item in rejected] == ["e90"]
    unnamed, none = split_examples([*pair, *GIVEN], LabelledData(**THREE), NEAR_OFF)
    assert none == [] and len(_places(unnamed)) == len(_places(named)) + 1


def test_near_duplicates_leave_the_earlier_split_and_name_the_one_that_stays() -> None:
    long, other = (" ".join(f"{word}{number}" for number in range(80)) for word in ("word", "thing"))
    rows = [("train", f"{long} 1"), ("validation", f"{long} 2"), ("test", long), ("train", f"{other} 1")]
    rows += [("validation", other), *(("train", " ".join(f"{n}w{m}" for m in range(30))) for n in range(4))]
    examples = [_example(90 + number, text=text, split=split) for number, (split, text) in enumerate(rows)]
    splits, rejected = split_examples(examples, LabelledData(**THREE), Deduplication())
    assert [(item.reason, item.detail) for item in rejected] == [
        ("near_evaluation_set", "e91: like e92"),
        ("near_evaluation_set", "e90: like e92"),
        ("near_evaluation_set", "e93: like e94"),
    ]
    assert [example.id for example in splits["test"]] == ["e92"]


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (MANY[:1], "no train example is left.*\nno test example is left[^\n]*$"),
        ([_example(n, "spam") for n in range(600)], "every training example is labelled spam"),
        ([], "no train example is left"),
    ],
)
def test_splits_that_cannot_teach_stop(examples: list[Example], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_examples(examples, ONE, NEAR_OFF)


def test_a_test_label_that_training_lacks_stops() -> None:
    with pytest.raises(InputError, match="training never shows new, which test asks for"):
        split_examples([*GIVEN, _example(90, "new", split="test")], LabelledData(**THREE), NEAR_OFF)


def test_spellings_of_one_label_stop_with_a_proposal() -> None:
    labels = ["Spam", "spam ", "Spam", "SPAM", "ham"]
    examples = [_example(number, label) for number, label in enumerate(labels)]
    with pytest.raises(InputError, match=r"'SPAM' \(1\), 'Spam' \(2\), 'spam ' \(1\); write 'Spam' for all"):
        check_labels(examples, ())
    check_labels(examples, ("ham",))


def test_a_label_of_the_recipe_that_is_nowhere_stops() -> None:
    with pytest.raises(InputError, match=r"label 'spma' of the recipe is nowhere.*did you mean 'spam'"):
        check_labels([_example(1, "spam"), _example(2, "ham")], ("spma", "ham"))


def test_near_duplicates_leave_the_earlier_split_and_say_of_what() -> None:
    long = " ".join(f"word{n}" for n in range(80))
    given = [
        *(
            _example(n, split="train", text=f"{n} is alone in its split " + "and has words of its own " * n)
            for n in range(4)
        ),
        _example(10, split="train", text=f"{long} in training"),
        _example(11, split="train", text=f"{long[:-6]} in training again"),
        _example(20, split="validation", text="nothing like the others, one"),
        _example(21, split="validation", text="nothing like the others, two", label="b"),
        _example(22, split="validation", text=f"{long} in validation"),
        _example(30, split="test", text=f"{long} in the test set"),
        _example(31, split="test", text="nothing else at all here", label="b"),
    ]
    splits, rejected = split_examples(given, LabelledData(**THREE), Deduplication())
    assert [example.id for example in splits["test"]] == ["e30", "e31"]
    assert [(one.reason, one.detail) for one in rejected] == [
        ("near_evaluation_set", "e22: like e30"),
        ("near_evaluation_set", "e10: like e30"),
        ("near_evaluation_set", "e11: like e30"),
    ]
