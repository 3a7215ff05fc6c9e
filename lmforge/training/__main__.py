"""`python -m lmforge.training SPEC.json`"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from lmforge.computing import start_with_training_settings
from lmforge.errors import LmforgeError
from lmforge.training.launching import launch, report, started_as_worker
from lmforge.training.spec import TrainingSpec
from lmforge.training.stopping import PARENT, StopRequest

USAGE = "usage: python -m lmforge.training SPEC.json   (the file is a lmforge.training.spec.TrainingSpec as JSON)"


def main(arguments: list[str]) -> int:
    """Run one spec; returns the exit code."""
    # Imports take seconds: a signal must end the program during them, too.
    stop = StopRequest()
    stop.leave_at_once()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("lmforge").setLevel(logging.INFO)
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(USAGE, file=sys.stderr)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        spec = TrainingSpec.model_validate_json(Path(arguments[0]).read_bytes())
    except (OSError, ValidationError) as error:
        print(f"{arguments[0]}: {error}\n{USAGE}", file=sys.stderr)
        return 2
    by_hand = PARENT not in os.environ
    if spec.settings.num_processes > 1 and not started_as_worker():
        code = launch(Path(arguments[0]), spec.settings.num_processes, stop)
    else:
        code = _train(spec, stop)
    if by_hand and code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        command = shlex.join([sys.executable, "-m", "lmforge.training", arguments[0]])
        print(f"{spec.name}: go on with: {command}", file=sys.stderr)
    return code


def _train(spec: TrainingSpec, stop: StopRequest) -> int:
    from lmforge.training.program import run

    try:
        number = run(spec, stop)
    except LmforgeError as error:
        report(error, type(error))
        return error.exit_code
    except OSError as error:
        report(f"{spec.name}: {error.filename or spec.run_dir}: {error.strerror or error}", type(error))
        return 1
    return 128 + number if number else 0


if __name__ == "__main__":
    start_with_training_settings()
    sys.exit(main(sys.argv[1:]))
