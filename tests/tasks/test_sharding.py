"""The mapper of a stage without any worker started, and that every error of ours comes back from one."""

import pickle
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import pytest

from lmforge import errors
from lmforge.artifacts.store import Store
from lmforge.errors import InputError, LmforgeError, RecipeError
from tasks.sharding import _Shared, _work_name, sharded
from tasks.workers import parse_workers


def a_run(directory, task_runner):
    return SimpleNamespace(task_runner=task_runner, store=Store(directory / "store"))


@pytest.mark.parametrize("task_runner", ["serial", "thread:2", "process:2"])
def test_one_shard_is_worked_on_here(tmp_path, task_runner):
    seen = []  # another process could not append to it, and a task run would need a flow
    with sharded(a_run(tmp_path, task_runner)) as workshop:
        assert workshop.map(seen.append, ["only"]) == [None]
        assert workshop.map(seen.append, []) == []
    assert seen == ["only"]


def test_serial_keeps_the_order(tmp_path):
    with sharded(a_run(tmp_path, "serial")) as workshop:
        assert workshop.map(str, range(20)) == [str(number) for number in range(20)]


def test_an_unknown_task_runner_is_told_before_any_work(tmp_path):
    with pytest.raises(InputError, match="did you mean process"), sharded(a_run(tmp_path, "proces:2")):
        raise AssertionError("never reached")


def test_no_worker_starts_for_a_single_shard():
    with ExitStack() as stack:
        mapper = _Shared(parse_workers("process:2"), stack)
        assert list(mapper(len, ["abc"])) == [3]
        assert mapper.running == []


@dataclass
class CleanUnit:
    shard: Path

    def build(self, out):
        raise NotImplementedError


def test_task_runs_are_named_by_their_work():
    def write_shard(job):
        return job

    assert _work_name(partial(write_shard, 1), CleanUnit(Path("x"))) == "clean unit"
    assert _work_name(write_shard, "job") == "write shard"
    assert _work_name(partial(partial(write_shard), 1), "job") == "write shard"
    assert _work_name(str, 1) == "str"


OURS = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, LmforgeError)]


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize("library", [pickle, cloudpickle])
def test_errors_survive_the_way_from_a_worker(kind, library):
    error = (
        kind(["a.yaml:1: x: wrong", "a.yaml:2: y: wrong"]) if kind is RecipeError else kind("file x: wrong; mend it")
    )
    again = library.loads(library.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert again.exit_code == error.exit_code
    assert vars(again) == vars(error)
