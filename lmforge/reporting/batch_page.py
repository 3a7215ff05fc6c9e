"""What `lmforge.reporting.batch_peeking` found as text of 80 columns: a table a row, a line a token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lmforge.reporting.batch_peeking import words_of
from lmforge.reporting.columns import as_columns

# Lines of a table; the JSON document has all tokens.
_MAX_TOKENS = 48


def render_batch(document: Mapping[str, Any]) -> str:
    """The batch as lines of at most 80 columns, wide characters counted as two."""
    return as_columns(_parts(document))


def _parts(document: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield Text(words_of(document))
    for row in document["rows"]:
        yield Text()
        yield _labelled(f"row {row['row']}", row["text"])
        if "target" in row:
            yield _labelled("writes", row["target"])
        if "note" in row:
            yield _labelled("answer", row["note"])
        if row["tokens"]:
            yield _table(row["tokens"], answers="target" not in row)
        if (more := len(row["tokens"]) - _MAX_TOKENS) > 0:
            yield Text(f"  and {more:,} tokens more; --json has them all")


def _labelled(what: str, text: str) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=7)
    table.add_column(overflow="fold")
    table.add_row(Text(what), Text(text))
    return table


def _table(tokens: list[dict[str, Any]], *, answers: bool) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 2), pad_edge=False)
    for name in ("place", "text", "mask"):
        table.add_column(name, justify="right", width=5)
    table.add_column("shown", overflow="fold", min_width=14, max_width=24)
    if answers:
        table.add_column("must answer", overflow="fold", max_width=24)
    for one in tokens[:_MAX_TOKENS]:
        answer = [Text(one["answer"] or "")] if answers else []
        table.add_row(str(one["place"]), str(one["segment"]), str(one["seen"]), Text(one["shown"]), *answer)
    return table
