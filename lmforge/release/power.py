"""What a test set can show: the power of the superiority rule and the smallest gain that it would see.

Normal approximation of a paired one-sided test (Cohen 1988, Statistical Power Analysis, chapter 2; for language
technology Card et al. 2020, With Little Power Comes Great Responsibility). Gains are in units of the metric.
"""

from __future__ import annotations

import math

from scipy import stats

# The customary chance of seeing what is there (Cohen 1988, section 2.4).
POWER = 0.8


def power_of(gain: float, standard_error: float, alpha: float, minimum_gain: float = 0.0) -> float:
    """Chance that a true gain is declared: Phi((gain - minimum_gain) / standard_error - z(1 - alpha))."""
    if standard_error <= 0:
        return float(gain > minimum_gain)
    return float(stats.norm.cdf((gain - minimum_gain) / standard_error - stats.norm.ppf(1 - alpha)))


def smallest_visible_gain(
    standard_error: float, alpha: float, num_examples: int | None, *, minimum_gain: float = 0.0, power: float = POWER
) -> float:
    """The true gain that is declared with probability `power`: minimum_gain + (z(1 - alpha) + z(power)) * error.

    Never below the resolution of the set: k examples that changed for the better are all missing from a resample with
    probability (1 - k / n)^n, so fewer than n * (1 - alpha^(1 / n)) of them can never be declared. num_examples: None
    for a metric without steps, such as bits a byte, of which every example changes a little.
    """
    visible = float(stats.norm.ppf(1 - alpha) + stats.norm.ppf(power)) * standard_error
    if num_examples is None:
        return minimum_gain + visible
    needed = math.floor(num_examples * (1.0 - math.pow(alpha, 1 / num_examples))) + 1
    return minimum_gain + max(visible, min(needed, num_examples) / num_examples)


def examples_needed(gain: float, standard_deviation: float, alpha: float, power: float = POWER) -> int:
    """How many examples show a gain, by the standard deviation of the paired differences of one example each."""
    assert gain > 0, f"gain {gain}: only a positive gain can be shown"
    ratio = float(stats.norm.ppf(1 - alpha) + stats.norm.ppf(power)) * standard_deviation / gain
    return max(1, math.ceil(ratio**2))
