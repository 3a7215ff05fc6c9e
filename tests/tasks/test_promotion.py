"""Killed between any two steps, the champion is the old or the new version; the same command ends as undisturbed."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import pytest

from lmforge.errors import IntegrityError, RefusedError, TransitionError
from lmforge.release.ledger import first_break
from tasks import registry, tracking
from tasks.ledgers import check_ledger, read_ledger
from tasks.promotion import INTENT_TAG, Change, move_champion, recover
from tests.registries import (
    NAME,
    act,
    add_version,
    copied,
    home_at,
    judge,
    promote,
    promote_at_once,
    register_at_once,
    roll_back,
    whole,
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Version 1 in production; 2 judged against it, 3 does not answer, 4 is not good enough."""
    home = home_at(tmp_path_factory.mktemp("served") / "home")
    home.path.mkdir()
    for content in ("weights", "weights", "broken", "weights"):
        add_version(home, content=content)
    judge(home, "1", against=None)
    promote(home, "1")
    judge(home, "2", against="1")
    judge(home, "3", against="1")
    judge(home, "4", against="1", value=0.1)
    return home


@pytest.fixture(scope="module")
def replaced(served, tmp_path_factory):
    """Version 2 has replaced version 1."""
    home = copied(served, tmp_path_factory.mktemp("replaced") / "home")
    promote(home, "2")
    return home


@pytest.fixture
def home(served, tmp_path):
    return copied(served, tmp_path / "home")


def standing(home):
    """Aliases, states, and what the ledger says, without its times."""
    states = {str(one.version): one.tags[registry.STATE_TAG] for one in registry.versions(home, NAME)}
    moves = [(entry.kind, entry.from_version, entry.to_version, entry.gate) for entry in read_ledger(home, NAME)]
    return registry.aliases(home, NAME), states, moves


def points(home, action, version, path):
    """The points that an action passes, as faults that strike at each."""
    record = path / "points"
    process = act(action, home, version, LMFORGE_FAULT_RECORD=str(record))
    process.join()
    seen: Counter[str] = Counter()
    for name in record.read_text().split():
        seen[name] += 1
        yield f"{name}:kill9:{seen[name]}"


CASES = {
    "promotion": ("served", promote, "2"),
    "rollback": ("replaced", roll_back, "1"),
    "undo": ("served", promote, "3"),
}


@pytest.mark.parametrize("case", CASES)
def test_killed_anywhere_it_is_old_or_new_and_the_same_command_finishes(case, request, tmp_path):
    template, action, version = CASES[case]
    start = request.getfixturevalue(template)
    old = registry.aliases(start, NAME)["champion"]
    undisturbed = copied(start, tmp_path / "undisturbed")
    faults = list(points(undisturbed, action, version, tmp_path))
    assert len(faults) >= 9
    end = standing(undisturbed)
    for number, fault in enumerate(faults):
        home = copied(start, tmp_path / str(number))
        process = act(action, home, version, LMFORGE_FAULT=fault)
        process.join()
        assert process.exitcode == -9, fault
        assert registry.aliases(home, NAME)["champion"] in (old, version), fault
        assert first_break(read_ledger(home, NAME)) is None, fault
        recover(home, NAME, whole)
        assert check_ledger(home, NAME) == [], fault
        assert INTENT_TAG not in registry.model_tags(home, NAME), fault
        if registry.aliases(home, NAME)["champion"] == old and case != "undo":
            action(home, version)  # killed before anything was written down
        if case == "undo" and len(read_ledger(home, NAME)) == 1:
            with pytest.raises(IntegrityError, match="does not answer"):
                action(home, version)
        assert standing(home) == end, fault


def test_promotion_moves_aliases_states_and_ledger(replaced):
    aliases, states, moves = standing(replaced)
    assert aliases == {"champion": "2", "previous_champion": "1"}
    assert (states["1"], states["2"]) == ("retired", "champion")
    assert [move[:3] for move in moves] == [("promote", None, "1"), ("promote", "1", "2")]
    assert all(len(move[3]) == 64 for move in moves)
    assert check_ledger(replaced, NAME) == []


def test_a_version_that_does_not_answer_is_moved_back(home):
    with pytest.raises(IntegrityError, match="reviews version 3: version 3 failed its self-test and was moved back"):
        promote(home, "3")
    aliases, states, moves = standing(home)
    assert aliases == {"champion": "1"}
    assert (states["1"], states["3"]) == ("champion", "challenger")
    assert moves[-1][:3] == ("undone", "1", "1")
    promote(home, "2")
    assert check_ledger(home, NAME) == []


def test_the_first_version_that_does_not_answer_leaves_none(tmp_path):
    home = home_at(tmp_path / "home")
    home.path.mkdir()
    add_version(home, content="broken")
    judge(home, "1", against=None)
    with pytest.raises(IntegrityError, match="does not answer"):
        promote(home, "1")
    assert registry.aliases(home, NAME) == {}
    assert check_ledger(home, NAME) == []


def test_again_is_the_same_as_once(home):
    promote(home, "2")
    before = standing(home)
    promote(home, "2")
    assert standing(home) == before


def test_refused_when_another_champion_was_judged_against(home):
    judge(home, "4", against="1")
    promote(home, "2")
    with pytest.raises(RefusedError, match="version 4 was judged against version 1, but version 2 is in production"):
        promote(home, "4")
    assert registry.aliases(home, NAME)["champion"] == "2"


def test_refused_when_files_changed_or_the_state_does_not_allow_it(home):
    with pytest.raises(RefusedError, match="but the gate saw ffff; they were changed since"):
        move_champion(home, Change(model=NAME, version="2", kind="promote", why="", expected="1", files="ffff"), whole)
    with pytest.raises(TransitionError, match="version 4 is rejected and cannot become champion"):
        move_champion(home, Change(model=NAME, version="4", kind="promote", why="", expected="1"), whole)
    assert registry.aliases(home, NAME) == {"champion": "1"}


def test_an_alias_that_was_set_by_hand_gets_an_entry(home):
    registry.set_alias(home, NAME, registry.CHAMPION, "4")
    assert "ends with version 1, but the alias champion points at version 4" in check_ledger(home, NAME)[0]
    roll_back(home, "1")
    moves = standing(home)[2]
    assert [move[:3] for move in moves[1:]] == [("found", "1", "4"), ("rollback", "4", "1")]
    assert check_ledger(home, NAME) == []


def test_what_was_begun_is_dropped_when_someone_chose_a_third_version(home):
    act(promote, home, "2", LMFORGE_FAULT="promote.previous:kill9").join()
    registry.set_alias(home, NAME, registry.CHAMPION, "4")
    assert recover(home, NAME, whole) is None
    assert registry.aliases(home, NAME)["champion"] == "4"
    assert INTENT_TAG not in registry.model_tags(home, NAME)


def test_changed_and_missing_entries_are_found(home):
    promote(home, "2")
    tracker, key = tracking.client(home), "lmforge.ledger.00000001"
    text = registry.model_tags(home, NAME)[key]
    tracker.set_registered_model_tag(NAME, key, json.dumps(json.loads(text) | {"who": "nobody"}))
    assert check_ledger(home, NAME)[0].startswith("entry 1: ")
    tracker.set_registered_model_tag(NAME, key, text)
    assert check_ledger(home, NAME) == []
    tracker.delete_registered_model_tag(NAME, "lmforge.ledger.00000002")
    assert any("is not in the registry any more" in one for one in check_ledger(home, NAME))
    tracker.set_registered_model_tag(NAME, key, "{}")
    assert "no entry of a ledger" in check_ledger(home, NAME)[0]


def test_eight_registrations_and_four_promotions_at_once(home):
    assert register_at_once(home, 8) == [str(number) for number in range(1, 13)]
    moves = promote_at_once(home, ["5", "6", "7", "8"])
    assert len(moves) == 5
    assert all(after[0] == before[1] for before, after in pairwise(moves))
    assert {after for _, after in moves} == {"1", "5", "6", "7", "8"}
    assert check_ledger(home, NAME) == []
