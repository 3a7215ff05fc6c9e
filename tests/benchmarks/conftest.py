"""The benchmarks are scripts that import one another by name, as Python finds them beside the one that is started."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
