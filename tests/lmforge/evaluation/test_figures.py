"""Figures: real PNG files, equal bytes for equal numbers, and hostile labels drawn as text."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from lmforge.evaluation.figures import confusion_figure, loss_figure

ROWS = [{"train/tokens": step * 1e5, "train/loss": 8.0 - step / 10} for step in range(20)] + [
    {"train/tokens": 1e6, "val/loss": 7.0}
]


def draw_confusion(path, num_labels=3, labels=None):
    counts = np.arange(num_labels**2).reshape(num_labels, num_labels).tolist()
    confusion_figure(counts, labels or [f"label {index}" for index in range(num_labels)], path)
    return path.read_bytes()


@pytest.mark.parametrize("num_labels", [2, 20])
def test_confusion_figure_grows_with_the_labels(tmp_path, num_labels):
    draw_confusion(tmp_path / "figure.png", num_labels)
    height, width, _ = imread(tmp_path / "figure.png").shape
    assert min(height, width) > 40 * num_labels
    assert max(height, width) < 3000


def test_same_numbers_give_same_bytes_whatever_the_reader_has_set(tmp_path):
    first = draw_confusion(tmp_path / "a.png")
    with mpl.rc_context({"font.size": 30, "savefig.dpi": 10, "image.cmap": "jet"}):
        assert draw_confusion(tmp_path / "b.png") == first
    assert b"matplotlib" not in first.lower()


def test_hostile_labels_are_drawn_as_text(tmp_path):
    labels = ["$\\frac{", "<b>\n</b>", "x" * 500]
    draw_confusion(tmp_path / "figure.png", 3, labels)
    assert imread(tmp_path / "figure.png").shape[1] < 1500


def test_a_label_without_examples_is_drawn(tmp_path):
    confusion_figure([[0, 0], [0, 3]], ["none", "some"], tmp_path / "figure.png")
    assert imread(tmp_path / "figure.png").size > 0


def test_loss_figure_changes_with_the_floors_and_repeats_itself(tmp_path):
    def draw(floors):
        loss_figure(ROWS, floors, tmp_path / "loss.png")
        return (tmp_path / "loss.png").read_bytes()

    assert draw({"bigram": 6.5, "unigram": 7.5}) == draw({"unigram": 7.5, "bigram": 6.5}) != draw({"bigram": 6.5})


def test_loss_figure_needs_no_rows_of_a_kind(tmp_path):
    loss_figure([], {}, tmp_path / "loss.png")
    assert imread(tmp_path / "loss.png").size > 0
