"""Documents on their way through the filters: what is still in, and what is out with the reason that came first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from lmforge.text.records import Rejected, excerpt_of
from lmforge.wording import shown

# What a rejection needs to say where the document stood; `raw` is its text as it was read, `text` as it is now.
_PLACE = ("id", "source", "line", "raw", "text")
# Their text must not be found again in a log or a report.
_CONFIDENTIAL = frozenset({"secret"})


class Sieve:
    """`frame` holds the documents that are still in; it has at least the columns id, source, line and text."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame.with_columns(raw="text")
        self._out: list[pl.DataFrame] = []

    def set(self, **columns: pl.Series | pl.Expr) -> None:
        """Replace or add columns, each as high as `frame`."""
        self.frame = self.frame.with_columns(**columns)

    def reject(self, reasons: pl.Series, details: pl.Series | None = None) -> None:
        """Take out the documents with a reason; null keeps. `details` say more about each."""
        if reasons.null_count() == len(reasons):
            return
        said = pl.Series("detail", [""] * len(reasons)) if details is None else details.alias("detail")
        marked = self.frame.with_columns(reason=reasons, detail=said)
        self._out.append(marked.filter(pl.col("reason").is_not_null()).select(*_PLACE, "reason", "detail"))
        self.frame = self.frame.filter(reasons.is_null())

    def reject_where(self, mask: pl.Series, reason: str, details: pl.Series | None = None) -> None:
        """Take out the documents that `mask` is true for."""
        self.reject(pl.select(pl.when(mask).then(pl.lit(reason))).to_series(), details)

    def rejected(self) -> Iterator[Rejected]:
        """All that were taken out, in the order of the filters."""
        for frame in self._out:
            for row in frame.iter_rows(named=True):
                yield rejected_row(row, row["reason"], row["detail"])


def rejected_row(row: dict[str, object], reason: str, detail: str = "") -> Rejected:
    """The quarantine entry of a document given by its columns id, source, line and raw."""
    name = shown(str(row["id"]))
    raw = str(row["raw"])
    entry = Rejected.of(
        reason,
        str(row["source"]),
        int(str(row["line"])),
        raw,
        detail=f"{name}: {detail}" if detail else name,
        excerpt=reason not in _CONFIDENTIAL,
    )
    # The hash recognises the text as it was read; what people see of it is as masked as the corpus.
    masked = str(row["text"])
    return replace(entry, excerpt=excerpt_of(masked)) if entry.excerpt and masked != raw else entry
