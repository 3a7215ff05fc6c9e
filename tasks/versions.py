"""Registered versions as `lmforge compare` shows them: which one a name means, and what its gate measured.

The gate's numbers are read as they were stored; that they follow from the evidence is for `lmforge promote` to check.
"""

from __future__ import annotations

import statistics
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmforge.home import Home
from lmforge.reporting.excerpts import presentable
from tasks import registry, tracking
from tasks.gate_verdicts import AGAINST_TAG, GATE_TAG, PLACE, RUN_TAG
from tasks.reaching import is_outage

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


def named_version(home: Home, name: str) -> ModelVersion | None:
    """The version that NAME/VERSION, NAME@ALIAS or the NAME of a model (its champion) means; None for any other name.

    Raises InputError, with the nearest name, for a version or an alias that is not there.
    """
    if not any(mark in name for mark in "/@"):
        held = tracking.client(home).search_registered_models()
        if not any(one.name == name for one in held):
            return None
    return registry.version_of(home, name, registry.CHAMPION)


def version_facts(home: Home, name: str, version: str) -> dict[str, Any]:
    """Label to value of what is known of a version beside its run; labels of the gate begin with `gate/`.

    Sizes are bytes, times milliseconds of the median call. Empty for a version that the registry no longer has.
    """
    found = {str(one.version): one for one in registry.versions(home, name)}.get(version)
    if found is None:
        return {}
    held = sorted(alias for alias, one in registry.aliases(home, name).items() if one == version)
    made = datetime.fromtimestamp(found.creation_timestamp / 1000).astimezone()
    facts = {"state": found.tags.get(registry.STATE_TAG), "aliases": ", ".join(held) or None}
    return facts | {"registered": made.isoformat(timespec="minutes")} | _gate_facts(home, found.tags)


def _gate_facts(home: Home, tags: dict[str, str]) -> dict[str, Any]:
    if RUN_TAG not in tags:
        return {}
    run_id = tags[RUN_TAG]
    gate, facts = (tracking.logged(home, run_id, f"{PLACE}/{name}.json") for name in ("gate", "facts"))
    if not gate or not facts:
        return {"gate/hash": tags.get(GATE_TAG)}
    comparison, rules = gate["comparison"], {rule["name"]: rule for rule in gate["rules"]}
    failed = presentable([rule["name"] for rule in gate["rules"] if not rule["passed"]])
    subject = facts["challenger"]
    return {
        "gate/hash": tags.get(GATE_TAG),
        "gate/verdict": gate["verdict"],
        "gate/judged_against": f"version {tags[AGAINST_TAG]}" if tags.get(AGAINST_TAG) else "no champion",
        "gate/gain_over_champion": comparison and comparison["interval"],
        "gate/smallest_visible_gain": comparison and comparison["smallest_visible_gain"],
        "gate/failed_rules": ", ".join(failed) or "none",
        "gate/size_bytes": subject["size_bytes"],
        "gate/peak_memory_bytes": subject.get("peak_memory_bytes"),
        "gate/median_milliseconds": _median_milliseconds(run_id),
        "gate/latency_ratio": rules["latency"]["numbers"].get("ratio") if "latency" in rules else None,
    }


def _median_milliseconds(run_id: str) -> float | None:
    """The median call of a version when its gate timed it; None where there was no champion to time it against."""
    import mlflow
    import polars as pl
    from mlflow.exceptions import MlflowException

    try:
        with tempfile.TemporaryDirectory() as scratch:
            place = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/{PLACE}/latency.parquet", dst_path=scratch)
            seconds: list[float] = pl.read_parquet(Path(place))["challenger_seconds"].to_list()
    except (MlflowException, OSError) as error:
        if is_outage(error):
            raise
        return None
    return 1000 * statistics.median(seconds)
