"""The page of a decision is self-contained, says what the decision says, and neither does nor tells what data hold."""

import json
import re

import polars as pl
import pytest

from lmforge.recipe.release import Slices
from lmforge.release.bundle import write_bundle
from lmforge.reporting.gate_page import gate_document, render_gate_page
from tests.lmforge.release.conftest import make_evidence, make_facts, make_policy
from tests.lmforge.reporting.test_data_report import Page

SCRIPT, RED, MAIL, KEY = "<script>alert(1)</script>", "\x1b[31m", "jane.doe@example-company.com", "AKIAQWERTYUIOPASDFGH"


def sealed(directory, evidence):
    return write_bundle(evidence, directory)


def words(document):
    return re.sub(r"\s+", " ", " ".join(Page(render_gate_page(document)).words))


def hostile():
    evidence = make_evidence(gain=0.05)
    names = [SCRIPT, MAIL, KEY, f"odd{RED}"]
    swap = dict(zip([f"e{at:05d}" for at in range(4)], names, strict=True))
    # The first examples change most, so that they are on the page.
    first = pl.col("id").is_in(names)
    examples = evidence.examples.with_columns(
        pl.col("id", "group").replace(swap),
        pl.when(pl.col("slice_kind") == "rare").then(pl.lit(f"<i>{MAIL}")).otherwise("slice_kind").alias("slice_kind"),
    ).with_columns(
        pl.when(first).then(0.0).otherwise("champion_score").alias("champion_score"),
        pl.when(first).then(1.0).otherwise("challenger_score").alias("challenger_score"),
        pl.when(first).then(99.0).otherwise("champion_loss").alias("champion_loss"),
        pl.when(first).then(pl.lit("<img src=x>")).otherwise("champion").alias("champion"),
    )
    return evidence._replace(examples=examples, variants=evidence.variants.with_columns(pl.col("id").replace(swap)))


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    return gate_document(sealed(tmp_path_factory.mktemp("gate"), hostile()))


def test_the_page_is_whole_and_loads_nothing(document):
    page = render_gate_page(document)
    parsed = Page(page)
    assert parsed.open == []
    assert not {"script", "img", "link", "iframe", "object", "form", "i" + "mage"} & set(parsed.tags)
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:|\son[a-z]+=", page)
    assert {one[1:] for one in parsed.addresses} <= set(parsed.ids)
    assert all(one.startswith("#") for one in parsed.addresses)


def test_hostile_text_is_shown_and_not_done(document):
    page = render_gate_page(document)
    for raw in (SCRIPT, "\x1b", "<img src=x>", "<i><"):
        assert raw not in page, raw
    for escaped in ("&lt;script&gt;alert(1)", r"odd\x1b[31m", "&lt;img src=x&gt;", "&lt;i&gt;&lt;EMAIL&gt;"):
        assert escaped in page, escaped


def test_neither_a_secret_nor_personal_data_is_in_page_or_document(document):
    for text in (render_gate_page(document), json.dumps(document)):
        assert "example-company" not in text
        assert "QWERTYUIOP" not in text
        assert text.count("not shown: it holds personal data or a secret") == 2


def test_the_same_evidence_gives_the_same_page(document, tmp_path):
    evidence = hostile()
    again = gate_document(sealed(tmp_path, evidence._replace(examples=evidence.examples.reverse())))
    # Only the order of the rows in the file, so the hash over the files, is another one.
    assert again["provenance"].pop("gate hash") != document["provenance"]["gate hash"]
    assert again["provenance"].items() <= document["provenance"].items()
    assert {**again, "provenance": {}} == {**document, "provenance": {}}
    assert render_gate_page(json.loads(json.dumps(document))) == render_gate_page(document)


def test_a_better_version_is_let_in(tmp_path):
    text = words(gate_document(sealed(tmp_path, make_evidence(gain=0.15))))
    assert "Improved" in text and "Every rule passed: the gate allows it to become the champion." in text
    assert "Compared with the champion, version 1, on the same 400 test examples" in text
    assert "failed" not in text.replace("the first that fails is named", "")


def test_every_rule_and_the_smallest_visible_gain_are_on_the_page(tmp_path):
    bundle = sealed(tmp_path, make_evidence(gain=0.05, slice_loss=0.4, latency=1.8))
    text = words(gate_document(bundle))
    for rule in bundle.decision.rules:
        assert rule.words in text, rule.name
    failed = [rule for rule in bundle.decision.rules if not rule.passed]
    assert f"because rule {failed[0].name} and {len(failed) - 1} more failed; version 1 stays champion" in text
    assert f"shows a true gain of {bundle.decision.comparison.smallest_visible_gain:.4f} or more" in text
    assert "not promoted" in text
    assert text.count("failed") >= len(failed) + 1


def test_who_has_to_agree_is_told_how(tmp_path):
    facts = make_facts(policy=make_policy(require_approval=True))
    text = words(gate_document(sealed(tmp_path, make_evidence(facts, gain=0.15))))
    assert "needs approval" in text
    assert 'lmforge approve news-topic/2 --reason "..."' in text


def test_a_first_version_has_a_page(tmp_path):
    document = gate_document(sealed(tmp_path, make_evidence(champion=False)))
    text = words(document)
    assert "First version" in text and "there is no champion to compare it with" in text
    assert "Hardest examples" in text and "Loss of challenger" in text
    assert (document["comparison"], document["latency"], document["slices"]) == (None, None, [])


def test_bits_per_byte_stand_there_as_people_know_them(tmp_path):
    evidence = make_evidence(make_facts(metric="bits_per_byte", minimum=-2.0, baselines={"5-gram": -2.5}), gain=0.1)
    scores = [(-pl.col(f"{side}_loss")).alias(f"{side}_score") for side in ("challenger", "champion")]
    examples = evidence.examples.with_columns(scores)
    document = gate_document(sealed(tmp_path, evidence._replace(examples=examples)))
    by_name = {row["name"]: row["value"] for row in document["values"]}
    assert by_name["required minimum"] == 2.0 and by_name["challenger"] > 0
    floors = [(rule["observed"], rule["limit"]) for rule in document["rules"] if rule["group"] == "floors"]
    assert [limit for _, limit in floors] == ["at most 2.0000", "below 2.5000"]
    assert document["confusion"] is None


@pytest.mark.parametrize(
    "changes", [{"confidence": False}, {"latency": None}, {"num_examples": 1}, {"num_examples": 30, "gain": -0.3}]
)
def test_whatever_is_missing_the_page_is_made(tmp_path, changes):
    assert Page(render_gate_page(gate_document(sealed(tmp_path, make_evidence(**changes))))).open == []


def test_without_a_limit_there_are_no_slices(tmp_path):
    facts = make_facts(policy=make_policy(slices=Slices(max_regression=None)))
    document = gate_document(sealed(tmp_path, make_evidence(facts)))
    assert document["slices"] == []
    assert "not judged: the recipe sets no limit" in words(document)
