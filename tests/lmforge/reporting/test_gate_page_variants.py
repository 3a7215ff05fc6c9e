"""What the page says of changed texts is what the rules found."""

import re

import pytest

from lmforge.release.bundle import write_bundle
from lmforge.release.gate import judge
from lmforge.reporting.gate_page import gate_document, render_gate_page
from lmforge.reporting.gate_page_variants import fairness_rows, robustness_rows
from tests.lmforge.release.conftest import make_evidence, make_facts, make_policy
from tests.lmforge.reporting.test_data_report import Page


def words(evidence, directory):
    page = render_gate_page(gate_document(write_bundle(evidence, directory)))
    return re.sub(r"\s+", " ", " ".join(Page(page).words))


def test_rows_are_those_of_the_rules():
    rules = judge(make_evidence(noise_loss=0.3)).rules
    rows, gaps = robustness_rows(rules), fairness_rows(rules)
    assert [row["name"] for row in rows] == ["typos", "upper case", "lower case", "Unicode noise"]
    assert [row["name"] for row in gaps] == ["change of the probability", "share of changed answers"]
    for row in rows:
        assert row["challenger"] == pytest.approx(row["challenger_plain"] - row["challenger_noisy"])
        assert row["increase"] == pytest.approx(row["challenger"] - row["champion"])
        assert row["bound"] < row["increase"] and not row["passed"]


def test_a_first_version_has_no_champion_s_numbers():
    rules = judge(make_evidence(champion=False)).rules
    for row in (*robustness_rows(rules), *fairness_rows(rules)):
        assert row["champion"] is row["increase"] is row["bound"] is None
        assert row["challenger"] > 0 and not row["judged"]


def test_the_page_shows_both_tables(tmp_path):
    evidence = make_evidence(noise_loss=0.3)
    text = words(evidence, tmp_path)
    for rule in judge(evidence).rules:
        if rule.group in ("robustness", "fairness"):
            assert f"{rule.observed:+.4f}" in text and f"{rule.numbers['challenger']:.4f}" in text
    assert "Unicode noise 400" in text and "in the 400 examples that were looked at" in text


def test_the_page_of_a_first_version_has_them_too(tmp_path):
    text = words(make_evidence(champion=False), tmp_path)
    assert "Unicode noise 400" in text and "change of the probability" in text


def test_what_was_not_answered_is_said(tmp_path):
    facts = make_facts(policy=make_policy(robustness=None, fairness=None))
    text = words(make_evidence(facts), tmp_path)
    assert "No noisy text was answered." in text
    assert "No text with swapped identity terms was answered." in text
