"""The first process works in the directories of the spec, the others in some that are gone afterwards."""

from __future__ import annotations

import logging

import pytest

from lmforge.training.checkpoints import checkpoint_path, write_checkpoint
from lmforge.training.following import checkpoint_to_resume, own_spec
from lmforge.training.processes import Processes


@pytest.fixture(autouse=True)
def level():
    logger = logging.getLogger("lmforge")
    kept = logger.level
    yield
    logger.setLevel(kept)


def test_first_process_has_the_directories_of_the_spec(make_spec):
    spec = make_spec()
    with own_spec(spec, Processes(0, 2, 2)) as own:
        assert own is spec


def test_others_leave_nothing_behind_and_say_nothing(make_spec):
    spec = make_spec()
    with own_spec(spec, Processes(1, 2, 2)) as own:
        assert own.run_dir.is_dir()
        assert own.run_dir != spec.run_dir
        assert own.model_dir.is_relative_to(own.run_dir)
        assert own.model_copy(update={"run_dir": spec.run_dir, "model_dir": spec.model_dir}) == spec
        assert not logging.getLogger("lmforge.training").isEnabledFor(logging.WARNING)
    assert not own.run_dir.exists()


def test_newest_checkpoint_is_gone_on_from(make_spec):
    spec = make_spec()
    spec.run_dir.mkdir()
    assert checkpoint_to_resume(spec, Processes()) is None
    for step in (5, 10):
        write_checkpoint(checkpoint_path(spec.checkpoints, step), b"content")
    assert checkpoint_to_resume(spec, Processes()) == checkpoint_path(spec.checkpoints, 10)
