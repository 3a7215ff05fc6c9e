"""The release gate: from evidence to a decision, with every rule reported and the first failure named.

The verdict says what the comparison shows, `promote` what follows from all rules: a version that is measurably better
and breaks a rule is `refused`, and one that is only cheaper may be promoted with `no measurable change`.
"""

from __future__ import annotations

from lmforge.errors import IntegrityError
from lmforge.evaluation.intervals import PairedComparison
from lmforge.release.comparing import compare, value_of
from lmforge.release.decision import Decision, Rule, Verdict
from lmforge.release.evidence import Evidence
from lmforge.release.examples import check_examples
from lmforge.release.latency import check_latency
from lmforge.release.rules.budgets import judge_budgets
from lmforge.release.rules.calibration import judge_calibration
from lmforge.release.rules.fairness import judge_fairness
from lmforge.release.rules.floors import judge_floors
from lmforge.release.rules.integrity import judge_integrity
from lmforge.release.rules.robustness import judge_robustness
from lmforge.release.rules.slices import judge_slices
from lmforge.release.rules.superiority import judge_superiority
from lmforge.release.variants import check_variants

# What a person should look at before it is released: no measured quality speaks for it.
_DOUBTFUL = ("worse within noise", "regression")


def judge(evidence: Evidence) -> Decision:
    """Apply all rules in order: integrity, floors, superiority, slices, calibration, robustness, fairness, budgets.

    Pure and deterministic: the same evidence gives the same decision. Raises IntegrityError when the examples are not
    those of two models on one test set, or facts and examples disagree about there being a champion.
    """
    facts, latency, variants = evidence.facts, evidence.latency, evidence.variants
    check_examples(evidence.examples)
    if latency is not None:
        check_latency(latency)
    if variants is not None:
        check_variants(variants, evidence.examples)
    # Sums of floats depend on their order, and a verdict must not.
    examples = evidence.examples.sort("id")
    if (facts.champion is None) != (examples["champion_score"].null_count() == len(examples)):
        raise IntegrityError("facts and examples disagree on whether there is a champion: evaluate both again")
    policy, comparison = facts.policy, None
    if facts.champion is not None:
        comparison = compare(examples, facts.metric, facts.labels, policy, facts.seed)
    value = value_of(examples, facts.metric, facts.labels, "challenger")
    rules = (
        *judge_integrity(facts, len(examples)),
        *judge_floors(facts, value),
        *judge_superiority(facts, examples, comparison),
        *judge_slices(examples, policy.slices, champion=facts.champion is not None),
        *judge_calibration(examples, policy, facts.seed, champion=facts.champion is not None),
        *judge_robustness(facts, examples, variants),
        *judge_fairness(facts, examples, variants),
        *judge_budgets(facts, latency),
    )
    return _decide(rules, comparison, policy.minimum_gain, approval=policy.require_approval)


def _decide(
    rules: tuple[Rule, ...], comparison: PairedComparison | None, minimum_gain: float, *, approval: bool
) -> Decision:
    failures = [rule for rule in rules if not rule.passed]
    verdict = verdict_of(comparison, minimum_gain)
    sound = all(rule.group != "integrity" for rule in failures)
    if not sound or (failures and verdict in ("first version", "improved")):
        verdict = "refused"
    return Decision(
        verdict=verdict,
        promote=not failures,
        needs_approval=not failures and (approval or verdict in _DOUBTFUL),
        first_failure=failures[0].name if failures else None,
        rules=rules,
        comparison=comparison,
    )


def verdict_of(comparison: PairedComparison | None, minimum_gain: float) -> Verdict:
    """What a comparison shows by itself; `regression` needs the whole 95 % interval below 0."""
    if comparison is None:
        return "first version"
    if comparison.lower_bound > minimum_gain:
        return "improved"
    if comparison.interval.high < 0:
        return "regression"
    return "worse within noise" if comparison.gain < 0 else "no measurable change"
