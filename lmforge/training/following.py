"""Where the processes that follow the first one put what only the first one's may be kept of: a directory of their own.

All processes run the same program, so that none waits for another in vain; metrics, samples and notes of all but the
first go to a temporary directory that begins as a copy of the first one's and is thrown away.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lmforge.training.checkpoints import newest_checkpoint
from lmforge.training.processes import Processes
from lmforge.training.spec import TrainingSpec


@contextmanager
def own_spec(spec: TrainingSpec, processes: Processes) -> Iterator[TrainingSpec]:
    """The spec with this process's directories; those of the first are the spec's."""
    if processes.first:
        yield spec
        return
    # One process tells people how it goes.
    logging.getLogger("lmforge").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="lmforge-follower-") as name:
        directory = Path(name) / spec.run_dir.name
        directory.mkdir()
        yield spec.model_copy(update={"run_dir": directory, "model_dir": directory / "model"})


def checkpoint_to_resume(own: TrainingSpec, processes: Processes) -> Path | None:
    """The checkpoint that all processes go on from, as the first one finds it; `own` is from `own_spec`.

    The others copy what else the first one's directory holds, but for files that they already have.
    """
    found: Path | None = processes.told(newest_checkpoint(own.checkpoints) if processes.first else None)
    source = Path(processes.told(own.run_dir))
    if not processes.first:
        for path in source.iterdir():
            if path.is_file() and not path.name.startswith(".") and not (own.run_dir / path.name).exists():
                shutil.copy(path, own.run_dir / path.name)
    processes.told(None)  # nobody changes them before all have copied
    return found
