"""Reads a Hugging Face dataset that `save_to_disk` wrote, row by row, memory-mapped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmforge.errors import InputError
from lmforge.sources.fields import Columns, check_header
from lmforge.sources.readers import to_record
from lmforge.sources.rows import Row
from lmforge.text.records import Record, Rejected
from lmforge.wording import listed, nearest, shown

_BATCH_ROWS = 1_000


def read_dataset(path: Path, split: str, columns: Columns, *, source: str) -> Iterator[Record | Rejected]:
    """The rows of one split as records that carry `source` as their place; rows count from 1.

    Reason codes: missing_text, not_a_string. Raises InputError for a directory that is no such dataset, an unknown
    split and a missing column, with the nearest name.
    """
    dataset = _load(path, split, source)
    check_header(dataset.column_names, columns.wanted, source)
    line = 0
    for batch in dataset.select_columns(columns.wanted).iter(batch_size=_BATCH_ROWS):
        for values in zip(*(batch[name] for name in columns.wanted), strict=True):
            line += 1
            fields = dict(zip(columns.wanted, values, strict=True))
            yield to_record(Row(line, None, repr(fields).encode(), fields), columns, source)


def _load(path: Path, split: str, source: str) -> Any:
    from datasets import DatasetDict, load_from_disk

    try:
        loaded = load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{shown(source)}: not a dataset directory ({shown(str(error))}); write it with Dataset.save_to_disk"
        ) from error
    if not isinstance(loaded, DatasetDict):
        return loaded
    if split not in loaded:
        near = nearest(split, list(loaded))
        hint = f"; did you mean {shown(near)}?" if near else ""
        raise InputError(f"{shown(source)}: no split {shown(split)}; it has {listed(list(loaded))}{hint}")
    return loaded[split]
