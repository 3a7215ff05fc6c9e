"""Values as people read them."""

from lmforge.release.rules.wording import in_metric


def test_less_is_better_is_shown_positive():
    assert in_metric("bits_per_byte", -1.20341) == "1.2034 bits_per_byte"
    assert in_metric("macro_f1", 0.5) == "0.5000 macro_f1"
    assert in_metric("nats_per_token", -2.5) == "2.5000 nats_per_token"
