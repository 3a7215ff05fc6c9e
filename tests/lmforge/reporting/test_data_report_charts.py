"""Charts: what they draw, and that nothing of a label becomes markup."""

import re
import xml.etree.ElementTree as ET

import pytest

from lmforge.reporting.data_report_charts import bar, bin_names, histogram, used_bins


def shapes(svg):
    return [(one.tag, one.attrib) for one in ET.fromstring(svg)]


def test_parts_of_a_bar_stand_side_by_side():
    (_, first), (_, second) = shapes(bar([("kept", 30), ("repaired", 0), ("lost", 10)], 80, "x"))
    assert (first["class"], first["x"], first["width"]) == ("kept", "0", "375")
    assert (second["class"], second["x"], second["width"]) == ("lost", "375", "125")


def test_a_part_is_seen_however_small():
    (_, only) = shapes(bar([("lost", 1)], 1_000_000, "x"))[0]
    assert float(only["width"]) == 2


def test_nothing_at_all_is_an_empty_bar():
    assert shapes(bar([("kept", 0)], 0, "x")) == []


def test_the_highest_column_fills_the_chart():
    drawn = [attributes for tag, attributes in shapes(histogram([1, 3, 0], None, "x")) if tag == "rect"]
    assert [float(one["height"]) for one in drawn] == [pytest.approx(33.33, abs=0.01), 100]
    assert [float(one["y"]) for one in drawn] == [pytest.approx(66.67, abs=0.01), 0]


def test_earlier_shares_are_a_line_on_the_same_scale():
    (line,) = [attributes for tag, attributes in shapes(histogram([1, 1], [300, 100], "x")) if tag == "polyline"]
    assert line["points"] == "0,0 500,0 500,66.67 1000,66.67"


@pytest.mark.parametrize("counts", [[], [0, 0]])
def test_an_empty_histogram_can_be_drawn(counts):
    assert shapes(histogram(counts, None, "x")) == []


def test_labels_are_escaped():
    svg = bar([('k"><script>', 1)], 1, '"><script>alert(1)</script>')
    assert "<script>" not in svg
    assert ET.fromstring(svg).attrib["aria-label"] == '"><script>alert(1)</script>'


def test_all_histograms_are_drawn_over_the_bins_that_one_of_them_fills():
    one, other = {"counts": [0, 0, 3, 0, 0], "then": None}, {"counts": [0, 0, 0, 0, 0], "then": [0, 0, 0, 1, 0]}
    assert used_bins([one, other]) == (2, 4)
    assert used_bins([]) == (0, 1)


def test_bins_are_named_by_where_they_begin():
    assert bin_names(0, 6) == ["0", "1", "2", "4", "8", "16"]
    assert bin_names(10, 13) == ["512", "1k", "2k"]
    assert bin_names(21, 23) == ["1M", "2M"]


def test_the_same_numbers_give_the_same_bytes():
    assert histogram([1, 2], [2, 1], "x") == histogram([1, 2], [2, 1], "x")
    assert not re.search(r"\d\.\d{3}", histogram([1, 2, 4], [7, 1, 1], "x"))
