"""One raw shard on its way to the clean corpus: all that can be decided without looking at other shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash

from lmforge.artifacts.artifact import Artifact, Counts
from lmforge.artifacts.store import Outcome, Request
from lmforge.deduplication.near import band_keys
from lmforge.dependencies import CLEANING, CLEANING_LIBRARIES
from lmforge.hashing import code_fingerprint, hash_file
from lmforge.recipe.data import Corpus
from lmforge.text.boilerplate import count_lines
from lmforge.text.guarding import load_guard
from lmforge.text.normalizing import key_normalized, normalized_texts
from lmforge.text.records import QuarantineWriter
from lmforge.text.repairing import repair_texts
from lmforge.text.sieve import Sieve
from lmforge.text.tables import CLEAN_SCHEMA, open_table, read_frames
from lmforge.text.treating import reject_languages, reject_lengths, reject_quality, treat

DOCUMENTS, OVERLAPS = "documents.parquet", "overlaps.parquet"
KEYS, BANDS = "keys.npy", "bands.npy"
# What the clean schema does not hold: the text as it was read, and where in [0, 1) the draw of a split falls.
UNIT_SCHEMA = pa.schema(
    [*(field for field in CLEAN_SCHEMA if field.name != "split"), ("raw", pa.string()), ("draw", pa.float64())]
)
_SPLIT_SALT = b"corpus split\0"


@dataclass(frozen=True)
class LinesUnit:
    """How often each line stands in a shard, for the boilerplate of the whole corpus."""

    shard: Path

    def request(self) -> Request:
        """By the shard's content."""
        code = code_fingerprint(CLEANING, CLEANING_LIBRARIES)
        return Request("clean.lines", "line_counts", {}, {"shard": hash_file(self.shard)}, code)

    def build(self, out: Path) -> Outcome:
        """Write `hashes.npy`, sorted, and `counts.npy`."""
        frames = [count_lines(repair_texts(frame["text"])) for frame in read_frames(self.shard)]
        hashes, numbers = (np.concatenate(arrays) for arrays in zip(*frames, strict=True))
        distinct, inverse = np.unique(hashes, return_inverse=True)
        np.save(out / "hashes.npy", distinct)
        np.save(out / "counts.npy", np.bincount(inverse, weights=numbers, minlength=len(distinct)).astype(np.int64))
        return Outcome()


@dataclass(frozen=True)
class CleanUnit:
    """A shard treated and filtered, with the arrays that tell which of its documents stand elsewhere too.

    guard: the artifact of `GuardUnit`. boilerplate: file of the hashes of lines to drop, None for none.
    """

    shard: Path
    corpus: Corpus
    guard: Artifact
    boilerplate: Path | None

    def request(self) -> Request:
        """By content of the shard, the guard and the boilerplate."""
        near = self.corpus.deduplication.model_dump(mode="json", exclude={"exact", "min_kept_share"})
        config = {"cleaning": self.corpus.cleaning.model_dump(mode="json"), "near": near}
        inputs = {"shard": hash_file(self.shard), "guard": self.guard.fingerprint}
        if self.boilerplate:
            inputs["boilerplate"] = hash_file(self.boilerplate)
        return Request("clean.units", "clean_unit", config, inputs, code_fingerprint(CLEANING, CLEANING_LIBRARIES))

    def build(self, out: Path) -> Outcome:
        """Write `documents.parquet`, `overlaps.parquet`, `quarantine.jsonl` and a row a document in the arrays.

        keys: uint64 [num_documents, 2], hash of the normalised text; bands: uint64 [num_documents, num_bands].
        """
        repairs, tags, num_read = Counter[str](), Counter[str](), 0
        keys, bands, overlaps = [], [], []
        with open_table(out / DOCUMENTS, UNIT_SCHEMA) as documents, QuarantineWriter(out) as quarantine:
            for frame in read_frames(self.shard):
                num_read += len(frame)
                sieve, found = self._sift(frame, repairs)
                for rejected in sieve.rejected():
                    quarantine.write(rejected)
                overlaps.append(found)
                kept = sieve.frame
                keys.append(kept.select("key_high", "key_low").to_numpy())
                bands.append(band_keys(kept["normalized"], self.corpus.deduplication))
                tags.update(tag for joined in kept["tags"] for tag in joined.split(",") if tag)
                documents.write_table(kept.select(UNIT_SCHEMA.names).to_arrow().cast(UNIT_SCHEMA))
            reasons = quarantine.reasons
        np.save(out / KEYS, np.concatenate(keys))
        np.save(out / BANDS, np.concatenate(bands))
        pl.concat(overlaps).write_parquet(out / OVERLAPS)
        num_kept = num_read - sum(reasons.values())
        counts = Counts(read=num_read, kept=num_kept, quarantined=sum(reasons.values()), reasons=reasons)
        return Outcome(counts, {"repairs": dict(sorted((+repairs).items())), "tags": dict(sorted(tags.items()))})

    def _sift(self, frame: pl.DataFrame, repairs: Counter[str]) -> tuple[Sieve, pl.DataFrame]:
        cleaning = self.corpus.cleaning
        sieve = treat(frame, cleaning, repairs, boilerplate=_load(self.boilerplate))
        reject_lengths(sieve, cleaning.min_words, cleaning.max_words)
        reject_languages(sieve, cleaning)
        reject_quality(sieve, cleaning)
        normalized = normalized_texts(sieve.frame["text"])
        keys = key_normalized(normalized)
        sieve.set(normalized=normalized, key_high=pl.Series(keys[:, 0]), key_low=pl.Series(keys[:, 1]))
        overlaps = load_guard(self.guard.path).reject(sieve)
        sieve.set(draw=_draws(sieve.frame))
        return sieve, overlaps


def _load(path: Path | None) -> np.ndarray | None:
    return None if path is None else np.load(path, allow_pickle=False)


def _draws(frame: pl.DataFrame) -> pl.Series:
    """Where in [0, 1) the draw of a document falls: by its group, so that a group stays together, else by its text."""
    numbers = frame["key_high"].to_numpy() >> np.uint64(11)
    grouped = frame["group"].is_not_null().to_numpy()
    names = frame["group"].filter(pl.Series(grouped)).to_list()
    hashes = [xxhash.xxh3_64_intdigest(_SPLIT_SALT + name.encode()) >> 11 for name in names]
    numbers = numbers.copy()
    numbers[grouped] = np.array(hashes, dtype=np.uint64)
    # 53 bits are what a float holds exactly, so the result is always below 1.
    return pl.Series(numbers / float(1 << 53))


def documents(unit: Path) -> Iterator[pl.DataFrame]:
    """The documents that a unit kept, a row group at a time."""
    return read_frames(unit / DOCUMENTS)
