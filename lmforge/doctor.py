"""Is this machine fit to run the project? It looks only; a probe that it writes into the home is gone at once."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from lmforge.checking import Check
from lmforge.errors import InputError, IntegrityError
from lmforge.home import Home
from lmforge.installation import check_installation
from lmforge.release.notice import webhook_of
from lmforge.services.addresses import without_password
from lmforge.services.status import status_of
from lmforge.wording import shown

_CODE = Path(__file__).resolve().parents[1]
_GIB = 2**30
# Both servers and the worker take 1 GiB of memory, a small training another; a full disk stops even the servers.
_MEMORY_BYTES, _DISK_BYTES, _FULL_DISK_BYTES = 2 * _GIB, 5 * _GIB, _GIB // 2
_WATCHED = re.compile(
    r"(PREFECT_|MLFLOW_|OMP_|HF_|LMFORGE_).*|PYTHONPATH|LD_PRELOAD|(https?|all|no)_proxy", re.IGNORECASE
)
_SECRET = re.compile(r"key|token|secret|passw|pwd|auth|credential|header|cookie|webhook", re.IGNORECASE)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def examine(home: Home, environment: Mapping[str, str] = os.environ) -> list[Check]:
    """Every check, in the order of a person who looks for a fault.

    environment: as the user has set it, so before `Home.prepare()` adds to it.
    """
    return [
        *check_installation(_CODE),
        *_machine(home),
        *_variables(home, environment),
        *_notices(environment),
        _git(home),
        *_services(home),
    ]


def masked(name: str, value: str) -> str:
    """The value of an environment variable as it may be shown: `***` when its name says that it is a secret."""
    return "***" if _SECRET.search(name) else shown(without_password(value), 200)


def _machine(home: Home) -> Iterator[Check]:
    cores = len(psutil.Process().cpu_affinity() or ()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count()
    yield Check.ok("cores", str(cores))
    memory = psutil.virtual_memory()
    found = f"{memory.available / _GIB:.1f} GiB free of {memory.total / _GIB:.1f} GiB"
    if memory.available < _MEMORY_BYTES:
        yield Check.warning("memory", found, "end other programs, or make the model and the batch smaller")
    else:
        yield Check.ok("memory", found)
    yield _disk(home)
    yield _writable(home)


def _disk(home: Home) -> Check:
    free = shutil.disk_usage(_existing(home.path)).free
    found, fix = f"{free / _GIB:.1f} GiB free at {home.path}", "free some space, or move the home with LMFORGE_HOME"
    if free < _FULL_DISK_BYTES:
        return Check.problem("disk", found, fix)
    return Check.warning("disk", found, fix) if free < _DISK_BYTES else Check.ok("disk", found)


def _writable(home: Home) -> Check:
    place = _existing(home.path)
    try:
        with tempfile.TemporaryFile(dir=place):
            return Check.ok("home", f"{home.path} ({'in use' if place == home.path else 'new'})")
    except OSError as error:
        fix = f"give yourself the right to write to {place}, or move the home with LMFORGE_HOME"
        return Check.problem("home", f"{home.path}: {error.strerror}", fix)


def _variables(home: Home, environment: Mapping[str, str]) -> Iterator[Check]:
    ours = home.settings()
    for name in sorted(environment):
        if not _WATCHED.fullmatch(name):
            continue
        what, found = f"variable {name}", masked(name, environment[name])
        fix = _advice(name, environment[name], ours)
        yield Check.warning(what, found, fix) if fix else Check.ok(what, found)
    exempt = {part.strip() for key in ("no_proxy", "NO_PROXY") for part in environment.get(key, "").split(",")}
    if any(name.lower() in _PROXIES for name in environment) and not exempt & {"127.0.0.1", "*"}:
        fix = "add 127.0.0.1 and localhost to NO_PROXY"
        yield Check.warning("proxy", "also used for the servers of this machine, which it cannot reach", fix)


def _advice(name: str, value: str, ours: Mapping[str, str]) -> str:
    """What to do about a variable that changes how the project works; empty when it does not."""
    if name in ours and name not in ("LMFORGE_HOME", "PREFECT_HOME", "HF_HOME") and value != ours[name]:
        return f"unset it; the project would set {ours[name]}"
    if name == "PREFECT_API_URL":
        return "unset it, unless flows shall report to that server instead of the one of this project"
    if name == "LD_PRELOAD":
        return "unset it, unless you know why it is there: it changes every program"
    if name == "PYTHONPATH":
        return "unset it: what it names is imported instead of what is installed"
    if name == "OMP_NUM_THREADS" and value.isdigit() and int(value) > (os.cpu_count() or 1):
        return f"unset it, or set at most {os.cpu_count()}: more threads than cores are slower"
    return ""


def _notices(environment: Mapping[str, str]) -> Iterator[Check]:
    try:
        webhook = webhook_of(environment)
    except InputError as error:
        what, _, fix = str(error).rpartition("; ")
        yield Check.warning("notices", what, fix)
        return
    if webhook is not None:
        yield Check.ok("notices", f"posted to {webhook.host}")


def _git(home: Home) -> Check:
    fix = "runs will not say from which commit they are"
    if shutil.which("git") is None:
        return Check.warning("git", "not installed", f"install git; else {fix}")
    if not any((place / ".git").exists() for place in (home.project, *home.project.parents)):
        return Check.warning("git", f"{home.project} is in no repository", f"git init; else {fix}")
    return Check.ok("git", str(shutil.which("git")))


def _services(home: Home) -> Iterator[Check]:
    try:
        services = status_of(home)["services"]
    except IntegrityError as error:
        yield Check.problem("services", "the list of services is damaged", str(error))
        return
    for row in services:
        what, found = f"service {row['name']}", f"{row['state']} {row['url'] or ''}".strip()
        if row["state"] in ("died", "not answering"):
            yield Check.warning(what, found, f"read {row['log']}, then `lmforge down` and `lmforge up`")
        else:
            yield Check.ok(what, found)


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
