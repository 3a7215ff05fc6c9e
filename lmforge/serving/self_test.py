"""Does a released directory answer? `python -m lmforge.serving.self_test`, in a process that knows nothing.

A process of its own shows what the next one to load the model will see: no module that is already imported, no cache,
no object of the training that is still alive. It loads its libraries, reads the directory from its standard input, and
exits 1 with the reason when the answer is no probability.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lmforge
from lmforge.errors import IntegrityError, LmforgeError
from lmforge.wording import shown

TEXT = "a text that any model answers"
TIMEOUT_SECONDS = 300.0


def answers_in_clean_process(directory: Path) -> None:
    """Load the model in `directory` in a fresh process and ask it. Raises IntegrityError when it does not answer."""
    _ask(_start(), directory)


@contextmanager
def loading_already() -> Iterator[Callable[[Path], None]]:
    """`answers_in_clean_process` whose first process loads its libraries, which takes seconds, from now on."""
    waiting = [_start()]
    try:
        yield lambda directory: _ask(waiting.pop() if waiting else _start(), directory)
    finally:
        for process in waiting:
            process.kill()
            process.communicate()


def _start() -> subprocess.Popen[str]:
    ours = str(Path(lmforge.__file__).parent.parent)
    paths = [ours, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", "lmforge.serving.self_test"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, errors="replace",
    )  # fmt: skip


def _ask(process: subprocess.Popen[str], directory: Path) -> None:
    try:
        _, said = process.communicate(f"{directory}\n", timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise IntegrityError(f"{directory}: the model did not answer within {TIMEOUT_SECONDS:.0f} s") from error
    if process.returncode:
        last = said.strip().splitlines()[-1:] or [f"it ended with code {process.returncode}"]
        raise IntegrityError(f"{directory}: the model does not answer: {shown(last[0], 300)}")


def answer(directory: Path) -> float:
    """How sure the model is of its answer to a fixed text: a label, or the next token of a base model.

    Raises IntegrityError where that is no probability.
    """
    from lmforge.serving.classifier import Classifier
    from lmforge.serving.language import LanguageModel, language_kind

    if language_kind(directory) is None:
        probability = Classifier(directory).predict([TEXT])[0].probability
    else:
        probability = LanguageModel(directory).answer(TEXT)
    if not 0 < probability <= 1:
        raise IntegrityError(f"the probability of its answer is {probability}")
    return probability


def _main() -> None:
    # Modules are kept anyway: to look for garbage among them is a fifth of the time that it takes to import them.
    gc.disable()
    from lmforge.serving import classifier, language  # noqa: F401 - loaded before the directory is known

    try:
        answer(Path(sys.stdin.readline().rstrip("\n")))
    except LmforgeError as error:
        sys.exit(str(error))
    # Taking down what was imported would take most of a second, and a rollback waits.
    os._exit(0)


if __name__ == "__main__":
    _main()
