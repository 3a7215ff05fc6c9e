"""What the page of a gate's decision tells of changed texts: a row a rule on noise and on identity terms.

The numbers are those of the rules, so that page and verdict agree; a rule that measured nothing has no row here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lmforge.release.decision import Rule

_NOISE = {
    "typos": "typos", "upper": "upper case", "lower": "lower case", "unicode": "Unicode noise",
}  # fmt: skip
_SIDES = ("challenger", "champion")
_GAPS = {"probability_gap": "change of the probability", "changed_answers": "share of changed answers"}


def robustness_rows(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """By kind of noise the mean scores on plain and noisy text, the losses, how they differ, and the bound of that.

    What belongs to a champion is None where there is none; so is the bound of a row that is not judged.
    """
    return [
        _row(rule, _NOISE)
        | {f"{side}_{text}": rule.numbers.get(f"{side}_{text}") for side in _SIDES for text in ("plain", "noisy")}
        for rule in rules
        if rule.group == "robustness" and rule.numbers
    ]


def fairness_rows(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """By measure the gaps of both models, how they differ, and the bound of that; None as in `robustness_rows`."""
    return [_row(rule, _GAPS) for rule in rules if rule.group == "fairness" and rule.numbers]


def _row(rule: Rule, names: dict[str, str]) -> dict[str, Any]:
    challenger, champion = (rule.numbers.get(side) for side in _SIDES)
    return {
        "name": names.get(rule.name, rule.name),
        "num_examples": int(rule.numbers["num_examples"]),
        "challenger": challenger,
        "champion": champion,
        "increase": None if challenger is None or champion is None else challenger - champion,
        "bound": rule.observed,
        "judged": rule.judged,
        "passed": rule.passed,
    }
