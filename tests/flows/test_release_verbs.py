"""`promote`, `rollback` and `history` as a person or a script calls them: exit codes, JSON, messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.registries import NAME, with_champion


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Version 1 in production; version 2 was judged good, but its files are no model."""
    return with_champion(tmp_path_factory.mktemp("verbs") / ".lmforge", num_versions=3)


def lmforge(home, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "LMFORGE_HOME"}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=home.project, env=environment | {"PYTHONPATH": str(Path.cwd()), "COLUMNS": "80", "NO_COLOR": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_history_in_words_and_as_json(home):
    words = lmforge(home, "history", NAME, "--verify")
    assert words.returncode == 0, words.stderr
    assert words.stdout.startswith("reviews: version 1 is in production since ")
    assert "verified: 1 entries" in words.stdout
    document = json.loads(lmforge(home, "history", NAME, "--json").stdout)
    assert (document["champion"], len(document["entries"]), document["problems"]) == ("1", 1, None)


def test_a_dry_run_and_a_version_without_evidence(home):
    dry = json.loads(lmforge(home, "promote", f"{NAME}/2", "--dry-run", "--json").stdout)
    assert (dry["version"], dry["promoted"], dry["verdict"]) == ("2", False, "improved")
    refused = lmforge(home, "promote", f"{NAME}/3")
    assert refused.returncode == 3
    assert refused.stderr.startswith("lmforge: reviews version 3 has no evidence")


def test_a_version_that_does_not_load_goes_back_out(home):
    failed = lmforge(home, "promote", f"{NAME}/2")
    assert failed.returncode == 1
    assert "failed its self-test and was moved back" in failed.stderr
    assert "Traceback" not in failed.stderr
    entries = json.loads(lmforge(home, "history", NAME, "--verify", "--json").stdout)["entries"]
    assert [entry["kind"] for entry in entries] == ["promote", "undone"]


def test_a_wrong_name_and_a_missing_reason_are_exit_2(home):
    answer = lmforge(home, "rollback", "reviws", "--reason", "x")
    assert answer.returncode == 2
    assert "did you mean reviews?" in answer.stderr
    assert lmforge(home, "rollback", NAME).returncode == 2
