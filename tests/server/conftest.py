"""One project and one Prefect server for the tests that run whole flows."""

import os
from pathlib import Path

import pytest

from tests.tiny import make_project


@pytest.fixture(scope="session")
def prefect_server():
    """A real server on loopback with a database of its own; no heartbeat thread, which would cost a second a flow."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A directory with data and a recipe, made the current one; its home is inside it."""
    directory = tmp_path_factory.mktemp("project")
    make_project(directory)
    before, home = Path.cwd(), os.environ.pop("LMFORGE_HOME", None)
    os.chdir(directory)
    yield directory
    os.chdir(before)
    if home:
        os.environ["LMFORGE_HOME"] = home
