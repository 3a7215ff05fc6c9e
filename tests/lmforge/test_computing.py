"""What makes two computations equal to the last bit is in the settings of every process, and in training itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

from lmforge.computing import computing_settings
from lmforge.home import Home

SEEN = """
import json, torch
from lmforge.computing import compute_repeatably
compute_repeatably()
filled = torch.utils.deterministic.fill_uninitialized_memory
print(json.dumps([torch.are_deterministic_algorithms_enabled(), filled]))
"""


def test_every_process_gets_the_settings_and_a_user_may_have_others(tmp_path):
    settings = computing_settings()
    assert settings.items() <= Home(project=tmp_path, path=tmp_path).settings().items()
    code = f"import os; from pathlib import Path; from lmforge.home import Home; p = Path({str(tmp_path)!r}); "
    code += "Home(project=p, path=p).prepare(); print(os.environ['CUBLAS_WORKSPACE_CONFIG'])"
    for own, expected in (({}, ":4096:8"), ({"CUBLAS_WORKSPACE_CONFIG": ":16:8"}, ":16:8")):
        environment = {name: value for name, value in os.environ.items() if name not in settings} | own
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


def test_the_slow_mode_of_other_processors_is_not_asked_for():
    processors = Path("/proc/cpuinfo")
    is_intel = processors.is_file() and "GenuineIntel" in processors.read_text()
    assert (computing_settings().get("MKL_CBWR") == "AUTO") is is_intel


def test_operations_have_one_order_and_memory_is_not_filled_for_it():
    done = subprocess.run([sys.executable, "-c", SEEN], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, False]
