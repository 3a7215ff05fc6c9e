"""The doctor knows which versions do not work together, although pip does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lmforge.checking import Check
from lmforge.installation import check_installation, installed_version

ROOT = Path(__file__).resolve().parents[2]


def found(changes: dict[str, str | None], root: Path = ROOT) -> dict[str, Check]:
    def installed(name: str) -> str | None:
        return changes[name] if name in changes else installed_version(name)

    fake: Callable[[str], str | None] = installed
    return {check.name: check for check in check_installation(root, fake)}


def test_this_environment_has_no_problem() -> None:
    checks = found({})
    assert [check for check in checks.values() if check.state == "problem"] == []
    assert checks["library prefect"].found == installed_version("prefect")
    assert {name for name in checks if name.startswith("package ")} >= {"package flows", "package tasks"}


@pytest.mark.parametrize(
    ("changes", "name", "fix"),
    [
        ({"prefect": "3.8.8", "fastapi": "0.151.0"}, "prefect 3.8.8 with fastapi", "pip install 'fastapi<0.151'"),
        ({"prefect": "3.8.8", "SQLAlchemy": "2.1.9"}, "prefect 3.8.8 with SQLAlchemy", "pip install 'SQLAlchemy<2.1'"),
        ({"lightning": "2.6.3"}, "this release of lightning was malicious", "change every secret"),
        ({"lightning": "2.6.2"}, "this release of lightning was malicious", "pip uninstall lightning"),
        ({"torch": None}, "library torch", "pip install"),
        ({"torch": "1.13.0"}, "library torch", "pip install"),
    ],
)
def test_known_bad_installations(changes: dict[str, str | None], name: str, fix: str) -> None:
    check = found(changes)[name]
    assert check.state == "problem"
    assert fix in check.fix


@pytest.mark.parametrize(
    "changes", [{"prefect": "3.9.1", "SQLAlchemy": "2.1.9"}, {"lightning": "2.6.6"}, {"lightning": None}]
)
def test_good_neighbours_are_left_alone(changes: dict[str, str | None]) -> None:
    assert not [name for name in found(changes) if " with " in name or "malicious" in name]


def test_pins_are_compared(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text(
        "# a comment\nTorch==9.9\nhttpx[http2]==0.0.1 ; python_version > '3'\nabsent==1\n"
    )
    checks = found({"torch": "2.99.0+cpu"}, tmp_path)
    assert checks["library torch"] == Check.warning(
        "library torch", "2.99.0+cpu, tested is 9.9", "pip install -c constraints.txt -e ."
    )
    assert (
        checks["constraints"].found
        == f"torch 2.99.0+cpu (tested 9.9), httpx {installed_version('httpx')} (tested 0.0.1)"
    )


def test_build_of_a_version_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("torch==2.99.0\n")
    checks = found({"torch": "2.99.0+cpu"}, tmp_path)
    assert checks["library torch"].state == "ok"
    assert checks["constraints"].found == "all 1 installed libraries are as pinned"


def test_packages_of_others_are_found_out(tmp_path: Path) -> None:
    check = found({}, tmp_path)["package flows"]
    assert check.state == "problem"
    assert "uninstall the distribution" in check.fix


def test_no_constraints_no_row(tmp_path: Path) -> None:
    assert "constraints" not in found({}, tmp_path)
