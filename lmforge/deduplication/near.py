"""Near duplicates: texts whose word shingles largely agree, found by MinHash and locality-sensitive hashing.

MinHash: Broder, On the resemblance and containment of documents, 1997; bands: Leskovec, Rajaraman, Ullman, Mining of
Massive Datasets, chapter 3. Texts that share a band count as near duplicates without a look at the texts again, as in
datasketch and datatrove: a pair is then found with a probability that rises steeply around the threshold, some pairs
below it among them. Verifying would keep 0.5 KB a text for decisions of which an estimate from 128 permutations is
unsure too (standard error 0.035 at 0.8).
"""

from __future__ import annotations

from functools import cache
from itertools import chain

import numpy as np
import numpy.typing as npt
import polars as pl
from rensa import RMinHash

from lmforge.deduplication.words import Hashes, blocks, hash_words, ngram_hashes
from lmforge.recipe.cleaning import Deduplication

# Part of the meaning of stored band keys, as is the algorithm of rensa.
_SEED = 42
_ROWS_AT_A_TIME = 10_000
# Odd, as a factor modulo 2^64 has to be to lose nothing: the golden ratio's bits.
_FACTOR = 0x9E3779B97F4A7C15


@cache
def bands_and_rows(threshold: float, num_permutations: int) -> tuple[int, int]:
    """Number of bands (at least two) and of permutations in each, at most `num_permutations` together.

    Two texts of similarity s share a band with probability 1 - (1 - s^rows)^bands. The choice has the least area under
    that curve below the threshold and above it behind the threshold, which is also how datasketch chooses.
    """
    step = 0.001
    # Midpoints of small steps: the areas are sums.
    below, above = np.arange(0, threshold, step) + step / 2, np.arange(threshold, 1, step) + step / 2
    areas: dict[tuple[int, int], float] = {}
    for bands in range(2, num_permutations + 1):
        for rows in range(1, num_permutations // bands + 1):
            false_positive = (1 - (1 - below**rows) ** bands).sum()
            false_negative = ((1 - above**rows) ** bands).sum()
            areas[bands, rows] = float(false_positive + false_negative)
    return min(areas, key=areas.__getitem__)


def band_keys(texts: pl.Series, settings: Deduplication) -> Hashes:
    """Keys [n, bands] of normalised texts (String [n]); two texts with a key in common in a column share that band.

    Shingles are runs of `shingle_words` words; a shorter text has one shingle, all its words. A row depends on its text
    and on the settings alone, so keys of parts of a corpus may be kept and put together.
    """
    num_bands, num_rows = bands_and_rows(settings.threshold, settings.num_permutations)
    keys = [_block_keys(block, settings.shingle_words, num_bands, num_rows) for block in blocks(texts)]
    return np.concatenate(keys) if keys else np.empty((0, num_bands), np.uint64)


def near_duplicates(bands: Hashes, candidates: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """For each row of `bands` [n, bands] the row that is kept in its place: itself where it is kept.

    In the order of rows, a candidate is dropped if it shares a band with an earlier row that is kept, and names the
    first such row; to be like a dropped row is no reason. Rows that are not candidates neither drop others nor are
    dropped. Linear in the rows that share a band with any other, after one sort a band.
    """
    kept = np.arange(len(bands))
    rows = np.flatnonzero(candidates)
    groups, num_groups = _groups(bands, rows)
    shared = np.flatnonzero((groups >= 0).any(axis=1))
    # A group is what shares one key: it has one kept row at most, as each later one is dropped for its sake.
    kept_of_group = [-1] * num_groups
    for start in range(0, len(shared), _ROWS_AT_A_TIME):
        part = shared[start : start + _ROWS_AT_A_TIME]
        for row, all_groups in zip(rows[part].tolist(), groups[part].tolist(), strict=True):
            own = [group for group in all_groups if group >= 0]
            earlier = [kept_of_group[group] for group in own if kept_of_group[group] >= 0]
            if earlier:
                kept[row] = min(earlier)
                continue
            for group in own:
                kept_of_group[group] = row
    return kept


def _block_keys(texts: pl.Series, shingle_words: int, num_bands: int, num_rows: int) -> Hashes:
    shingles, offsets = ngram_hashes(hash_words(texts), shingle_words, keep_short=True)
    size = num_bands * num_rows
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(shingles, offsets.astype(np.uint64), size, _SEED)
    # rensa gives the matrix as lists only; small blocks make that cheap, as the integers stay in the cache.
    values = np.fromiter(chain.from_iterable(matrix.to_rows()), np.uint64, len(texts) * size)
    factors = np.array([pow(_FACTOR, power, 1 << 64) for power in range(num_rows)], np.uint64)
    keys: Hashes = values.reshape(len(texts), num_bands, num_rows) @ factors
    return keys


def _groups(bands: Hashes, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int32], int]:
    """For each of `rows` and each band the number of its group, -1 where no other row has its key; how many groups."""
    groups = np.full((len(rows), bands.shape[1]), -1, np.int32)
    num_groups = 0
    for band in range(bands.shape[1]) if len(rows) else ():
        keys = bands[rows, band]
        order = np.argsort(keys)
        keys = keys[order]
        same = keys[1:] == keys[:-1]
        is_first = np.append(True, ~same)
        is_shared = np.append(same, False) | ~is_first
        number = np.cumsum(is_first & is_shared, dtype=np.int32)
        groups[order[is_shared], band] = number[is_shared] + (num_groups - 1)
        num_groups += int(number[-1])
    return groups, num_groups
