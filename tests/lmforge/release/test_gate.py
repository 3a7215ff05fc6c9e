"""The gate as a whole: order of the rules, verdicts, promotion and approval."""

import json

import polars as pl
import pytest

from lmforge.errors import IntegrityError
from lmforge.release.decision import Decision
from lmforge.release.evidence import SelfTest, Subject
from lmforge.release.gate import judge

GROUPS = ["integrity", "floors", "superiority", "slices", "calibration", "robustness", "fairness", "budgets"]
SMALLER = {"aim": "smaller", "margin": 0.1}
DUMB = SelfTest(files_verified=True, answered=False, words="exit code 1")
SMALL = Subject(version="2", fingerprint="a" * 64, size_bytes=500)


@pytest.mark.parametrize(
    ("facts_of", "policy_of", "data", "verdict", "promote", "first_failure"),
    [
        ({}, {}, {"champion": False}, "first version", True, None),
        ({"minimum": 0.9}, {}, {"champion": False}, "refused", False, "minimum"),
        ({}, {}, {"gain": 0.15}, "improved", True, None),
        ({}, {}, {"gain": 0.03, "seed": 0}, "no measurable change", False, "superiority"),
        ({}, {}, {"gain": -0.02}, "worse within noise", False, "superiority"),
        ({}, {}, {"gain": -0.2}, "regression", False, "superiority"),
        ({"self_test": DUMB}, {}, {"gain": 0.15}, "refused", False, "self_test"),
        ({"self_test": DUMB}, {}, {"gain": -0.2}, "refused", False, "self_test"),
        ({}, {"test_digest": "e"}, {"gain": 0.15}, "refused", False, "test_set"),
        ({}, {}, {"gain": 0.2, "slice_loss": 0.5}, "refused", False, "kind=rare"),
        ({}, {}, {"gain": 0.15, "noise_loss": 0.3}, "refused", False, "typos"),
        ({}, {}, {"gain": 0.15, "gap": 0.2}, "refused", False, "probability_gap"),
        ({}, {}, {"gain": 0.15, "latency": 3.0}, "refused", False, "latency"),
        ({"challenger": SMALL}, SMALLER, {"gain": 0.03, "seed": 0}, "no measurable change", True, None),
        ({"challenger": SMALL}, SMALLER, {"gain": -0.02}, "worse within noise", True, None),
        ({}, SMALLER, {"gain": 0.03, "seed": 0}, "no measurable change", False, "cheaper"),
    ],
)
def test_verdicts(evidence, facts, policy, facts_of, policy_of, data, verdict, promote, first_failure):
    described = facts(data.get("champion", True), policy=policy(**policy_of), **facts_of)
    decision = judge(evidence(described, num_examples=1000, **data))
    assert (decision.verdict, decision.promote, decision.first_failure) == (verdict, promote, first_failure)


@pytest.mark.parametrize("champion", [True, False])
def test_all_rules_are_reported_in_order(evidence, facts, champion):
    decision = judge(evidence(facts(champion, minimum=0.99, self_test=DUMB), champion=champion, gain=-0.3))
    groups = [rule.group for rule in decision.rules]
    assert sorted(set(groups), key=groups.index) == GROUPS
    assert groups == sorted(groups, key=GROUPS.index)
    assert decision.first_failure == "self_test"
    assert len({rule.name for rule in decision.rules}) == len(decision.rules)


def test_the_summary_says_what_could_be_seen(evidence):
    decision = judge(evidence(gain=0.15, num_examples=1000))
    assert decision.summary.startswith("improved: gain +0.1")
    assert f"smallest visible gain {decision.comparison.smallest_visible_gain:.4f}" in decision.summary
    assert judge(evidence(champion=False)).summary == "first version: no champion yet, so nothing to be better than"


def test_a_person_is_asked_when_the_recipe_or_the_verdict_says_so(evidence, facts, policy):
    asked = judge(evidence(facts(policy=policy(require_approval=True)), gain=0.15, num_examples=1000))
    assert (asked.promote, asked.needs_approval) == (True, True)
    doubtful = facts(policy=policy(**SMALLER), challenger=SMALL)
    assert judge(evidence(doubtful, gain=-0.02, num_examples=1000)).needs_approval
    assert not judge(evidence(gain=0.15, num_examples=1000)).needs_approval
    refused = judge(evidence(facts(policy=policy(require_approval=True)), gain=-0.2))
    assert (refused.promote, refused.needs_approval) == (False, False)


def test_the_same_evidence_gives_the_same_decision_whatever_the_order(evidence):
    found = evidence(gain=0.1)
    shuffled = found._replace(examples=found.examples.sample(fraction=1.0, shuffle=True, seed=1))
    assert judge(found) == judge(found) == judge(shuffled)


def test_the_decision_survives_json(evidence):
    decision = judge(evidence(gain=0.1))
    assert Decision.model_validate(json.loads(decision.model_dump_json())) == decision


def test_language_models_are_judged_in_bits_per_byte(evidence, facts):
    described = facts(metric="bits_per_byte", task_kind="language_model", minimum=None, baselines={"5-gram": -2.6})
    found = evidence(described, confidence=False, num_examples=300)
    documents = found.examples.with_columns(
        champion_weight=pl.lit(100.0), challenger_weight=pl.lit(100.0), champion_score=pl.lit(-250.0),
        challenger_score=-200.0 - 20 * pl.col("challenger_score"),
    )  # fmt: skip
    decision = judge(found._replace(examples=documents))
    assert (decision.verdict, decision.promote) == ("improved", True)
    assert decision.comparison.gain == pytest.approx(0.35, abs=0.02)


def test_facts_and_examples_have_to_agree(evidence, facts, examples):
    with pytest.raises(IntegrityError, match="disagree on whether there is a champion"):
        judge(evidence()._replace(examples=examples(champion=False)))
