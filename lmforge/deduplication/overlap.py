"""Training documents that hold text of an evaluation set: a shared run of words is the evidence.

After GPT-3 (Brown et al. 2020, arXiv:2005.14165, appendix C): words without case and punctuation, runs of 13, none
below 8 words. What they leave out as phrases that everybody uses, runs in more than 10 training documents, is here what
stands in more than 10 different texts of the evaluation set: known before the corpus is read, so that a shard's answer
never depends on other shards. A phrase common in the corpus but rare in the set is evidence, and its document goes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from lmforge.deduplication.words import Hashes, Words, blocks, hash_words, ngram_hashes

# A shorter text is one that anybody may have written.
MIN_WORDS = 8
MAX_TEXTS_WITH_NGRAM = 10
_SCHEMA = {"row": pl.Int64, "set": pl.String, "evaluation_id": pl.String, "num_ngrams": pl.Int64}
# Less than 1 in 32 of the n-grams that are not in the index is then searched for; 2^28 marks take 32 MiB.
_MARKS_PER_NGRAM, _MAX_MARK_BITS = 32, 28


@dataclass(frozen=True, eq=False)
class EvaluationIndex:
    """The n-grams of one evaluation set.

    `ngrams` are sorted and unique; `examples` holds for each the row in `ids` of the first text with it; `lengths` are
    the lengths in words that occur, longest first. `num_ignored` n-grams were too frequent to be evidence;
    `num_unguarded` texts, too short or all boilerplate, have no n-gram here: only their equals can be found, by key.
    """

    set_name: str
    lengths: tuple[int, ...]
    ngrams: Hashes
    examples: npt.NDArray[np.int32]
    ids: pl.Series
    num_ignored: int
    num_unguarded: int

    @classmethod
    def build(cls, texts: pl.Series, ids: pl.Series, set_name: str, n: int) -> EvaluationIndex:
        """Index normalised texts (String [k]) with their ids (String [k]) by runs of n words.

        A text shorter than n words counts by all its words if they are at least 8. Equal texts count as one, that of
        the first.
        """
        words = hash_words(texts, ignore_punctuation=True)
        whole, rows = _distinct(words)
        sizes = np.diff(words.offsets)
        short = rows[(sizes[rows] >= MIN_WORDS) & (sizes[rows] < n)]
        ngrams, offsets = ngram_hashes(words, n)
        of_row = np.repeat(np.arange(len(sizes)), np.diff(offsets))
        chosen = np.isin(of_row, rows)
        hashes = np.append(ngrams[chosen], whole[short])
        evidence, examples, guarded, num_ignored = _evidence(hashes, np.append(of_row[chosen], short))
        lengths = (n, *sorted({int(size) for size in sizes[short]}, reverse=True))
        num_unguarded = len(rows) - len(guarded)
        return cls(set_name, lengths, evidence, examples, ids.cast(pl.String), num_ignored, num_unguarded)

    def find(self, hashes: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Positions of `hashes` that are n-grams of this set, ascending, and the example of each."""
        marks, shift = self._marks
        bits = hashes >> shift
        likely = np.flatnonzero(marks[bits >> np.uint64(3)] >> (bits & np.uint64(7)).astype(np.uint8) & np.uint8(1))
        places = np.searchsorted(self.ngrams, hashes[likely])
        places[places == len(self.ngrams)] = 0
        found = self.ngrams[places] == hashes[likely]
        return likely[found], self.examples[places[found]]

    def save(self, directory: Path) -> None:
        """Write the index into an existing directory: two .npy files, `ids.parquet` and `index.json`."""
        np.save(directory / "ngrams.npy", self.ngrams)
        np.save(directory / "examples.npy", self.examples)
        self.ids.alias("id").to_frame().write_parquet(directory / "ids.parquet")
        about = {name: getattr(self, name) for name in ("set_name", "lengths", "num_ignored", "num_unguarded")}
        (directory / "index.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> EvaluationIndex:
        """What `save` wrote, with the arrays memory-mapped."""
        about = json.loads((directory / "index.json").read_text(encoding="utf-8"))
        return cls(
            ngrams=np.load(directory / "ngrams.npy", mmap_mode="r", allow_pickle=False),
            examples=np.load(directory / "examples.npy", mmap_mode="r", allow_pickle=False),
            ids=pl.read_parquet(directory / "ids.parquet")["id"],
            **{**about, "lengths": tuple(about["lengths"])},
        )

    @cached_property
    def _marks(self) -> tuple[npt.NDArray[np.uint8], np.uint64]:
        """A bit for the leading bits of each n-gram: an absent one is nearly always told by a look, not by a search."""
        num_bits = min(max(len(self.ngrams) * _MARKS_PER_NGRAM, 8).bit_length(), _MAX_MARK_BITS)
        shift = np.uint64(64 - num_bits)
        marks = np.zeros(1 << num_bits, np.bool_)
        marks[self.ngrams >> shift] = True
        return np.packbits(marks, bitorder="little"), shift


def find_overlaps(texts: pl.Series, indexes: Sequence[EvaluationIndex]) -> pl.DataFrame:
    """A row for each of the normalised texts (String [n]) and set that overlap, by text, then in the order of the sets.

    Columns: `row` of the text, `set`, `evaluation_id` of the first shared n-gram (whole short texts come last), and
    `num_ngrams`, how many positions of the text begin a shared one.
    """
    frames = [pl.DataFrame(schema=_SCHEMA)]
    first_row = 0
    for block in blocks(texts):
        hits = _hits(hash_words(block, ignore_punctuation=True), indexes)
        frames += [frame.with_columns(pl.col("row") + first_row) for frame in hits]
        first_row += len(block)
    # Stable: within a row the order of the sets stays.
    return pl.concat(frames).sort("row", maintain_order=True)


def _hits(words: Words, indexes: Sequence[EvaluationIndex]) -> list[pl.DataFrame]:
    grams = {length: ngram_hashes(words, length) for length in sorted({n for index in indexes for n in index.lengths})}
    return [_hits_of_set([grams[length] for length in index.lengths], index) for index in indexes]


def _hits_of_set(grams: Sequence[tuple[Hashes, npt.NDArray[np.int64]]], index: EvaluationIndex) -> pl.DataFrame:
    found = [(offsets, *index.find(hashes)) for hashes, offsets in grams]
    rows = np.concatenate([np.searchsorted(offsets, places, side="right") - 1 for offsets, places, _ in found])
    examples = np.concatenate([examples for _, _, examples in found])
    unique, firsts, counts = np.unique(rows, return_index=True, return_counts=True)
    columns = {"row": unique, "evaluation_id": index.ids.gather(examples[firsts]), "num_ngrams": counts}
    return pl.DataFrame(columns).select(
        pl.col("row").cast(pl.Int64), pl.lit(index.set_name).alias("set"), "evaluation_id", pl.col("num_ngrams")
    )


def _distinct(words: Words) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """A hash of all words of each text, and the rows with a text that no earlier row has, ascending."""
    longest = int(np.diff(words.offsets).max(initial=0))
    whole, _ = ngram_hashes(words, longest + 1, keep_short=True)
    return whole, np.sort(np.unique(whole, return_index=True)[1])


def _evidence(
    hashes: Hashes, rows: npt.NDArray[np.int64]
) -> tuple[Hashes, npt.NDArray[np.int32], npt.NDArray[np.int64], int]:
    """From n-grams [m] and the row of each: those that are evidence, sorted; the first row of each; all rows that have
    one; how many n-grams are too frequent."""
    order = np.lexsort((rows, hashes))
    hashes, rows = hashes[order], rows[order]
    differs = np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)]
    again = ~differs & np.append(False, rows[1:] == rows[:-1])[: len(rows)]
    hashes, rows, differs = hashes[~again], rows[~again], differs[~again]
    starts = np.flatnonzero(differs)
    num_texts = np.diff(starts, append=len(hashes))
    rare = num_texts <= MAX_TEXTS_WITH_NGRAM
    guarded = np.unique(rows[np.repeat(rare, num_texts)])
    return hashes[starts[rare]], rows[starts[rare]].astype(np.int32), guarded, int((~rare).sum())
