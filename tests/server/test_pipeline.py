"""The whole chain on a real Prefect server and a real MLflow registry: run, reuse, change, compare, predict."""

import json
import time

import pytest

from lmforge.errors import ContractError, RecipeError
from lmforge.home import Home

pytestmark = pytest.mark.server
RECIPE = "recipes/tiny.yaml"


@pytest.fixture(scope="module")
def first(project, prefect_server):
    from flows.pipeline import pipeline

    return pipeline(RECIPE)


@pytest.fixture(scope="module")
def second(first):
    from flows.pipeline import pipeline

    return pipeline(RECIPE)


@pytest.fixture(scope="module")
def changed(second):
    from flows.pipeline import pipeline

    return pipeline(RECIPE, ["tasks.section.finetuning.learning_rate=5e-3"])


def states(document):
    return {stage["name"]: stage["cached"] for stage in document["stages"]}


def test_first_run_makes_every_stage_and_a_champion(first):
    assert list(states(first)) == [
        "label-section", "collect", "clean", "tokenize", "pretrain", "evaluate-language", "baselines-section",
        "finetune-section", "scratch-section", "evaluate-section",
    ]  # fmt: skip
    assert not any(states(first).values())
    (task,) = first["tasks"]
    assert task["registered_model"] == "tiny-section"
    assert task["version"] == "1"
    assert task["baselines"].keys() == {"majority", "tfidf_linear", "scratch"}
    for system in (task["metrics"], *task["baselines"].values()):
        assert 0 <= system["macro_f1"]["low"] <= system["macro_f1"]["value"] <= system["macro_f1"]["high"] <= 1
    above = task["metrics"]["macro_f1"]["value"] > task["baselines"]["majority"]["macro_f1"]["value"]
    assert task["verdict"] == ("first version" if above else "refused")
    assert ("champion" in task["aliases"]) == above


def test_records_balance_at_every_stage(first):
    for stage in first["stages"]:
        counts = stage["counts"]
        assert counts["read"] == counts["kept"] + counts["repaired"] + counts["quarantined"], stage["name"]
        assert sum(counts["reasons"].values()) == counts["quarantined"], stage["name"]


def test_second_run_reuses_every_stage_and_the_version(first, second):
    assert all(states(second).values())
    assert [stage["fingerprint"] for stage in second["stages"]] == [stage["fingerprint"] for stage in first["stages"]]
    assert second["tasks"][0]["version"] == "1"
    assert second["tasks"][0]["decided_earlier"]


def test_reused_stages_are_named_so_in_prefect(second):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    reused = []
    end = time.monotonic() + 60  # the server writes task runs down some seconds after they ended
    with get_client(sync_client=True) as client:
        runs = [run for run in client.read_flow_runs(sort="START_TIME_DESC", limit=10) if run.name == RECIPE]
        while len(reused) < len(second["stages"]) and time.monotonic() < end:
            chosen = FlowRunFilter(id=FlowRunFilterId(any_=[run.id for run in runs]))
            tasks = client.read_task_runs(flow_run_filter=chosen)
            reused = [task.name for task in tasks if task.state_name == "Reused"]
            time.sleep(0.5)
    assert len(reused) == len(second["stages"])


def test_changed_learning_rate_runs_from_finetuning_on_and_says_why(changed):
    cached = states(changed)
    assert [name for name, reused in cached.items() if not reused] == [
        "finetune-section", "scratch-section", "evaluate-section",
    ]  # fmt: skip
    (why,) = [stage["why"] for stage in changed["stages"] if stage["name"] == "finetune-section"]
    assert "finetuning.learning_rate: 0.003 to 0.005" in why
    (task,) = changed["tasks"]
    assert task["version"] == "2"
    assert task["verdict"] in ("improved", "no measurable change", "worse within noise", "regression", "refused")


def test_champion_only_moves_when_better(first, changed):
    from tasks import registry

    held = registry.aliases(Home.find(), "tiny-section")
    promoted = changed["tasks"][0]["promoted"]
    before = "1" if first["tasks"][0]["promoted"] else None
    assert held.get("champion") == ("2" if promoted else before)
    assert held["challenger"] == "2"


def test_gate_numbers_are_in_mlflow(changed):
    import mlflow

    from tasks import tracking

    client = tracking.client(Home.find())
    runs = client.search_runs([changed["experiment_id"]], f"tags.`mlflow.parentRunId` = '{changed['run_id']}'")
    by_name = {run.info.run_name: run for run in runs}
    assert {"finetune-section", "scratch-section", "evaluate-section", "register-section", "promote-section"} <= set(
        by_name
    )
    gate = mlflow.artifacts.load_dict(f"runs:/{by_name['promote-section'].info.run_id}/evidence/gate.json")
    assert gate["verdict"] == changed["tasks"][0]["verdict"]
    assert [rule["name"] for rule in gate["rules"]][:2] == ["files", "self_test"]
    losses = client.get_metric_history(by_name["finetune-section"].info.run_id, "train/loss")
    steps = [point.step for point in losses]
    assert steps == sorted(set(steps)), "a step was logged twice"


def test_training_curves_data_docs_and_inputs_are_in_mlflow(first):
    from tasks import tracking

    client = tracking.client(Home.find())
    parent = client.get_run(first["run_id"])
    assert parent.info.status == "FINISHED"
    docs = {item.path for item in client.list_artifacts(first["run_id"], "data_docs")}
    assert docs == {
        f"data_docs/{name}" for name in ("collect", "clean", "label-section", "tokenize", "evaluate-section")
    }
    children = client.search_runs([first["experiment_id"]], f"tags.`mlflow.parentRunId` = '{first['run_id']}'")
    pretrain = next(run for run in children if run.info.run_name == "pretrain")
    assert {"train/loss", "train/tokens_per_second", "train/learning_rate", "train/seconds", "val/loss"} <= set(
        pretrain.data.metrics
    )
    evaluate = next(run for run in children if run.info.run_name == "evaluate-section")
    assert evaluate.inputs.dataset_inputs
    assert pretrain.inputs.dataset_inputs[0].dataset.name == "token blocks"
    assert {one.dataset.name for one in parent.inputs.dataset_inputs} == {
        "collect",
        "clean",
        "label-section",
        "tokenize",
    }
    assert {item.path for item in client.list_artifacts(evaluate.info.run_id, "figures")} == {"figures/confusion.png"}


def test_registered_version_is_traceable_and_loads_with_transformers_alone(first):
    import mlflow
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from tasks import registry, tracking

    home = Home.find()
    version = tracking.client(home).get_model_version("tiny-section", "1")
    fingerprints = {stage["name"]: stage["fingerprint"] for stage in first["stages"]}
    for stage in ("collect", "clean", "tokenize", "pretrain", "label-section"):
        assert version.tags[f"lmforge.{stage}"] == fingerprints[stage]
    assert version.tags["lmforge.model"] == fingerprints["finetune-section"]
    directory = registry.model_directory(home, "models:/tiny-section/1")
    assert (directory / "README.md").read_text().startswith("---")
    text = "A small game of cards"
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(directory, local_files_only=True).eval()
    label = model.config.id2label[int(model(**tokenizer(text, return_tensors="pt")).logits.argmax())]
    answer = mlflow.pyfunc.load_model("models:/tiny-section/1").predict([text])
    assert answer["label"][0] == label
    info = mlflow.models.get_model_info("models:/tiny-section/1")
    assert info.signature is not None
    assert info.saved_input_example_info is not None


def test_predict_answers_like_the_model(first):
    from tasks.serving import load_classifier

    uri, classifier = load_classifier(Home.find(), "tiny-section/1")
    (answer,) = classifier.predict(["A small game of cards"])
    assert uri == "models:/tiny-section/1"
    assert answer.label in ("games", "net", "science", "sound")
    assert 0.25 <= answer.probability <= 1


def test_damaged_artifact_is_made_again_with_the_same_fingerprint(first, changed):
    from flows.pipeline import pipeline

    clean = next(stage for stage in first["stages"] if stage["name"] == "clean")
    shard = next(iter(sorted((Home.find().store / "clean" / clean["key"]).glob("part-*.parquet"))))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    document = pipeline(RECIPE)
    assert states(document)["clean"] is False
    assert states(document)["tokenize"] is True, "the same content came out, so nothing after it runs"
    assert next(one for one in document["stages"] if one["name"] == "clean")["fingerprint"] == clean["fingerprint"]


def test_broken_promise_stops_the_run_and_publishes_nothing(changed):
    from flows.pipeline import pipeline
    from tasks import tracking

    home = Home.find()
    before = sorted(path.name for path in (home.store / "collect").iterdir() if not path.name.startswith("."))
    with pytest.raises(ContractError, match="min_documents"):
        pipeline(RECIPE, ["expectations.raw_corpus.min_documents=100000"])
    assert before == sorted(path.name for path in (home.store / "collect").iterdir() if not path.name.startswith("."))
    (run, *_) = tracking.client(home).search_runs(
        [changed["experiment_id"]], "tags.`lmforge.kind` = 'pipeline'", order_by=["attributes.start_time DESC"]
    )
    assert run.info.status == "FAILED"
    assert "min_documents" in run.data.tags["mlflow.note.content"]
    summary = json.loads((home.runs / run.info.run_id / "summary.json").read_text())
    assert summary["status"] == "failed"


def test_dataset_directory_as_source_makes_the_same_corpus(project, first, changed):
    import polars as pl
    from datasets import Dataset

    from flows.prepare import prepare

    rows = [json.loads(line) for line in (project / "data" / "descriptions.jsonl").read_text().splitlines()]
    Dataset.from_list(rows).save_to_disk(project / "data" / "saved")
    as_dataset = "corpus.sources=[{kind: dataset, path: data/saved, text: description, id: id}]"
    document = prepare(RECIPE, [as_dataset])
    texts = []
    for run in (first, document):
        path = next(stage["path"] for stage in run["stages"] if stage["name"] == "clean")
        texts.append(pl.read_parquet(f"{path}/part-*.parquet").select("id", "text"))
    assert texts[0].equals(texts[1])


def test_a_recipe_without_corpus_fine_tunes_a_base_model_of_yours(project, first, changed):
    import shutil

    from flows.pipeline import pipeline

    base = next(stage["path"] for stage in first["stages"] if stage["name"] == "pretrain")
    shutil.copytree(f"{base}/model", project / "data" / "base")
    text = (project / RECIPE).read_text().replace("name: tiny", "name: own", 1)
    head, tasks = text[: text.index("corpus:")], text[text.index("tasks:") :]
    (project / "recipes" / "own.yaml").write_text(f"{head}model: {{from: data/base}}\n{tasks}")
    document = pipeline("recipes/own.yaml")
    assert list(states(document)) == ["label-section", "baselines-section", "finetune-section", "evaluate-section"]
    assert document["language"] is None
    (task,) = document["tasks"]
    assert (task["registered_model"], task["baselines"].keys()) == ("own-section", {"majority", "tfidf_linear"})
    from tasks import registry

    card = registry.model_directory(Home.find(), f"models:/own-section/{task['version']}") / "README.md"
    assert "| started from | data/base |" in card.read_text().replace("\\", "")


def test_wrong_recipe_is_refused_before_anything_runs(project, prefect_server):
    from flows.pipeline import pipeline

    with pytest.raises(RecipeError, match="learning_rate"):
        pipeline(RECIPE, ["pretraining.learning_rte=1"])


def test_nothing_is_written_outside_the_project(project, changed):
    assert {path.name for path in project.iterdir()} == {".lmforge", "data", "prefect.yaml", "recipes"}
