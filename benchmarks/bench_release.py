"""Measure what it takes to promote a real model, to put the former one back, and to tell the history.

The registry of a finished home is copied, the home itself is only read. A second version is registered there with the
champion's files and evidence in which it is better, because what is measured is the protocol, loading included.
`command` is a process of its own, as a person starts it; `inside` a call in one that has all imported.

Usage: python benchmarks/bench_release.py [--home .lmforge] [--model NAME] [--rounds 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from bench_report import Row, commit, hardware, table, versions

from lmforge.errors import InputError
from lmforge.home import Home
from lmforge.recipe.release import Budgets, Release
from lmforge.release.bundle import verify_bundle
from lmforge.release.evidence import Evidence
from lmforge.serving.self_test import answers_in_clean_process

ROOT = Path(__file__).resolve().parents[1]
# What the registry is, without the artifacts: those are found where the home has them.
COPIED = ("mlflow.db", "ledgers")
LIBRARIES = ("mlflow", "torch", "transformers")
# The goal for a model such as the quickstart's.
ROLLBACK_SECONDS = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a rollback took longer than its goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(".lmforge"), help="a home with a champion")
    parser.add_argument("--model", help="registered model; default: the only one with a champion")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-release-") as scratch:
        template = copied(options.home, Path(scratch) / "template")
        name = options.model or champions(template)[0]
        directory = with_rival(template, name)
        rounds = [measure(template, Path(scratch) / str(number), name, directory) for number in range(options.rounds)]
    rows = [_row(name, tuple(one[name] for one in rounds)) for name in rounds[0]]
    if options.json:
        document = {
            "model": name, "rounds": options.rounds, "seconds": {row.name: row.values for row in rows},
            "medians": {row.name: row.median for row in rows}, "commit": commit(), "hardware": hardware(),
            "versions": versions(LIBRARIES),
        }  # fmt: skip
        print(json.dumps(document, indent=1))
    else:
        print(table(rows))
    return int(any(row.reached is False for row in rows))


def copied(home: Path, path: Path) -> Home:
    """A home with the registry of another. Raises InputError for one without a registry in it."""
    if not (home / "mlflow.db").is_file():
        raise InputError(f"{home}: has no mlflow.db; run a recipe first: lmforge run recipes/quickstart.yaml")
    path.mkdir(parents=True)
    for name in COPIED:
        if (home / name).is_dir():
            shutil.copytree(home / name, path / name)
        elif (home / name).is_file():
            shutil.copy2(home / name, path / name)
    os.environ["LMFORGE_HOME"] = str(path)
    return Home.find().prepare()


def champions(home: Home) -> list[str]:
    """Names of the registered models that have a champion; raises InputError for none."""
    from tasks import registry, tracking

    names = [one.name for one in tracking.client(home).search_registered_models()]
    found = [name for name in names if registry.CHAMPION in registry.aliases(home, name)]
    if not found:
        raise InputError(f"{home.path}: no registered model has a champion; run a recipe whose model is promoted")
    return found


def with_rival(home: Home, name: str) -> Path:
    """Register the champion's files again, with a verdict that is better; returns the directory of its files."""
    import mlflow

    from tasks import registry, tracking
    from tasks.gate_verdicts import PLACE, RUN_TAG, store_verdict
    from tasks.judged import subject_of
    from tasks.turns import create_version

    champion = registry.version_of(home, f"{name}@{registry.CHAMPION}")
    rival = create_version(home, name, champion.source, "", tags={registry.STATE_TAG: "registered"})
    place = mlflow.artifacts.download_artifacts(f"runs:/{champion.tags[RUN_TAG]}/{PLACE}")
    found = verify_bundle(Path(place)).evidence
    facts = found.facts.model_copy(
        update={
            "challenger": subject_of(home, name, rival),
            "champion": subject_of(home, name, str(champion.version)),
            "policy": Release(resamples=1000, budgets=Budgets(latency_ratio=None), robustness=None, fairness=None),
        }
    )
    store = home.path / "mlflow-artifacts"
    experiment = tracking.client(home).create_experiment("bench-release", artifact_location=store.as_uri())
    run = tracking.client(home).create_run(experiment).info.run_id
    verdict = store_verdict(home, run, Evidence(facts, _surpassed(found.examples, facts.labels)))
    if not verdict.decision.promote:
        raise InputError(f"{name}: the evidence made for the benchmark does not pass: {verdict.decision.summary}")
    registry.move_state(home, name, rival, "evaluated", "challenger")
    return registry.model_directory(home, f"{registry.SCHEME}{name}/{rival}")


def measure(template: Home, path: Path, name: str, directory: Path) -> dict[str, float]:
    """Seconds of each act in a registry of this round's own."""
    from tasks.releasing import promote_version, roll_back, tell_history

    rival = _newest(template, name)
    seconds = {}
    home = copied(template.path, path / "command")
    for act, arguments in (
        ("promote", [f"{name}/{rival}"]), ("history", [name]), ("history --verify", [name, "--verify"]),
        ("rollback", [name, "--reason", "benchmark"]),
    ):  # fmt: skip
        seconds[f"{act}, command"] = _timed(lambda act=act, arguments=arguments: _command(home, act, arguments))
    home = copied(template.path, path / "inside")
    seconds["promote, inside"] = _timed(lambda: promote_version(home, f"{name}/{rival}"))
    seconds["history, inside"] = _timed(lambda: tell_history(home, name))
    seconds["rollback, inside"] = _timed(lambda: roll_back(home, name, None, "benchmark"))
    seconds["of these the self-test in a clean process"] = _timed(lambda: answers_in_clean_process(directory))
    seconds["importing mlflow in a clean process"] = _timed(lambda: _python("-c", "import mlflow"))
    return seconds


def _row(name: str, values: tuple[float, ...]) -> Row:
    limit = ROLLBACK_SECONDS if name.startswith("rollback") else None
    return Row("release", name, values, at_most=limit, note="seconds")


def _surpassed(examples: pl.DataFrame, labels: Sequence[str]) -> pl.DataFrame:
    """The examples with a champion that is wrong wherever the challenger is, and in every third other case."""
    wrong = (pl.col("challenger_score") == 0) | (pl.int_range(pl.len()) % 3 == 0)
    other = pl.when(pl.col("gold") == labels[0]).then(pl.lit(labels[1])).otherwise(pl.lit(labels[0]))
    copies: Iterator[pl.Expr] = (
        pl.col(f"challenger_{column}").alias(f"champion_{column}") for column in ("weight", "loss", "confidence")
    )
    return examples.with_columns(
        *copies,
        pl.when(wrong).then(other).otherwise(pl.col("gold")).alias("champion"),
        pl.when(wrong).then(0.0).otherwise(1.0).alias("champion_score"),
    )


def _newest(home: Home, name: str) -> str:
    from tasks import registry

    return str(registry.versions(home, name)[0].version)


def _timed(act: Callable[[], Any]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _command(home: Home, verb: str, arguments: Sequence[str]) -> None:
    words = verb.split()
    _python("-m", "flows.cli", words[0], *arguments, "--json", LMFORGE_HOME=str(home.path))


def _python(*arguments: str, **environment: str) -> None:
    settings = os.environ | environment
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=settings, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit code {done.returncode}: {done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
