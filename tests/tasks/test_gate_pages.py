"""The page of a decision lies with the run that judged, and the version says what and where."""

from __future__ import annotations

import mlflow
import pytest

from tasks import tracking
from tasks.gate_pages import PAGE
from tasks.gate_verdicts import RUN_TAG, stored_verdict
from tests.registries import NAME, add_version, home_at, judge


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = home_at(tmp_path_factory.mktemp("pages") / "home")
    home.path.mkdir()
    for _ in range(2):
        add_version(home)
    return home


def version(home, number):
    return tracking.client(home).get_model_version(NAME, number)


def test_the_page_lies_beside_the_bundle_and_leaves_it_whole(home):
    verdict = judge(home, "1", against=None)
    run = version(home, "1").tags[RUN_TAG]
    page = mlflow.artifacts.load_text(f"runs:/{run}/{PAGE}")
    assert f"<h1>{NAME} version 1</h1>" in page and verdict.gate in page
    assert stored_verdict(home, NAME, "1") == verdict


def test_the_description_begins_with_the_last_verdict_and_keeps_the_card(home):
    tracking.client(home).update_model_version(NAME, "2", "# A card\n\nIt names sections.")
    judge(home, "2", against=None)
    first = version(home, "2")
    assert first.description == (
        f"**Release gate:** first version; page: `runs:/{first.tags[RUN_TAG]}/{PAGE}`\n\n# A card\n\nIt names sections."
    )
    judge(home, "2", against="1")
    line, card = version(home, "2").description.split("\n\n", 1)
    assert line.startswith("**Release gate:** improved, gain +0.5333 accuracy (95%: +0.")
    assert card == "# A card\n\nIt names sections."
    assert line.count("Release gate") == 1 and first.tags[RUN_TAG] not in line


def test_a_version_without_a_description_gets_the_line_alone(home):
    tracking.client(home).update_model_version(NAME, "1", "")
    judge(home, "1", against=None)
    judge(home, "1", against=None)
    assert version(home, "1").description.count("\n") == 0
