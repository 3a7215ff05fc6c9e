"""The lineage of a version in a real registry: from its tags, the record of its run and the store."""

import pytest

from lmforge.artifacts import Counts, Store
from lmforge.artifacts.store import Outcome, Request
from lmforge.errors import InputError
from lmforge.recipe import load_recipe
from tasks import registry, tracking
from tasks.context import Run, StageRecord
from tasks.lineage import find_version, lineage_of
from tests.tiny import RECIPE


@pytest.fixture
def run(home, tmp_path):
    """A run as the pipeline starts it, with one override."""
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE)
    recipe = load_recipe(path, ["seed=7"])
    experiment_id, run_id = tracking.start_parent(home, recipe, "recipes/tiny.yaml", ["seed=7"])
    return Run(recipe=recipe, recipe_path="recipes/tiny.yaml", home=home, run_id=run_id, experiment_id=experiment_id)


@pytest.fixture
def stages(run):
    """Two stages in the store, told to MLflow as the pipeline does."""

    def stage(name, inputs):
        def build(out):
            (out / "file.txt").write_text(name)
            return Outcome(Counts(read=3, kept=2, quarantined=1))

        request = Request(name, "kind", {}, inputs, "code")
        artifact, cached = Store(run.home.store).get_or_build(request, build)
        record = StageRecord(
            name=name, kind="kind", key=request.key, fingerprint=artifact.fingerprint, cached=cached, seconds=1.0,
            why="", counts=Counts(), size_bytes=1, path=artifact.path,
        )  # fmt: skip
        tracking.log_stage(run, record, artifact.manifest)
        return artifact

    label = stage("label-section", {"file:data/descriptions.jsonl": "a" * 64})
    return {"label-section": label, "finetune-section": stage("finetune-section", {"labelled": label.fingerprint})}


@pytest.fixture
def version(run, stages):
    """`tiny-section/1`, champion."""
    tags = {f"lmforge.{name}": one.fingerprint for name, one in stages.items()}
    tags |= {"lmforge.model": stages["finetune-section"].fingerprint, "lmforge.evidence": "e" * 64}
    tags |= {"lmforge.gate": "9" * 64, "lmforge.pipeline_run": run.run_id, "lmforge.recipe": run.recipe_path}
    tracker = tracking.client(run.home)
    tracker.create_registered_model("tiny-section")
    made = tracker.create_model_version("tiny-section", run.home.store.as_uri(), tags=tags)
    registry.set_alias(run.home, "tiny-section", "champion", str(made.version))
    return made


@pytest.mark.parametrize("name", ["tiny-section", "tiny-section@champion", "tiny-section/1", "models:/tiny-section/1"])
def test_a_version_is_found_by_each_of_its_names(home, version, name):
    assert find_version(home, name).version == version.version


def test_lineage_has_recipe_code_environment_stages_and_sources(home, version, run, stages):
    document = lineage_of(home, "tiny-section")
    assert (document["model"], document["version"], document["run_id"]) == ("tiny-section", "1", run.run_id)
    assert document["recipe"]["path"] == "recipes/tiny.yaml"
    assert document["recipe"]["overrides"] == "seed=7"
    assert document["recipe"]["settings"]["seed"] == 7
    assert len(document["code"]["commit"]) == 40
    assert document["code"]["dirty"] in (True, False)
    assert len(document["environment"]["lock"]) == 64
    assert document["environment"]["libraries"]["mlflow"].startswith("3.")
    assert [one["name"] for one in document["stages"]] == ["label-section", "finetune-section"]
    assert document["stages"][0]["counts"]["quarantined"] == 1
    assert [one["key"] for one in document["stages"]] == [one.path.name for one in stages.values()]
    assert [(one["name"], one["sha256"]) for one in document["sources"]] == [("data/descriptions.jsonl", "a" * 64)]
    assert document["missing"] == []


def test_what_neither_store_nor_registry_has_is_said(home, version, run):
    # A stage whose artifact nobody has, and a run that is not there.
    tracker = tracking.client(home)
    tracker.set_model_version_tag("tiny-section", "1", "lmforge.clean", "c" * 64)
    tracker.set_model_version_tag("tiny-section", "1", "lmforge.pipeline_run", "0" * 32)
    document = lineage_of(home, "tiny-section/1")
    assert document["recipe"]["settings"] is None
    assert document["environment"] is None
    assert document["code"] == {"commit": None, "dirty": None, "version": None}
    (gone,) = [one for one in document["stages"] if not one["stored"]]
    assert (gone["name"], gone["fingerprint"]) == ("clean", "c" * 64)
    clean, lost = document["missing"]
    assert clean.startswith("clean cccccccccccccccc: no longer in the store")
    assert "not in MLflow" in lost


def test_an_unknown_model_is_refused_with_what_there_is(home, version):
    with pytest.raises(InputError, match="tiny-section"):
        lineage_of(home, "tiny-sectoin")
