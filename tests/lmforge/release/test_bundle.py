"""Bundles: whole ones verify, and a change of any file or any number is found."""

import json

import polars as pl
import pytest

from lmforge.errors import IntegrityError
from lmforge.hashing import hash_file, hash_files
from lmforge.release.bundle import verify_bundle, write_bundle
from lmforge.release.gate import judge

FILES = ["bundle.json", "facts.json", "gate.json", "latency.parquet", "predictions.parquet", "variants.parquet"]


@pytest.fixture
def bundle(evidence, tmp_path):
    write_bundle(evidence(gain=0.1), tmp_path / "bundle")
    return tmp_path / "bundle"


def seal_again(directory):
    """What somebody does who changes evidence and hopes that nobody keeps the gate hash."""
    files = {path.name: hash_file(path) for path in directory.iterdir() if path.name != "bundle.json"}
    (directory / "bundle.json").write_text(json.dumps({"files": files, "gate_hash": hash_files(files)}))


def numbers_in(value, path=()):
    """The paths of all numbers, but of those that JSON calls true and false."""
    if isinstance(value, dict):
        return [found for key, below in value.items() for found in numbers_in(below, (*path, key))]
    if isinstance(value, list):
        return [found for key, below in enumerate(value) for found in numbers_in(below, (*path, key))]
    return [path] if isinstance(value, int | float) and not isinstance(value, bool) else []


def changed_at(value, path):
    if not path:
        return value + 0.001 if isinstance(value, float) else value + 1
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed_at(value[path[0]], path[1:])
    return copy


def test_what_was_written_is_read_and_judged_again(evidence, tmp_path):
    found = evidence(gain=0.1)
    written = write_bundle(found, tmp_path / "new" / "bundle")
    read = verify_bundle(tmp_path / "new" / "bundle", written.gate_hash)
    assert sorted(path.name for path in (tmp_path / "new" / "bundle").iterdir()) == FILES
    assert read.decision == written.decision == judge(found)
    assert (read.gate_hash, read.evidence.facts) == (written.gate_hash, found.facts)
    assert read.evidence.examples.equals(found.examples)
    assert read.evidence.variants.equals(found.variants)


def test_a_first_version_needs_no_latency(evidence, tmp_path):
    written = write_bundle(evidence(champion=False), tmp_path)
    assert verify_bundle(tmp_path).evidence.latency is None
    assert write_bundle(evidence(champion=False), tmp_path).gate_hash == written.gate_hash


def test_a_bundle_of_before_noise_was_judged_still_verifies(evidence, tmp_path):
    """Its facts do not know the sections, and its gate has none of their rules."""
    old = evidence(gain=0.1)._replace(variants=None)
    policy = old.facts.policy.model_copy(update={"robustness": None, "fairness": None})
    written = write_bundle(old._replace(facts=old.facts.model_copy(update={"policy": policy})), tmp_path)
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert (facts["policy"].pop("robustness"), facts["policy"].pop("fairness")) == (None, None)
    (tmp_path / "facts.json").write_text(json.dumps(facts))
    seal_again(tmp_path)
    read = verify_bundle(tmp_path)
    assert read.decision == written.decision
    assert not {rule.group for rule in read.decision.rules} & {"robustness", "fairness"}


def test_answers_to_noise_that_are_taken_away_void_the_bundle(bundle):
    (bundle / "variants.parquet").unlink()
    seal_again(bundle)
    with pytest.raises(IntegrityError, match="does not give its own verdict again"):
        verify_bundle(bundle)


@pytest.mark.parametrize("column", ["challenger_score", "champion_confidence"])
def test_one_answer_to_changed_text_that_is_changed_changes_the_hash_and_the_numbers(bundle, column):
    path, before = bundle / "variants.parquet", json.loads((bundle / "bundle.json").read_text())["gate_hash"]
    changed = pl.when(pl.col("id") == "e00007").then(0.5).otherwise(pl.col(column)).alias(column)
    pl.read_parquet(path).with_columns(changed).write_parquet(path)
    with pytest.raises(IntegrityError, match=r"was altered: variants\.parquet"):
        verify_bundle(bundle)
    seal_again(bundle)
    with pytest.raises(IntegrityError, match="does not give its own verdict again"):
        verify_bundle(bundle)
    with pytest.raises(IntegrityError, match=f"but {before} was registered"):
        verify_bundle(bundle, before)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_truncated_or_altered_voids_the_bundle(bundle, name):
    content = (bundle / name).read_bytes()
    middle = len(content) // 2
    for damaged in (content[:middle], content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :], b""):
        (bundle / name).write_bytes(damaged)
        with pytest.raises(IntegrityError, match="void"):
            verify_bundle(bundle)
    (bundle / name).unlink()
    with pytest.raises(IntegrityError, match="void"):
        verify_bundle(bundle)


def test_a_file_too_many_voids_the_bundle(bundle):
    (bundle / "notes.txt").write_text("fine")
    with pytest.raises(IntegrityError, match="its seal names"):
        verify_bundle(bundle)
    seal_again(bundle)
    with pytest.raises(IntegrityError, match="void"):
        verify_bundle(bundle)


def test_every_number_of_the_gate_is_derived_again(bundle):
    gate = json.loads((bundle / "gate.json").read_text())
    paths = numbers_in(gate)
    assert len(paths) > 40
    for path in paths:
        (bundle / "gate.json").write_text(json.dumps(changed_at(gate, path)))
        seal_again(bundle)
        with pytest.raises(IntegrityError, match="does not give its own verdict again"):
            verify_bundle(bundle)


@pytest.mark.parametrize(
    "change", [{"verdict": "regression"}, {"promote": False}, {"needs_approval": True}, {"rules": []}]
)
def test_a_verdict_of_one_s_own_is_refused(bundle, change):
    gate = json.loads((bundle / "gate.json").read_text())
    (bundle / "gate.json").write_text(json.dumps(gate | change))
    seal_again(bundle)
    with pytest.raises(IntegrityError, match="does not give its own verdict again"):
        verify_bundle(bundle)


@pytest.mark.parametrize("side", ["challenger", "champion"])
@pytest.mark.parametrize("column", ["score", "weight", "confidence"])
def test_one_answer_that_is_changed_changes_the_verdict_s_numbers(bundle, side, column):
    path, name = bundle / "predictions.parquet", f"{side}_{column}"
    changed = pl.when(pl.col("id") == "e00007").then(0.5).otherwise(pl.col(name)).alias(name)
    pl.read_parquet(path).with_columns(changed).write_parquet(path)
    seal_again(bundle)
    with pytest.raises(IntegrityError, match="does not give its own verdict again"):
        verify_bundle(bundle)


def test_a_forgery_that_agrees_with_itself_has_another_gate_hash(evidence, tmp_path):
    honest = write_bundle(evidence(gain=-0.1), tmp_path / "honest")
    write_bundle(evidence(gain=0.2), tmp_path / "forged")
    verify_bundle(tmp_path / "forged")
    with pytest.raises(IntegrityError, match=f"but {honest.gate_hash} was registered"):
        verify_bundle(tmp_path / "forged", honest.gate_hash)


def test_a_gate_hash_that_is_not_of_its_files_is_refused(bundle):
    seal = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps(seal | {"gate_hash": "0" * 64}))
    with pytest.raises(IntegrityError, match="not that of its files"):
        verify_bundle(bundle)


@pytest.mark.parametrize("name", [name for name in FILES if name != "bundle.json"])
def test_what_is_sealed_and_not_readable_is_refused(bundle, name):
    (bundle / name).write_bytes(b"\xff{")
    seal_again(bundle)
    with pytest.raises(IntegrityError, match=f"no readable {name}"):
        verify_bundle(bundle)


def test_a_label_that_nobody_knows_cannot_be_judged(bundle, facts):
    path = bundle / "predictions.parquet"
    pl.read_parquet(path).with_columns(pl.lit("newt").alias("champion")).write_parquet(path)
    (bundle / "facts.json").write_text(facts(metric="macro_f1").model_dump_json())
    seal_again(bundle)
    with pytest.raises(IntegrityError, match=r"cannot be judged: labels .*newt"):
        verify_bundle(bundle)


def test_no_bundle_is_said(tmp_path):
    with pytest.raises(IntegrityError, match=r"no readable bundle\.json"):
        verify_bundle(tmp_path)
