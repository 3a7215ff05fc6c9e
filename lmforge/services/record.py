"""What is known of the background services of a home: one JSON file, always replaced as a whole.

A process id alone proves nothing: after a restart of the machine, or just later, another process has it. A record
therefore also holds which boot it was and when after that boot the process started; the wall clock may be set back.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from lmforge.errors import IntegrityError
from lmforge.home import Home

MLFLOW_PORT = 5000
_HEALTH_PATHS = {"prefect": "/api/health", "mlflow": "/health"}
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# psutil knows both the boot and the start of a process to a second or better.
_TOLERANCE_SECONDS = 1.5


class ServiceRecord(BaseModel):
    """A service that was started. uptime_at_start: seconds from boot to its start; a worker has no port and no url."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    pid: int
    boot_id: str
    uptime_at_start: float
    port: int | None = None
    url: str | None = None

    @classmethod
    def of(cls, name: str, pid: int, port: int | None = None, url: str | None = None) -> ServiceRecord:
        """The record of a process that runs now. Raises psutil.NoSuchProcess when it has ended."""
        return cls(name=name, pid=pid, boot_id=_boot_id(), uptime_at_start=_uptime_at_start(pid), port=port, url=url)

    @property
    def started(self) -> float:
        """Seconds since the epoch, by the clock of now."""
        return self.uptime_at_start + float(psutil.boot_time())

    @property
    def health(self) -> str | None:
        """The address that answers 200 while the service works; a worker has none."""
        return f"{self.url}{_HEALTH_PATHS[self.name]}" if self.url else None


def read_records(home: Home) -> dict[str, ServiceRecord]:
    """The services that were started and not stopped, by name. Raises IntegrityError when the file is damaged."""
    try:
        return _Records.validate_json(home.services.read_bytes())
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        first = error.errors()[0]
        raise IntegrityError(
            f"{home.services}: not a list of services ({first['msg']}); end the services that still run by hand, "
            "then delete the file"
        ) from error


def write_records(home: Home, records: Iterable[ServiceRecord]) -> None:
    """Replace the file; a reader sees the old or the new one, never half of it."""
    home.path.mkdir(parents=True, exist_ok=True)
    document = _Records.dump_json({record.name: record for record in records}, indent=2)
    handle, name = tempfile.mkstemp(prefix=".services-", dir=home.path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(document + b"\n")
        Path(name).replace(home.services)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def is_alive(record: ServiceRecord) -> bool:
    """Whether the very process of the record still runs; a zombie does not."""
    if record.boot_id != _boot_id():
        return False
    try:
        if psutil.Process(record.pid).status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(_uptime_at_start(record.pid) - record.uptime_at_start) <= _TOLERANCE_SECONDS
    except psutil.NoSuchProcess:
        return False


def mlflow_address(home: Home) -> tuple[str, bool]:
    """Where the MLflow pages are, or would be after `lmforge up`, and whether they are there now."""
    if home.tracking_uri.startswith("http"):
        return home.tracking_uri.rstrip("/"), True
    record = read_records(home).get("mlflow")
    if record and record.url and is_alive(record):
        return record.url, True
    return f"http://127.0.0.1:{MLFLOW_PORT}", False


def use_running_server(home: Home) -> str | None:
    """Make flows of this process report to the Prefect server of the home, if it answers; else nothing changes.

    Returns its API address. Call it before Prefect is imported. A `PREFECT_API_URL` that the user has set wins.
    """
    if not home.services.exists():
        return None
    record = read_records(home).get("prefect")
    if record is None or record.health is None or not is_alive(record):
        return None
    from lmforge.services.asking import is_healthy

    if not is_healthy(record.health):
        return None
    return os.environ.setdefault("PREFECT_API_URL", f"{record.url}/api")


_Records: TypeAdapter[dict[str, ServiceRecord]] = TypeAdapter(dict[str, ServiceRecord])


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else str(round(psutil.boot_time()))


def _uptime_at_start(pid: int) -> float:
    return float(psutil.Process(pid).create_time() - psutil.boot_time())
