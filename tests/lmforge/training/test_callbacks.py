"""A checkpoint holds what training needs and nothing that runs."""

from __future__ import annotations

import os

import pytest
import torch

from lmforge.training.callbacks import AtomicCheckpointIO
from lmforge.training.checkpoints import checkpoint_path, newest_checkpoint


def test_checkpoint_comes_back_and_code_in_it_does_not_run(tmp_path):
    files = AtomicCheckpointIO()
    target = checkpoint_path(tmp_path / "deep", 3)
    files.save_checkpoint({"weights": torch.arange(4.0), "step": 3, "name": "x"}, target)
    loaded = files.load_checkpoint(newest_checkpoint(tmp_path / "deep"))
    assert torch.equal(loaded["weights"], torch.arange(4.0))
    assert (loaded["step"], loaded["name"]) == (3, "x")
    files.save_checkpoint({"call": os.getcwd}, target)
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        files.load_checkpoint(target, weights_only=False)
