"""An environment names what decides a result, and two of them are compared by name."""

import os
from importlib.metadata import version

from lmforge.hashing import hash_file
from lmforge.release.environment import differences, environment


def test_libraries_lock_and_threads_are_recorded(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = environment(tmp_path)
    assert found["lock"] is None
    assert found["libraries"]["torch"] == version("torch")
    assert found["num_processors"] == len(os.sched_getaffinity(0))
    assert found["processor"]
    assert found["omp_num_threads"] == "3"
    lock = tmp_path / "constraints.txt"
    lock.write_text("torch==1\n")
    assert environment(tmp_path)["lock"] == hash_file(lock)


def test_only_what_differs_is_named_with_both_values():
    first = {"python": "3.11.1", "lock": "a", "libraries": {"torch": "1", "numpy": "2"}}
    second = {"python": "3.11.1", "lock": "b", "libraries": {"torch": "2", "scipy": "1"}}
    assert differences(first, first) == {}
    assert differences(first, second) == {
        "libraries.numpy": ["2", None],
        "libraries.scipy": [None, "1"],
        "libraries.torch": ["1", "2"],
        "lock": ["a", "b"],
    }
