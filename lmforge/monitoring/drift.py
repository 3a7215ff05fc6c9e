"""How far one profile is from an earlier one, as one number a property.

A number grows with the difference and, for small tables, with chance: two halves of 100 documents already differ by
about 0.1 in the lengths. What number is too much is said in the recipe, not here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

# Only the more frequent half of each list is compared: a word can cross the list's end by chance alone.
_NUM_COMPARED_WORDS = 1_000
_MIXES = {"languages": "language_drift", "labels": "label_drift", "predictions": "prediction_drift"}


def measures(profile: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of one profile that suites judge: num_words, repetitive_share and label_shift, where known.

    label_shift: total variation between the mix of predictions and that of the true labels, 0 to 1.
    """
    found = {name: profile[name] for name in ("num_words", "repetitive_share") if name in profile}
    if "predictions" in profile and "gold_labels" in profile:
        found["label_shift"] = total_variation(*_paired_mixes(profile["predictions"], profile["gold_labels"]))
    return found


def drift(now: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, float]:
    """Return how far the profile `now` is from `then`, for what both describe; nothing for profiles of two formats.

    length_drift: population stability index of the words a text, 0 and more. vocabulary_drift: Jensen-Shannon
    divergence of the words, 0 to 1. language_drift, label_drift and prediction_drift: total variation of the mix, 0 to
    1, the share of rows that would have to change.
    """
    if now["format"] != then["format"]:
        return {}
    found = {}
    if "words_histogram" in now and "words_histogram" in then:
        found["length_drift"] = stability_index(now["words_histogram"], then["words_histogram"])
        found["vocabulary_drift"] = divergence(*_paired_words(now["frequent_words"], then["frequent_words"]))
    for name, key in _MIXES.items():
        if name in now and name in then:
            found[key] = total_variation(*_paired_mixes(now[name], then[name]))
    return {name: value for name, value in found.items() if math.isfinite(value)}


def stability_index(now: Sequence[float], then: Sequence[float]) -> float:
    """Population stability index of two histograms over the same bins, in nats; NaN where one has no counts.

    Below 0.1 is read as no change, above 0.25 as a large one (Siddiqi, Credit Risk Scorecards, 2006). By chance alone
    it is about (bins - 1) * (1/n + 1/m) for n and m rows (Yurdakul, Statistical Properties of PSI, 2018). Half a count
    is added to each bin that one of the two fills, since the index of an empty bin is infinite.
    """
    counts = np.array([now, then], dtype=np.float64)
    counts = counts[:, counts.any(axis=0)]
    if not counts.any(axis=1).all():
        return math.nan
    counts += 0.5
    one, other = counts / counts.sum(axis=1, keepdims=True)
    return float(((one - other) * np.log(one / other)).sum())


def divergence(now: Sequence[float], then: Sequence[float]) -> float:
    """Jensen-Shannon divergence of two distributions in bits, 0 to 1 (Lin, Divergence Measures, IEEE IT 37, 1991)."""
    one, other = _shares(now), _shares(then)
    middle = (one + other) / 2
    return max(0.0, (_divergence_from(one, middle) + _divergence_from(other, middle)) / 2)


def total_variation(now: Sequence[float], then: Sequence[float]) -> float:
    """Half the sum of the differences between two distributions, 0 to 1; NaN where one has no counts."""
    return float(np.abs(_shares(now) - _shares(then)).sum() / 2)


def _shares(counts: Sequence[float]) -> np.ndarray:
    values = np.asarray(counts, dtype=np.float64)
    total = values.sum()
    return values / total if total else np.full(len(values), math.nan)


def _divergence_from(one: np.ndarray, middle: np.ndarray) -> float:
    seen = one != 0
    return float((one[seen] * np.log2(one[seen] / middle[seen])).sum())


def _paired_words(now: Mapping[str, Any], then: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Counts of the words that are frequent in either, and of all others together."""
    compared = {word for words in (now, then) for word in _most_frequent(words["top"])}
    one, other = ([words["top"].get(word, 0) for word in sorted(compared)] for words in (now, then))
    return [*one, now["num_words"] - sum(one)], [*other, then["num_words"] - sum(other)]


def _most_frequent(counts: Mapping[str, int]) -> Iterable[str]:
    # Not the order of the mapping: a profile that went through JSON is sorted by word.
    return sorted(counts, key=lambda word: (-counts[word], word))[:_NUM_COMPARED_WORDS]


def _paired_mixes(now: Mapping[str, Any], then: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    names = sorted(now["counts"].keys() | then["counts"].keys())
    one, other = (
        [*(mix["counts"].get(name, 0) for name in names), mix["other"], mix["missing"]] for mix in (now, then)
    )
    return one, other
