"""Measure the gate as an instrument, and write the table and the power curve of `docs/reliability.md`.

What each row planted is known, so every number has an expectation: alpha, a formula, 95 % or all.

Usage: python benchmarks/bench_gate.py [--draws 500] [--json] [--write docs/reliability.md]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from gate_attacks import kills, tampering
from gate_effects import (
    CHAMPION,
    NUM_EXAMPLES,
    POWER_ALPHA,
    Count,
    Point,
    equal_models,
    planted_regressions,
    power_curve,
)
from gate_outages import crowds, outages

from lmforge.release.power import power_of

ROOT = Path(__file__).resolve().parents[1]
FIGURE = "figures/gate-power.svg"
BEGIN, END = "<!-- begin of the gate's table -->", "<!-- end of the gate's table -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 when a number is not where it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=500, help="drawn test sets a row")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--write", type=Path, help="put the table into this page, and the figure beside it")
    options = parser.parse_args(arguments)
    curve = list(power_curve(options.draws))
    counts = [
        *equal_models(options.draws),
        *(point.count for point in curve),
        *planted_regressions(options.draws),
        *tampering(options.draws),
        *kills(),
        *crowds(),
        *outages(),
    ]
    formulas = {point.count: point.formula for point in curve}
    failed = sum(not one.passed for one in counts)
    if options.json:
        rows = [one._asdict() | {"interval": one.interval, "passed": one.passed} for one in counts]
        print(json.dumps({"rows": rows, "formula": [point.formula for point in curve], "failed": failed}, indent=1))
    else:
        print(table(counts, formulas))
    if options.write:
        write(options.write, table(counts, formulas))
        draw(curve, options.write.parent / FIGURE)
    return 1 if failed else 0


def table(counts: Sequence[Count], formulas: dict[Count, float]) -> str:
    """Markdown: how often, with the interval of the rate, and how often it should be."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    lines = [
        f"Commit {commit.strip()}, Python {sys.version.split()[0]}, NumPy {np.__version__}.",
        "",
        "| what is planted | where | times | rate, with 95 % interval | expected | holds |",
        "|---|---|---|---|---|---|",
    ]
    for one in counts:
        low, high = one.interval
        rate = f"{one.times / one.draws:.1%} ({low:.1%} to {high:.1%})"
        expected = f"formula: {formulas[one]:.1%}" if one in formulas else _expected(one)
        times = f"{one.times} of {one.draws}"
        lines.append(
            f"| {one.what} | {one.setting} | {times} | {rate} | {expected} | {'yes' if one.passed else 'no'} |"
        )
    return "\n".join(lines)


def write(page: Path, text: str) -> None:
    """Replace what is between the two marks of the page."""
    marked = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.S)
    content = page.read_text(encoding="utf-8")
    if not marked.search(content):
        raise SystemExit(f"{page}: has no marks {BEGIN} and {END}")
    page.write_text(marked.sub(lambda _: f"{BEGIN}\n{text}\n{END}", content), encoding="utf-8")


def draw(curve: Sequence[Point], path: Path) -> None:
    """The measured points with their intervals beside the formula's line."""
    import matplotlib

    matplotlib.use("svg")
    # The same bytes for the same numbers.
    matplotlib.rcParams["svg.hashsalt"] = "power"
    from matplotlib import pyplot

    gains = np.linspace(0, max(point.gain for point in curve), 200)
    shares = np.stack([np.full_like(gains, CHAMPION), CHAMPION + gains])
    errors = np.sqrt((shares * (1 - shares)).sum(0) / NUM_EXAMPLES)
    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    axes.plot(
        gains, [power_of(gain, error, POWER_ALPHA) for gain, error in zip(gains, errors, strict=True)],
        color="#2a6f97", label="formula",
    )  # fmt: skip
    rates = np.array([point.count.times / point.count.draws for point in curve])
    bounds = np.array([point.count.interval for point in curve]).T
    axes.errorbar(
        [point.gain for point in curve], rates, yerr=np.abs(bounds - rates), fmt="o", color="#bc4749", markersize=4,
        capsize=3, label=f"measured, {curve[0].count.draws} test sets each, 95 %",
    )  # fmt: skip
    axes.axhline(POWER_ALPHA, color="#777777", linestyle=":", linewidth=1)
    axes.set(xlabel="planted gain in accuracy", ylabel="share declared better", ylim=(0, 1))
    axes.legend(frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def _expected(one: Count) -> str:
    if one.at_least == one.at_most:
        return "all"
    return f"at most {one.at_most}" if one.at_least == 0 else f"at least {one.at_least}"


if __name__ == "__main__":
    sys.exit(main())
