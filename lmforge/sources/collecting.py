"""Collect: every source of a recipe as raw shards of one schema, text unchanged, with broken records in quarantine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lmforge.artifacts.artifact import Counts
from lmforge.errors import InputError
from lmforge.paths import expand, inside
from lmforge.recipe.data import DatasetSource, Source
from lmforge.sources.fields import Columns
from lmforge.sources.hf_dataset import read_dataset
from lmforge.sources.readers import read_records
from lmforge.text.records import QuarantineWriter, Record, Rejected, ShardWriter
from lmforge.text.tables import RAW_SCHEMA
from lmforge.wording import shown


def collect(sources: Sequence[Source], out: Path, *, root: Path) -> Counts:
    """Write the raw shards (id, text, source, line) and `quarantine.jsonl` to `out`; return balanced counts.

    A record without an id is called `source:line`. A second record with the same id is quarantined as duplicate_id.
    Raises InputError for a file without a usable record, a file that two sources name, and what `read_records` raises.
    """
    num_read = 0
    seen: set[str] = set()
    with ShardWriter(out, RAW_SCHEMA) as shards, QuarantineWriter(out) as quarantine:
        for path, source in _files(sources, root):
            for item in unique(_read(path, source, root), seen):
                num_read += 1
                if isinstance(item, Rejected):
                    quarantine.write(item)
                else:
                    shards.write({"id": item.name, "text": item.text, "source": item.source, "line": item.line})
        reasons = quarantine.reasons
    num_quarantined = sum(reasons.values())
    counts = Counts(read=num_read, kept=num_read - num_quarantined, quarantined=num_quarantined, reasons=reasons)
    counts.check()
    return counts


def source_name(path: Path, root: Path) -> str:
    """How records name their file: relative to the project, absolute for a file in another data root."""
    base = root.resolve()
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def unique(items: Iterator[Record | Rejected], seen: set[str]) -> Iterator[Record | Rejected]:
    """Turn every record whose name is in `seen` into a duplicate_id and add the others' names."""
    for item in items:
        if isinstance(item, Record):
            if item.name in seen:
                # The id decides the split, so two texts under one id would be drawn together.
                item = Rejected.of("duplicate_id", item.source, item.line, item.text, detail=shown(item.name))
            else:
                seen.add(item.name)
        yield item


def not_empty(items: Iterator[Record | Rejected], source: str) -> Iterator[Record | Rejected]:
    """Pass items on; raise InputError at the end when none was a record, with the first reason for that."""
    num_records, first = 0, None
    for item in items:
        if isinstance(item, Record):
            num_records += 1
        else:
            first = first or item
        yield item
    if num_records == 0:
        why = f"line {first.line} is refused as {first.reason} {first.detail}".strip() if first else "it is empty"
        raise InputError(f"0 records in {shown(source)}: {why}; correct the file or leave it out of the sources")


def _files(sources: Sequence[Source], root: Path) -> Iterator[tuple[Path, Source]]:
    named: dict[Path, str] = {}
    for source in sources:
        whole = isinstance(source, DatasetSource)
        for path in [inside(root, source.path)] if whole else expand(root, source.path):
            # Without ids, both copies of a record would be called by the same place.
            if path in named:
                raise InputError(
                    f"{shown(str(path))}: named by {shown(named[path])} and by {shown(source.path)}; name it once"
                )
            named[path] = source.path
            yield path, source


def _read(path: Path, source: Source, root: Path) -> Iterator[Record | Rejected]:
    name = source_name(path, root)
    if isinstance(source, DatasetSource):
        columns = Columns(text=source.text, id=source.id)
        return not_empty(read_dataset(path, source.split, columns, source=name), name)
    items = read_records(
        path,
        Columns(text=source.text, id=source.id),
        source=name,
        declared=source.format,
        encoding=source.encoding,
        max_line_bytes=source.max_line_bytes,
    )
    return not_empty(items, name)
