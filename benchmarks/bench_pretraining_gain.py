"""Is pre-training worth it? Fine-tuned from pre-trained weights against the same network from scratch, and TF-IDF.

All systems learn from the same labelled examples of a recipe's first task and are judged on its VALIDATION split; the
test split is never read. The network from scratch gets the best of several settings, twice the steps among them, chosen
on the very data that it is judged on, which favours it. Every seed pre-trains anew.

Usage: python benchmarks/bench_pretraining_gain.py [--recipe R] [--seeds 0 1 2] [--set KEY=VALUE ...] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmforge.home import Home
from lmforge.recipe import Recipe, load_recipe
from lmforge.training.spec import TrainingSpec

# Learning rate, and steps as a multiple of the recipe's.
SCRATCH_SETTINGS = ((1e-3, 1), (2e-3, 1), (1e-3, 2))


def main() -> None:
    arguments = parse()
    home = Home.find().prepare()
    recipe = load_recipe(arguments.recipe, arguments.set)
    with tempfile.TemporaryDirectory(dir=home.path) as work:
        print("preparing the data ...", file=sys.stderr)
        prepare(recipe, home, Path(work))
        rows = [measure(recipe, seed, Path(work)) for seed in arguments.seeds]
        report = summarize(rows, tfidf(Path(work)), arguments)
    print(json.dumps(report, indent=2) if arguments.json else table(report))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=Path("recipes/quickstart.yaml"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def prepare(recipe: Recipe, home: Home, work: Path) -> None:
    """The data stages, as the flow runs them."""
    from lmforge.artifacts.store import Store
    from lmforge.sharding import Workshop
    from lmforge.sources.collecting import collect
    from lmforge.text.cleaning import clean
    from lmforge.text.guarding import EvaluationSet
    from lmforge.text.labelling import label
    from lmforge.tokenization.corpus import tokenize

    assert recipe.corpus is not None
    workshop = Workshop(Store(work / "store"))
    for name in ("labelled", "raw", "clean", "tokens"):
        (work / name).mkdir()
    task = recipe.tasks[0]
    label(task.data, work / "labelled", root=home.project, cleaning=recipe.cleaning, deduplication=recipe.deduplication)
    collect(recipe.corpus.sources, work / "raw", root=home.project, workshop=workshop)
    clean(work / "raw", work / "clean", recipe.corpus, [EvaluationSet(task.name, work / "labelled")], workshop)
    tokenize(work / "clean", work / "tokens", recipe.tokenizer, recipe.pretraining.max_seq_length, workshop)


def measure(recipe: Recipe, seed: int, work: Path) -> dict[str, Any]:
    """Validation scores of both networks for one seed, and the seconds of each training program."""
    base, pretrain_seconds = train(recipe, seed, work, f"pretrain-{seed}")
    tuned, finetune_seconds = train(recipe, seed, work, f"finetune-{seed}", start=base)
    scratch = {
        f"{rate:g} x{times}": score(
            train(recipe, seed, work, f"scratch-{seed}-{rate}-{times}", None, rate, times)[0], work
        )
        for rate, times in SCRATCH_SETTINGS
    }
    row = {
        "seed": seed,
        "pretrained": score(tuned, work),
        "scratch": max(scratch.values(), key=lambda scores: scores["macro_f1"]),
        "scratch_by_setting": scratch,
        "pretrain_seconds": pretrain_seconds,
        "finetune_seconds": finetune_seconds,
    }
    print(json.dumps(row), file=sys.stderr)
    return row


def train(
    recipe: Recipe,
    seed: int,
    work: Path,
    name: str,
    start: Path | None = None,
    learning_rate: float | None = None,
    times: int = 1,
) -> tuple[Path, float]:
    """Run the training program; returns the model's directory and the seconds that it took."""
    task, pretraining = recipe.tasks[0], name.startswith("pretrain")
    settings: Any = recipe.pretraining if pretraining else task.finetuning
    changes = {"learning_rate": learning_rate or settings.learning_rate, "max_steps": settings.max_steps * times}
    labels = () if pretraining else json.loads((work / "labelled" / "labels.json").read_text())
    spec = TrainingSpec(
        name=name,
        seed=seed,
        architecture=recipe.model.architecture,
        size=recipe.model.size,
        tokenizer=work / "tokens" / "tokenizer",
        data=work / ("tokens" if pretraining else "labelled"),
        start=start,
        objective=settings.objective if pretraining else task.kind,
        settings=settings.model_copy(update=changes),
        labels=tuple(labels),
        num_threads=len(os.sched_getaffinity(0)),
        run_dir=work / "runs" / name,
        model_dir=work / "models" / name,
    )
    spec_file = work / f"{name}.json"
    spec_file.write_text(spec.model_dump_json())
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "lmforge.training", str(spec_file)], check=True)
    return spec.model_dir, round(time.monotonic() - started, 1)


def score(model: Path, work: Path) -> dict[str, float]:
    """Macro F1 and accuracy on the validation split."""
    import polars as pl

    from lmforge.serving.classifier import Classifier

    frame = pl.read_parquet(work / "labelled" / "validation.parquet")
    answers = [answer.label for answer in Classifier(model).predict(frame["text"].to_list())]
    return judge(frame["label"].to_list(), answers)


def tfidf(work: Path) -> dict[str, float]:
    """The same of TF-IDF with a linear model."""
    import polars as pl

    from lmforge.evaluation.baselines import tfidf_linear

    train_frame, frame = (pl.read_parquet(work / "labelled" / f"{split}.parquet") for split in ("train", "validation"))
    texts, labels = train_frame["text"].to_list(), train_frame["label"].to_list()
    return judge(frame["label"].to_list(), tfidf_linear(texts, labels, frame["text"].to_list(), seed=0)) | {
        "num_train": len(texts),
        "num_validation": len(frame),
    }


def judge(gold: list[str], answers: list[str]) -> dict[str, float]:
    from lmforge.evaluation.metrics import classification_metrics

    metrics = classification_metrics(gold, answers, sorted(set(gold)))
    return {name: round(metrics[name], 4) for name in ("macro_f1", "accuracy")}


def summarize(rows: list[dict[str, Any]], peer: dict[str, float], arguments: argparse.Namespace) -> dict[str, Any]:
    systems = ("pretrained", "scratch")
    means = {name: statistics.mean(row[name]["macro_f1"] for row in rows) for name in systems}
    gains = [row["pretrained"]["macro_f1"] - row["scratch"]["macro_f1"] for row in rows]
    return {
        "recipe": str(arguments.recipe),
        "set": arguments.set,
        "rows": rows,
        "peers": {"tfidf_linear": peer},
        "mean_macro_f1": {name: round(value, 4) for name, value in means.items()},
        "gain": {"mean": round(statistics.mean(gains), 4), "least": min(gains), "most": max(gains)},
        "ratios": {
            "pretrained_to_scratch": round(means["pretrained"] / means["scratch"], 3),
            "pretrained_to_tfidf_linear": round(means["pretrained"] / peer["macro_f1"], 3),
        },
        "versions": {name: version(name) for name in ("torch", "transformers", "pytorch-lightning")},
        "hardware": {"machine": platform.machine(), "num_cpus": len(os.sched_getaffinity(0))},
    }


def table(report: dict[str, Any]) -> str:
    peer = report["peers"]["tfidf_linear"]
    lines = [f"validation: {peer['num_validation']} examples; training: {peer['num_train']} examples", ""]
    lines += [
        "| seed | pre-trained macro F1 (accuracy) | scratch, best of 3 settings | pre-train s | fine-tune s |",
        "|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        cells = [f"{row[name]['macro_f1']:.3f} ({row[name]['accuracy']:.3f})" for name in ("pretrained", "scratch")]
        lines.append(f"| {row['seed']} | {' | '.join(cells)} | {row['pretrain_seconds']} | {row['finetune_seconds']} |")
    lines.append(f"\nTF-IDF + linear: {peer['macro_f1']:.3f} ({peer['accuracy']:.3f})")
    lines.append(f"gain over scratch: {report['gain']['mean']:+.3f} (least {report['gain']['least']:+.3f})")
    return "\n".join([*lines, f"ratios: {report['ratios']}"])


if __name__ == "__main__":
    main()
