"""The promotion gate: from measured numbers to a verdict, with every rule reported and the first failure named.

The verdict says what the evidence shows, `promote` what follows from it: a version that fails a floor is not promoted
even if it is measurably better than the champion, and is then `refused`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from lmforge.artifacts.artifact import Frozen
from lmforge.evaluation.intervals import PairedComparison

Verdict = Literal["first version", "improved", "no measurable change", "worse within noise", "regression", "refused"]


class Rule(Frozen):
    """One condition: what was observed, against which limit, in words for a person."""

    name: str
    passed: bool
    observed: float | str | None
    limit: float | str | None
    words: str


class Floors(Frozen):
    """What any version must reach, in units of the primary metric (0..1): at least `minimum`, above each baseline."""

    minimum: float = 0.0
    baselines: Mapping[str, float] = Field(default_factory=dict)


class Decision(Frozen):
    """The gate's answer; the verdict can be derived again from the numbers in it."""

    verdict: Verdict
    promote: bool
    first_failure: str | None
    rules: tuple[Rule, ...]
    comparison: PairedComparison | None

    @property
    def summary(self) -> str:
        """One line: the verdict, why, and the smallest gain that the test set could have shown."""
        shown = self.rules[-1] if self.first_failure is None else self._failure()
        seen = self.comparison.smallest_visible_gain if self.comparison else None
        visible = "" if seen is None else f"; smallest visible gain {seen:.4f}"
        return f"{self.verdict}: {shown.words}{visible}"

    def _failure(self) -> Rule:
        return next(rule for rule in self.rules if not rule.passed)


def decide(
    *,
    value: float,
    floors: Floors,
    minimum_gain: float,
    test_digest: str,
    champion_test_digest: str | None = None,
    comparison: PairedComparison | None = None,
) -> Decision:
    """Apply the rules in order: same test set, absolute floor, baselines, superiority over the champion.

    value: primary metric of the challenger. The last two arguments are given together, or not at all when there is no
    champion. A value that is not a number fails every floor. `no measurable change` also covers a gain that is
    measurable but not measurably above minimum_gain; `regression` needs the whole 95 % interval below 0.
    """
    assert comparison is None or champion_test_digest is not None, "a comparison needs the champion's test digest"
    same_test = champion_test_digest in (None, test_digest)
    assert comparison is not None or champion_test_digest is None or not same_test, "a champion needs a comparison"
    # Numbers from two test sets mean nothing together, so they do not even enter the report.
    judged = comparison if same_test else None
    rules = [_integrity(test_digest, champion_test_digest), *_floors(value, floors)]
    if champion_test_digest is not None:
        rules.append(_superiority(judged, minimum_gain))
    # The order of the rules is the order of trust: the first failure explains those after it.
    failures = [rule.name for rule in rules if not rule.passed]
    verdict: Verdict = "refused" if not same_test else _verdict(judged, minimum_gain)
    if failures and verdict in ("first version", "improved"):
        verdict = "refused"
    return Decision(
        verdict=verdict,
        promote=not failures,
        first_failure=failures[0] if failures else None,
        rules=tuple(rules),
        comparison=judged,
    )


def _integrity(digest: str, champion_digest: str | None) -> Rule:
    if champion_digest is None:
        words = "no champion yet, so no test set to agree with"
    elif champion_digest == digest:
        words = "both versions answered the same test set"
    else:
        words = "the versions answered different test sets: score the champion again on the challenger's"
    passed = champion_digest in (None, digest)
    return Rule(name="same_test_set", passed=passed, observed=digest, limit=champion_digest, words=words)


def _floors(value: float, floors: Floors) -> list[Rule]:
    least, passed = floors.minimum, value >= floors.minimum
    words = f"{value:.4f} is {'at least' if passed else 'below'} the required minimum {least:.4f}"
    rules = [Rule(name="minimum", passed=passed, observed=value, limit=least, words=words)]
    for name, baseline in floors.baselines.items():
        passed = value > baseline
        words = f"{value:.4f} is {'above' if passed else 'not above'} the {name} baseline {baseline:.4f}"
        rules.append(Rule(name=f"above_{name}", passed=passed, observed=value, limit=baseline, words=words))
    return rules


def _superiority(comparison: PairedComparison | None, minimum_gain: float) -> Rule:
    if comparison is None:
        words = "not judged: the test sets differ"
        return Rule(name="superiority", passed=False, observed=None, limit=minimum_gain, words=words)
    passed = comparison.lower_bound > minimum_gain
    relation = "above" if passed else "not above"
    words = (
        f"gain {comparison.gain:+.4f} {comparison.metric} over the champion; its lower bound "
        f"{comparison.lower_bound:+.4f} (confidence {1 - comparison.alpha:.1%}) is {relation} {minimum_gain:.4f}"
    )
    return Rule(name="superiority", passed=passed, observed=comparison.lower_bound, limit=minimum_gain, words=words)


def _verdict(comparison: PairedComparison | None, minimum_gain: float) -> Verdict:
    if comparison is None:
        return "first version"
    if comparison.lower_bound > minimum_gain:
        return "improved"
    if comparison.interval.high < 0:
        return "regression"
    return "worse within noise" if comparison.gain < 0 else "no measurable change"
