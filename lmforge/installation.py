"""Is what is installed what the project was made for? Read from the metadata of the distributions; none is imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from lmforge.checking import Check
from lmforge.wording import listed

_PACKAGES = ("flows", "tasks", "expectations", "lmforge", "models")
_MINIMUM_PYTHON = (3, 11)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)")

_Installed = Callable[[str], str | None]


def installed_version(name: str) -> str | None:
    """The version of a distribution, None when it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def check_installation(root: Path, installed: _Installed = installed_version) -> Iterator[Check]:
    """Python, each direct dependency, all pins of constraints.txt, the known-bad combinations, and our own packages.

    root: the directory of the project's code. installed: gives the version of a distribution.
    """
    yield _python()
    pins = _pins(root / "constraints.txt")
    yield from (_library(requirement, pins, installed) for requirement in _dependencies())
    if pins:
        yield _all_pins(pins, installed)
    yield from _known_bad(installed)
    for name in _PACKAGES:
        yield _package(name, root)


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _MINIMUM_PYTHON:
        return Check.problem("python", found, "make the environment with Python 3.11 or newer")
    return Check.ok("python", f"{found} at {sys.executable}")


def _dependencies() -> list[Requirement]:
    """The direct ones; none when the project is not installed, which the check of its own name then tells."""
    try:
        found = [Requirement(line) for line in requires("lmforge") or ()]
    except PackageNotFoundError:
        found = [Requirement("lmforge")]
    return [requirement for requirement in found if requirement.marker is None or requirement.marker.evaluate()]


def _library(requirement: Requirement, pins: dict[str, str], installed: _Installed) -> Check:
    name, found = requirement.name, installed(requirement.name)
    what, pin = f"library {name}", pins.get(canonicalize_name(name))
    reinstall = "pip install -c constraints.txt -e ." if pin else "pip install -e ."
    if found is None:
        return Check.problem(what, "missing", reinstall)
    if not requirement.specifier.contains(found, prereleases=True):
        return Check.problem(what, f"{found}, needed is {requirement.specifier}", reinstall)
    if pin and Version(found).public != Version(pin).public:
        return Check.warning(what, f"{found}, tested is {pin}", reinstall)
    return Check.ok(what, found)


def _all_pins(pins: dict[str, str], installed: _Installed) -> Check:
    """A distribution that is not installed does not count: constraints also name what other platforms need."""
    found = {name: installed(name) for name in pins}
    others = [
        f"{name} {have} (tested {pins[name]})"
        for name, have in found.items()
        if have and Version(have).public != Version(pins[name]).public
    ]
    if others:
        return Check.warning("constraints", listed(others), "pip install -c constraints.txt -e .")
    return Check.ok("constraints", f"all {sum(map(bool, found.values()))} installed libraries are as pinned")


def _known_bad(installed: _Installed) -> Iterator[Check]:
    """Combinations that resolve, pass `pip check`, and fail."""
    prefect = installed("prefect")
    if prefect and Version("3.8") <= Version(prefect) < Version("3.9"):
        for name, limit in (("fastapi", "0.151"), ("SQLAlchemy", "2.1")):
            found = installed(name)
            if found and Version(found) >= Version(limit):
                what = f"prefect {prefect} with {name}"
                yield Check.problem(what, f"its server fails with {name} {found}", f"pip install '{name}<{limit}'")
    if installed("lightning") in ("2.6.2", "2.6.3"):
        what = "this release of lightning was malicious"
        yield Check.problem(
            what, str(installed("lightning")), "pip uninstall lightning; change every secret of this machine"
        )


def _package(name: str, root: Path) -> Check:
    """These names also exist as distributions of others, which would be imported instead."""
    spec = find_spec(name)
    origin = spec.origin if spec else None
    if origin is None or not Path(origin).resolve().is_relative_to(root):
        fix = f"uninstall the distribution that brings another `{name}`, then `pip install -e .` in {root}"
        return Check.problem(f"package {name}", origin or "not found", fix)
    return Check.ok(f"package {name}", origin)


def _pins(constraints: Path) -> dict[str, str]:
    if not constraints.is_file():
        return {}
    found = (_PIN.match(line.strip()) for line in constraints.read_text(encoding="utf-8").splitlines())
    return {canonicalize_name(match[1]): match[2] for match in found if match}
