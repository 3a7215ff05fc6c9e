"""Charts stay inside their frame and hold no text that could be markup."""

import re

from lmforge.reporting.gate_page_charts import Scale, curves, range_chart, scale_over


def test_a_scale_holds_all_with_space_beside_them():
    scale = scale_over([-0.1, 0.3])
    assert scale.least < -0.1 < 0.3 < scale.most
    assert scale_over([0.0]).place(0.0) == 500


def test_what_is_outside_stands_near_the_end():
    scale = Scale(0.0, 1.0)
    assert (scale.place(-5), scale.place(0.5), scale.place(7)) == (10, 500, 990)


def test_a_range_has_marks_bounds_and_a_dot():
    drawn = range_chart(Scale(-1.0, 1.0), 0.0, (-0.5, 0.5), {"zero": 0.0}, "broken", 'a "label" <b>')
    assert re.findall(r'class="([^"]+)" d="([^"]+)"', drawn) == [
        ("zero", "M500.0 0.0L500.0 100.0"),
        ("span broken", "M250.0 50.0L750.0 50.0"),
        ("dot broken", "M500.0 50.0L500.0 50.0"),
    ]
    assert "<b>" not in drawn
    assert "span" not in range_chart(Scale(-1.0, 1.0), 0.0, None, {}, "unjudged", "")


def test_curves_go_upwards_and_the_first_is_drawn_last():
    drawn = curves({"challenger": [(0.0, 0.0), (1.0, 1.0)], "champion": [(0.5, 0.25)]}, "x")
    assert 'points="0.0,100.0 1000.0,0.0"' in drawn
    assert drawn.index("champion") < drawn.index("challenger")
    assert 'points="500.0,75.0"' in drawn
