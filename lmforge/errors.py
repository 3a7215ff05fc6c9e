"""Every exception that lmforge raises on purpose, with the exit code of the command line.

LmforgeError                     1  the work failed
├── IntegrityError               1  a file is not what its manifest says
├── TrainingError                1  the training program stopped without a model
├── InputError (ValueError)      2  data or an argument is wrong; says what, where and how to fix it
│   ├── RecipeError              2  all problems of a recipe at once, each with file:line
│   └── NotFetchedError          2  a remote source has no copy on this machine yet
└── RefusedError                 3  a gate said no
    ├── ContractError            3  a suite found data that breaks its promise
    └── TransitionError          3  a version's state does not lead to the one that was asked for

Interruption is not an error of ours: the command line maps SIGINT to 130 and SIGTERM to 143.
"""

from __future__ import annotations


class LmforgeError(Exception):
    """Base of all; `exit_code` is what the command line returns."""

    exit_code = 1


class IntegrityError(LmforgeError):
    """A stored file is missing, truncated or altered."""


class TrainingError(LmforgeError):
    """The training program ended without a usable model."""


class InputError(LmforgeError, ValueError):
    """The user's data or argument is wrong."""

    exit_code = 2


class NotFetchedError(InputError):
    """A source that a run fetches has not been fetched yet."""


class RecipeError(InputError):
    """A recipe does not fit its schema.

    problems: one line each, `file:line: key: what is wrong, and what to write instead`.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))

    def __reduce__(self) -> tuple[type[RecipeError], tuple[list[str]]]:
        return type(self), (self.problems,)  # an error of a worker process comes back pickled


class RefusedError(LmforgeError):
    """A gate refused to go on; nothing was published."""

    exit_code = 3


class ContractError(RefusedError):
    """A suite found data that breaks its promise to the next stage."""


class TransitionError(RefusedError):
    """A released version cannot go from its state to the one that was asked for."""
