"""What `lmforge.reporting.peeking` found as text of 80 columns: what one text became stands beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lmforge.reporting.columns import WIDTH, as_columns

# Fields that stand in lines of their own.
_LONG = ("id", "text", "before", "after", "masked", "tokens", "ids", "num_tokens")


def render_peek(document: Mapping[str, Any]) -> str:
    """The records as lines of at most 80 columns, wide characters counted as two."""
    return as_columns(_parts(document))


def _parts(document: Mapping[str, Any]) -> Iterator[RenderableType]:
    if "changed" in document:
        yield _head(document, "changed", "changed")
        for record in document["changed"]:
            yield from _change(record)
        yield Text()
        yield _head(document, "rejected", "rejected")
        for record in document["rejected"]:
            yield from _rejection(record)
        return
    yield _head(document, "records", "")
    if document["stage"] == "collect":
        yield Text("Personal data is masked here; in the corpus the stage clean does that.")
    for record in document["records"]:
        yield from _record(record)


def _head(document: Mapping[str, Any], kind: str, words: str) -> Text:
    number = len(document[kind])
    records = f"{words} records" if words else "records"
    drawn = f"{number:,} of {document[f'num_{kind}']:,} {records}, seed {document['seed']}"
    return Text(f"{document['stage']}: {drawn}")


def _change(record: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield from _title(record)
    table = Table("as read", "cleaned", box=None, padding=(0, 2, 0, 2), pad_edge=False, width=WIDTH)
    for column in table.columns:
        column.ratio, column.overflow = 1, "fold"
    table.add_row(Text(record["before"]), Text(record["after"]))
    yield table
    if record["masked"]:
        told = ", ".join(f"{kind} {number}" for kind, number in record["masked"].items())
        yield _indented(f"personal data masked: {told}")


def _rejection(record: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield Text()
    yield Text(f"{record['reason']}  {record['place']}", overflow="fold")
    if record["detail"]:
        yield _indented(record["detail"])
    yield _indented(record["excerpt"] or "(no text to show)")


def _record(record: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield from _title(record)
    yield _indented(record["text"])
    if "tokens" in record:
        more = " ..." if record["num_tokens"] > len(record["tokens"]) else ""
        yield _indented(f"{record['num_tokens']:,} tokens: " + " ".join(record["tokens"]) + more)
        yield _indented("ids: " + " ".join(map(str, record["ids"])) + more)


def _title(record: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield Text()
    yield Text(record["id"], overflow="fold")
    about = [f"{name} {value}" for name, value in record.items() if name not in _LONG]
    if about:
        yield _indented(", ".join(about))


def _indented(text: str) -> RenderableType:
    table = Table.grid(padding=0)
    table.add_column(width=2)
    table.add_column(overflow="fold")
    table.add_row("", Text(text))
    return table
