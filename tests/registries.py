"""A real registry on SQLite with versions that are tiny files, and processes that change it and may be killed.

The processes are forked from one that has MLflow imported, so that dozens of them take seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from lmforge.errors import IntegrityError, RefusedError
from lmforge.home import Home
from lmforge.recipe.release import Budgets, Release
from lmforge.release.evidence import Evidence, Facts, SelfTest, Subject
from lmforge.release.examples import Answers, examples_frame
from tasks import registry, tracking
from tasks.gate_verdicts import StoredVerdict, store_verdict, stored_verdict
from tasks.ledgers import read_ledger
from tasks.promotion import Change, files_hash, move_champion
from tasks.turns import create_version

NAME, NUM_EXAMPLES = "reviews", 90
POLICY = Release(resamples=1000, budgets=Budgets(latency_ratio=None), robustness=None, fairness=None)
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["mlflow.store.model_registry.sqlalchemy_store", "tests.registries"])


def home_at(path: Path) -> Home:
    return Home(project=path.parent, path=path)


def copied(template: Home, path: Path) -> Home:
    """A home of its own with the registry of another; the versions' files stay where they are."""
    shutil.copytree(template.path, path)
    return home_at(path)


def add_version(home: Home, *, content: str = "weights") -> str:
    number = len(registry.versions(home, NAME)) + 1
    directory = home.path / f"files-{number}" / "model"
    directory.mkdir(parents=True)
    (directory / "model.safetensors").write_text(f"{content} {number}")
    tags = {registry.STATE_TAG: "registered"}
    return create_version(home, NAME, directory.parent.as_uri(), "tiny", tags=tags)


def judge(
    home: Home, version: str, *, against: str | None, value: float = 0.8, policy: Release = POLICY
) -> StoredVerdict:
    """Store a verdict: yes for a value, the share of right answers, of at least 0.5; the champion has a third of it."""
    run = tracking.client(home).create_run(tracking.experiment(home, "gate")).info.run_id
    facts = Facts(
        name=NAME, task_kind="sequence_classification", metric="accuracy", minimum=0.5, test_digest="t" * 64,
        self_test=SelfTest(files_verified=True, answered=True, words="1 answer"), challenger=subject(home, version),
        champion=subject(home, against) if against else None, policy=policy, seed=0, code="c",
        made_at="2026-03-01T12:00:00+00:00",
    )  # fmt: skip
    ids = [f"{number:03d}" for number in range(NUM_EXAMPLES)]
    champion = answers(value / 3) if against else None
    examples = examples_frame(ids, ["a"] * NUM_EXAMPLES, answers(value), champion, {})
    verdict = store_verdict(home, run, Evidence(facts, examples))
    state = "challenger" if verdict.decision.promote else "rejected"
    registry.move_state(home, NAME, version, "evaluated", state)
    return verdict


def subject(home: Home, version: str) -> Subject:
    return Subject(version=version, fingerprint=files_hash(home, NAME, version), size_bytes=10)


def answers(share: float) -> Answers:
    right = [float(number < share * NUM_EXAMPLES) for number in range(NUM_EXAMPLES)]
    return Answers(["a" if one else "b" for one in right], right, [1.0] * NUM_EXAMPLES, [0.5] * NUM_EXAMPLES)


def whole(directory: Path) -> None:
    """The self-test of these models."""
    if "broken" in (directory / "model.safetensors").read_text():
        raise IntegrityError("it does not answer")


def promote(home: Home, version: str) -> None:
    move_champion(home, stored_verdict(home, NAME, version).change("better"), whole)


def with_champion(path: Path, num_versions: int = 2) -> Home:
    """A new home with so many versions: 1 in production, 2 judged against it, the others as they were registered."""
    home = home_at(path)
    home.path.mkdir()
    for _ in range(num_versions):
        add_version(home)
    judge(home, "1", against=None)
    promote(home, "1")
    judge(home, "2", against="1")
    return home


def roll_back(home: Home, version: str) -> None:
    move_champion(home, Change(model=NAME, version=version, kind="rollback", why="worse"), whole)


def promote_until_done(home: Home, version: str) -> None:
    """Judge and promote, again whenever another version got there first."""
    while True:
        judge(home, version, against=registry.aliases(home, NAME).get(registry.CHAMPION))
        try:
            return promote(home, version)
        except RefusedError:
            continue


def register_at_once(home: Home, number: int) -> list[str]:
    """As many processes register a version each; the versions that there are then, oldest first."""
    processes = [act(_register, home, str(one)) for one in range(number)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * number
    return sorted((str(one.version) for one in registry.versions(home, NAME)), key=int)


def promote_at_once(home: Home, versions: Sequence[str]) -> list[tuple[str | None, str]]:
    """A process a version promotes it; what the ledger then says of all moves, each from a version to a version."""
    processes = [act(promote_until_done, home, one) for one in versions]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(versions)
    return [(entry.from_version, entry.to_version) for entry in read_ledger(home, NAME)]


def _register(home: Home, name: str) -> None:
    directory = home.path / name / "model"
    directory.mkdir(parents=True)
    (directory / "model.safetensors").write_text("weights")
    create_version(home, NAME, directory.parent.as_uri(), "tiny", tags={registry.STATE_TAG: "registered"})


def act(action, home: Home, *arguments, **environment: str) -> multiprocessing.Process:
    """Start a process that does one of the functions above; `environment` may plant a fault."""
    process = PROCESSES.Process(target=_act, args=(action, home, arguments, environment))
    process.start()
    return process


def _act(action, home, arguments, environment) -> None:
    os.environ.update(environment)
    action(home, *arguments)
