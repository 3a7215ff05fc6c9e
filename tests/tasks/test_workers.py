"""Names of task runners: what they mean, what is refused and how, and what worker processes are told."""

import os
import signal
import subprocess
import sys

import pytest

from lmforge.errors import InputError
from tasks.workers import Workers, deaf, environment, num_cores, parse_workers, thread_settings


@pytest.mark.parametrize(
    ("name", "workers"),
    [
        ("serial", Workers("serial", 1)),
        ("thread", Workers("thread", num_cores())),
        ("process:4", Workers("process", 4)),
        ("dask:2", Workers("dask", 2)),
        ("dask:tcp://host-1.example:8786", Workers("dask", num_cores(), "tcp://host-1.example:8786")),
        ("dask:127.0.0.1:8786", Workers("dask", num_cores(), "127.0.0.1:8786")),
        ("ray:[::1]:10001", Workers("ray", num_cores(), "[::1]:10001")),
        ("ray:ray://host:10001", Workers("ray", num_cores(), "ray://host:10001")),
    ],
)
def test_names_of_task_runners(name, workers):
    assert parse_workers(name) == workers


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("proces:4", "did you mean process"),
        ("Ray", "did you mean ray"),
        ("", "write serial, thread:N"),
        ("serial:2", "write serial, thread:N"),
        ("process:", "write 1 to 256"),
        ("process:0", "write 1 to 256"),
        ("process:-1", "write 1 to 256"),
        ("process:1e3", "write 1 to 256"),
        ("process:257", "write 1 to 256"),
        ("process:" + "9" * 5000, "write 1 to 256"),
        ("process:\u0664", "write 1 to 256"),
        ("thread:host:8786", "write 1 to 256"),
        ("dask:http://host:8786", "dask:tcp://host:8786"),
        ("ray:host", "ray:host:10001"),
        ("ray:host:10001/../x", "ray:host:10001"),
        ("process:x\x1b[31m", r"\x1b[31m"),
    ],
)
def test_refused_names_say_what_to_write(name, told):
    with pytest.raises(InputError) as caught:
        parse_workers(name)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


def test_a_missing_extra_says_how_to_install_it():
    program = (
        "import sys\n"
        "from tasks.workers import parse_workers\n"
        "sys.path[:] = [one for one in sys.path if 'site-packages' not in one]\n"
        "sys.path_importer_cache.clear()\n"
        "for name in ('dask:2', 'ray:2'):\n"
        "    try:\n"
        "        parse_workers(name)\n"
        "    except ValueError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    dask, ray = done.stdout.splitlines()
    assert "pip install 'lmforge[dask]'" in dask
    assert "pip install 'lmforge[ray]'" in ray


def test_workers_share_the_cores():
    assert Workers("process", 1).num_threads == num_cores()
    assert Workers("process", 10_000).num_threads == 1
    settings = thread_settings(Workers("process", num_cores()))
    assert settings["POLARS_MAX_THREADS"] == settings["OMP_NUM_THREADS"] == "1"


def test_environment_is_restored_and_the_users_wins(monkeypatch):
    monkeypatch.setenv("SET_BY_THE_USER", "7")
    monkeypatch.delenv("SET_BY_US", raising=False)
    with pytest.raises(KeyError), environment({"SET_BY_THE_USER": "1", "SET_BY_US": "1"}):
        assert (os.environ["SET_BY_THE_USER"], os.environ["SET_BY_US"]) == ("7", "1")
        raise KeyError
    assert os.environ["SET_BY_THE_USER"] == "7"
    assert "SET_BY_US" not in os.environ


def test_what_starts_deaf_outlives_an_interrupt():
    program = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"
    with deaf():
        inside = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    outside = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert inside.stdout == "alive\n"
    assert outside.stdout == ""
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
