"""Ask the advisory service about the pinned distributions; `make check`.

A finding fails. What could not be asked is said to be skipped, because a machine without network must be able to check
the rest.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def main() -> int:
    """Run pip-audit on constraints.txt; 0 when nothing is found, 1 otherwise."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip"]
    answer = subprocess.run(
        [*command, "--progress-spinner", "off", "--format", "json"], capture_output=True, text=True, check=False
    )
    try:
        dependencies = json.loads(answer.stdout)["dependencies"]
    except ValueError:
        print("pip-audit: skipped, the advisory service cannot be reached")
        return 0
    skipped = [one["name"] for one in dependencies if "skip_reason" in one]
    found = [(one["name"], one["version"], bug["id"]) for one in dependencies for bug in one.get("vulns", ())]
    asked = len(dependencies) - len(skipped)
    print(f"pip-audit: {asked} distributions audited, {len(skipped)} skipped (unknown to the advisory service)")
    for name, version, identifier in found:
        print(f"  {name} {version}: {identifier}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
