"""Does a released directory answer? `python -m lmforge.serving.self_test DIRECTORY`, in a process that knows nothing.

A process of its own shows what the next one to load the model will see: no module that is already imported, no cache,
no object of the training that is still alive. It exits 1 and says why when the answer is no probability.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lmforge
from lmforge.errors import IntegrityError, LmforgeError
from lmforge.wording import shown

TEXT = "a text that any classifier answers"
TIMEOUT_SECONDS = 300.0


def answers_in_clean_process(directory: Path) -> None:
    """Load the model in `directory` in a fresh process and ask it. Raises IntegrityError when it does not answer."""
    ours = str(Path(lmforge.__file__).parent.parent)
    paths = [ours, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lmforge.serving.self_test", str(directory)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise IntegrityError(f"{directory}: the model did not answer within {TIMEOUT_SECONDS:.0f} s") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"it ended with code {done.returncode}"]
        raise IntegrityError(f"{directory}: the model does not answer: {shown(last[0], 300)}")


def answer(directory: Path) -> float:
    """The probability of the label that the model gives to a fixed text; raises IntegrityError for none."""
    from lmforge.serving.classifier import Classifier

    probability = Classifier(directory).predict([TEXT])[0].probability
    if not 0 < probability <= 1:
        raise IntegrityError(f"the probability of its answer is {probability}")
    return probability


if __name__ == "__main__":
    try:
        print(f"{answer(Path(sys.argv[1])):.6f}")
    except LmforgeError as error:
        sys.exit(str(error))
