"""Texts, tokenizers, blocks, labelled examples and first weights that all systems of `bench_training.py` share.

Everything is made of the example data and is the same in every run. Ours reads blocks and Parquet files as the stages
leave them; peers read the same texts from `train.jsonl` and make their own datasets of them.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from lmforge.recipe.schema import Tokenizer
from lmforge.tokenization.encoding import encode
from lmforge.tokenization.packing import write_blocks, write_origin
from lmforge.tokenization.tokenizer import load_tokenizer, train_tokenizer

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "data" / "debian_descriptions.jsonl.gz"
SEED = 1
MAX_POSITIONS = 512
# Every n-th document is kept from training; of labelled examples, those of sections with so many.
HELD_OUT_EVERY = 20
MIN_EXAMPLES_OF_SECTION = 250
# Whole pools of 50 batches of 32, so that no batch of an epoch is incomplete.
NUM_TIMED_EXAMPLES = 6_400
# What a turn validates at its end is not timed.
NUM_VALIDATION_TEXTS = 64


@cache
def rows(held_out: bool) -> tuple[dict[str, Any], ...]:
    """Packages of the example data with their description, synopsis and section."""
    with gzip.open(EXAMPLES, "rt", encoding="utf-8") as file:
        every = [json.loads(line) for line in file]
    return tuple(row for number, row in enumerate(every) if (number % HELD_OUT_EVERY == 0) == held_out)


@cache
def sections() -> tuple[str, ...]:
    """The labels of fine-tuning."""
    counts = Counter(row["section"] for row in rows(held_out=False))
    return tuple(sorted(section for section, count in counts.items() if count >= MIN_EXAMPLES_OF_SECTION))


def tokenizer_directory(work: Path, kind: str, vocab_size: int) -> Path:
    """A tokenizer of that kind, trained if it is not there yet."""
    directory = work / f"tokenizer-{kind}-{vocab_size}"
    if not directory.is_dir():
        settings = Tokenizer(kind=kind, vocab_size=vocab_size, lowercase=kind == "wordpiece")
        train_tokenizer([row["description"] for row in rows(held_out=False)], settings, MAX_POSITIONS, directory)
    return directory


def write_language(work: Path, tokenizer_dir: Path, max_seq_length: int) -> Path:
    """A directory with `train.npy` and `validation.npy` for ours, and `train.jsonl` for peers."""
    directory = work / f"{tokenizer_dir.name}-{max_seq_length}"
    if not directory.is_dir():
        directory.mkdir()
        tokenizer = load_tokenizer(tokenizer_dir)
        texts = [row["description"] for row in rows(held_out=False)]
        for split, part in (("train", texts), ("validation", texts[:NUM_VALIDATION_TEXTS])):
            write_blocks(directory / f"{split}.npy", [encode(tokenizer, part)], max_seq_length)
        write_origin(directory, tokenizer_dir, max_seq_length)
        _write_lines(directory / "train.jsonl", [{"text": text} for text in texts])
    return directory


def write_labelled(work: Path, texts: str, num_train: int | None = NUM_TIMED_EXAMPLES) -> Path:
    """A directory with `train.parquet` and `validation.parquet` for ours, and `train.jsonl` for peers.

    texts: `short` (a package's name and its summary, 16 tokens on average) or `medium` (descriptions, 72 tokens).
    num_train: how many examples, or None for all.
    """
    directory = work / f"labelled-{texts}-{num_train or 'all'}"
    if not directory.is_dir():
        directory.mkdir()
        for split in ("train", "validation"):
            found = examples(texts, held_out=split == "validation")
            # Spread over all of them: packages are sorted by name.
            chosen = found[:: max(1, len(found) // num_train)][:num_train] if num_train and split == "train" else found
            frame = pl.DataFrame([{"text": one["text"], "label": one["section"]} for one in chosen])
            frame.write_parquet(directory / f"{split}.parquet")
            _write_lines(directory / f"{split}.jsonl", chosen)
    return directory


def examples(texts: str, *, held_out: bool) -> list[dict[str, Any]]:
    """Texts of the sections with the number of each one's label."""
    numbers = {section: number for number, section in enumerate(sections())}
    words = {"short": "{package}: {synopsis}", "medium": "{description}"}[texts]
    return [
        {"text": words.format(**row), "section": row["section"], "label": numbers[row["section"]]}
        for row in rows(held_out)
        if row["section"] in numbers
    ]


def mean_tokens(labelled: Path, tokenizer_dir: Path, max_seq_length: int) -> float:
    """Tokens of a training example on average."""
    tokenizer = load_tokenizer(tokenizer_dir)
    tokenizer.enable_truncation(max_seq_length)
    return float(encode(tokenizer, pl.read_parquet(labelled / "train.parquet")["text"].to_list()).lengths.mean())


def write_first_weights(
    directory: Path, tokenizer_dir: Path, objective: str, architecture: str, size: str, dropout: float
) -> Path:
    """The network that the training program draws for `SEED`, for peers to start from."""
    import torch

    from lmforge.training.objectives import special_ids
    from models.architectures import build_config, classifier, language_model

    if not directory.is_dir():
        torch.manual_seed(SEED)
        special = special_ids(tokenizer_dir)
        config = build_config(architecture, size, special, max_positions=MAX_POSITIONS, dropout=dropout)
        if objective == "sequence_classification":
            model = classifier(list(sections()), config=config)
        else:
            model = language_model(objective, config)
        model.save_pretrained(directory)
    return directory


def _write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
