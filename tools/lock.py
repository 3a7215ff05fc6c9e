"""Write constraints.txt from the environment that runs this; `make lock`."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

TARGET = Path(__file__).parents[1] / "constraints.txt"
# Ours, and what every environment brings itself.
LEFT_OUT = {"lmforge", "pip", "setuptools", "wheel"}


def main() -> None:
    """Keep the comment at the head of the file and replace the rest."""
    head = [line for line in TARGET.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    # A local label such as +cpu names a build of the same version: either build satisfies the pin.
    pins = {one.metadata["Name"]: one.version.split("+")[0] for one in distributions()}
    lines = sorted(
        (f"{name}=={number}" for name, number in pins.items() if name.lower() not in LEFT_OUT), key=str.lower
    )
    TARGET.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
