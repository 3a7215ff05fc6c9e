"""One run of the data stages and their gates over a directory of documents, measured stage by stage, in its process.

Stages go through a store, as in a pipeline, so hashing and syncing what they write counts. Great Expectations is
imported before the clock starts. The memory of a stage is the highest resident size of this process while it ran.

Usage: python benchmarks/corpus_stages.py DIRECTORY [--task-runner process:2]
DIRECTORY holds what `corpus_documents.py` wrote; a home with a store is made in it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from corpus_documents import EVALUATION

from expectations.clean_corpus import clean_corpus
from expectations.raw_corpus import raw_corpus
from expectations.suite import Suite
from expectations.tokenized_corpus import tokenized_corpus
from lmforge.artifacts import Artifact, Store
from lmforge.artifacts.store import Outcome, Request
from lmforge.home import Home
from lmforge.monitoring.drift import measures
from lmforge.recipe import Recipe
from lmforge.sharding import Workshop
from lmforge.sources.collecting import collect
from lmforge.text.cleaning import clean
from lmforge.text.guarding import evaluation_sets
from lmforge.text.profiling import write_profile
from lmforge.text.records import scan
from lmforge.tokenization.corpus import tokenize
from lmforge.tokenization.units import TokenizerUnit
from tasks.validation import validate

RECIPE = {
    "name": "scale",
    "corpus": {
        "sources": [{"path": "corpus-*.jsonl.gz", "id": "id", "license": "mixed", "language": "en"}],
        "cleaning": {"languages": ["en"]},
        "decontamination": {"paths": [EVALUATION]},
    },
    "tokenizer": {"vocab_size": 16_000},
}


class Bench:
    """The stages of one recipe over one directory; `rows` are filled as they run."""

    def __init__(self, directory: Path, task_runner: str) -> None:
        self.recipe = Recipe.model_validate(RECIPE)
        assert self.recipe.corpus is not None
        self.corpus = self.recipe.corpus
        self.directory, self.task_runner = directory, task_runner
        self.store = Store(directory / "home" / "store")
        self.rows: list[dict[str, Any]] = []

    def run(self) -> None:
        """All stages, each with its gate."""
        raw = self.stage("collect", self._collect)
        read = raw.manifest.counts
        suites, facts = self.recipe.expectations, {"read": read.read, "quarantined": read.quarantined}
        self.gate("collect", raw, raw_corpus(**suites.raw_corpus.model_dump()), facts)
        cleaned = self.stage("clean", lambda out: self._clean(raw, out))
        limits = {"languages", "min_words", "max_words", "mask_personal_data", "personal_data"}
        suite = clean_corpus(**suites.clean_corpus.model_dump(), **self.corpus.cleaning.model_dump(include=limits))
        self.gate("clean", cleaned, suite, {"num_raw_documents": cleaned.manifest.counts.read})
        with self.measured("learn the vocabulary"):
            Workshop(self.store).make([TokenizerUnit(cleaned.path, self.recipe.tokenizer, self.block_length)])
        tokens = self.stage("tokenize", lambda out: self._tokenize(cleaned, out))
        numbers = {name: fact for name, fact in tokens.manifest.facts.items() if isinstance(fact, int | float)}
        self.gate("tokenize", tokens, tokenized_corpus(**suites.tokenized_corpus.model_dump()), numbers)

    def stage(self, name: str, build: Callable[[Path], Outcome]) -> Artifact:
        with self.measured(name):
            artifact, cached = self.store.get_or_build(Request(name, name, {}, {}, "benchmark"), build)
        assert not cached, f"{self.directory} was measured before"
        return artifact

    def gate(self, name: str, artifact: Artifact, suite: Suite, facts: Mapping[str, float]) -> None:
        """What `tasks.gating.gate` does on a first run, without MLflow."""
        report = self.directory / "home" / "reports" / name
        report.mkdir(parents=True)
        frame = scan(artifact.path) if suite.columns else None
        described: dict[str, float] = {}
        if frame is not None:
            with self.measured(f"{name}: profile"):
                described = measures(write_profile(frame, report))
        with self.measured(f"{name}: suite"):
            validate(suite, frame, facts={**facts, **described}, report=report)

    @property
    def block_length(self) -> int:
        return self.recipe.pretraining.max_seq_length

    def _collect(self, out: Path) -> Outcome:
        with self.workshop() as workshop:
            return Outcome(*collect(self.corpus.sources, out, root=self.directory, workshop=workshop))

    def _clean(self, raw: Artifact, out: Path) -> Outcome:
        sets = evaluation_sets({}, self.corpus.decontamination, self.directory)
        with self.workshop() as workshop:
            return Outcome(*clean(raw.path, out, self.corpus, sets, workshop))

    def _tokenize(self, cleaned: Artifact, out: Path) -> Outcome:
        with self.workshop() as workshop:
            return Outcome(*tokenize(cleaned.path, out, self.recipe.tokenizer, self.block_length, workshop=workshop))

    def workshop(self) -> AbstractContextManager[Workshop]:
        if self.task_runner == "serial":
            return nullcontext(Workshop(self.store))
        from tasks.context import Run
        from tasks.sharding import sharded

        home = Home(project=self.directory, path=self.directory / "home")
        run = Run(
            recipe=self.recipe, recipe_path="", home=home, run_id="", experiment_id="", task_runner=self.task_runner
        )
        return sharded(run)

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        # Linux: the highest resident size starts anew.
        Path("/proc/self/clear_refs").write_text("5")
        wall, cpu = time.monotonic(), cpu_seconds()
        yield
        row = {
            "stage": name,
            "seconds": round(time.monotonic() - wall, 3),
            "cpu_seconds": round(cpu_seconds() - cpu, 3),
        }
        self.rows.append(row | {"peak_mb": round(peak_bytes() / 1e6)})
        print(json.dumps(row), file=sys.stderr)


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def tree_bytes(directory: Path) -> int:
    """Bytes below a directory, a file with two names counted once."""
    stats = [path.stat() for path in directory.rglob("*") if path.is_file()]
    return sum({one.st_ino: one.st_size for one in stats}.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--task-runner", default="serial")
    arguments = parser.parse_args()
    directory = arguments.directory.resolve()
    os.environ["LMFORGE_HOME"] = str(directory / "home")
    Home(project=directory, path=directory / "home").prepare()
    bench = Bench(directory, arguments.task_runner)
    with bench.measured("import Great Expectations"):
        import great_expectations  # noqa: F401
    bench.run()
    worker_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    counts = {stage: next(bench.store.history(stage)).counts.model_dump() for stage in ("collect", "clean")}
    report = {
        "task_runner": arguments.task_runner,
        "stages": bench.rows,
        "peak_mb": max(row["peak_mb"] for row in bench.rows),
        "largest_worker_mb": round(worker_bytes / 1e6) if arguments.task_runner != "serial" else None,
        "store_mb": round(tree_bytes(bench.store.root) / 1e6),
        "counts": counts,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
