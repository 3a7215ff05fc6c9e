"""Labelled data names its files and slices once, and says what is wrong before anything is read."""

import pytest
from pydantic import ValidationError

from lmforge.recipe.data import LabelledData


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"path": "a.csv", "train": "b.csv"}, "not both"),
        ({"train": "b.csv"}, "all of `train`, `validation` and `test`"),
        ({"path": "a.csv", "test_share": 0.9}, "leave nothing to train on"),
        ({"path": "a.csv", "slices": ["source", "source"]}, "`slices` names source more than once"),
        ({"path": "a.csv", "slices": ["class"]}, "class cannot be named: slices by length and by class are always"),
        ({"path": "a.csv", "label": "stars", "slices": ["stars"]}, "stars cannot be named"),
        ({"path": "a.csv", "slices": [str(number) for number in range(17)]}, "at most 16 items"),
    ],
)
def test_what_cannot_be_read_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        LabelledData(**fields)


def test_data_without_slices_says_nothing_of_them():
    assert "slices" not in LabelledData(path="a.csv").model_dump(mode="json")
    assert LabelledData(path="a.csv", slices=["year"]).model_dump(mode="json")["slices"] == ["year"]
