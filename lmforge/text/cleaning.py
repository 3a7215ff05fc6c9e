"""Clean: repair each raw document, filter it, and draw its split; every rejection has a reason code.

Documents keep their order, and each is decided in one pass over the raw shards with one row group in memory, beside
128 bits a text for de-duplication.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmforge.artifacts.artifact import Counts
from lmforge.recipe.cleaning import Cleaning, Deduplication
from lmforge.text.filters import Document, Filter, corpus_filters, first_reason
from lmforge.text.normalizing import bucket
from lmforge.text.records import QuarantineWriter, Rejected, ShardWriter
from lmforge.text.repairing import repair
from lmforge.text.tables import CLEAN_SCHEMA, read_rows, shard_paths
from lmforge.wording import shown

# Part of the meaning of a split: another salt would move documents between training and validation.
_SPLIT_SALT = "corpus split"


def clean(
    raw: Path,
    out: Path,
    *,
    cleaning: Cleaning,
    deduplication: Deduplication,
    evaluation_keys: frozenset[str],
    evaluation_ids: frozenset[str],
    validation_share: float,
) -> Counts:
    """Write clean shards (schema `CLEAN_SCHEMA`) and `quarantine.jsonl` to `out`; return balanced counts.

    Reason codes: empty, too_short, too_long, other_language, in_evaluation_set, duplicate. `repaired` counts kept
    documents whose text changed, be it white space only. A document's split depends on its id alone.
    Raises InputError for unknown language codes, IntegrityError for damaged raw shards.
    """
    # Made before anything is read: wrong settings stop at once, and the memory of texts is new for each run.
    filters = corpus_filters(cleaning, deduplication, evaluation_keys, evaluation_ids)
    num_kept = num_repaired = 0
    with ShardWriter(out, CLEAN_SCHEMA) as shards, QuarantineWriter(out) as quarantine:
        for path in shard_paths(raw):
            for row in read_rows(path):
                kept = _clean_row(row, filters, validation_share)
                if isinstance(kept, Rejected):
                    quarantine.write(kept)
                    continue
                shards.write(kept)
                num_repaired += kept["repaired"]
                num_kept += not kept["repaired"]
        reasons = quarantine.reasons
    num_quarantined = sum(reasons.values())
    num_read = num_kept + num_repaired + num_quarantined
    return Counts(read=num_read, kept=num_kept, repaired=num_repaired, quarantined=num_quarantined, reasons=reasons)


def _clean_row(row: dict[str, Any], filters: Sequence[Filter], validation_share: float) -> dict[str, Any] | Rejected:
    document = Document(row["id"], repair(row["text"]))
    reason = first_reason(document, filters)
    if reason is not None:
        return Rejected.of(reason, row["source"], row["line"], row["text"], detail=shown(row["id"]))
    return {
        **row,
        "text": document.text,
        "language": document.language,
        "num_chars": len(document.text),
        "num_words": document.num_words,
        "repaired": document.text != row["text"],
        "split": "validation" if bucket(_SPLIT_SALT, document.id) < validation_share else "train",
    }
