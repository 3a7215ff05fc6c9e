"""`lmforge`: register the verbs, run one, and turn what goes wrong into a message and an exit code."""

from __future__ import annotations

import gc
import json
import signal
import sys
from types import FrameType

import typer

from flows.cli import data, doctor, history, lineage, peek, plan, predict, release, run, services, validate
from flows.cli.common import INTERRUPTED, TERMINATED, unfinished_run
from lmforge.errors import InputError, LmforgeError
from lmforge.home import Home
from tasks.reaching import OutagesTold

# Typer carries a copy of click whose names are private; this is the base of all its errors about usage.
UsageProblem: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="lmforge",
    help="From raw text to a language model in production.\n\nExample: lmforge run recipes/quickstart.yaml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (run, plan, validate, data, peek, history, lineage, predict, release, services, doctor):
    module.register(app)


def main() -> None:
    """Entry point of the `lmforge` command."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        with OutagesTold():
            code = app(standalone_mode=False) or 0
        if code == INTERRUPTED:  # typer turns a KeyboardInterrupt into this code
            code = _failed("interrupted; the same command goes on where it stopped", INTERRUPTED)
    except LmforgeError as error:
        code = _failed(str(error), error.exit_code)
    except UsageProblem as error:
        code = _failed(error.format_message(), InputError.exit_code)  # type: ignore[attr-defined]
    except SystemExit as left:
        # Typer leaves with 1 when nobody reads on, as behind `| head`; there is nothing to say then.
        code = 1
        if left.code == TERMINATED:
            code = _failed("terminated; the same command goes on where it stopped", TERMINATED)
    # Python searches what MLflow has imported for garbage before it ends, for nearly half a second.
    gc.freeze()
    sys.exit(code)


def _failed(message: str, code: int) -> int:
    print(f"lmforge: {message}", file=sys.stderr)
    if "--json" in sys.argv:
        document = unfinished_run(Home.find()) | {"exit_code": code, "error": message}
        print(json.dumps({"status": "failed"} | document, indent=2))
    return code


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)


if __name__ == "__main__":
    main()
