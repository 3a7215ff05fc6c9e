"""Which texts stand, wholly or nearly, in a collection of others, however long the others are.

Near duplicates are found by how much two texts share of both, so a text that is quoted within a longer one is none.
Here only the share of the one counts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from lmforge.deduplication.words import hash_words, ngram_hashes
from lmforge.text.normalizing import normalized_texts

# PaLM (Chowdhery et al. 2022, arXiv:2204.02311, section 8) takes 70 % of the runs of 8 words for a leak. Short texts
# that describe families of things share as much by kind: of 1,074 package descriptions 1.5 % reached 70 %, 0.3 % 90 %.
RUN_WORDS, LEAST_SHARE = 8, 0.9


def contained(texts: pl.Series, collection: pl.Series) -> npt.NDArray[np.bool_]:
    """Whether at least 90 % of a text's runs of 8 words stand in the collection, bool [len(texts)].

    Case, white space and punctuation do not count. A shorter text has to be the whole of another one.
    """
    words = hash_words(normalized_texts(texts), ignore_punctuation=True)
    runs, offsets = ngram_hashes(words, RUN_WORDS, keep_short=True)
    others = hash_words(normalized_texts(collection), ignore_punctuation=True)
    found = np.isin(runs, ngram_hashes(others, RUN_WORDS, keep_short=True)[0])
    num_found = np.add.reduceat(found.astype(np.int64), offsets[:-1]) if len(texts) else np.zeros(0, np.int64)
    has_words = np.diff(words.offsets) > 0
    enough: npt.NDArray[np.bool_] = has_words & (num_found >= LEAST_SHARE * np.diff(offsets))
    return enough
