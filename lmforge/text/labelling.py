"""Label: labelled records as train, validation and test examples that share no text and no group.

The test split is frozen by content: its digest is the same for the same examples, in whatever order or file they came.
Texts are repaired and masked like those of the corpus, and secrets and other languages are kept out. Quality filters
are not asked, and one word is enough, because short questions and titles are labelled.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from lmforge.artifacts.artifact import Counts
from lmforge.errors import InputError
from lmforge.hashing import hash_value
from lmforge.paths import expand
from lmforge.recipe.cleaning import Cleaning, Deduplication
from lmforge.recipe.data import LabelledData
from lmforge.release.examples import SLICE
from lmforge.sources.base import source_name
from lmforge.sources.fields import Columns
from lmforge.sources.readers import read_records
from lmforge.sources.units import not_empty
from lmforge.text.languages import check_languages
from lmforge.text.leaking import leak_facts
from lmforge.text.normalizing import text_key
from lmforge.text.records import QuarantineWriter, Record, Rejected
from lmforge.text.slicing import slice_values
from lmforge.text.splitting import SPLITS, Example, check_labels, split_examples
from lmforge.text.tables import open_table
from lmforge.text.treating import reject_languages, reject_lengths, treat
from lmforge.wording import shown

LABELLED_SCHEMA = pa.schema(
    [("id", pa.string()), ("text", pa.string()), ("label", pa.string()), ("group", pa.string())]
)
# The only slice that is known without a field of the data.
LANGUAGE = "language"
# Texts are treated together, which is faster, but not all of a file at once.
_BATCH_RECORDS = 5_000


@dataclass(frozen=True)
class LabelledFacts:
    """What the label stage made: balanced counts and the facts for its manifest.

    facts: test_digest, num_train, num_validation, num_test, labels (sorted), label_counts (label to its number of
    training, validation and test examples), repairs (counts by kind), and those of `leak_facts`.
    """

    counts: Counts
    facts: dict[str, Any]


def label(
    data: LabelledData, out: Path, *, root: Path, cleaning: Cleaning, deduplication: Deduplication
) -> LabelledFacts:
    """Write `{train,validation,test}.parquet`, `labels.json` and `quarantine.jsonl` to `out`.

    Reason codes beside those of `read_records`: duplicate_id, missing_label, empty, too_long, other_language,
    other_label (not in `data.labels`), conflicting_label (same text, different labels: all are dropped), duplicate,
    in_evaluation_set (a training or validation example that also stands in a later split), near_evaluation_set (one
    that is a near duplicate of an example there) and over_max_train_examples.
    `test.parquet` also has a column `slice_NAME` (String) a name in `data.slices`, see `slice_values`.
    Raises InputError for labels that differ by case or space only, a label of validation or test that training lacks,
    fewer than two labels, an empty split, a slice field that holds no single values, and what `read_records` raises.
    """
    out.mkdir(parents=True, exist_ok=True)
    check_languages(cleaning.languages)
    examples: list[Example] = []
    repairs: Counter[str] = Counter()
    with QuarantineWriter(out) as quarantine:
        for item in _examples(data, root, cleaning, repairs):
            if isinstance(item, Rejected):
                quarantine.write(item)
            else:
                examples.append(item)
        check_labels(examples, data.labels)
        splits, rejected = split_examples(examples, data, deduplication)
        for item in rejected:
            quarantine.write(item)
        reasons = quarantine.reasons
    slices = _slices(splits["test"], data.slices, cleaning)
    labelled = _write(splits, slices, out, len(examples) - len(rejected) + sum(reasons.values()), reasons)
    return replace(labelled, facts={**labelled.facts, "repairs": dict(sorted((+repairs).items()))})


def label_table(label_counts: Mapping[str, Sequence[int]], limit: int = 12) -> str:
    """How many training, validation and test examples the labels have, the rarest first, on one line."""
    rarest = sorted(label_counts, key=lambda name: (min(label_counts[name]), sum(label_counts[name]), name))
    rows = ("{}: {:,} + {:,} + {:,}".format(shown(name, 40), *label_counts[name]) for name in rarest[:limit])
    more = f"; and {len(rarest) - limit} more labels" if len(rarest) > limit else ""
    return f"train + validation + test of {'; '.join(rows)}{more}"


def _examples(
    data: LabelledData, root: Path, cleaning: Cleaning, repairs: Counter[str]
) -> Iterator[Example | Rejected]:
    optional = tuple(name for name in data.slices if name == LANGUAGE)
    columns = Columns(data.text, data.id, data.label, data.group, data.slices, optional)
    for split, pattern in _patterns(data):
        # Given files may number their rows alike, so an id is unique in a split, not among the three.
        seen: set[str] = set()
        for path in expand(root, pattern):
            source = source_name(path, root)
            items = read_records(path, columns, source=source, declared=data.format, encoding=data.encoding)
            usable = (_usable(item, seen) for item in not_empty(items, source))
            while batch := list(islice(usable, _BATCH_RECORDS)):
                yield from (item for item in batch if isinstance(item, Rejected))
                records = [item for item in batch if isinstance(item, Record)]
                yield from _treated(records, split, data, cleaning, repairs)


def _usable(item: Record | Rejected, seen: set[str]) -> Record | Rejected:
    """The item, or why a record can be no example: missing_label, or duplicate_id when its name is in `seen`."""
    if isinstance(item, Rejected):
        return item
    if item.label is None:
        return Rejected.of("missing_label", item.source, item.line, item.text, detail=shown(item.name))
    if item.name in seen:
        # The id decides the split, so two texts under one id would be drawn together.
        return Rejected.of("duplicate_id", item.source, item.line, item.text, detail=shown(item.name))
    for value in item.more:
        if isinstance(value, dict | list):
            raise InputError(
                f"{shown(item.source)}:{item.line}: a field in `slices` holds a {type(value).__name__}, "
                f"{shown(str(value), 40)}; name fields of text, numbers, booleans or dates"
            )
    seen.add(item.name)
    return item


def _treated(
    records: Sequence[Record], split: str | None, data: LabelledData, cleaning: Cleaning, repairs: Counter[str]
) -> Iterator[Example | Rejected]:
    rows = [
        {"id": one.name, "text": one.text, "label": one.label, "group": one.group or one.name,
         "source": one.source, "line": one.line}
        for one in records
    ]  # fmt: skip
    schema = dict.fromkeys(("id", "text", "label", "group", "source"), pl.String) | {"line": pl.Int64}
    sieve = treat(pl.DataFrame(rows, schema=schema), cleaning, repairs)
    reject_lengths(sieve, 1, data.max_words)
    reject_languages(sieve, cleaning)
    yield from sieve.rejected()
    slices = {one.name: one.more for one in records}
    languages = sieve.frame["language"].to_list()
    for row, language in zip(sieve.frame.select(*schema, "repaired").iter_rows(named=True), languages, strict=True):
        found = zip(data.slices, slices[row["id"]], strict=True)
        own = tuple(language if name == LANGUAGE and value in (None, "") else value for name, value in found)
        yield Example(**row, key=text_key(row["text"]), split=split, slices=own)


def _patterns(data: LabelledData) -> list[tuple[str | None, str]]:
    if data.path:
        return [(None, data.path)]
    given = zip(SPLITS, (data.train, data.validation, data.test), strict=True)
    return [(split, pattern) for split, pattern in given if pattern]


def _write(
    splits: dict[str, list[Example]],
    slices: Mapping[str, list[str]],
    out: Path,
    num_read: int,
    reasons: dict[str, int],
) -> LabelledFacts:
    for name, examples in splits.items():
        rows = [{field: getattr(example, field) for field in LABELLED_SCHEMA.names} for example in examples]
        table = pa.Table.from_pylist(rows, schema=LABELLED_SCHEMA)
        for column, values in slices.items() if name == "test" else ():
            table = table.append_column(pa.field(column, pa.string()), pa.array(values, pa.string()))
        with open_table(out / f"{name}.parquet", table.schema) as writer:
            writer.write_table(table)
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
    facts = {
        "test_digest": _digest(splits["test"]),
        **sizes,
        "labels": labels,
        "label_counts": _by_label(splits, labels),
    }
    return LabelledFacts(counts, facts | leak_facts(splits["train"], splits["validation"]))


def _slices(examples: Sequence[Example], names: Sequence[str], cleaning: Cleaning) -> dict[str, list[str]]:
    """The slices of the examples by column."""
    return {
        f"{SLICE}{name}": slice_values([example.slices[at] for example in examples], cleaning.phone_regions)
        for at, name in enumerate(names)
    }


def _by_label(splits: dict[str, list[Example]], labels: Sequence[str]) -> dict[str, list[int]]:
    counters = [Counter(example.label for example in splits[name]) for name in SPLITS]
    return {label: [counter[label] for counter in counters] for label in labels}


def _digest(examples: Sequence[Example]) -> str:
    # Keys, not texts: a repair that changes white space only leaves the test set comparable.
    return hash_value(sorted([example.id, example.key, example.label] for example in examples))
