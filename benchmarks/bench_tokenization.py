"""How fast does clean text become blocks to train on? The stage's own encoding against `datasets.map`, and equal ids.

Ours is everything from Parquet shards to published units and blocks on disk, for both engines; the peer begins with
texts in memory and tokenizes and groups them with `datasets.map`, the usual way of the example scripts for language
models. Learning the vocabulary is in neither, nor is finding out once for a tokenizer what the quick engine may be
trusted with (reported as `agreement_seconds`). `tokie_alone` is the library from texts to ids in memory, which nothing
around it can be faster than. Systems take turns; rates are tokens a second, `ratios` of medians.

Usage: python benchmarks/bench_tokenization.py [--documents N] [--repeat N] [--rounds N] [--json]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

# The peer may use all cores too; ours allows them to itself.
os.environ["TOKENIZERS_PARALLELISM"] = "true"

import numpy as np
import polars as pl

from lmforge.artifacts import Store
from lmforge.recipe.schema import Tokenizer
from lmforge.sharding import Workshop
from lmforge.tokenization.corpus import tokenize
from lmforge.tokenization.packing import read_blocks

SAMPLE = Path("examples/data/debian_descriptions.jsonl.gz")
BLOCK_LENGTH, SHARD_DOCUMENTS = 128, 50_000
SETTINGS = {"wordpiece": 30_000, "bpe": 16_000}
PEER = "datasets_map"


class Timing(NamedTuple):
    """One turn of one system."""

    num_tokens: int
    seconds: float
    cpu_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=40_000)
    parser.add_argument("--repeat", type=int, default=4, help="the quick engine gets the documents so many times")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    texts = documents()
    arguments.documents = min(arguments.documents, len(texts))
    with tempfile.TemporaryDirectory() as work:
        kinds = {kind: measure(kind, texts, arguments, Path(work) / kind) for kind in SETTINGS}
    report = {
        "documents": arguments.documents,
        "repeat": arguments.repeat,
        "kinds": kinds,
        "ratios": {f"{kind}_{name}": ratio for kind, row in kinds.items() for name, ratio in row["ratios"].items()},
        "peers": {f"{kind}_{PEER}": row["tokens_per_second"][PEER] for kind, row in kinds.items()},
        "versions": {name: version(name) for name in ("tokenizers", "tokie", "datasets", "transformers", "polars")},
        "hardware": {"machine": platform.machine(), "num_cpus": len(os.sched_getaffinity(0))},
    }
    print(json.dumps(report, indent=2) if arguments.json else table(report))


def documents() -> list[str]:
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as file:
        return [json.loads(line)["description"] for line in file]


def measure(kind: str, texts: list[str], arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Rates of the three systems for one kind of tokenizer."""
    chosen = Tokenizer(kind=kind, vocab_size=SETTINGS[kind], engine="tokenizers")
    # The vocabulary is that of all documents, so that it is as large as it says.
    tokenizer = learn(texts, chosen, work)
    some = texts[: arguments.documents]
    once, often = (write_shards(some * times, work / f"clean-{times}") for times in (1, arguments.repeat))
    quick = chosen.model_copy(update={"engine": "tokie"})
    started = time.monotonic()
    prepare(often, quick, tokenizer, work / "quick")
    agreement_seconds = time.monotonic() - started
    prepare(once, chosen, tokenizer, work / "reference")
    systems: dict[str, Callable[[], int]] = {
        "tokenizers": lambda: ours(once, chosen, work / "reference"),
        "tokie": lambda: ours(often, quick, work / "quick"),
        "tokie_alone": alone(some * arguments.repeat, tokenizer),
        PEER: lambda: peer(some, kind, tokenizer, work / "peer"),
    }
    timings: dict[str, list[Timing]] = {name: [] for name in systems}
    for turn in range(arguments.rounds):
        for name, system in systems.items():
            timings[name].append(timed(system))
            print(f"{kind} {turn + 1} {name}: {timings[name][-1]}", file=sys.stderr)
    same = identical(work, len(some), arguments.repeat)
    return summarize(timings) | {"identical_ids": same, "agreement_seconds": round(agreement_seconds, 2)}


def learn(texts: list[str], chosen: Tokenizer, work: Path) -> Path:
    """A directory with the tokenizer of all documents."""
    clean = write_shards(texts, work / "learn")
    tokenize(clean, work / "learned", chosen, BLOCK_LENGTH, Workshop(Store(work / "learn-store")))
    return work / "learned" / "tokenizer"


def write_shards(texts: list[str], directory: Path) -> Path:
    """Clean shards as the stage before writes them, all of it for training."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(texts), SHARD_DOCUMENTS)):
        frame = pl.DataFrame({"text": texts[start : start + SHARD_DOCUMENTS]}).with_columns(
            split=pl.lit("train"), language=pl.lit("en"), num_words=pl.col("text").str.count_matches(r"\S+")
        )
        frame.write_parquet(directory / f"part-{number:05d}.parquet", row_group_size=5_000)
    return directory


def prepare(clean: Path, chosen: Tokenizer, tokenizer: Path, work: Path) -> None:
    """Let the store hold the tokenizer, and what the quick engine may be trusted with, but no ids."""
    from lmforge.text.tables import shard_paths
    from lmforge.tokenization.units import AgreementUnit, TokenizerUnit

    def copy(out: Path) -> Any:
        from lmforge.artifacts.store import Outcome

        shutil.copytree(tokenizer, out, dirs_exist_ok=True)
        return Outcome()

    store = Store(work / "store")
    made, _ = store.get_or_build(TokenizerUnit(clean, chosen, BLOCK_LENGTH).request(), copy)
    if chosen.engine == "tokie":
        Workshop(store).make([AgreementUnit(made.path, tuple(shard_paths(clean)))])


def ours(clean: Path, chosen: Tokenizer, work: Path) -> int:
    """The stage with a tokenizer that the store holds and no shard encoded yet."""
    for left in (work / "store" / "tokenize.units", work / "out"):
        shutil.rmtree(left, ignore_errors=True)
    _, facts = tokenize(clean, work / "out", chosen, BLOCK_LENGTH, Workshop(Store(work / "store")))
    assert facts["engine"] == chosen.engine, facts["engine_fallback"]
    return int(facts["num_tokens"])


def alone(texts: list[str], tokenizer: Path) -> Callable[[], int]:
    """The quick engine as its authors ship it; its tokens may differ from those of `tokenizers`."""
    from tokie import Tokenizer as QuickTokenizer

    engine = QuickTokenizer.from_json(str(tokenizer / "tokenizer.json"))
    return lambda: len(engine.encode_batch_flat(texts)[0])


def peer(texts: list[str], kind: str, tokenizer: Path, work: Path) -> int:
    """Two passes of `datasets.map`: token ids, then rows of equal length from what each batch holds.

    With the columns that the example scripts make: the mask of special tokens for a masked, labels for a causal model.
    """
    import datasets
    from transformers import AutoTokenizer

    datasets.disable_caching()
    datasets.disable_progress_bars()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    loaded = AutoTokenizer.from_pretrained(tokenizer, local_files_only=True)
    masked = kind == "wordpiece"
    tokens = datasets.Dataset.from_dict({"text": texts}).map(
        lambda rows: loaded(rows["text"], return_special_tokens_mask=masked),
        batched=True, remove_columns=["text"], cache_file_name=str(work / "ids.arrow"),
    )  # fmt: skip
    blocks = tokens.map(
        lambda rows: group(rows, masked=masked), batched=True, cache_file_name=str(work / "blocks.arrow")
    )
    # Arrow knows the lengths, so counting takes no time.
    return len(tokens.data.column("input_ids").combine_chunks().flatten()) if len(blocks) else 0


def group(rows: dict[str, list[list[int]]], *, masked: bool) -> dict[str, list[list[int]]]:
    """Lists one after another, cut into rows of the block length; the rest is dropped."""
    joined = {name: list(chain(*column)) for name, column in rows.items()}
    end = len(joined["input_ids"]) // BLOCK_LENGTH * BLOCK_LENGTH
    cut = {
        name: [values[start : start + BLOCK_LENGTH] for start in range(0, end, BLOCK_LENGTH)]
        for name, values in joined.items()
    }
    return cut if masked else cut | {"labels": cut["input_ids"].copy()}


def identical(work: Path, num_documents: int, repeat: int) -> bool:
    """Whether all three systems have given the documents the same ids."""
    import datasets

    ids = datasets.Dataset.from_file(str(work / "peer" / "ids.arrow")).with_format("numpy")["input_ids"]
    stream = np.concatenate(list(ids))
    once = read_blocks(work / "reference" / "out" / "train.npy").reshape(-1)
    often = read_blocks(work / "quick" / "out" / "train.npy").reshape(-1)
    repeated = np.tile(stream, repeat)[: len(often)]
    return len(ids) == num_documents and bool((once == stream[: len(once)]).all() and (often == repeated).all())


def timed(system: Callable[[], int]) -> Timing:
    started, cpu = time.monotonic(), time.process_time()
    num_tokens = system()
    return Timing(num_tokens, round(time.monotonic() - started, 3), round(time.process_time() - cpu, 3))


def summarize(timings: dict[str, list[Timing]]) -> dict[str, Any]:
    rates = {name: [one.num_tokens / one.seconds for one in turns] for name, turns in timings.items()}
    cpu = {name: [one.num_tokens / one.cpu_seconds for one in turns] for name, turns in timings.items()}
    medians = {name: statistics.median(values) for name, values in rates.items()}
    cpu_medians = {name: statistics.median(values) for name, values in cpu.items()}
    return {
        "tokens_per_second": {name: round(value) for name, value in medians.items()},
        "spread": {name: [round(min(values)), round(max(values))] for name, values in rates.items()},
        "tokens_per_cpu_second": {name: round(value) for name, value in cpu_medians.items()},
        "ratios": {name: round(medians[name] / medians[PEER], 2) for name in medians if name != PEER}
        | {f"{name}_cpu": round(cpu_medians[name] / cpu_medians[PEER], 2) for name in medians if name != PEER},
        "turns": {name: [one._asdict() for one in turns] for name, turns in timings.items()},
    }


def table(report: dict[str, Any]) -> str:
    lines = ["| kind | system | tokens/s (least, most) | x datasets.map | x CPU |", "|---|---|---|---|---|"]
    for kind, row in report["kinds"].items():
        for name, rate in row["tokens_per_second"].items():
            least, most = row["spread"][name]
            ratio, cpu = (row["ratios"].get(key, 1) for key in (name, f"{name}_cpu"))
            lines.append(f"| {kind} | {name} | {rate:,} ({least:,}, {most:,}) | {ratio} | {cpu} |")
        lines.append(
            f"| {kind} | same ids: {row['identical_ids']} | learned once in {row['agreement_seconds']} s | | |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
