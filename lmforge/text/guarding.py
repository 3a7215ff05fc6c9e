"""Keeps the evaluation sets of a recipe out of its corpus: by id, by text, and by a shared run of words.

The evaluation sets are never changed; the documents of the corpus give way, and each says for which example.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import polars as pl

from lmforge.artifacts.artifact import Artifact
from lmforge.artifacts.store import Outcome, Request
from lmforge.deduplication.overlap import EvaluationIndex, find_overlaps
from lmforge.dependencies import CLEANING, CLEANING_LIBRARIES, COLLECTING, COLLECTING_LIBRARIES
from lmforge.hashing import code_fingerprint, hash_path
from lmforge.paths import expand
from lmforge.recipe.cleaning import Decontamination
from lmforge.sources.base import source_name
from lmforge.sources.files import FilesSource
from lmforge.text.normalizing import normalized_texts, text_keys
from lmforge.text.records import Record
from lmforge.text.repairing import repair_texts
from lmforge.text.sieve import Sieve
from lmforge.text.splitting import SPLITS
from lmforge.wording import shown

_EXAMPLES = {"id": pl.String, "group": pl.String, "text": pl.String}
_OVERLAPS = {
    "id": pl.String, "set": pl.String, "evaluation_id": pl.String, "by": pl.String, "num_ngrams": pl.Int64,
}  # fmt: skip


class EvaluationSet(NamedTuple):
    """What must stay out of training: a labelled artifact's validation and test splits, or a file of texts.

    name: what a report calls it. path: the artifact's directory or the file. text: field that holds the text of a file.
    """

    name: str
    path: Path
    text: str | None = None


def evaluation_sets(
    labelled: Mapping[str, Artifact], decontamination: Decontamination, root: Path
) -> list[EvaluationSet]:
    """The evaluation sets of a recipe: those of its tasks, by name, then the further files that it lists."""
    sets = [EvaluationSet(name, artifact.path) for name, artifact in labelled.items()]
    further = [path for pattern in decontamination.paths for path in expand(root, pattern)]
    return sets + [EvaluationSet(source_name(path, root), path, decontamination.text) for path in further]


@dataclass(frozen=True)
class GuardUnit:
    """The evaluation sets in the form in which shards are compared with them."""

    sets: tuple[EvaluationSet, ...]
    decontamination: Decontamination

    def request(self) -> Request:
        """By the content of the sets."""
        inputs = {f"{one.name}:{path.name}": hash_path(path) for one in self.sets for path in _files(one)}
        config = {"ngram_words": self.decontamination.ngram_words, "text": [one.text for one in self.sets]}
        return Request(
            "clean.guard",
            "guard",
            config,
            inputs,
            code_fingerprint((*COLLECTING, *CLEANING), (*COLLECTING_LIBRARIES, *CLEANING_LIBRARIES)),
        )

    def build(self, out: Path) -> Outcome:
        """Write `names.parquet`, `keys.parquet` and an n-gram index a set."""
        names, keys = [], []
        for number, one in enumerate(self.sets):
            examples = pl.concat([pl.DataFrame(schema=_EXAMPLES), *_examples(one)])
            texts = normalized_texts(examples["text"])
            hashes = text_keys(examples["text"])
            told = examples.select(pl.lit(one.name).alias("set"), pl.col("id").alias("evaluation_id"))
            keys.append(told.with_columns(key_high=pl.Series(hashes[:, 0]), key_low=pl.Series(hashes[:, 1])))
            if one.text is None:
                names += [told.with_columns(examples[column].alias("id")) for column in ("id", "group")]
            directory = out / f"set-{number:03d}"
            directory.mkdir()
            EvaluationIndex.build(texts, examples["id"], one.name, self.decontamination.ngram_words).save(directory)
        empty = {"set": pl.String, "evaluation_id": pl.String}
        named = pl.concat([pl.DataFrame(schema=empty | {"id": pl.String}), *names])
        keyed = pl.concat([pl.DataFrame(schema=empty | {"key_high": pl.UInt64, "key_low": pl.UInt64}), *keys])
        # The first of each, so that a join finds at most one example for a document.
        named.unique("id", keep="first", maintain_order=True).write_parquet(out / "names.parquet")
        keyed.unique(["key_high", "key_low"], keep="first", maintain_order=True).write_parquet(out / "keys.parquet")
        return Outcome(facts={"num_sets": len(self.sets), "num_examples": len(keyed)})


@dataclass(frozen=True)
class Guard:
    """Tables and indexes of the evaluation sets; `load_guard` reads them."""

    names: pl.DataFrame
    keys: pl.DataFrame
    indexes: tuple[EvaluationIndex, ...]

    def reject(self, sieve: Sieve) -> pl.DataFrame:
        """Take documents that stand in an evaluation set out of the sieve; return a row for each and set.

        The sieve needs the columns `normalized`, `key_high` and `key_low`. Reason code: in_evaluation_set.
        """
        frame = sieve.frame.select("id", "key_high", "key_low").with_row_index("row")
        found = pl.concat(
            [
                _told(frame.join(self.names, on="id"), "id"),
                _told(frame.join(self.keys, on=["key_high", "key_low"]), "text"),
                _told(find_overlaps(sieve.frame["normalized"], self.indexes), "ngrams"),
            ]
        ).unique(["row", "set"], keep="first", maintain_order=True)
        first = found.unique("row", keep="first", maintain_order=True).sort("row")
        details = frame.select("row").join(first, on="row", how="left", maintain_order="left")
        reasons = details.select(
            pl.when(pl.col("set").is_not_null()).then(pl.lit("in_evaluation_set")).alias("reason")
        ).to_series()
        told = [_detail(row) for row in details.iter_rows(named=True)]
        overlaps = found.sort("row", maintain_order=True).with_columns(id=frame["id"].gather(found.sort("row")["row"]))
        sieve.reject(reasons, pl.Series("detail", told, dtype=pl.String))
        return overlaps.select(_OVERLAPS.keys())


@lru_cache(maxsize=2)
def load_guard(directory: Path) -> Guard:
    """What `GuardUnit` wrote."""
    indexes = tuple(EvaluationIndex.load(path) for path in sorted(directory.glob("set-*")))
    names, keys = (pl.read_parquet(directory / f"{name}.parquet") for name in ("names", "keys"))
    return Guard(names, keys, indexes)


def _files(one: EvaluationSet) -> list[Path]:
    return [one.path / f"{split}.parquet" for split in SPLITS[1:]] if one.text is None else [one.path]


def _examples(one: EvaluationSet) -> Iterator[pl.DataFrame]:
    if one.text is None:
        yield from (pl.read_parquet(path, columns=list(_EXAMPLES)) for path in _files(one))
        return
    source = FilesSource(path=one.path.name, text=one.text)
    read = [item for item in source.read(one.path, one.name) if isinstance(item, Record)]
    rows = {"id": [item.name for item in read], "group": [None] * len(read), "text": [item.text for item in read]}
    frame = pl.DataFrame(rows, schema=_EXAMPLES)
    yield frame.with_columns(text=repair_texts(frame["text"]))


def _told(found: pl.DataFrame, by: str) -> pl.DataFrame:
    counted = pl.col("num_ngrams") if by == "ngrams" else pl.lit(0)
    return found.select(
        pl.col("row").cast(pl.Int64), "set", "evaluation_id", pl.lit(by).alias("by"),
        counted.cast(pl.Int64).alias("num_ngrams"),
    )  # fmt: skip


def _detail(row: dict[str, object]) -> str:
    if row["set"] is None:
        return ""
    how = {"id": "same id as", "text": "same text as", "ngrams": f"{row['num_ngrams']} shared runs of words with"}
    return f"{how[str(row['by'])]} {shown(str(row['evaluation_id']))} of {row['set']}"
