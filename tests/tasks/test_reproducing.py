"""What happens around a second run: sources first, a home of its own, and a comparison that names the first difference.

The second run is a small program here, which makes artifacts as the pipeline would; `tests/server/test_lineage.py` runs
the pipeline itself.
"""

import json
import os
import sys

import pytest

from lmforge.artifacts import Counts, Store
from lmforge.artifacts.store import Outcome, Request
from lmforge.errors import InputError, LmforgeError
from lmforge.hashing import hash_file
from lmforge.home import Home
from lmforge.recipe import load_recipe
from tasks import registry, tracking
from tasks.reproducing import reproduce
from tests.tiny import make_project

AGAIN = """
import json, os, pathlib, shutil, sys
from lmforge.artifacts.store import Outcome, Request, Store
weights, seen, recipe = sys.argv[1:4]
assert sys.argv[4:] == ["--json"]
if weights == "fail":
    print(json.dumps({"error": "too few documents"}))
    sys.exit(3)
shutil.copy(recipe, seen)
home = pathlib.Path(os.environ["LMFORGE_HOME"])
assert not {"MLFLOW_TRACKING_URI", "PREFECT_API_URL"} & os.environ.keys()
def build(text, name):
    def fill(out):
        (out / "model").mkdir()
        (out / "model" / name).write_text(text)
        return Outcome()
    return fill
stages = []
for name, text, file in (("collect", "rows", "part.txt"), ("finetune-section", weights, "model.safetensors")):
    request = Request(name, "kind", {"settings": "others"}, {}, "code")
    place = Store(home / "store").get_or_build(request, build(text, file))[0].path
    stages.append({"name": name, "path": str(place)})
print(json.dumps({"stages": stages}))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home for all tests here: a new tracking database takes seconds. Each test has a version of its own."""
    directory = tmp_path_factory.mktemp("reproducing")
    make_project(directory / "project", num_documents=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LMFORGE_HOME", str(directory / "home"))
        found = Home.find(directory / "project").prepare()
        tracking.client(found).create_registered_model("tiny-section")
        yield found


@pytest.fixture
def source(home):
    """The file that is collected; it is put back afterwards."""
    path = home.project / "data" / "descriptions.jsonl"
    content = path.read_bytes()
    yield path
    path.write_bytes(content)


@pytest.fixture
def version(home):
    """The champion of `tiny-section`: a collected file, a model, and the run that made both."""
    recipe = load_recipe(home.project / "recipes" / "tiny.yaml")
    _, run_id = tracking.start_parent(home, recipe, "recipes/tiny.yaml", [])

    def publish(name, inputs, place, text):
        def build(out):
            (out / place).parent.mkdir(exist_ok=True)
            (out / place).write_text(text)
            return Outcome(Counts())

        return Store(home.store).get_or_build(Request(name, "kind", {}, inputs, "code"), build)[0]

    read = {"file:data/descriptions.jsonl": hash_file(home.project / "data" / "descriptions.jsonl")}
    raw = publish("collect", read, "model/part.txt", "rows")
    model = publish("finetune-section", {"tokens": raw.fingerprint}, "model/model.safetensors", "weights")
    execution = {"precision": "bf16-mixed", "num_threads": 1, "compiled": False}
    place = home.path / "training" / f"finetune-section-{model.path.name}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "execution.json").write_text(json.dumps(execution))
    tags = {"lmforge.collect": raw.fingerprint, "lmforge.finetune-section": model.fingerprint}
    tags |= {"lmforge.model": model.fingerprint, "lmforge.pipeline_run": run_id}
    tracker = tracking.client(home)
    made = tracker.create_model_version("tiny-section", model.path.as_uri(), tags=tags)
    registry.set_alias(home, "tiny-section", "champion", str(made.version))
    return made


@pytest.fixture
def again(home, version, tmp_path):
    """Reproduces `tiny-section` with the given weights; `said` and `recipe` tell of it afterwards."""
    program = tmp_path / "again.py"
    program.write_text(AGAIN)

    def call(weights="weights", **options):
        command = [sys.executable, str(program), weights, str(call.recipe)]
        return reproduce(home, "tiny-section", command, call.said.append, **options)

    call.said, call.recipe = [], tmp_path / "seen.json"
    return call


def test_equal_runs_are_equal_to_the_released_weights(home, version, again):
    num_versions = len(registry.versions(home, "tiny-section"))
    before = {path for path in home.path.rglob("*") if "mlflow.db" not in path.name}
    document = again()
    assert (document["status"], document["first_difference"]) == ("equal", None)
    assert [(one["name"], one["state"], one["same_code"]) for one in document["stages"]] == [
        ("collect", "equal", True), ("finetune-section", "equal", True),
    ]  # fmt: skip
    assert document["released"]["state"] == "equal"
    assert document["environment"] == {}
    assert again.said[0] == "1 source files compared, 0 differ"
    assert {path for path in home.path.rglob("*") if "mlflow.db" not in path.name} == before
    assert registry.aliases(home, "tiny-section") == {"champion": str(version.version)}
    assert len(registry.versions(home, "tiny-section")) == num_versions


def test_the_choice_of_the_first_run_is_passed_on(again):
    again()
    finetuning = json.loads(again.recipe.read_text())["tasks"][0]["finetuning"]
    assert (finetuning["precision"], finetuning["num_threads"], finetuning["compile"]) == ("bf16-mixed", 1, "off")
    # What is written down is a recipe.
    assert load_recipe(again.recipe).tasks[0].finetuning.num_threads == 1


def test_other_weights_are_named_with_their_stage(again):
    document = again("other weights")
    assert document["status"] == "different"
    assert document["first_difference"] == {
        "stage": "finetune-section", "what": ["model/model.safetensors"], "same_code": True, "drift": None,
    }  # fmt: skip
    assert document["released"]["state"] == "different"


def test_released_weights_that_are_not_those_of_the_store_are_found(home, version, again, tmp_path):
    other = tmp_path / "logged" / "model"
    other.mkdir(parents=True)
    (other / "model.safetensors").write_text("swapped")
    made = tracking.client(home).create_model_version("tiny-section", other.parent.as_uri(), tags=version.tags)
    registry.set_alias(home, "tiny-section", "champion", str(made.version))
    document = again()
    assert all(one["state"] == "equal" for one in document["stages"])
    assert document["first_difference"]["stage"] == "register"


def test_changed_sources_are_named_and_nothing_runs(source, again):
    source.write_bytes(source.read_bytes()[:-1] + b" ")
    document = again()
    assert document["status"] == "sources differ"
    assert document["first_difference"] == {
        "stage": "collect", "what": ["data/descriptions.jsonl"], "same_code": None,
    }  # fmt: skip
    assert not again.recipe.exists()
    document = again(despite_sources=True)
    assert document["status"] == "different"
    assert document["first_difference"]["what"] == ["data/descriptions.jsonl"]
    assert [one["state"] for one in document["stages"]] == ["equal", "equal"]


def test_a_source_that_is_gone_is_missing(source, again):
    source.unlink()
    document = again()
    assert [(one["name"], one["state"]) for one in document["sources"]] == [("data/descriptions.jsonl", "missing")]
    assert document["status"] == "sources differ"


def test_a_second_run_that_fails_says_why(again):
    with pytest.raises(LmforgeError, match="exit code 3: too few documents"):
        again("fail")


def test_a_version_without_a_recipe_cannot_run_again(home, version, again):
    tracking.client(home).set_model_version_tag("tiny-section", version.version, "lmforge.pipeline_run", "0" * 32)
    with pytest.raises(InputError, match=r"left no recipe\.json"):
        again()


def test_a_recipe_that_no_longer_fits_names_the_way_back(home, again, version):
    run_id = version.tags["lmforge.pipeline_run"]
    tracking.client(home).log_dict(run_id, {"model": {}, "renamed": 1}, "recipe.json")
    with pytest.raises(InputError, match="no longer fits"):
        again()
    assert "MLFLOW_TRACKING_URI" not in os.environ
