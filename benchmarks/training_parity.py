"""Does our training program learn as much from as many tokens as Hugging Face Trainer?

Language models: the same first weights, settings and texts, no dropout on either side; the loss on held-out documents,
each read alone and cut at the training length, is computed here for both, from the weights that they left on the way.
Fine-tuning: both go on from the language model that ours has just trained; accuracy on held-out examples. Trainer
shuffles in its own order and its blocks cross documents as those of run_mlm do, so curves agree but for noise.
"""

from __future__ import annotations

import statistics
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import training_data
from bench_report import RESULTS, Row
from torch import Tensor
from training_turns import MISSING, NEVER, SETTINGS, our_turn, peer_turn, program_settings, trainer_python

from lmforge.recipe.optimization import Finetuning, Pretraining
from lmforge.tokenization.encoding import encode
from lmforge.tokenization.tokenizer import CLS, MASK, NUM_SPECIAL, PAD, SEP, load_tokenizer
from lmforge.training.spec import TrainingSpec

LENGTH, BATCH_SIZE, VOCAB_SIZE, SIZE = 64, 32, 8_000, "nano"
NUM_POINTS = 6
LEARNING = {"masked_lm": ("bert", "wordpiece"), "causal_lm": ("gpt2", "bpe")}
RATES = {"learning_rate": 2e-3, "warmup_steps": 20}
MAX_LOSS_RATIO, MAX_ACCURACY_LOST = 1.01, 0.5
IGNORED = -100
MASK_SHARE = 0.15
FIGURE = "training_parity.png"
_EVALUATION_BATCH = 64


class Curve(NamedTuple):
    """Held-out loss in nats after so many tokens, and the directory of the last model."""

    tokens: list[float]
    losses: list[float]
    model: Path


def parity(arguments: Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Loss of masked and causal language models, then accuracy of a fine-tuned classifier over the seeds."""
    torch.set_num_threads(arguments.threads)
    python = trainer_python(arguments.peer_python)
    names = [f"{objective}_held_out_loss_vs_trainer" for objective in LEARNING]
    if python is None:
        missing = [Row("parity", name, (), at_most=MAX_LOSS_RATIO, note=MISSING) for name in names]
        return [*missing, Row("parity", _ACCURACY, (), -MAX_ACCURACY_LOST, note=MISSING)], {}
    with tempfile.TemporaryDirectory(dir=arguments.work) as directory:
        work = Path(directory)
        curves = {objective: learn(objective, work, arguments, python) for objective in LEARNING}
        ratios = [pair["ours"].losses[-1] / pair["trainer"].losses[-1] for pair in curves.values()]
        rows = [
            Row("parity", name, (ratio,), at_most=MAX_LOSS_RATIO) for name, ratio in zip(names, ratios, strict=True)
        ]
        scores = classify(curves["masked_lm"]["ours"].model, work, arguments, python)
        if arguments.write:
            draw(curves, RESULTS / FIGURE)
    # Points in percent of the mean accuracies; single seeds are in the details.
    ours, random, by_length = (100 * statistics.mean(scores[system]) for system in ("ours", *_WAYS))
    note = f"mean of {len(arguments.seeds)} seeds"
    rows.append(Row("parity", _ACCURACY, (ours - random,), -MAX_ACCURACY_LOST, note=note))
    rows.append(Row("parity", f"{_ACCURACY}_by_length", (ours - by_length,), note=note))
    shown = {
        objective: {system: {"tokens": curve.tokens, "losses": curve.losses} for system, curve in pair.items()}
        for objective, pair in curves.items()
    }
    return rows, shown | {"accuracy": scores}


_ACCURACY = "finetuned_accuracy_points_above_trainer"
_WAYS = {"trainer": "pad_max", "trainer_by_length": "by_length"}


def learn(objective: str, work: Path, arguments: Namespace, python: str) -> dict[str, Curve]:
    """Both curves of an objective."""
    architecture, kind = LEARNING[objective]
    tokenizer = training_data.tokenizer_directory(arguments.work, kind, VOCAB_SIZE)
    data = training_data.write_language(arguments.work, tokenizer, LENGTH)
    first = training_data.write_first_weights(work / objective, tokenizer, objective, architecture, SIZE, 0.0)
    steps, every = arguments.parity_steps, max(1, arguments.parity_steps // NUM_POINTS)
    spec = TrainingSpec(
        name=objective, seed=training_data.SEED, architecture=architecture, size=SIZE, tokenizer=tokenizer, data=data,
        start=first, objective=objective, num_threads=arguments.threads, log_every_n_steps=every,
        keep_checkpoints=NEVER,
        settings=Pretraining(objective=objective, **_settings(arguments, steps, checkpoint_every_n_steps=every)),
        run_dir=work / f"{objective}-ours", model_dir=work / f"{objective}-ours" / "model",
    )  # fmt: skip
    our_turn(spec)
    out = work / f"{objective}-trainer"
    texts = data / "train.jsonl"
    peer_turn(python, work, _turn(objective, tokenizer, first, texts, steps, out, arguments) | {"save_every": every})
    held_out = list(documents(objective, tokenizer))
    return {
        "ours": _curve(objective, sorted(spec.checkpoints.glob("step-*.ckpt")), first, held_out, spec.model_dir),
        "trainer": _curve(objective, sorted(out.glob("checkpoint-*"), key=_step), first, held_out, out),
    }


def _settings(arguments: Namespace, steps: int, **changes: Any) -> dict[str, Any]:
    return program_settings(arguments, max_steps=steps, global_batch_size=BATCH_SIZE, max_seq_length=LENGTH) | {
        **RATES, **changes, "warmup_steps": min(RATES["warmup_steps"], steps - 1),
    }  # fmt: skip


def _turn(
    objective: str, tokenizer: Path, model: Path, texts: Path, steps: int, out: Path, arguments: Namespace
) -> dict[str, Any]:
    """What both a language model and a classifier of Trainer's are told."""
    return SETTINGS | RATES | {
        "framework": "trainer", "way": "group", "objective": objective, "tokenizer": tokenizer, "model": model,
        "texts": texts, "batch_size": BATCH_SIZE, "max_seq_length": LENGTH, "warm_up_steps": 1, "steps": steps,
        "num_threads": arguments.threads, "out": out, "save_every": steps,
        "warmup_steps": min(RATES["warmup_steps"], steps - 1),
    }  # fmt: skip


def _step(path: Path) -> int:
    return int(path.stem.split("-")[1])


def _curve(objective: str, weights: list[Path], first: Path, held_out: list[dict[str, Tensor]], last: Path) -> Curve:
    losses = [held_out_loss(_load(objective, path, first), held_out) for path in weights]
    return Curve([_step(path) * BATCH_SIZE * LENGTH for path in weights], losses, last)


def _load(objective: str, weights: Path, first: Path) -> Any:
    """The model of a directory of transformers, or of a checkpoint of Lightning's in the network of `first`."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    kind = AutoModelForMaskedLM if objective == "masked_lm" else AutoModelForCausalLM
    model = kind.from_pretrained(weights if weights.is_dir() else first, local_files_only=True).eval()
    if weights.is_file():
        state = torch.load(weights, weights_only=True)["state_dict"]
        model.load_state_dict({name.removeprefix("model."): value for name, value in state.items()})
    return model


def documents(objective: str, tokenizer: Path) -> Iterator[dict[str, Tensor]]:
    """Batches of held-out documents, each alone in its row; the positions to predict are the same in every run."""
    encoder = load_tokenizer(tokenizer)
    encoder.enable_truncation(LENGTH)
    encoded = encode(encoder, [row["description"] for row in training_data.rows(held_out=True)])
    rows = np.split(encoded.ids.astype(np.int64), encoded.lengths.cumsum()[:-1])
    rng = np.random.default_rng(0)
    for start in range(0, len(rows), _EVALUATION_BATCH):
        chosen = rows[start : start + _EVALUATION_BATCH]
        ids = np.full((len(chosen), max(map(len, chosen))), PAD, dtype=np.int64)
        for number, row in enumerate(chosen):
            ids[number, : len(row)] = row
        mask = ids != PAD
        labels = np.where(mask, ids, IGNORED)
        if objective == "masked_lm":
            hidden = (rng.random(ids.shape) < MASK_SHARE) & (ids >= NUM_SPECIAL)
            labels, ids = np.where(hidden, ids, IGNORED), np.where(hidden, MASK, ids)
        else:
            labels[np.isin(labels, (CLS, SEP))] = IGNORED
        batch = {"input_ids": ids, "attention_mask": mask.astype(np.int64), "labels": labels}
        yield {name: torch.from_numpy(values) for name, values in batch.items()}


@torch.inference_mode()
def held_out_loss(model: Any, batches: list[dict[str, Tensor]]) -> float:
    """Mean loss of all predicted positions in nats; transformers shifts the labels of causal models itself."""
    causal = "CausalLM" in type(model).__name__ or "LMHead" in type(model).__name__
    total = count = 0.0
    for batch in batches:
        number = float((batch["labels"][:, 1 if causal else 0 :] != IGNORED).sum())
        total += float(model(**batch).loss) * number
        count += number
    return total / count


def classify(start: Path, work: Path, arguments: Namespace, python: str) -> dict[str, list[float]]:
    """Accuracy of each system for each seed; `trainer_by_length` is Trainer with batches of texts of like length."""
    data = training_data.write_labelled(arguments.work, "medium", None)
    labels, steps = training_data.sections(), arguments.parity_steps
    scores: dict[str, list[float]] = {name: [] for name in ("ours", *_WAYS)}
    for seed in arguments.seeds:
        run_dir = work / f"tuned-{seed}"
        spec = TrainingSpec(
            name="finetune", seed=seed, architecture="bert", size=SIZE, tokenizer=start, data=data, start=start,
            objective="sequence_classification", settings=Finetuning(**_settings(arguments, steps)), labels=labels,
            num_threads=arguments.threads, log_every_n_steps=1, run_dir=run_dir, model_dir=run_dir / "model",
        )  # fmt: skip
        our_turn(spec)
        scores["ours"].append(accuracy(spec.model_dir, start))
        for system, way in _WAYS.items():
            out = work / f"tuned-{system}-{seed}"
            turn = _turn("sequence_classification", start, start, data / "train.jsonl", steps, out, arguments)
            peer_turn(python, work, turn | {"way": way, "num_labels": len(labels), "seed": seed})
            scores[system].append(accuracy(out / f"checkpoint-{steps}", start))
    return scores


@torch.inference_mode()
def accuracy(model_dir: Path, tokenizer: Path) -> float:
    """Share of the held-out examples whose section is named."""
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(model_dir, local_files_only=True).eval()
    encoder = load_tokenizer(tokenizer)
    encoder.enable_truncation(LENGTH)
    encoder.enable_padding(pad_id=PAD, pad_token="[PAD]")
    examples = training_data.examples("medium", held_out=True)
    right = 0
    for start in range(0, len(examples), _EVALUATION_BATCH):
        chosen = examples[start : start + _EVALUATION_BATCH]
        encoded = encoder.encode_batch([one["text"] for one in chosen])
        ids, mask = (torch.tensor([getattr(one, name) for one in encoded]) for name in ("ids", "attention_mask"))
        answers = model(input_ids=ids, attention_mask=mask).logits.argmax(-1)
        right += int((answers == torch.tensor([one["label"] for one in chosen])).sum())
    return right / len(examples)


def draw(curves: dict[str, dict[str, Curve]], path: Path) -> None:
    """Held-out loss against tokens, both systems, an objective a panel."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (objective, pair) in zip(figure.subplots(1, len(curves)), curves.items(), strict=True):
        for (system, curve), style in zip(pair.items(), ("o-", "x--"), strict=True):
            axes.plot(curve.tokens, curve.losses, style, label=system)
        axes.set(title=objective, xlabel="tokens", ylabel="held-out loss in nats")
        axes.legend()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120)
