"""The table of states: what is allowed, what is refused and how it is said."""

from itertools import pairwise, product

import pytest

from lmforge.errors import IntegrityError, TransitionError
from lmforge.release.states import TRANSITIONS, check_transition, state_of


@pytest.mark.parametrize(("current", "wanted"), product(TRANSITIONS, TRANSITIONS))
def test_only_the_table_is_allowed(current, wanted):
    if wanted in TRANSITIONS[current] or wanted == current:
        check_transition("3", current, wanted)
        return
    with pytest.raises(TransitionError) as error:
        check_transition("3", current, wanted)
    assert f"version 3 is {current} and cannot become {wanted}" in str(error.value)
    assert all(state in str(error.value) for state in TRANSITIONS[current])
    assert error.value.exit_code == 3


def test_the_way_of_a_release_and_back():
    way = ["registered", "evaluated", "challenger", "approved", "champion", "rolled_back", "champion", "retired"]
    for current, wanted in pairwise(way):
        check_transition("1", current, wanted)


def test_nothing_becomes_champion_without_a_gate():
    assert "champion" not in TRANSITIONS["registered"] | TRANSITIONS["evaluated"] | TRANSITIONS["rejected"]


def test_every_state_can_be_left_and_reached():
    reached = set().union(*TRANSITIONS.values())
    assert all(TRANSITIONS.values())
    assert reached == set(TRANSITIONS) - {"registered"}


def test_tags_are_states_or_damage():
    assert state_of(None) == "registered"
    assert state_of("rolled_back") == "rolled_back"
    with pytest.raises(IntegrityError, match=r"'?Champion'? of a version is unknown"):
        state_of("Champion")
