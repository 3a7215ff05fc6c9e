"""Label: labelled records as train, validation and test examples that share no text and no group.

The test split is frozen by content: its digest is the same for the same examples, in whatever order or file they came.
Filters of the clean stage that judge a single text apply here too; the number of words only has to be positive,
because short questions and titles are labelled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from lmforge.artifacts.artifact import Counts
from lmforge.hashing import hash_value
from lmforge.paths import expand
from lmforge.recipe.cleaning import Cleaning
from lmforge.recipe.data import LabelledData
from lmforge.sources.collecting import not_empty, source_name, unique
from lmforge.sources.fields import Columns
from lmforge.sources.readers import read_records
from lmforge.text.filters import Document, Filter, first_reason, shape_filters
from lmforge.text.normalizing import text_key
from lmforge.text.records import QuarantineWriter, Record, Rejected
from lmforge.text.repairing import repair
from lmforge.text.splitting import SPLITS, Example, check_labels, split_examples
from lmforge.text.tables import open_table, read_rows
from lmforge.wording import shown

LABELLED_SCHEMA = pa.schema(
    [("id", pa.string()), ("text", pa.string()), ("label", pa.string()), ("group", pa.string())]
)


@dataclass(frozen=True)
class LabelledFacts:
    """What the label stage made: balanced counts and the facts for its manifest.

    facts: test_digest, num_train, num_validation, num_test, labels (sorted).
    """

    counts: Counts
    facts: dict[str, Any]


def label(data: LabelledData, out: Path, *, root: Path, cleaning: Cleaning) -> LabelledFacts:
    """Write `{train,validation,test}.parquet`, `labels.json` and `quarantine.jsonl` to `out`.

    Reason codes beside those of `read_records`: duplicate_id, missing_label, empty, too_long, other_language,
    other_label (not in `data.labels`), conflicting_label (same text, different labels: all are dropped), duplicate,
    in_evaluation_set (a training or validation example that also stands in a later split) and over_max_train_examples.
    Raises InputError for labels that differ by case or space only, a label of validation or test that training lacks,
    fewer than two labels, an empty split, and what `read_records` raises.
    """
    out.mkdir(parents=True, exist_ok=True)
    examples: list[Example] = []
    with QuarantineWriter(out) as quarantine:
        for item in _examples(data, root, shape_filters(1, data.max_words, cleaning)):
            if isinstance(item, Rejected):
                quarantine.write(item)
            else:
                examples.append(item)
        check_labels(examples, data.labels)
        splits, rejected = split_examples(examples, data)
        for item in rejected:
            quarantine.write(item)
        reasons = quarantine.reasons
    return _write(splits, out, len(examples) - len(rejected) + sum(reasons.values()), reasons)


def evaluation_guard(labelled: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Text keys, and ids and groups, of the validation and test examples, for `clean` to keep out of a corpus.

    Raises IntegrityError where a file is missing or damaged.
    """
    rows = [row for split in SPLITS[1:] for row in read_rows(labelled / f"{split}.parquet")]
    names = {name for row in rows for name in (row["id"], row["group"])}
    return frozenset(text_key(row["text"]) for row in rows), frozenset(names)


def _examples(data: LabelledData, root: Path, filters: Sequence[Filter]) -> Iterator[Example | Rejected]:
    columns = Columns(data.text, data.id, data.label, data.group)
    for split, pattern in _patterns(data):
        # Given files may number their rows alike, so an id is unique in a split, not among the three.
        seen: set[str] = set()
        for path in expand(root, pattern):
            source = source_name(path, root)
            items = read_records(path, columns, source=source, declared=data.format, encoding=data.encoding)
            for item in unique(not_empty(items, source), seen):
                yield item if isinstance(item, Rejected) else _example(item, split, filters)


def _patterns(data: LabelledData) -> list[tuple[str | None, str]]:
    if data.path:
        return [(None, data.path)]
    given = zip(SPLITS, (data.train, data.validation, data.test), strict=True)
    return [(split, pattern) for split, pattern in given if pattern]


def _example(record: Record, split: str | None, filters: Sequence[Filter]) -> Example | Rejected:
    document = Document(record.name, repair(record.text))
    reason = "missing_label" if record.label is None else first_reason(document, filters)
    if record.label is None or reason is not None:
        assert reason is not None
        return Rejected.of(reason, record.source, record.line, record.text, detail=shown(record.name))
    return Example(
        id=record.name,
        text=document.text,
        label=record.label,
        group=record.group or record.name,
        key=document.key,
        source=record.source,
        line=record.line,
        repaired=document.text != record.text,
        split=split,
    )


def _write(splits: dict[str, list[Example]], out: Path, num_read: int, reasons: dict[str, int]) -> LabelledFacts:
    for name, examples in splits.items():
        rows = [{field: getattr(example, field) for field in LABELLED_SCHEMA.names} for example in examples]
        with open_table(out / f"{name}.parquet", LABELLED_SCHEMA) as table:
            table.write_table(pa.Table.from_pylist(rows, schema=LABELLED_SCHEMA))
    labels = sorted({example.label for examples in splits.values() for example in examples})
    (out / "labels.json").write_text(json.dumps(labels, ensure_ascii=False) + "\n", encoding="utf-8")
    written = [example for examples in splits.values() for example in examples]
    num_repaired = sum(example.repaired for example in written)
    counts = Counts(
        read=num_read,
        kept=len(written) - num_repaired,
        repaired=num_repaired,
        quarantined=sum(reasons.values()),
        unit="examples",
        reasons=reasons,
    )
    counts.check()
    sizes = {f"num_{name}": len(examples) for name, examples in splits.items()}
    return LabelledFacts(counts, {"test_digest": _digest(splits["test"]), **sizes, "labels": labels})


def _digest(examples: Sequence[Example]) -> str:
    # Keys, not texts: a repair that changes white space only leaves the test set comparable.
    return hash_value(sorted([example.id, example.key, example.label] for example in examples))
