"""Clean: repair each raw document, filter it, and keep one of each text; every rejection has a reason code.

Shards are treated alone and in any order; then small arrays (a hash and a few band keys a document) decide which
documents stand twice, the first in source order being the one that stays. One row group of a shard is in memory.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from lmforge.artifacts.artifact import Artifact, Counts
from lmforge.recipe.data import Corpus
from lmforge.sharding import Workshop
from lmforge.text.boilerplate import merge_counts
from lmforge.text.clean_units import DOCUMENTS, OVERLAPS, CleanUnit, LinesUnit
from lmforge.text.guarding import EvaluationSet, GuardUnit
from lmforge.text.languages import check_languages
from lmforge.text.records import QuarantineWriter
from lmforge.text.sieve import rejected_row
from lmforge.text.tables import CLEAN_SCHEMA, open_table, read_frames, shard_paths
from lmforge.text.twins import Twins, check_kept, find_twins, twin_table

DUPLICATES = "duplicates.parquet"
_REASONS = {"exact": "duplicate", "near": "near_duplicate"}


def clean(
    raw: Path, out: Path, corpus: Corpus, evaluation: Sequence[EvaluationSet], workshop: Workshop
) -> tuple[Counts, dict[str, Any]]:
    """Write clean shards (schema `CLEAN_SCHEMA`), `quarantine.jsonl`, `duplicates.parquet` and `overlaps.parquet`.

    Returns balanced counts and facts. Reason codes beside those of `treat` and the quality filters: too_short,
    too_long, other_language, in_evaluation_set, duplicate, near_duplicate. `repaired` counts kept documents whose text
    changed, be it white space only. A document's split depends on its group, or else on its text, alone.
    Raises InputError for unknown language codes and where de-duplication leaves next to nothing, IntegrityError for
    damaged raw shards.
    """
    check_languages(corpus.cleaning.languages)
    shards = shard_paths(raw)
    guard = workshop.make([GuardUnit(tuple(evaluation), corpus.decontamination)])[0]
    boilerplate = _boilerplate(shards, corpus, out, workshop)
    units = workshop.make([CleanUnit(shard, corpus, guard, boilerplate) for shard in shards])
    paths = [unit.path for unit in units]
    twins = find_twins(paths, corpus.deduplication)
    check_kept(twins, corpus.deduplication)
    table = twin_table(paths, twins)
    table.write_parquet(out / DUPLICATES)
    overlaps = pl.concat([pl.read_parquet(path / OVERLAPS) for path in paths])
    overlaps.write_parquet(out / OVERLAPS)
    num_repaired, reasons = _write(paths, twins, table, corpus.validation_share, out, workshop)
    counts = Counts(
        read=sum(unit.manifest.counts.read for unit in units),
        kept=int(np.count_nonzero(~twins.dropped)) - num_repaired,
        repaired=num_repaired,
        quarantined=sum(reasons.values()),
        reasons=reasons,
    )
    return counts, _facts(units, table, overlaps)


class ShardJob(NamedTuple):
    """What is left to do for the documents of one unit. dropped: bool; twins: rows of `twin_table`, for the dropped."""

    unit: Path
    dropped: np.ndarray
    twins: pl.DataFrame
    validation_share: float
    target: Path
    staging: Path


def write_shard(job: ShardJob) -> int:
    """Write one clean shard, and the quarantine of what is dropped from it; return how many kept ones were repaired."""
    start = num_twins = num_repaired = 0
    split = pl.when(pl.col("draw") < job.validation_share).then(pl.lit("validation")).otherwise(pl.lit("train"))
    with open_table(job.target, CLEAN_SCHEMA) as table, QuarantineWriter(job.staging) as quarantine:
        quarantine.append(job.unit)
        for frame in read_frames(job.unit / DOCUMENTS):
            dropped = job.dropped[start : start + len(frame)]
            twins = job.twins.slice(num_twins, int(dropped.sum())).iter_rows(named=True)
            for row, twin in zip(frame.filter(dropped).iter_rows(named=True), twins, strict=True):
                quarantine.write(rejected_row(row, _REASONS[twin["kind"]], f"of {twin['kept_id']}"))
            kept = frame.filter(~dropped).with_columns(split=split)
            num_repaired += int(kept["repaired"].sum())
            table.write_table(kept.select(CLEAN_SCHEMA.names).to_arrow().cast(CLEAN_SCHEMA))
            start += len(frame)
            num_twins += int(dropped.sum())
    return num_repaired


def _write(
    units: Sequence[Path], twins: Twins, table: pl.DataFrame, validation_share: float, out: Path, workshop: Workshop
) -> tuple[int, dict[str, int]]:
    """Write shards and quarantine; return how many kept documents were repaired, and the numbers by reason."""
    jobs, num_twins = [], 0
    for number, (unit, start, end) in enumerate(zip(units, twins.starts[:-1], twins.starts[1:], strict=True)):
        dropped = twins.dropped[start:end]
        names = table.slice(num_twins, int(dropped.sum()))
        target, staging = out / f"part-{number:05d}.parquet", out / f".quarantine-{number:05d}"
        jobs.append(ShardJob(unit, dropped, names, validation_share, target, staging))
        num_twins += len(names)
    with QuarantineWriter(out) as quarantine:
        num_repaired = 0
        for job, repaired in zip(jobs, workshop.map(write_shard, jobs), strict=True):
            num_repaired += repaired
            quarantine.append(job.staging)
            shutil.rmtree(job.staging)
        return num_repaired, quarantine.reasons


def _boilerplate(shards: Sequence[Path], corpus: Corpus, out: Path, workshop: Workshop) -> Path | None:
    """The hashes of the lines that stand in too many documents, as a file of the artifact."""
    limit = corpus.cleaning.boilerplate_min_documents
    if limit is None:
        return None
    counted = workshop.make([LinesUnit(shard) for shard in shards])
    arrays = [(np.load(one.path / "hashes.npy"), np.load(one.path / "counts.npy")) for one in counted]
    path = out / "boilerplate.npy"
    np.save(path, merge_counts(arrays, limit))
    return path


def _facts(units: Sequence[Artifact], twins: pl.DataFrame, overlaps: pl.DataFrame) -> dict[str, Any]:
    """For the manifest: what was repaired and tagged, and how much stood twice or in an evaluation set."""
    facts = [unit.manifest.facts for unit in units]
    added = {name: sum((Counter(one[name]) for one in facts), Counter[str]()) for name in ("repairs", "tags")}
    return {
        **{name: dict(sorted(counter.items())) for name, counter in added.items()},
        "num_exact_duplicates": int((twins["kind"] == "exact").sum()),
        "num_near_duplicates": int((twins["kind"] == "near").sum()),
        "num_duplicate_clusters": twins["kept_id"].n_unique(),
        "overlaps": _overlap_counts(overlaps),
    }


def _overlap_counts(overlaps: pl.DataFrame) -> dict[str, dict[str, int]]:
    """By evaluation set: how many documents of the corpus were dropped for how many of its examples."""
    counted = overlaps.group_by("set").agg(
        pl.col("id").n_unique().alias("num_documents"), pl.col("evaluation_id").n_unique().alias("num_examples")
    )
    return {row.pop("set"): row for row in counted.sort("set").iter_rows(named=True)}
