"""Where everything that the embedded default writes lives, and the settings that keep the libraries inside it.

`LMFORGE_HOME` moves it; the default is `.lmforge/` in the project. Call `Home.prepare()` before Prefect or MLflow is
imported: both read the environment at import.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lmforge.computing import computing_settings

PROJECT_MARKS = ("prefect.yaml", ".lmforge")


def project_root(start: Path | None = None) -> Path:
    """The nearest directory at or above `start` with a prefect.yaml or a home; else `start` itself."""
    here = (start or Path.cwd()).resolve()
    for candidate in (here, *here.parents):
        if any((candidate / mark).exists() for mark in PROJECT_MARKS):
            return candidate
    return here


class Home(BaseModel):
    """The home directory of one project. Nothing is written elsewhere."""

    model_config = ConfigDict(frozen=True)

    project: Path
    path: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Home:
        """The home of the project at or above `start` (default: the current directory)."""
        project = project_root(start)
        moved = os.environ.get("LMFORGE_HOME")
        return cls(project=project, path=Path(moved).resolve() if moved else project / ".lmforge")

    @property
    def store(self) -> Path:
        return self.path / "store"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def snapshots(self) -> Path:
        """What the gates last accepted; it outlives the store."""
        return self.path / "snapshots"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def services(self) -> Path:
        return self.path / "services.json"

    @property
    def mlflow_artifacts(self) -> Path:
        return self.path / "mlflow-artifacts"

    @property
    def tracking_uri(self) -> str:
        """The MLflow store: `MLFLOW_TRACKING_URI` if set, else SQLite in the home."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.path / 'mlflow.db'}"

    def settings(self) -> dict[str, str]:
        """Environment of every process that we start, ourselves included; each is explained where it is not obvious."""
        return {
            "LMFORGE_HOME": str(self.path),
            "DO_NOT_TRACK": "true",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            # A hub name in a recipe is fetched by a run that says so; nothing else ever asks the hub.
            "HF_HUB_OFFLINE": "0" if os.environ.get("LMFORGE_ONLINE") == "1" else "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HOME": str(self.path / "huggingface"),
            "MPLCONFIGDIR": str(self.path / "matplotlib"),
            "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "PREFECT_HOME": str(self.path / "prefect"),
            # With the defaults an ephemeral server is killed before it has written its last task runs.
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
            # In memory, a killed run would keep its deployment's concurrency slot for ever.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_LOGGING_EXTRA_LOGGERS": "lmforge",
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
            "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
            # A proxy has no business between our own processes.
            "NO_PROXY": "127.0.0.1,localhost,::1",
            **computing_settings(),
            "TOKENIZERS_PARALLELISM": "false",
            "TRANSFORMERS_VERBOSITY": "error",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "MLFLOW_LOGGING_LEVEL": "WARNING",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        }

    def prepare(self) -> Home:
        """Make the directory and put the settings into this process; what the user has set wins, except the place."""
        os.umask(0o077)
        self.path.mkdir(parents=True, exist_ok=True)
        own = {"LMFORGE_HOME", "PREFECT_HOME", "HF_HOME", "MPLCONFIGDIR"}
        for name, value in self.settings().items():
            if name in own:
                os.environ[name] = value
            else:
                os.environ.setdefault(name, value)
        return self
