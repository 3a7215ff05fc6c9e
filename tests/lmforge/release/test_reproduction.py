"""Two runs are compared file by file without their logs; what is gone is judged by fingerprint."""

from lmforge.artifacts import Manifest
from lmforge.hashing import hash_file
from lmforge.release.lineage import TracedStage
from lmforge.release.reproduction import compare_sources, compare_stages


def manifest(stage, files, code="c"):
    return Manifest(
        stage=stage, kind="k", key="0", config={}, inputs={}, code=code, version="1", files=files, sizes_bytes={},
        seconds=1.0,
    )  # fmt: skip


def traced(stage, files, *, stored=True, code="c"):
    print_ = manifest(stage, files).fingerprint
    if not stored:
        return TracedStage(name=stage, fingerprint=print_, key="0", stored=False)
    return TracedStage(name=stage, fingerprint=print_, key="0", stored=True, code=code, files=files)


def test_equal_stages_are_equal_whatever_their_logs_say():
    first = traced("pretrain", {"model/model.safetensors": "a", "logs/metrics.jsonl": "x"})
    (one,) = compare_stages(
        [first], {"pretrain": manifest("pretrain", {"model/model.safetensors": "a", "logs/l": "y"})}
    )
    assert one.state == "equal"
    assert one.same_code is True
    assert [(file.name, file.state) for file in one.files] == [("model/model.safetensors", "equal")]
    assert one.differing() == ()


def test_each_differing_file_is_named_in_the_order_of_the_second_run():
    first = [traced("finetune", {"w": "1"}), traced("clean", {"a": "1", "b": "1", "c": "1"})]
    again = {
        "clean": manifest("clean", {"a": "1", "b": "2", "d": "1"}, code="other"),
        "finetune": manifest("finetune", {"w": "1"}),
        "unasked": manifest("unasked", {}),
    }
    clean, finetune = compare_stages(first, again)
    assert (clean.name, clean.state, clean.same_code) == ("clean", "different", False)
    assert [(one.name, one.state) for one in clean.differing()] == [("b", "different"), ("c", "missing"), ("d", "new")]
    assert finetune.state == "equal"


def test_a_stage_whose_artifact_is_gone_is_judged_by_its_fingerprint():
    first = [traced("clean", {"a": "1"}, stored=False), traced("tokenize", {"a": "1"}, stored=False)]
    again = {name: manifest(name, {"a": digest}) for name, digest in (("clean", "1"), ("tokenize", "2"))}
    assert [(one.state, one.files, one.same_code) for one in compare_stages(first, again)] == [
        ("equal", (), None), ("different", (), None),
    ]  # fmt: skip


def test_a_stage_that_was_not_made_again_is_missing():
    (one,) = compare_stages([traced("clean", {"a": "1"})], {})
    assert (one.state, one.now) == ("missing", None)


def test_sources_are_equal_different_missing_or_new(tmp_path):
    for name in ("same", "changed", "new"):
        (tmp_path / name).write_text(name)
    recorded = {"same": hash_file(tmp_path / "same"), "changed": "0", "gone": "1"}
    rows = compare_sources(recorded, {name: tmp_path / name for name in ("same", "changed", "gone", "new")})
    assert {one.name: one.state for one in rows} == {
        "same": "equal", "changed": "different", "gone": "missing", "new": "new",
    }  # fmt: skip
