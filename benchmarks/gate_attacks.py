"""What somebody may do to evidence, or to a process that promotes, and how often the project does not fall for it."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from gate_effects import Count

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lmforge.errors import IntegrityError
from lmforge.hashing import hash_file, hash_files
from lmforge.release.bundle import verify_bundle, write_bundle
from lmforge.release.ledger import first_break
from tasks import registry
from tasks.ledgers import check_ledger, read_ledger
from tasks.promotion import INTENT_TAG, recover
from tests.instrument import make_evidence
from tests.registries import NAME, act, copied, promote, roll_back, whole, with_champion

SEAL = "bundle.json"
Damage = Callable[[Path], None]


def tampering(num_draws: int) -> Iterator[Count]:
    """How many changed bundles are refused; with each kind of change the seal is made anew where that could hide it."""
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "bundle"
        gate_hash = write_bundle(make_evidence(gain=0.1), bundle).gate_hash
        verify_bundle(bundle, gate_hash)
        files = sorted(path.name for path in bundle.iterdir())
        kinds: dict[str, list[Damage]] = {
            "a file missing, empty or cut in half": [_cut(name, how) for name in files for how in (None, 0, 2)],
            "one bit of a file turned": [_flip(files[seed % len(files)], seed) for seed in range(num_draws)],
            "a number of the verdict changed, sealed again": _numbers(bundle / "gate.json"),
            "one answer changed, sealed again": [_answer(seed) for seed in range(num_draws)],
        }
        for kind, damages in kinds.items():
            refused = sum(_is_refused(bundle, Path(scratch) / "damaged", damage) for damage in damages)
            yield _all(kind, "evidence bundle", len(damages), refused)
        write_bundle(make_evidence(gain=0.2), Path(scratch) / "forged")
        forged = _refuses(Path(scratch) / "forged", gate_hash)
        yield _all("sound evidence of another evaluation put in its place", "evidence bundle", 1, int(forged))


def kills() -> Iterator[Count]:
    """At how many points of a promotion and of a rollback `kill -9` leaves the old or the new version in production."""
    with tempfile.TemporaryDirectory(prefix="gate-kills-") as scratch:
        home = with_champion(Path(scratch) / "served")
        replaced = copied(home, Path(scratch) / "replaced")
        promote(replaced, "2")
        for what, start, action, version in (
            ("promotion", home, promote, "2"),
            ("rollback", replaced, roll_back, "1"),
        ):
            directory = Path(scratch) / what
            faults = list(_points(copied(start, directory), action, version))
            sound = sum(
                _survives(copied(start, directory.with_name(f"{what}-{number}")), action, version, fault)
                for number, fault in enumerate(faults)
            )
            yield _all(f"`kill -9` during a {what}: old or new, then finished", "every point", len(faults), sound)


def _all(what: str, setting: str, draws: int, times: int) -> Count:
    return Count(what, setting, draws, times, draws, draws)


def _is_refused(bundle: Path, copy: Path, damage: Damage) -> bool:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(bundle, copy)
    damage(copy)
    # Without the registered hash, which alone would find every change.
    return _refuses(copy, None)


def _refuses(bundle: Path, gate_hash: str | None) -> bool:
    try:
        verify_bundle(bundle, gate_hash)
    except IntegrityError:
        return True
    return False


def _seal(bundle: Path) -> None:
    files = {path.name: hash_file(path) for path in bundle.iterdir() if path.name != SEAL}
    (bundle / SEAL).write_text(json.dumps({"files": files, "gate_hash": hash_files(files)}))


def _cut(name: str, divisor: int | None) -> Damage:
    def damage(bundle: Path) -> None:
        content = (bundle / name).read_bytes()
        (bundle / name).unlink()
        if divisor is not None:
            (bundle / name).write_bytes(content[: len(content) // divisor] if divisor else b"")

    return damage


def _flip(name: str, seed: int) -> Damage:
    def damage(bundle: Path) -> None:
        content = bytearray((bundle / name).read_bytes())
        generator = np.random.default_rng(seed)
        content[generator.integers(len(content))] ^= 1 << int(generator.integers(8))
        (bundle / name).write_bytes(content)

    return damage


def _answer(seed: int) -> Damage:
    """Make a wrong answer of the challenger right, or a right one wrong."""

    def damage(bundle: Path) -> None:
        path = bundle / "predictions.parquet"
        table = pl.read_parquet(path)
        chosen = pl.int_range(pl.len()) == int(np.random.default_rng(seed).integers(len(table)))
        score = pl.col("challenger_score")
        table.with_columns(pl.when(chosen).then(1 - score).otherwise(score).alias("challenger_score")).write_parquet(
            path
        )
        _seal(bundle)

    return damage


def _numbers(gate: Path) -> list[Damage]:
    """A damage for each number of the verdict."""

    def damage_at(path: tuple[Any, ...]) -> Damage:
        def damage(bundle: Path) -> None:
            document = json.loads((bundle / gate.name).read_text())
            place = document
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] += 0.001 if isinstance(place[path[-1]], float) else 1
            (bundle / gate.name).write_text(json.dumps(document))
            _seal(bundle)

        return damage

    return [damage_at(path) for path in _paths(json.loads(gate.read_text()))]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [found for key, below in value.items() for found in _paths(below, (*path, key))]
    if isinstance(value, list):
        return [found for key, below in enumerate(value) for found in _paths(below, (*path, key))]
    return [path] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _points(home: Any, action: Any, version: str) -> Iterator[str]:
    record = home.path / "points"
    act(action, home, version, LMFORGE_FAULT_RECORD=str(record)).join()
    seen: Counter[str] = Counter()
    for name in record.read_text().split():
        seen[name] += 1
        yield f"{name}:kill9:{seen[name]}"


def _survives(home: Any, action: Any, version: str, fault: str) -> bool:
    old = registry.aliases(home, NAME)["champion"]
    process = act(action, home, version, LMFORGE_FAULT=fault)
    process.join()
    between = registry.aliases(home, NAME).get("champion") in (old, version)
    linear = first_break(read_ledger(home, NAME)) is None
    recover(home, NAME, whole)
    action(home, version)
    finished = registry.aliases(home, NAME)["champion"] == version and check_ledger(home, NAME) == []
    unbegun = INTENT_TAG not in registry.model_tags(home, NAME)
    return process.exitcode == -9 and between and linear and finished and unbegun
