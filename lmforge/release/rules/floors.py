"""What any version must reach, champion or not: an absolute minimum and the baselines.

A baseline is better or not by its value alone; how sure that is stands in the intervals of the evaluation.
"""

from __future__ import annotations

import math

from lmforge.release.decision import Rule
from lmforge.release.evidence import Facts
from lmforge.release.rules.wording import in_metric

# Not a condition by default: a linear model may well beat a small network that is released for other reasons.
_OPTIONAL = "tfidf_linear"


def judge_floors(facts: Facts, value: float) -> list[Rule]:
    """Rows `minimum` and `above_NAME` for each baseline; a value that is not a number fails all of them.

    value: of the challenger; more is better, also for bits per byte, which are negative here.
    """
    rows = [] if facts.minimum is None else [_minimum(facts.metric, value, facts.minimum)]
    return rows + [_baseline(facts, value, name, floor) for name, floor in sorted(facts.baselines.items())]


def _minimum(metric: str, value: float, least: float) -> Rule:
    passed = value >= least
    relation = "reaches" if passed else "does not reach"
    words = f"{in_metric(metric, value)} {relation} the required {in_metric(metric, least)}"
    return _rule("minimum", passed, value, least, words)


def _baseline(facts: Facts, value: float, name: str, floor: float) -> Rule:
    better, asked = value > floor, name != _OPTIONAL or facts.policy.above_linear
    words = f"{in_metric(facts.metric, value)} is {'' if better else 'not '}better than {name} with "
    words += in_metric(facts.metric, floor) + ("" if asked else "; release.above_linear does not ask for it")
    rule = _rule(f"above_{name}", better or not asked, value, floor, words)
    return rule if asked else rule.model_copy(update={"judged": False})


def _rule(name: str, passed: bool, value: float, floor: float, words: str) -> Rule:
    # JSON knows no NaN, and a decision has to survive it.
    observed = value if math.isfinite(value) else None
    return Rule(name=name, group="floors", passed=passed, observed=observed, limit=floor, words=words)
