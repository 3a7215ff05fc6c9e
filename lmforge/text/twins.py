"""Which documents of a corpus stand twice, decided on arrays of hashes; the first in source order is the one kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from lmforge.deduplication.exact import first_of_each
from lmforge.deduplication.near import near_duplicates
from lmforge.errors import InputError
from lmforge.recipe.cleaning import Deduplication
from lmforge.text.clean_units import BANDS, DOCUMENTS, KEYS


@dataclass(frozen=True)
class Twins:
    """kept_row: int64 [num_documents], the row that stays for each document, its own where it stays.

    exact: bool [num_documents], true where the texts are the same and not only near. starts: int64 [num_units + 1],
    the first row of each unit.
    """

    kept_row: np.ndarray
    exact: np.ndarray
    starts: np.ndarray

    @property
    def dropped(self) -> np.ndarray:
        """Bool [num_documents]."""
        mask: np.ndarray = self.kept_row != np.arange(len(self.kept_row))
        return mask


def find_twins(units: Sequence[Path], settings: Deduplication) -> Twins:
    """Decide over the documents of all units, in their order. Memory: 16 bytes a document and 8 a band."""
    keys = [np.load(unit / KEYS, allow_pickle=False) for unit in units]
    starts = np.cumsum([0, *(len(one) for one in keys)])
    own = np.arange(starts[-1])
    kept_row = first_of_each(np.concatenate(keys)) if settings.exact else own.copy()
    exact = kept_row != own
    if settings.near:
        bands = np.concatenate([np.load(unit / BANDS, allow_pickle=False) for unit in units])
        near = near_duplicates(bands, ~exact)
        # The twin of an exact twin may itself be near another one.
        kept_row = near[kept_row]
    return Twins(kept_row, exact, starts)


def check_kept(twins: Twins, settings: Deduplication) -> None:
    """Raise InputError when de-duplication leaves less than the recipe's share of the documents."""
    total, dropped = len(twins.kept_row), int(twins.dropped.sum())
    if total and (total - dropped) / total < settings.min_kept_share:
        raise InputError(
            f"after de-duplication {total - dropped:,} of {total:,} documents are left: nearly all texts are the same; "
            "check that `text` names the right field, or lower corpus.deduplication.min_kept_share"
        )


def twin_table(units: Sequence[Path], twins: Twins) -> pl.DataFrame:
    """A row a dropped document, in order: id, kept_id, kind (`exact` or `near`)."""
    rows = np.flatnonzero(twins.dropped)
    wanted = np.unique(np.concatenate([rows, twins.kept_row[rows]]))
    names = _names(units, twins, wanted)
    return pl.DataFrame(
        {
            "id": [names[row] for row in rows.tolist()],
            "kept_id": [names[row] for row in twins.kept_row[rows].tolist()],
            "kind": ["exact" if same else "near" for same in twins.exact[rows].tolist()],
        },
        schema={"id": pl.String, "kept_id": pl.String, "kind": pl.String},
    )


def _names(units: Sequence[Path], twins: Twins, wanted: np.ndarray) -> dict[int, str]:
    names: dict[int, str] = {}
    for unit, start, end in zip(units, twins.starts[:-1], twins.starts[1:], strict=True):
        rows = wanted[(wanted >= start) & (wanted < end)]
        if len(rows):
            ids = pl.read_parquet(unit / DOCUMENTS, columns=["id"])["id"].gather(rows - start).to_list()
            names.update(zip(rows.tolist(), ids, strict=True))
    return names
