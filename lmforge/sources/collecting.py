"""Collect: every source of a recipe as raw shards of one schema, text unchanged, with broken records in quarantine."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from lmforge.artifacts.artifact import Artifact, Counts
from lmforge.deduplication.exact import first_of_each
from lmforge.errors import InputError
from lmforge.hashing import hash_path
from lmforge.recipe.data import Source
from lmforge.sharding import Workshop
from lmforge.sources.units import IDS, REPAIRED, CollectUnit, collect_units
from lmforge.sources.unused import bounded
from lmforge.text.records import QuarantineWriter, Rejected
from lmforge.text.tables import RAW_SCHEMA, open_table, shard_paths
from lmforge.wording import listed, shown

logger = logging.getLogger("lmforge.stage")

FILES = "files.json"


def collect(sources: Sequence[Source], out: Path, *, root: Path, workshop: Workshop) -> tuple[Counts, dict[str, Any]]:
    """Write the raw shards (schema `RAW_SCHEMA`), `quarantine.jsonl` and `files.json` to `out`.

    Returns balanced counts and facts. A record without an id is called `source:line`. A second record with the same id
    is quarantined as duplicate_id. `files.json` names each file with its SHA-256 and numbers of records. The fact
    `unused_columns` says by source which columns its records have that the recipe does not name; they are logged, too.
    Raises InputError for a file without a usable record, a file that two sources name, and what sources raise.
    """
    units = collect_units(list(_files(sources, root)))
    made = workshop.make(units)
    files = list(_listed(units, made))
    (out / FILES).write_text(json.dumps(files, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    repairs = sum((Counter(artifact.manifest.facts["repairs"]) for artifact in made), Counter[str]())
    unused = _unused_columns(units, made)
    for path, columns in unused.items():
        logger.info("%s: columns not used: %s", shown(path), listed(columns))
    facts = {"num_files": len(files), "repairs": dict(sorted(repairs.items())), "unused_columns": unused}
    return _gather(made, out), facts


def changes(now: Iterable[dict[str, Any]], then: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """What the `files.json` of two runs say: names that arrived, that vanished, and whose content changed."""
    after, before = ({one["name"]: one["sha256"] for one in files} for files in (now, then))
    return {
        "arrived": sorted(after.keys() - before.keys()),
        "vanished": sorted(before.keys() - after.keys()),
        "changed": sorted(name for name in after.keys() & before.keys() if after[name] != before[name]),
    }


def _files(sources: Sequence[Source], root: Path) -> Iterator[tuple[Path, str, Source]]:
    named: dict[Path, str] = {}
    for source in sources:
        for path in source.files(root):
            # Without ids, both copies of a record would be called by the same place.
            if path in named:
                raise InputError(
                    f"{shown(str(path))}: named by {shown(named[path])} and by {shown(source.path)}; name it once"
                )
            named[path] = source.path
            yield path, source.name_of(path, root), source


def _listed(units: Sequence[CollectUnit], made: Sequence[Artifact]) -> Iterator[dict[str, Any]]:
    for unit, artifact in zip(units, made, strict=True):
        counted = artifact.manifest.facts["files"]
        for path, name in zip(unit.paths, unit.names, strict=True):
            yield {"name": name, "sha256": hash_path(path), **counted[name]}


def _unused_columns(units: Sequence[CollectUnit], made: Sequence[Artifact]) -> dict[str, dict[str, int]]:
    """By source: how many records have each column that nothing reads; before repeated ids are set aside."""
    total: dict[str, Counter[str]] = {}
    for unit, artifact in zip(units, made, strict=True):
        if found := artifact.manifest.facts["unused_columns"]:
            total.setdefault(unit.source.path, Counter()).update(found)
    return {path: dict(sorted(bounded(counts).items())) for path, counts in total.items()}


def _gather(units: Sequence[Artifact], out: Path) -> Counts:
    """One directory from the units': shards numbered through, and a quarantine that names the repeated ids."""
    repeated = _repeated_ids(units)
    num_shards = num_repaired = 0
    with QuarantineWriter(out) as quarantine:
        for artifact, drop in zip(units, repeated, strict=True):
            quarantine.append(artifact.path)
            num_repaired += int(np.count_nonzero(np.load(artifact.path / REPAIRED) & ~drop))
            start = 0
            for shard in shard_paths(artifact.path):
                target = out / f"part-{num_shards:05d}.parquet"
                part = drop[start : start + pq.read_metadata(shard).num_rows]
                if part.any():
                    _without(shard, part, target, quarantine)
                else:
                    _link(shard, target)
                start += len(part)
                num_shards += 1
        reasons = quarantine.reasons
    num_read, num_quarantined = sum(one.manifest.counts.read for one in units), sum(reasons.values())
    num_kept = num_read - num_repaired - num_quarantined
    return Counts(read=num_read, kept=num_kept, repaired=num_repaired, quarantined=num_quarantined, reasons=reasons)


def _repeated_ids(units: Sequence[Artifact]) -> list[np.ndarray]:
    """For each unit a mask of its rows whose id an earlier row has."""
    keys = [np.load(artifact.path / IDS, allow_pickle=False) for artifact in units]
    first = first_of_each(np.concatenate(keys))
    mask = first != np.arange(len(first))
    return np.split(mask, np.cumsum([len(one) for one in keys])[:-1])


def _without(shard: Path, drop: np.ndarray, target: Path, quarantine: QuarantineWriter) -> None:
    frame = pl.read_parquet(shard)
    for row in frame.filter(drop).iter_rows(named=True):
        # The id decides the split, so two texts under one id would be drawn together.
        quarantine.write(Rejected.of("duplicate_id", row["source"], row["line"], row["text"], detail=shown(row["id"])))
    with open_table(target, RAW_SCHEMA) as table:
        table.write_table(frame.filter(~drop).to_arrow().cast(RAW_SCHEMA), row_group_size=5_000)


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)  # both are never written again, so the text is on disk once
    except OSError:
        shutil.copyfile(path, target)
