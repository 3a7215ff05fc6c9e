"""Stages are followed backwards by content and key, and what is gone is said."""

import shutil

import polars as pl
import pytest

from lmforge.artifacts import Store
from lmforge.release.lineage import Recorded, missing, trace
from tests.lmforge.release.chain import follow, make_chain, publish


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def made(store):
    return make_chain(store)


def test_every_stage_behind_a_model_comes_after_what_it_reads(store, made):
    stages = follow(store, made)
    names = [stage.name for stage in stages]
    assert set(names) == set(made)
    assert all(stage.stored and stage.fingerprint == made[stage.name].fingerprint for stage in stages)
    for stage in stages:
        read = [one.stage for one in stage.inputs if one.stage]
        assert all(names.index(one) < names.index(stage.name) for one in read)
    assert [(one.role, one.stage) for one in stages[-1].inputs] == [
        ("base_model", "pretrain"), ("labelled", "label-own"),
    ]  # fmt: skip
    assert stages[-1].files.keys() == {"model.safetensors"}
    assert missing(stages) == []


def test_the_key_that_the_run_recorded_wins_over_another_with_the_same_content(store, made):
    first = made["finetune-own"]
    again = publish(store, "finetune-own", {"model.safetensors": "fine"}, code="newer")
    assert again.fingerprint == first.fingerprint
    for key in (first.path.name, again.path.name):
        (*_, last) = trace(store, ["finetune-own"], {"finetune-own": Recorded(first.fingerprint, key)})
        assert last.key == key
    # A key that is gone: the content is still what the model was made of.
    (*_, last) = trace(store, ["finetune-own"], {"finetune-own": Recorded(first.fingerprint, "0" * 16)})
    assert last.stored


def test_role_decides_between_stages_with_equal_content(store):
    frame = pl.DataFrame({"id": ["1"]})
    print_ = publish(store, "label-a", {"train.parquet": frame}).fingerprint
    assert publish(store, "label-b", {"train.parquet": frame}).fingerprint == print_
    clean = publish(store, "clean", {"x": "y"}, {"label-a": print_, "label-b": print_})
    recorded = {"label-a": Recorded(print_), "label-b": Recorded(print_), "clean": Recorded(clean.fingerprint)}
    (*_, last) = trace(store, ["clean"], recorded)
    assert {one.role: one.stage for one in last.inputs} == {"label-a": "label-a", "label-b": "label-b"}


def test_an_input_that_nobody_knows_is_said(store, made):
    shutil.rmtree(made["label-own"].path)
    (sentence,) = missing(follow(store, made)[-1:])
    assert sentence.startswith("labelled ")
    assert sentence.endswith(" of finetune-own: neither in the store nor recorded by the run")


def test_an_empty_store_knows_nothing_but_what_was_recorded(tmp_path):
    (stage,) = trace(Store(tmp_path / "none"), ["collect"], {"collect": Recorded("a" * 64, "k")})
    assert (stage.stored, stage.key, stage.inputs) == (False, "k", ())


def test_what_is_gone_is_said_with_its_key(store, made):
    shutil.rmtree(made["clean"].path)
    recorded = {name: Recorded(one.fingerprint, one.path.name) for name, one in made.items()}
    stages = trace(store, ["collect", "finetune-own"], recorded)
    (clean,) = [stage for stage in stages if stage.name == "clean"]
    assert not clean.stored
    assert clean.key == made["clean"].path.name
    (sentence,) = missing(stages)
    assert sentence.startswith(f"clean {clean.fingerprint[:16]}: no longer in the store")
