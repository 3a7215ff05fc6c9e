"""What cannot work is refused before anything starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lmforge.errors import InputError, LmforgeError
from lmforge.home import Home
from lmforge.services.locking import only_one
from lmforge.services.record import ServiceRecord, write_records
from lmforge.services.starting import Wanted, start_services


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name, value in Home(project=tmp_path, path=tmp_path / "home").settings().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "prefect.yaml").write_text("name: test\n")
    return Home(project=tmp_path, path=tmp_path / "home")


def test_a_host_that_others_reach(home: Home) -> None:
    with pytest.raises(InputError, match=r"--host 0\.0\.0\.0: .*SSH tunnel"):
        start_services(home, Wanted(host="0.0.0.0"), print)
    assert not home.path.exists()


def test_a_directory_that_is_no_project(home: Home) -> None:
    (home.project / "prefect.yaml").unlink()
    with pytest.raises(InputError, match=r"no prefect\.yaml here"):
        start_services(home, Wanted(), print)
    assert not home.path.exists()


def test_a_running_server_is_not_moved(home: Home) -> None:
    write_records(home, [ServiceRecord.of("prefect", os.getpid(), 4300, "http://127.0.0.1:4300")])
    with pytest.raises(InputError, match="already runs at port 4300; `lmforge down` first, to move it to 4301"):
        start_services(home, Wanted(prefect_port=4301), print)


def test_one_command_at_a_time(home: Home) -> None:
    with only_one(home), pytest.raises(LmforgeError, match="another command starts or stops"), only_one(home, 0.1):
        pass
    with only_one(home, 0.1):
        assert (home.path / "services.lock").exists()
