"""A few records after a stage, drawn by a seed: what people look at before they trust numbers.

Personal data is masked and secrets are left out in whatever is shown, also where the stage's own records still hold
them: the raw corpus does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lmforge.artifacts.artifact import Artifact
from lmforge.errors import InputError
from lmforge.privacy.findings import PLACEHOLDERS
from lmforge.reporting.excerpts import masked, presentable, read_quarantine, shown_rejection
from lmforge.text.records import scan
from lmforge.text.splitting import SPLITS
from lmforge.text.tables import read_frames, shard_paths
from lmforge.wording import listed, nearest, shown

TEXT_CHARACTERS = 400
# Around the first difference of two texts, so that it is seen in long ones.
_WINDOW_CHARACTERS, _BEFORE_DIFFERENCE = 240, 40
_MAX_TOKENS = 40


def peek(stage: str, made: Mapping[str, Artifact], num_records: int, seed: int) -> dict[str, Any]:
    """Some records of a data stage, as one JSON document; the same artifacts and seed give the same records.

    stage: collect, clean, tokenize, `label-TASK`, or `label` where the run has one task. made: a run's artifacts.
    Keys: stage, seed, num_records (how many there are to draw from) and `records`; for clean `changed` and `rejected`
    instead. Raises InputError for a stage that the run does not have.
    """
    name = _stage(stage, made)
    rng = np.random.default_rng(seed)
    path = made[name].path
    head = {"stage": name, "seed": seed}
    if name == "collect":
        return head | _collected(path, num_records, rng)
    if name == "clean":
        return head | _cleaned(made[name], _needed("collect", name, made), num_records, rng)
    if name == "tokenize":
        return head | _tokenized(path, _needed("clean", name, made), num_records, rng)
    return head | _labelled(path, num_records, rng)


def _stage(stage: str, made: Mapping[str, Artifact]) -> str:
    tasks = [name for name in made if name.startswith("label-")]
    if stage == "label" and len(tasks) == 1:
        return tasks[0]
    if stage in made:
        return stage
    near = nearest(stage, made)
    hint = f"did you mean {near}?" if near else f"its stages: {listed(made)}"
    raise InputError(f"{shown(stage)}: no data stage of this run; {hint}")


def _needed(other: str, stage: str, made: Mapping[str, Artifact]) -> Path:
    if other not in made:
        raise InputError(f"records of {stage} are shown beside those of {other}, which this run did not finish")
    return made[other].path


def _collected(path: Path, number: int, rng: np.random.Generator) -> dict[str, Any]:
    shards = shard_paths(path)
    total = _height(shards)
    rows = _rows(shards, _draw(np.arange(total), number, rng))
    return {"num_records": total, "records": [_record(row, ("language", "license", "origin")) for row in rows]}


def _labelled(path: Path, number: int, rng: np.random.Generator) -> dict[str, Any]:
    tables = [path / f"{split}.parquet" for split in SPLITS]
    ends = np.cumsum([_height([table]) for table in tables])
    chosen = _draw(np.arange(ends[-1]), number, rng)
    splits = [SPLITS[int(np.searchsorted(ends, place, side="right"))] for place in chosen]
    rows = [{"split": split, **row} for split, row in zip(splits, _rows(tables, chosen), strict=True)]
    return {"num_records": int(ends[-1]), "records": [_record(row, ("split", "label")) for row in rows]}


def _cleaned(made: Artifact, raw: Path, number: int, rng: np.random.Generator) -> dict[str, Any]:
    shards = shard_paths(made.path)
    changed = np.flatnonzero(scan(made.path).select("repaired").collect(engine="streaming")["repaired"].to_numpy())
    rows = list(_rows(shards, _draw(changed, number, rng)))
    before = _raw_texts(raw, [row["id"] for row in rows])
    num_rejected = made.manifest.counts.quarantined
    wanted = set(_draw(np.arange(num_rejected), number, rng).tolist())
    entries = islice(read_quarantine(made.path), max(wanted, default=-1) + 1)
    return {
        "num_changed": len(changed),
        "changed": [_change(row, before.get(row["id"], "")) for row in rows],
        "num_rejected": num_rejected,
        "rejected": [shown_rejection(entry) for place, entry in enumerate(entries) if place in wanted],
    }


def _tokenized(path: Path, clean: Path, number: int, rng: np.random.Generator) -> dict[str, Any]:
    from lmforge.tokenization.encoding import encode
    from lmforge.tokenization.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(path / "tokenizer")
    shards = shard_paths(clean)
    total = _height(shards)
    records = []
    for row in _rows(shards, _draw(np.arange(total), number, rng)):
        # What is shown is encoded, so that neither a token nor an id says more than the text.
        (text,) = masked([row["text"]])
        ids = encode(tokenizer, [text]).ids.tolist()
        tokens = [shown(tokenizer.id_to_token(one) or "") for one in ids[:_MAX_TOKENS]]
        record = _record(row, ("split",))
        records.append({**record, "num_tokens": len(ids), "tokens": tokens, "ids": ids[:_MAX_TOKENS]})
    return {"num_records": total, "records": records}


def _record(row: Mapping[str, Any], also: Iterable[str]) -> dict[str, Any]:
    """A row for people; only a row of a corpus knows its place, and what it does not know is left out."""
    told = {name: str(row[name]) for name in also if row[name] is not None}
    if "source" in row:
        told = {"place": f"{row['source']}:{row['line']}", **told}
    names = presentable([row["id"], *told.values()])
    (text,) = presentable([row["text"]], TEXT_CHARACTERS)
    return {"id": names[0], **dict(zip(told, names[1:], strict=True)), "text": text}


def _change(row: Mapping[str, Any], raw: str) -> dict[str, Any]:
    """Both texts masked, from a little before their first difference; what was masked is told by its kind."""
    before, after = masked([raw, row["text"]])
    marks = Counter({kind: after.count(mark) - raw.count(mark) for kind, mark in PLACEHOLDERS.items()})
    # Where masking is the only change, the two are the same as shown; then what was masked is the place to look at.
    places = [place for mark in PLACEHOLDERS.values() if (place := after.find(mark)) >= 0]
    place = min(places, default=0) if before == after else _first_difference(before, after)
    start = max(0, place - _BEFORE_DIFFERENCE)
    texts = [("..." if start else "") + shown(text[start:], _WINDOW_CHARACTERS) for text in (before, after)]
    record = _record(row, ("language", "split"))
    del record["text"]
    return {**record, "before": texts[0], "after": texts[1], "masked": dict(+marks)}


def _first_difference(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _draw(places: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    chosen: np.ndarray = np.sort(rng.choice(places, min(number, len(places)), replace=False))
    return chosen


def _height(tables: Sequence[Path]) -> int:
    height: int = pl.scan_parquet(list(tables)).select(pl.len()).collect().item()
    return height


def _rows(tables: Sequence[Path], chosen: np.ndarray) -> Iterator[dict[str, Any]]:
    """The rows with these numbers, ascending, counted through all tables; a row group is in memory."""
    start = 0
    for table in tables:
        end = start + _height([table])
        if not np.any((chosen >= start) & (chosen < end)):
            start = end
            continue
        for frame in read_frames(table):
            inside = chosen[(chosen >= start) & (chosen < start + len(frame))] - start
            yield from frame[inside.tolist()].iter_rows(named=True)
            start += len(frame)


def _raw_texts(raw: Path, ids: Sequence[str]) -> dict[str, str]:
    if not ids:
        return {}
    wanted = pl.Series(list(ids), dtype=pl.String)
    rows = scan(raw).filter(pl.col("id").is_in(wanted.implode())).select("id", "text").collect(engine="streaming")
    return dict(rows.iter_rows())
