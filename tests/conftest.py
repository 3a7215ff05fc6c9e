"""Shared by all tests: a home in a temporary directory, set before Prefect or MLflow can be imported."""

import os
import tempfile
from pathlib import Path

import pytest

# At import, before any test module: Prefect reads its home when it is imported, and so does matplotlib.
_HOME = Path(tempfile.mkdtemp(prefix="lmforge-tests-"))
os.environ["LMFORGE_HOME"] = str(_HOME)
os.environ.pop("MLFLOW_TRACKING_URI", None)
os.environ.pop("PREFECT_API_URL", None)

from lmforge.home import Home  # noqa: E402

Home.find().prepare()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of this test's own; the project is the repository."""
    monkeypatch.setenv("LMFORGE_HOME", str(tmp_path / "home"))
    return Home.find(Path(__file__).parents[1]).prepare()
