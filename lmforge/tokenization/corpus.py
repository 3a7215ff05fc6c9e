"""The stage `tokenize`: a tokenizer, blocks and packed rows of both splits from a clean corpus.

Each clean shard is encoded as a unit of its own; then one pass puts the ids of the shards one after another. The engine
that encodes never changes an id, so blocks and their fingerprint do not depend on it.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lmforge.artifacts import Artifact, Counts
from lmforge.errors import InputError
from lmforge.recipe.schema import Tokenizer
from lmforge.sharding import Workshop
from lmforge.text.tables import shard_paths
from lmforge.tokenization.adopting import AdoptedTokenizerUnit
from lmforge.tokenization.packing import write_blocks, write_origin
from lmforge.tokenization.quick import is_installed
from lmforge.tokenization.roles import Roles, check_objectives, roles_of
from lmforge.tokenization.rows import read_rows
from lmforge.tokenization.units import OCCURRENCES, SPLITS, AgreementUnit, EncodeUnit, TokenizerUnit, load_split

# The last one comes with a model that is started from.
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_NUM_LANGUAGES = 10


def tokenize(
    clean: Path,
    out: Path,
    settings: Tokenizer,
    block_length: int,
    workshop: Workshop,
    start: Path | None = None,
    objectives: tuple[str, ...] = (),
) -> tuple[Counts, dict[str, Any]]:
    """Write `tokenizer/`, blocks `train.npy` and `validation.npy` and `tokens.json` to `out`.

    start: a model directory whose tokenizer is used; of `settings` then only `engine` counts. objectives: what will be
    learned from the blocks.
    Returns block counts and facts; all facts but `engine`, `engine_fallback`, `special_tokens_in_text` and
    `tokens_per_word_by_language` are numbers. Raises InputError for a text too small for the vocabulary, where
    the recipe asks for an engine that is not installed, and where an objective needs a token that there is not.
    """
    unit = AdoptedTokenizerUnit(start, block_length) if start else TokenizerUnit(clean, settings, block_length)
    tokenizer = workshop.make([unit])[0].path
    check_objectives(tokenizer, objectives)
    (out / "tokenizer").mkdir(parents=True)
    for path in (tokenizer / name for name in _TOKENIZER_FILES):
        if path.is_file():
            shutil.copyfile(path, out / "tokenizer" / path.name)
    encoded = _encode(shard_paths(clean), tokenizer, settings.engine, workshop)
    blocks: dict[str, int] = {}
    rows: dict[str, float] = {}
    num_long = 0
    for split in SPLITS:
        parts = [load_split(unit.path, split) for unit in encoded.units]
        blocks[split] = write_blocks(out / f"{split}.npy", parts, block_length)
        rows |= _rows(out, split, blocks[split] * block_length, block_length)
        num_long += sum(int(np.count_nonzero(part.lengths > block_length)) for part in parts)
    write_origin(out, out / "tokenizer", block_length)
    facts = {f"num_{split}_blocks": number for split, number in blocks.items()} | _facts(
        encoded, num_long, roles_of(tokenizer)
    )
    total = sum(blocks.values())
    return Counts(read=total, kept=total, unit="blocks"), facts | rows | {"block_length": block_length}


def _rows(out: Path, split: str, num_tokens: int, row_length: int) -> dict[str, float]:
    index = read_rows(out / f"{split}.npy", num_tokens)
    return {f"num_{split}_rows": index.num_rows, f"{split}_fill_rate": index.fill_rate(row_length)}


class _Encoding(NamedTuple):
    """The encoded shards, and why the quick engine was not used though it was asked for; "" when it was."""

    units: list[Artifact]
    engine: str
    fallback: str


def _encode(shards: Sequence[Path], tokenizer: Path, engine: str, workshop: Workshop) -> _Encoding:
    agreement, fallback = _agreement(shards, tokenizer, engine, workshop)
    units = workshop.make([EncodeUnit(shard, tokenizer, agreement) for shard in shards])
    doubts = [unit.manifest.facts["disagreement"] for unit in units if "disagreement" in unit.manifest.facts]
    if doubts:
        # One shard on which it errs is reason to trust it with none.
        agreement, fallback = None, doubts[0]
        units = workshop.make([EncodeUnit(shard, tokenizer, None) for shard in shards])
    return _Encoding(units, "tokie" if agreement else "tokenizers", fallback)


def _agreement(shards: Sequence[Path], tokenizer: Path, engine: str, workshop: Workshop) -> tuple[Path | None, str]:
    if engine == "tokenizers":
        return None, ""
    if not is_installed():
        if engine == "tokie":
            raise InputError(
                "tokenizer.engine: tokie is not installed; install it with: pip install 'lmforge[fast]', or write "
                "engine: auto"
            )
        return None, "tokie is not installed"
    learned = workshop.make([AgreementUnit(tokenizer, tuple(shards))])[0]
    disagreement = str(learned.manifest.facts["disagreement"])
    return (None, disagreement) if disagreement else (learned.path, "")


def _facts(encoded: _Encoding, num_long: int, roles: Roles) -> dict[str, Any]:
    occurrences = np.sum([np.load(unit.path / OCCURRENCES, allow_pickle=False) for unit in encoded.units], axis=0)
    num_unknown = 0 if roles.unknown is None else int(occurrences[roles.unknown])
    ordinary = occurrences[roles.ordinary]
    described = [unit.manifest.facts for unit in encoded.units]
    languages = _languages(described)
    totals = sum(languages.values(), Counter[str]())
    special = sum((Counter(facts["special_tokens_in_text"]) for facts in described), Counter[str]())
    num_documents, num_tokens = totals["num_documents"], totals["num_tokens"]
    return {
        "num_documents": num_documents,
        "num_tokens": num_tokens,
        "num_words": totals["num_words"],
        "unknown_share": num_unknown / max(num_tokens, 1),
        "bytes_per_token": totals["num_bytes"] / max(num_tokens, 1),
        "long_document_share": num_long / max(num_documents, 1),
        "vocabulary_used_share": float(np.count_nonzero(ordinary) / len(ordinary)),
        "vocab_size": len(occurrences),
        "max_token_id": int(np.flatnonzero(occurrences).max(initial=0)),
        "tokens_per_word_by_language": _tokens_per_word(languages, len(roles.prefix + roles.suffix)),
        # Counted in the text, where they are encoded like any other characters.
        "num_special_tokens_in_text": special.total(),
        "special_tokens_in_text": dict(sorted((+special).items())),
        "engine": encoded.engine,
        "engine_fallback": encoded.fallback,
        "quick_document_share": sum(facts["num_quick_documents"] for facts in described) / max(num_documents, 1),
    }


def _languages(described: Sequence[dict[str, Any]]) -> dict[str, Counter[str]]:
    languages: dict[str, Counter[str]] = {}
    for facts in described:
        for language, numbers in facts["languages"].items():
            languages.setdefault(language, Counter()).update(numbers)
    return languages


def _tokens_per_word(languages: dict[str, Counter[str]], frame: int) -> dict[str, float]:
    """Fertility without the frame of a document, of the languages with the most documents (arXiv:2012.15613)."""
    most = sorted(languages, key=lambda one: (-languages[one]["num_documents"], one))[:_NUM_LANGUAGES]
    return {one: _fertility(languages[one], frame) for one in most if languages[one]["num_words"]}


def _fertility(numbers: Counter[str], frame: int) -> float:
    tokens = numbers["num_tokens"] - frame * numbers["num_documents"]
    return round(tokens / numbers["num_words"], 4)
