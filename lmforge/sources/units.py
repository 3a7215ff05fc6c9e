"""The files of a source in groups, each read as one unit of the collect stage.

A unit is read again only when the content of one of its files, or how to read it, changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from lmforge.artifacts.artifact import Counts
from lmforge.artifacts.store import Outcome, Request
from lmforge.dependencies import COLLECTING, COLLECTING_LIBRARIES
from lmforge.errors import InputError
from lmforge.hashing import code_fingerprint, hash_path
from lmforge.recipe.data import Source
from lmforge.sources.unused import UnusedColumns
from lmforge.text.records import QuarantineWriter, Record, Rejected, ShardWriter
from lmforge.text.tables import RAW_SCHEMA
from lmforge.wording import shown

IDS, REPAIRED = "ids.npy", "repaired.npy"
# Files are put together up to so many bytes, so that a million small files are not a million units.
_MAX_UNIT_BYTES = 32 << 20
# One name in so many begins a unit whatever came before it, so a file that arrives moves only its neighbours.
_NAMES_A_UNIT = 64


@dataclass(frozen=True)
class CollectUnit:
    """Some files of one source. `names` are what records call the files."""

    source: Source
    paths: tuple[Path, ...]
    names: tuple[str, ...]

    def request(self) -> Request:
        """By content: a file that was only touched is not read again."""
        config = self.source.model_dump(mode="json", exclude={"path"})
        inputs = {name: hash_path(path) for name, path in zip(self.names, self.paths, strict=True)}
        beside = [other for path in self.paths for other in self.source.companions(path)]
        inputs.update({f"beside:{path.name}": hash_path(path) for path in beside})
        return Request("collect.units", "raw_unit", config, inputs, code_fingerprint(COLLECTING, COLLECTING_LIBRARIES))

    def build(self, out: Path) -> Outcome:
        """Write shards and `quarantine.jsonl` to `out`, and a row a record in `ids.npy` and `repaired.npy`.

        ids: uint64 [num_records, 2], the 128-bit hash of the record's name; repaired: bool [num_records].
        """
        keys, repaired, kinds = bytearray(), bytearray(), Counter[str]()
        files, unused = {}, UnusedColumns()
        with ShardWriter(out, RAW_SCHEMA) as shards, QuarantineWriter(out) as quarantine:
            for path, name in zip(self.paths, self.names, strict=True):
                num_read = 0
                before = quarantine.num_written
                for item in not_empty(self.source.read(path, name), name):
                    num_read += 1
                    if isinstance(item, Rejected):
                        quarantine.write(item)
                        continue
                    keys += xxhash.xxh3_128_digest(item.name.encode())
                    repaired.append(bool(item.repaired))
                    kinds.update([item.repaired] if item.repaired else [])
                    if item.unused:
                        unused.add(item.unused)
                    shards.write(_row(item, self.source))
                files[name] = {"num_records": num_read, "num_quarantined": quarantine.num_written - before}
            reasons = quarantine.reasons
        np.save(out / IDS, np.frombuffer(keys, dtype=np.uint64).reshape(-1, 2))
        np.save(out / REPAIRED, np.frombuffer(repaired, dtype=bool))
        counts = Counts(
            read=len(repaired) + sum(reasons.values()),
            kept=len(repaired) - kinds.total(),
            repaired=kinds.total(),
            quarantined=sum(reasons.values()),
            reasons=reasons,
        )
        facts = {"files": files, "repairs": dict(sorted(kinds.items())), "unused_columns": unused.counts}
        return Outcome(counts, facts)


def collect_units(files: Sequence[tuple[Path, str, Source]]) -> list[CollectUnit]:
    """Neighbouring files of one source in units of about 32 MB; a larger file is a unit of its own."""
    return [
        CollectUnit(group[0][2], tuple(path for path, _, _ in group), tuple(name for _, name, _ in group))
        for group in _groups(files)
    ]


def _groups(files: Sequence[tuple[Path, str, Source]]) -> Iterator[list[tuple[Path, str, Source]]]:
    group: list[tuple[Path, str, Source]] = []
    num_bytes = 0
    for path, name, source in files:
        size = path.stat().st_size if path.is_file() else _MAX_UNIT_BYTES
        begins = xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogateescape")) % _NAMES_A_UNIT == 0
        if group and (source is not group[0][2] or begins or num_bytes + size > _MAX_UNIT_BYTES):
            yield group
            group, num_bytes = [], 0
        group.append((path, name, source))
        num_bytes += size
    if group:
        yield group


def _row(record: Record, source: Source) -> dict[str, Any]:
    return {
        "id": record.name,
        "text": record.text,
        "source": record.source,
        "line": record.line,
        "group": record.group,
        "license": record.license or source.license,
        "language": record.language or source.language,
        "origin": record.origin or source.origin,
    }


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
