"""The data stages under each task runner, with workers that really start: same results, one server, nobody left."""

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lmforge.artifacts.store import Outcome, Request, Store
from lmforge.errors import InputError, LmforgeError
from lmforge.hashing import hash_path
from lmforge.recipe import load_recipe
from lmforge.sharding import Workshop
from tests.tiny import RECIPE, SAMPLE, make_project

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]
RUNNERS = ("thread:2", "process:2", "dask:2", "ray:2")
TWO_SOURCES = """\
  sources:
    - {kind: files, path: data/a.jsonl, text: description, id: id}
    - {kind: files, path: data/b.jsonl, text: description, id: id}
"""


def project_of_two_files(directory):
    """The small project, its corpus in two files, so that each stage has two shards."""
    recipe = make_project(directory, num_documents=400)
    before = RECIPE[RECIPE.index("  sources:") : RECIPE.index("  cleaning:")]
    recipe.write_text(RECIPE.replace(before, TWO_SOURCES))
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][:1200]
    targets = [directory / "data" / name for name in ("a.jsonl", "b.jsonl")]
    with targets[0].open("w") as first, targets[1].open("w") as second:
        for target, row in zip(cycle((first, second)), rows, strict=False):
            target.write(json.dumps({key: row[key] for key in ("id", "section", "description")}) + "\n")
    return recipe


@pytest.fixture(scope="module")
def two_files(tmp_path_factory):
    return project_of_two_files(tmp_path_factory.mktemp("sharded") / "project")


def collect_and_clean(recipe, directory, workshop):
    """The hashes of the files that both stages write; each call has a store of its own, so nothing is reused."""
    from lmforge.sources.collecting import collect
    from lmforge.text.cleaning import clean

    corpus = load_recipe(recipe).corpus
    raw, out = directory / "raw", directory / "clean"
    for place in (raw, out):
        place.mkdir(parents=True)
    collect(corpus.sources, raw, root=recipe.parents[1], workshop=workshop)
    assert len(list(raw.glob("part-*"))) == 2
    clean(raw, out, corpus, [], workshop)
    return {path.relative_to(directory): hash_path(path) for path in (*raw.glob("*.*"), *out.glob("*.*"))}


@pytest.fixture(scope="module")
def serial(two_files, tmp_path_factory):
    directory = tmp_path_factory.mktemp("serial")
    return collect_and_clean(two_files, directory, Workshop(Store(directory / "store")))


def walk(task_runner, directory, recipe, seen):
    """In a flow of its own: who works, what they are told, where anyone listens, both stages, and an error."""
    from prefect import flow, runtime

    from tasks.sharding import sharded

    def meet(place):
        """Only two that work at the same time get past this."""
        (place / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        end = time.monotonic() + 60
        while len(list(place.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        names = ("POLARS_MAX_THREADS", "LMFORGE_HOME", "DO_NOT_TRACK", "HF_HUB_OFFLINE")
        return os.getpid(), {name: os.environ.get(name) for name in names}, len(list(place.iterdir()))

    def refuse(number):
        if number == 1:
            raise InputError("b.jsonl:7: wrong; mend it")
        return number

    @flow(name=f"walk {task_runner}")
    def walking():
        run = SimpleNamespace(task_runner=task_runner, store=Store(directory / "store"))
        seen["flow_run"] = runtime.flow_run.id
        meeting = directory / "meeting"
        meeting.mkdir(parents=True)
        with sharded(run) as workshop:
            seen["met"] = workshop.map(meet, [meeting, meeting])
            seen["family"] = family()
            seen["hashes"] = collect_and_clean(recipe, directory, workshop)
            workshop.map(refuse, range(3))

    walking()


def family():
    """For each process below this one: its command, and the addresses that it listens on."""
    found = []
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        sockets = [one for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN]
        found.append((" ".join(process.cmdline()), {one.laddr.ip.removeprefix("::ffff:") for one in sockets}))
    return found


@pytest.fixture
def scratch(monkeypatch):
    """Where temporary directories go; short, because the names of Ray's sockets are long."""
    with tempfile.TemporaryDirectory(prefix="lm-") as directory:
        monkeypatch.setattr(tempfile, "tempdir", directory)
        yield Path(directory)


@pytest.mark.parametrize("task_runner", RUNNERS)
def test_same_bytes_two_workers_one_server_and_the_error_of_a_worker(
    task_runner, two_files, serial, prefect_server, scratch, tmp_path, monkeypatch
):
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    before = set(psutil.Process().children(recursive=True))
    seen = {}
    with pytest.raises(InputError) as caught:
        walk(task_runner, tmp_path / "out", two_files, seen)
    assert str(caught.value) == "b.jsonl:7: wrong; mend it"
    assert caught.value.exit_code == 2

    assert seen["hashes"] == serial
    pids, told, present = zip(*seen["met"], strict=True)
    assert present == (2, 2), "both worked at the same time"
    if task_runner != "thread:2":
        assert len({*pids, os.getpid()}) == 3, "two processes besides this one"
        threads = str(max(1, len(os.sched_getaffinity(0)) // 2))
        wanted = {"POLARS_MAX_THREADS": threads, "LMFORGE_HOME": os.environ["LMFORGE_HOME"]}
        assert told == (wanted | {"DO_NOT_TRACK": "true", "HF_HUB_OFFLINE": "1"},) * 2
    assert len([command for command, _ in seen["family"] if "prefect.server.api.server" in command]) == 1
    assert {address for _, addresses in seen["family"] for address in addresses} == {"127.0.0.1"}

    left = {one for one in set(psutil.Process().children(recursive=True)) - before if not is_tracker(one)}
    assert left == set()
    assert list(scratch.iterdir()) == []
    assert "POLARS_MAX_THREADS" not in os.environ
    wanted = {"meet 1 of 2", "collect unit 2 of 2", "clean unit 1 of 2", "write shard 2 of 2", "refuse 2 of 3"}
    assert wanted <= task_run_names(seen["flow_run"], wanted)


def is_tracker(process):
    """Python's own record of semaphores; one stays for the life of a process that has started others."""
    return "resource_tracker" in " ".join(process.cmdline())


def task_run_names(flow_run_id, wanted):
    """The names of a flow's task runs; the server writes them down some seconds after they ended."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    names, end = set(), time.monotonic() + 60
    chosen = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    with get_client(sync_client=True) as client:
        while not wanted <= names and time.monotonic() < end:
            names = {one.name for one in client.read_task_runs(flow_run_filter=chosen)}
            time.sleep(0.2)
    return names


def test_a_killed_worker_is_an_error_and_what_was_finished_stays(prefect_server, tmp_path):
    from prefect import flow

    from tasks.sharding import sharded

    @dataclass(frozen=True)
    class Piece:
        number: int
        notes: Path

        def request(self):
            return Request("pieces", "piece", {"number": self.number}, {}, "code")

        def build(self, out):
            with self.notes.open("a") as file:
                file.write(f"{self.number}\n")
            if self.number == 2 and self.notes.read_text().count("2") == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            (out / "piece").write_text(str(self.number))
            return Outcome()

    @flow
    def piecework():
        with sharded(SimpleNamespace(task_runner="process:1", store=Store(tmp_path / "store"))) as workshop:
            return workshop.make([Piece(number, tmp_path / "notes") for number in range(4)])

    with pytest.raises(LmforgeError, match=r"a worker of task runner process was lost .*run the same command again"):
        piecework()
    assert [(one.path / "piece").read_text() for one in piecework()] == ["0", "1", "2", "3"]
    assert (tmp_path / "notes").read_text().split() == ["0", "1", "2", "2", "3"]


def test_prepare_gives_the_same_artifacts_with_processes(tmp_path, prefect_server, monkeypatch):
    from flows.prepare import prepare

    fingerprints = {}
    for task_runner in ("serial", "process:2"):
        directory = tmp_path / task_runner.partition(":")[0] / "project"
        project_of_two_files(directory)
        monkeypatch.chdir(directory)
        monkeypatch.delenv("LMFORGE_HOME")
        monkeypatch.setenv("LMFORGE_TASK_RUNNER", task_runner)
        stages = prepare("recipes/tiny.yaml")["stages"]
        fingerprints[task_runner] = {stage["name"]: stage["fingerprint"] for stage in stages}
    assert list(fingerprints["serial"]) == ["label-section", "collect", "clean", "tokenize"]
    assert fingerprints["process:2"] == fingerprints["serial"]


def start(project, *arguments):
    ours = ("PREFECT_", "MLFLOW_", "LMFORGE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", "recipes/tiny.yaml", "--json", *arguments],
        cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def test_an_unknown_task_runner_is_exit_2_before_anything_starts(tmp_path):
    project_of_two_files(tmp_path / "project")
    process = start(tmp_path / "project", "--task-runner", "proces:2")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == json.loads(output)["exit_code"] == 2
    assert "did you mean process?" in errors
    assert not (tmp_path / "project" / ".lmforge" / "prefect").exists()


def test_ctrl_c_in_the_terminal_ends_workers_and_server(tmp_path):
    project_of_two_files(tmp_path / "project")
    process = start(tmp_path / "project", "--task-runner", "process:2")
    below = psutil.Process(process.pid)
    workers = []
    while len(workers) < 2 and process.poll() is None:
        time.sleep(0.02)
        workers = [one for one in below.children() if "multiprocessing.spawn" in " ".join(command_of(one))]
    assert process.poll() is None, process.communicate()
    everyone = below.children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all of them
    output, errors = process.communicate(timeout=60)
    assert process.returncode == json.loads(output)["exit_code"] == 130, errors
    assert errors.splitlines()[-1] == "lmforge: interrupted; the same command goes on where it stopped"
    assert "Traceback" not in errors
    psutil.wait_procs(everyone, timeout=10)
    assert [command_of(one) for one in everyone if one.is_running()] == []


def command_of(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []
