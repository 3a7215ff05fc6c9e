"""The states of a registered version, and which may follow which.

The state is a tag of the version and the alias only a pointer: a version that is no longer `champion` keeps what became
of it. To stay in a state is no transition and always allowed, so that a repeated step does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from lmforge.errors import IntegrityError, TransitionError
from lmforge.wording import shown

State = Literal[
    "registered", "evaluated", "challenger", "approved", "champion", "retired", "rejected", "rolled_back"
]  # fmt: skip

TRANSITIONS: Mapping[State, frozenset[State]] = {
    "registered": frozenset({"evaluated", "rejected"}),
    "evaluated": frozenset({"challenger", "rejected"}),
    # Back to `evaluated`, because a champion that changed meanwhile makes the evidence void.
    "challenger": frozenset({"approved", "champion", "evaluated", "rejected"}),
    # An approval that expired leaves a challenger.
    "approved": frozenset({"champion", "challenger", "evaluated", "rejected"}),
    "champion": frozenset({"retired", "rolled_back"}),
    "retired": frozenset({"champion", "evaluated"}),
    "rejected": frozenset({"evaluated"}),
    "rolled_back": frozenset({"champion", "evaluated"}),
}


def check_transition(version: str, current: State, wanted: State) -> None:
    """Raise TransitionError unless a version in `current` may go to `wanted`; the message lists where it may go."""
    if wanted == current or wanted in TRANSITIONS[current]:
        return
    allowed = ", ".join(sorted(TRANSITIONS[current]))
    raise TransitionError(
        f"version {version} is {current} and cannot become {wanted}: from {current} it goes to {allowed}"
    )


def state_of(value: str | None) -> State:
    """The state that a tag holds, `registered` where there is no tag; raises IntegrityError for another word."""
    if value is None:
        return "registered"
    for state in get_args(State):
        if value == state:
            found: State = state
            return found
    raise IntegrityError(f"state {shown(value)} of a version is unknown, expected one of {', '.join(TRANSITIONS)}")
