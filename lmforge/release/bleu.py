"""BLEU of a corpus as sacreBLEU counts and tests it, in a form that is resampled like every other metric.

It is no mean of sentences: matched n-grams and lengths are added up first. The numbers are those of sacreBLEU's default
(one reference, tokens of mteval-v13a, exponential smoothing), as a share: 0.25 where it writes 25. sacreBLEU
is imported where it is used, because whatever reads a decision imports this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from lmforge.evaluation.metrics import Floats

_ORDER = 4
NUM_COUNTS = 2 * _ORDER + 2
# The seed of sacreBLEU itself, so that its command line gives the same number.
_SEED = 12345
# sacreBLEU holds the statistics of all draws at once, 48 bytes a sentence drawn: 240 MB.
_MAX_DRAWS = 5_000_000


def bleu_counts(answers: Sequence[str], gold: Sequence[str]) -> Floats:
    """Sufficient statistics of each answer, float64 [num_sentences, 10].

    Matched n-grams of 1 to 4 tokens, each counted at most as often as the reference has it; all n-grams of the answer;
    tokens of the answer; tokens of the reference (Papineni et al. 2002, BLEU: a method for automatic evaluation).
    """
    from sacrebleu import BLEU

    # The effective order changes no count; without it every sentence is logged as a misuse of corpus BLEU.
    scorer = BLEU(effective_order=True)
    scores = [scorer.sentence_score(answer, [reference]) for answer, reference in zip(answers, gold, strict=True)]
    rows = [[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in scores]
    return np.array(rows, dtype=np.float64).reshape(len(rows), NUM_COUNTS)


def bleu_of(sums: Floats) -> Floats:
    """BLEU, 0..1, of summed statistics [..., 10] of `bleu_counts`, which are whole numbers; the result is [...].

    An order without a match counts as half a match, the next such as a quarter (Chen & Cherry 2014, A systematic
    comparison of smoothing techniques for sentence-level BLEU, method 3). Nothing matched, or no n-gram of an order,
    gives 0.
    """
    from sacrebleu import BLEU

    rows = np.rint(sums).astype(np.int64).reshape(-1, NUM_COUNTS).tolist()
    scores = [
        BLEU.compute_bleu(row[:_ORDER], row[_ORDER : 2 * _ORDER], row[-2], row[-1], smooth_method="exp").score
        for row in rows
    ]
    return np.array(scores).reshape(sums.shape[:-1]) / 100


def paired_bootstrap_p_value(
    challenger: Sequence[str], champion: Sequence[str], gold: Sequence[str], resamples: int
) -> float:
    """The p-value of sacreBLEU's paired bootstrap test (Koehn 2004; Post 2018, A Call for Clarity in Reporting BLEU).

    Of up to 5,000,000 sentences drawn it is what `sacrebleu --paired-bs` prints; larger sets take their resamples in
    parts, with the seeds that follow. The seed is fixed and not the recipe's: sacreBLEU takes a seed of 0 for none.
    """
    num_parts = ceil(resamples * len(gold) / _MAX_DRAWS)
    size = ceil(resamples / num_parts)
    systems = [("champion", champion), ("challenger", challenger)]
    # Each part says (1 + exceeding) / (1 + size), and so must the whole.
    exceeding = sum(round(_tested(systems, gold, size, _SEED + part) * (size + 1)) - 1 for part in range(num_parts))
    return (exceeding + 1) / (num_parts * size + 1)


def _tested(systems: list[tuple[str, Sequence[str]]], gold: Sequence[str], resamples: int, seed: int) -> float:
    from sacrebleu import BLEU
    from sacrebleu.significance import PairedTest, Result

    test = PairedTest(systems, {"BLEU": BLEU(force=True)}, [gold], test_type="bs", n_samples=resamples)
    # The documented way is a variable of the environment, which all threads share and a user may have set to `none`.
    test._seed = seed
    _, results = test()
    found = results["BLEU"][1]
    assert isinstance(found, Result) and found.p_value is not None, "the first row is the champion, which has none"
    return found.p_value
