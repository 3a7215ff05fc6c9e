"""What a gate answers: rows of rules, and the decision that follows from them.

The verdict says what the evidence shows, `promote` what follows from it: a version that fails a floor is not promoted
even if it is measurably better than the champion, and is then `refused`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lmforge.artifacts.artifact import Frozen
from lmforge.evaluation.intervals import PairedComparison

Verdict = Literal["first version", "improved", "no measurable change", "worse within noise", "regression", "refused"]
Group = Literal["integrity", "floors", "superiority", "slices", "calibration", "robustness", "fairness", "budgets"]


class Rule(Frozen):
    """One condition: what was observed, against which limit, in words for a person.

    judged: False where there was nothing to judge it by, such as a slice that is too small; it then has passed.
    numbers: what else a page shows beside it, by name.
    """

    name: str
    group: Group
    passed: bool
    judged: bool = True
    observed: float | str | None
    limit: float | str | None
    words: str
    numbers: dict[str, float] = Field(default_factory=dict)


class Decision(Frozen):
    """The gate's answer; the verdict can be derived again from the numbers in it.

    promote: no rule failed. needs_approval: a person must agree before it is promoted.
    """

    verdict: Verdict
    promote: bool
    needs_approval: bool
    first_failure: str | None
    rules: tuple[Rule, ...]
    comparison: PairedComparison | None

    @property
    def summary(self) -> str:
        """One line: the verdict, why, and the smallest gain that the test set could have shown."""
        shown = self._main_rule() if self.first_failure is None else self._failure()
        seen = self.comparison.smallest_visible_gain if self.comparison else None
        visible = "" if seen is None else f"; smallest visible gain {seen:.4f}"
        return f"{self.verdict}: {shown.words}{visible}"

    def _main_rule(self) -> Rule:
        judged = [rule for rule in self.rules if rule.group == "superiority"]
        return judged[0] if judged else self.rules[-1]

    def _failure(self) -> Rule:
        return next(rule for rule in self.rules if not rule.passed)
