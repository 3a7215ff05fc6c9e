"""The chain as data: stages, keys, plans and reasons, without running anything."""

import json
import shutil

import pytest

from lmforge.artifacts import Counts, Store
from lmforge.artifacts.store import Outcome
from lmforge.errors import InputError, RecipeError
from lmforge.explaining import FIRST, REUSED, why_run
from lmforge.home import Home
from lmforge.pipeline import stages
from lmforge.planning import plan_stages
from lmforge.recipe import load_recipe
from tests.tiny import make_project


@pytest.fixture
def recipe_path(tmp_path):
    return make_project(tmp_path / "project", num_documents=40)


@pytest.fixture
def home(recipe_path):
    project = recipe_path.parents[1]
    return Home(project=project, path=project / ".lmforge")


def keys(recipe, home):
    """The key of every stage, each input's fingerprint being its own key."""
    known = {}
    for stage in stages(recipe).values():
        known[stage.name] = stage.request(known, home.project).key
    return known


def changed(recipe_path, home, *overrides):
    before, now = keys(load_recipe(recipe_path), home), keys(load_recipe(recipe_path, overrides), home)
    return [name for name in before if before[name] != now[name]]


def build_all(recipe, home, text="x"):
    """Fill the store with an artifact a stage; the content depends on the key, so that changes travel on."""
    known = {}
    for stage in stages(recipe).values():
        request = stage.request(known, home.project)

        def fill(out, key=request.key):
            (out / "file").write_text(key + text)
            return Outcome(Counts(read=1, kept=1))

        known[stage.name] = Store(home.store).get_or_build(request, fill)[0].fingerprint
    return known


def test_every_input_comes_before_its_stage(recipe_path):
    seen = set()
    for stage in stages(load_recipe(recipe_path)).values():
        assert set(stage.inputs.values()) <= seen
        seen.add(stage.name)
    assert seen >= {"collect", "clean", "tokenize", "pretrain", "evaluate-section"}


def test_fingerprints_of_the_labelled_sets_guard_the_corpus(recipe_path):
    assert "label-section" in stages(load_recipe(recipe_path))["clean"].inputs.values()


@pytest.mark.parametrize(
    ("override", "first"),
    [
        ("tasks.section.finetuning.learning_rate=1e-4", "finetune-section"),
        ("pretraining.learning_rate=1e-4", "pretrain"),
        ("tokenizer.vocab_size=900", "tokenize"),
        ("expectations.clean_corpus.min_documents=5", "clean"),
        ("tasks.section.data.test_share=0.2", "label-section"),
        ("release.alpha=0.05", None),
        ("tasks.section.minimum=0.5", None),
    ],
)
def test_a_change_re_runs_from_the_stage_that_it_concerns(recipe_path, home, override, first):
    found = changed(recipe_path, home, override)
    assert (found[0] if found else None) == first
    if first == "finetune-section":
        assert found == ["finetune-section", "scratch-section", "evaluate-section"]
    if first == "pretrain":
        assert "tokenize" not in found
        assert "scratch-section" not in found
        assert "baselines-section" not in found


@pytest.mark.parametrize(
    "override", ["release.robustness=null", "release.fairness=null", "release.robustness.noise_rate=0.3"]
)
def test_what_the_gate_asks_of_changed_text_makes_nothing_again(recipe_path, home, override):
    assert changed(recipe_path, home, override) == []


def test_changed_file_behind_the_same_path_changes_the_key(recipe_path, home):
    recipe = load_recipe(recipe_path)
    before = keys(recipe, home)
    with (home.project / "data" / "descriptions.jsonl").open("a") as file:
        file.write(json.dumps({"id": "new", "section": "net", "description": "A new one."}) + "\n")
    assert keys(recipe, home)["collect"] != before["collect"]


def test_key_does_not_depend_on_the_place_of_the_project(recipe_path, home, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(home.project, moved)
    recipe = load_recipe(recipe_path)
    assert keys(recipe, home) == keys(recipe, Home(project=moved, path=moved / ".lmforge"))


def test_missing_source_is_named(recipe_path, home):
    recipe = load_recipe(recipe_path, ["corpus.sources.0.path=data/descriptons.jsonl"])
    with pytest.raises(InputError, match=r"descriptions\.jsonl"):
        plan_stages(recipe, home)


def test_plan_before_the_first_run(recipe_path, home):
    rows = {row.name: row for row in plan_stages(load_recipe(recipe_path), home)}
    assert not any(row.cached for row in rows.values())
    assert rows["collect"].why == FIRST
    assert rows["pretrain"].why == "after tokenize"
    assert rows["pretrain"].key is None


def test_plan_after_a_run_and_after_a_change(recipe_path, home):
    build_all(load_recipe(recipe_path), home)
    assert {row.why for row in plan_stages(load_recipe(recipe_path), home)} == {REUSED}
    changed_recipe = load_recipe(recipe_path, ["tasks.section.finetuning.learning_rate=1e-4"])
    rows = {row.name: row for row in plan_stages(changed_recipe, home)}
    assert rows["pretrain"].cached
    assert not rows["finetune-section"].cached
    assert rows["finetune-section"].why == "finetuning.learning_rate: 0.003 to 0.0001"
    assert rows["evaluate-section"].why == "after finetune-section, scratch-section"


def test_plan_names_a_damaged_artifact(recipe_path, home):
    build_all(load_recipe(recipe_path), home)
    (damaged,) = (home.store / "collect").glob("*/file")
    damaged.write_text("other")
    rows = {row.name: row for row in plan_stages(load_recipe(recipe_path), home)}
    assert not rows["collect"].cached
    assert "bytes found" in rows["collect"].why


def test_reasons_name_inputs_code_and_settings(recipe_path, home):
    build_all(load_recipe(recipe_path), home)
    stage = stages(load_recipe(recipe_path))["pretrain"]
    known = build_all(load_recipe(recipe_path), home)
    request = stage.request(known, home.project)
    store = Store(home.store)
    assert why_run(store, request._replace(code="other")) == "its code or a library changed"
    assert why_run(store, request._replace(inputs={"tokens": "0" * 64})).startswith("tokens changed (")
    assert "seed: 42 to 7" in why_run(store, request._replace(config=dict(request.config) | {"seed": 7}))
    shutil.rmtree(store.place(request))
    assert why_run(store, request) == FIRST


def test_recipe_without_corpus_only_finetunes(recipe_path):
    text = recipe_path.read_text()
    only = text[: text.index("corpus:")] + "model: {from: data}\n" + text[text.index("tasks:") :]
    recipe_path.write_text(only)
    names = list(stages(load_recipe(recipe_path)))
    assert names == ["label-section", "baselines-section", "finetune-section", "evaluate-section"]


def test_recipe_without_tasks_ends_with_a_base_model(recipe_path):
    text = recipe_path.read_text()
    recipe_path.write_text(text[: text.index("tasks:")] + text[text.index("release:") :])
    assert list(stages(load_recipe(recipe_path))) == ["collect", "clean", "tokenize", "pretrain", "evaluate-language"]


def test_documents_are_scored_only_where_a_base_model_is_released(recipe_path):
    def scored(*overrides):
        return stages(load_recipe(recipe_path, overrides))["evaluate-language"]

    assert "clean_corpus" not in scored().inputs
    assert scored("release.base_model=true").inputs["clean_corpus"] == "clean"
    assert scored("release.base_model=true", "release.max_documents=7").config["max_documents"] == 7
    assert load_recipe(recipe_path).releases_base is False
    text = recipe_path.read_text()
    recipe_path.write_text(text[: text.index("tasks:")] + text[text.index("release:") :])
    assert load_recipe(recipe_path).releases_base
    assert not load_recipe(recipe_path, ["release.base_model=false"]).releases_base


def test_a_base_model_that_cannot_be_released_is_refused(recipe_path):
    detector = ["pretraining.objective=replaced_token_detection", "model.architecture=electra"]
    with pytest.raises(RecipeError, match="gives no probabilities of text"):
        load_recipe(recipe_path, [*detector, "release.base_model=true"])
    recipe_path.write_text(recipe_path.read_text().replace("name: section", "name: base"))
    load_recipe(recipe_path)
    with pytest.raises(RecipeError, match="a task is named base"):
        load_recipe(recipe_path, ["release.base_model=true"])
