"""One turn of a peer: Hugging Face Trainer as run_mlm, run_clm and run_glue use it, or Lightning the plain way.

A process of its own a turn. The peers get their dataset as those scripts make it (tokens of `datasets`, grouped or a
text a row), start from the same weights and read the same texts as ours. What they could do without is off: progress
bars, loggers, evaluation and checkpoints (but for those that `save_every` asks for).

Usage: python benchmarks/training_peers.py TURN.json   (prints the measurements as JSON)
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from training_clock import Stopwatch, counted
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    default_data_collator,
)

MODELS = {
    "masked_lm": AutoModelForMaskedLM,
    "causal_lm": AutoModelForCausalLM,
    "sequence_classification": AutoModelForSequenceClassification,
}


def main() -> None:
    turn = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(turn["num_threads"])
    torch.manual_seed(turn["seed"])
    clock = Stopwatch()
    tokenizer = AutoTokenizer.from_pretrained(turn["tokenizer"], local_files_only=True)
    classes = {"num_labels": turn["num_labels"]} if turn["num_labels"] else {}
    model = MODELS[turn["objective"]].from_pretrained(turn["model"], local_files_only=True, **classes)
    dataset, collate = DATASETS[turn["objective"]](turn, tokenizer)
    counts = Counts(collate)
    with tempfile.TemporaryDirectory() as out:
        FRAMEWORKS[turn["framework"]](turn, model, dataset, counts, turn["out"] or out)
    window = (turn["warm_up_steps"], turn["steps"])
    print(json.dumps(clock.turn(counted(counts.tokens, *window), counted(counts.examples, *window), *window)))


class Counts:
    """A collator that also counts the texts and real tokens of its batches."""

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate
        self.tokens: list[int] = []
        self.examples: list[int] = []

    def __call__(self, rows: list[Any]) -> Any:
        batch = self.collate(rows)
        mask = batch.get("attention_mask")
        self.tokens.append(batch["input_ids"].numel() if mask is None else int(mask.sum()))
        self.examples.append(len(rows))
        return batch


def masked_lm(turn: dict[str, Any], tokenizer: Any) -> tuple[Dataset, Callable[[list[Any]], Any]]:
    """run_mlm: texts one after another in blocks (`group`), or a row each (`line_max`, `line_dynamic`)."""
    rows = tokenized(turn, tokenizer)
    dataset = grouped(rows, turn["max_seq_length"]) if turn["way"] == "group" else Dataset.from_dict(dict(rows))
    return dataset, DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm_probability=0.15)


def causal_lm(turn: dict[str, Any], tokenizer: Any) -> tuple[Dataset, Callable[[list[Any]], Any]]:
    """run_clm: texts one after another in blocks."""
    rows = tokenized(turn, tokenizer)
    rows.pop("special_tokens_mask")
    dataset = grouped(rows, turn["max_seq_length"])
    return dataset.add_column("labels", dataset["input_ids"][:]), default_data_collator


def classification(turn: dict[str, Any], tokenizer: Any) -> tuple[Dataset, Callable[[list[Any]], Any]]:
    """run_glue: padded to the maximum beforehand, or to the longest of a batch (`dynamic`, `by_length`)."""
    examples = read(turn)
    padding = "max_length" if turn["way"] == "pad_max" else False
    rows = tokenizer([one["text"] for one in examples], padding=padding, truncation=True,
                     max_length=turn["max_seq_length"])  # fmt: skip
    dataset = Dataset.from_dict({**rows, "label": [one["label"] for one in examples]})
    return dataset, default_data_collator if padding else DataCollatorWithPadding(tokenizer)


def tokenized(turn: dict[str, Any], tokenizer: Any) -> dict[str, list[list[int]]]:
    cut = turn["way"] != "group"
    padding = "max_length" if turn["way"] == "line_max" else False
    texts = [one["text"] for one in read(turn)]
    length = turn["max_seq_length"] if cut else None
    return dict(tokenizer(texts, padding=padding, truncation=cut, max_length=length, return_special_tokens_mask=True))


def grouped(rows: dict[str, list[list[int]]], length: int) -> Dataset:
    """What `group_texts` makes: the concatenation cut into blocks, its rest dropped."""
    joined = {name: list(chain.from_iterable(values)) for name, values in rows.items() if name != "token_type_ids"}
    whole = len(joined["input_ids"]) // length * length
    blocks = {name: [row[at : at + length] for at in range(0, whole, length)] for name, row in joined.items()}
    return Dataset.from_dict(blocks)


def read(turn: dict[str, Any]) -> list[dict[str, Any]]:
    lines = Path(turn["texts"]).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[: turn["num_texts"]]]


def run_trainer(turn: dict[str, Any], model: Any, dataset: Dataset, collate: Counts, out: str) -> None:
    order = "group_by_length" if turn["way"] == "by_length" else "random"
    saving = {"save_strategy": "steps", "save_steps": turn["save_every"], "save_only_model": True}
    arguments = TrainingArguments(
        output_dir=out,
        max_steps=turn["steps"],
        per_device_train_batch_size=turn["batch_size"],
        learning_rate=turn["learning_rate"],
        warmup_steps=turn["warmup_steps"],
        weight_decay=turn["weight_decay"],
        adam_beta2=turn["adam_beta2"],
        train_sampling_strategy=order,
        seed=turn["seed"],
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        **(saving if turn["save_every"] else {"save_strategy": "no"}),
    )
    # What it prints would be taken for the measurements.
    before, sys.stdout = sys.stdout, sys.stderr
    try:
        Trainer(model=model, args=arguments, train_dataset=dataset, data_collator=collate).train()
    finally:
        sys.stdout = before


def run_lightning(turn: dict[str, Any], model: Any, dataset: Dataset, collate: Counts, out: str) -> None:
    import pytorch_lightning as pl

    class Plain(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model.train()

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            loss = self.model(**batch).loss
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=turn["learning_rate"], weight_decay=turn["weight_decay"])

    loader = DataLoader(dataset, batch_size=turn["batch_size"], shuffle=True, collate_fn=collate)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=turn["steps"],
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=out,
    )
    trainer.fit(Plain(), loader)


DATASETS = {"masked_lm": masked_lm, "causal_lm": causal_lm, "sequence_classification": classification}
FRAMEWORKS = {"trainer": run_trainer, "lightning": run_lightning}

if __name__ == "__main__":
    main()
