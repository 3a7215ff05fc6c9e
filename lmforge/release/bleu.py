"""BLEU of a corpus as a function of sums over its sentences, so that it is resampled like every other metric.

It is no mean of sentences: matched n-grams and lengths are added up first. The numbers are those of sacreBLEU's default
(one reference, tokens of mteval-v13a, exponential smoothing), as a share: 0.25 where sacreBLEU writes 25.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from lmforge.evaluation.metrics import Floats

_ORDER = 4
NUM_COUNTS = 2 * _ORDER + 2
_ENTITIES = {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}
# ASCII punctuation but for apostrophe, comma, full stop and hyphen; those of numbers stay inside them.
_SPLITS = (
    (re.compile(r"([!-&(-+:-@\[-`{-~/])"), r" \1 "),
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)


def bleu_counts(answers: Sequence[str], gold: Sequence[str]) -> Floats:
    """Sufficient statistics of each answer, float64 [num_sentences, 10].

    Matched n-grams of 1 to 4 tokens, each counted at most as often as the reference has it; all n-grams of the answer;
    tokens of the answer; tokens of the reference (Papineni et al. 2002, BLEU: a method for automatic evaluation).
    """
    rows = [_counts(_tokens(answer), _tokens(reference)) for answer, reference in zip(answers, gold, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), NUM_COUNTS)


def bleu_of(sums: Floats) -> Floats:
    """BLEU, 0..1, of summed statistics [..., 10] of `bleu_counts`; the result is [...].

    An order without a match counts as half a match, the next such as a quarter (Chen & Cherry 2014, A systematic
    comparison of smoothing techniques for sentence-level BLEU, method 3). Nothing matched, or no n-gram of an order,
    gives 0.
    """
    matched, total = sums[..., :_ORDER], sums[..., _ORDER : 2 * _ORDER]
    length, reference = sums[..., -2], sums[..., -1]
    smoothed = np.where(matched > 0, matched, 0.5 ** np.cumsum(matched <= 0, axis=-1))
    known = (total > 0).all(axis=-1) & (matched > 0).any(axis=-1)
    logs = np.log(np.where(total > 0, smoothed / np.maximum(total, 1.0), 1.0)).mean(axis=-1)
    # The penalty for answers that are too short.
    logs += np.minimum(0.0, 1.0 - reference / np.maximum(length, 1.0))
    return np.where(known, np.exp(logs), 0.0)


def _tokens(text: str) -> list[str]:
    """The tokens of NIST's mteval-v13a, in words of letters and numbers, and single signs."""
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, sign in _ENTITIES.items():
        text = text.replace(entity, sign)
    text = f" {text} "
    for pattern, replacement in _SPLITS:
        text = pattern.sub(replacement, text)
    return text.split()


def _counts(answer: list[str], reference: list[str]) -> list[int]:
    matched, total = [], []
    for order in range(1, _ORDER + 1):
        found, wanted = (
            Counter(tuple(tokens[at : at + order]) for at in range(len(tokens) - order + 1))
            for tokens in (answer, reference)
        )
        matched.append((found & wanted).total())
        total.append(found.total())
    return [*matched, *total, len(answer), len(reference)]
