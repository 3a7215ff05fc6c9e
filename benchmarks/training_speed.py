"""Speed of our training program against its peers: turns, and the rows and the table that are made of them."""

from __future__ import annotations

import itertools
import math
import statistics
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import training_data
import training_flops
from bench_report import Row, paired
from training_configurations import CONFIGURATIONS, ENCODER_DECODERS, PEER_DROPOUT, PEERS, VOCABULARIES, Configuration
from training_turns import MISSING, matrix_rate, our_turn, peer_turn, program_settings, trainer_python

from lmforge.recipe.optimization import Finetuning, Pretraining
from lmforge.training.spec import TrainingSpec

# Ours is several times as fast: more steps make its turns about as long as the others'.
OUR_STEPS = 3
# Batches that Trainer sorts together, the longest texts first: less than all of them are no sample of the texts.
SORTED_BATCHES = 50
Turns = dict[str, list[dict[str, Any]]]
_numbers = itertools.count()


def speed(name: str, arguments: Namespace) -> tuple[list[Row], dict[str, Any]]:
    """One configuration: `--rounds` turns of each system, one after the other."""
    configuration = CONFIGURATIONS[name]
    with tempfile.TemporaryDirectory(dir=arguments.work) as directory:
        place = Place(configuration, Path(directory), arguments)
        turns, rates = compare(configuration, place, arguments)
    for system, done in turns.items():
        for one, rate in zip(done, rates, strict=False):
            one["matrix_share"] = share_of_rate(configuration, system, one, place.vocab_size, rate)
    mean = place.tokens_an_example
    detail = {"turns": turns, "flops_per_second": rates, "threads": arguments.threads, "tokens_an_example": mean}
    return speed_rows(configuration, turns), detail


class Place:
    """Where a configuration's data and weights are."""

    def __init__(self, configuration: Configuration, work: Path, arguments: Namespace) -> None:
        self.work, self.arguments = work, arguments
        self.vocab_size = arguments.vocab_size or VOCABULARIES[configuration.tokenizer]
        shared = arguments.work
        self.tokens_an_example: float | None = None
        self.tokenizer = training_data.tokenizer_directory(shared, configuration.tokenizer, self.vocab_size)
        if configuration.texts:
            self.data = training_data.write_labelled(shared, configuration.texts)
            self.tokens_an_example = training_data.mean_tokens(self.data, self.tokenizer, configuration.max_seq_length)
        else:
            self.data = training_data.write_language(shared, self.tokenizer, configuration.max_seq_length)
        self.weights = training_data.write_first_weights(
            work / "weights", self.tokenizer, configuration.objective, configuration.architecture, configuration.size,
            PEER_DROPOUT,
        ) if configuration.peers else None  # fmt: skip


def compare(configuration: Configuration, place: Place, arguments: Namespace) -> tuple[Turns, list[float]]:
    """Turns of all systems by name, and the machine's rate in each round."""
    python = trainer_python(arguments.peer_python)
    systems: dict[str, Any] = {name: partial(ours, configuration, place, name) for name in configuration.ours}
    for name in configuration.peers:
        if PEERS[name].framework == "lightning" or python:
            program = sys.executable if PEERS[name].framework == "lightning" else str(python)
            systems[name] = partial(theirs, configuration, place, name, program)
    turns: Turns = {name: [] for name in systems}
    rates = []
    for number in range(arguments.rounds):
        rates.append(matrix_rate(arguments.threads))
        for name, turn in systems.items():
            if number == 0 or not (name in PEERS and PEERS[name].once):
                print(f"  {configuration.name}: {name}, round {number + 1}", file=sys.stderr)
                turns[name].append(turn())
    return turns, rates


def ours(configuration: Configuration, place: Place, system: str) -> dict[str, Any]:
    """A turn of our program."""
    return our_turn(our_spec(configuration, place, dropout=PEER_DROPOUT if system == "ours_dropout" else 0.0))


def our_spec(configuration: Configuration, place: Place, **changes: Any) -> TrainingSpec:
    """What our program is told; `changes` are of its settings."""
    warm_up_steps = OUR_STEPS * place.arguments.warm_up_steps
    steps = OUR_STEPS * configuration.steps_factor * place.arguments.steps
    if configuration.texts:
        steps = max(steps, SORTED_BATCHES)
    given = {
        "max_steps": warm_up_steps + steps,
        "global_batch_size": configuration.batch_size,
        "max_seq_length": configuration.max_seq_length,
    }
    settings = program_settings(place.arguments, **(given | changes))
    run_dir = place.work / f"run-{next(_numbers)}"
    fine = bool(configuration.texts)
    return TrainingSpec(
        name=configuration.name,
        seed=training_data.SEED,
        architecture=configuration.architecture,
        size=configuration.size,
        tokenizer=place.tokenizer,
        data=place.data,
        objective=configuration.objective,
        settings=Finetuning(**settings) if fine else Pretraining(objective=configuration.objective, **settings),
        labels=training_data.sections() if fine else (),
        num_threads=place.arguments.threads,
        log_every_n_steps=warm_up_steps,
        run_dir=run_dir,
        model_dir=run_dir / "model",
    )


def theirs(configuration: Configuration, place: Place, system: str, python: str) -> dict[str, Any]:
    """A turn of a peer."""
    peer, arguments = PEERS[system], place.arguments
    warm_up_steps, steps = arguments.warm_up_steps, configuration.steps_factor * arguments.steps
    if peer.way == "by_length":
        warm_up_steps, steps = SORTED_BATCHES, SORTED_BATCHES
    turn = {
        "framework": peer.framework,
        "way": peer.way,
        "objective": configuration.objective,
        "tokenizer": place.tokenizer,
        "model": place.weights,
        "texts": place.data / "train.jsonl",
        "num_texts": training_data.NUM_TIMED_EXAMPLES,
        "batch_size": peer.batch_size or configuration.batch_size,
        "max_seq_length": configuration.max_seq_length,
        "warm_up_steps": warm_up_steps,
        "steps": warm_up_steps + steps,
        "num_threads": arguments.threads,
    }
    return peer_turn(python, place.work, turn)


def share_of_rate(
    configuration: Configuration, system: str, turn: Mapping[str, Any], vocab_size: int, rate: float
) -> float:
    """Model FLOPs a second of a turn as a share of the machine's rate."""
    if configuration.objective in ENCODER_DECODERS:
        network = configuration.network(vocab_size)
        work = turn["examples"] * training_flops.encoder_decoder(network, turn["inputs"], turn["targets"])
    else:
        # Rows of one text see that text; packed rows are counted as if all of a row were seen.
        single = configuration.texts or (system in PEERS and PEERS[system].way != "group")
        context = turn["tokens"] / turn["examples"] if single else configuration.max_seq_length
        work = turn["tokens"] * configuration.flops(context, vocab_size)
    return work / turn["wall_seconds"] / rate


def cost(turn: Mapping[str, Any], clock: str) -> float:
    """Seconds of a real token; clock: `wall` or `cpu`.

    Of texts of unequal length, some turns have the shorter ones: tokens compare what was done, and examples do not.
    """
    seconds: float = turn[f"{clock}_seconds"]
    return seconds / turn["tokens"]


def speed_rows(configuration: Configuration, turns: Turns) -> list[Row]:
    """Ratios against every peer, with the goals, and our share of the machine's rate."""
    name = configuration.name
    goals: dict[str, Mapping[str, float | None]] = {"ours": configuration.peers}
    if configuration.dropout_goals:
        goals["ours_dropout"] = configuration.dropout_goals
    rows = [
        row
        for system, wanted in goals.items()
        for peer, goal in wanted.items()
        for row in _ratios(configuration, turns, system, peer, goal)
    ]
    shares = tuple(one["matrix_share"] for one in turns["ours"])
    rows.append(Row(name, f"{name}_share_of_matrix_rate", shares, configuration.matrix_share))
    return rows


def _ratios(configuration: Configuration, turns: Turns, system: str, peer: str, goal: float | None) -> list[Row]:
    name = f"{configuration.name}{system.removeprefix('ours')}_vs_{peer}"
    if peer not in turns:
        return [Row(configuration.name, f"{name}_wall", (), goal, note=MISSING)]
    rows = []
    for clock, at_least in (("wall", goal), ("cpu", None)):
        costs = {one: [cost(turn, clock) for turn in turns[one]] for one in (system, peer)}
        rows.append(Row(configuration.name, f"{name}_{clock}", paired(costs[peer], costs[system]), at_least))
    return rows


def speed_table(details: Mapping[str, Mapping[str, Any]]) -> str:
    """Every system of every configuration in absolute numbers: medians, and the spread of the rate."""
    lines = [
        "| configuration | system | tokens/s | examples/s | least to most | CPU / wall | share of rate | peak MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, detail in details.items():
        for system, turns in detail["turns"].items():
            rates = [1 / cost(turn, "wall") for turn in turns]
            cells = (
                name,
                system,
                f"{statistics.median(rates):,.0f}",
                f"{statistics.median(rates) / detail['tokens_an_example']:.1f}" if detail["tokens_an_example"] else "",
                f"{min(rates):,.0f} to {max(rates):,.0f}" if len(rates) > 1 else "",
                f"{_median(turns, lambda one: one['cpu_seconds'] / one['wall_seconds']):.2f}",
                f"{_median(turns, lambda one: one.get('matrix_share', math.nan)):.2f}",
                f"{_median(turns, lambda one: one['peak_mb']):,.0f}",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _median(turns: Sequence[Mapping[str, Any]], value: Any) -> float:
    return statistics.median(value(one) for one in turns)
