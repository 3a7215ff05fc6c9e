"""A lineage and a reproduction fit 80 columns and say first what a person asks first."""

from lmforge.reporting.lineage import render_lineage, render_reproduction


def stage(name="clean", **changes):
    document = {
        "name": name, "key": "0123456789abcdef", "fingerprint": "f" * 64, "stored": True, "size_bytes": 2_200_000,
        "inputs": [{"role": "raw_corpus", "stage": "collect"}, {"role": "file:a", "stage": None}],
        "counts": {"read": 34_169, "kept": 30_000, "repaired": 100, "quarantined": 4_069, "unit": "records"},
    }  # fmt: skip
    return document | changes


def lineage(**changes):
    collected = {"name": "https://example.org/a.gz", "num_records": 34_169}
    document = {
        "model": "reviews-section", "version": "3", "run_id": "a" * 32, "start": None, "missing": [],
        "recipe": {"path": "recipes/reviews.yaml", "overrides": "seed=2", "sha256": "e" * 64, "settings": {}},
        "code": {"commit": "b" * 40, "dirty": True, "version": "0.1.0"},
        "environment": {"lock": "d" * 64, "python": "3.11.1", "libraries": {"torch": "2.13.0", "zzz": "1"}},
        "stages": [stage(), stage("finetune-section", counts={"read": 0, "kept": 0, "repaired": 0})],
        "sources": [{"name": "downloads/a.gz", "sha256": "c" * 64, "collected": collected}],
    }  # fmt: skip
    return document | changes


def test_lineage_names_recipe_commit_stages_and_sources():
    text = render_lineage(lineage())
    assert max(map(len, text.splitlines())) <= 80
    for words in (
        "reviews-section version 3, made by run " + "a" * 32,
        "recipes/reviews.yaml (eeeeeeeeeeeeeeee)",
        "--set    seed=2",
        "commit     " + "b" * 40,
        "with changes that were not committed",
        "3.11.1, 2 libraries, among them",
        "torch 2.13.0",
        "30,100 of 34,169 records",
        "from collect (raw_corpus)",
        "2.2 MB",
        "https://example.org/a.gz",
    ):
        assert words in text
    assert "missing" not in text


def test_lineage_says_what_is_not_known():
    unknown = {"path": None, "overrides": None, "sha256": None, "settings": None}
    code = {"commit": None, "dirty": None, "version": None}
    gone = stage(key=None, stored=False, size_bytes=None, inputs=[])
    text = render_lineage(
        lineage(recipe=unknown, code=code, environment=None, stages=[gone], missing=["clean f: no longer in the store"])
    )
    assert "commit     not recorded" in text
    assert "lock       not recorded" in text
    assert "unknown          ffffffffffffffff gone" in text
    assert text.endswith("missing: clean f: no longer in the store")


def test_many_source_files_are_counted():
    sources = [{"name": f"data/{index}", "sha256": "c" * 64, "collected": None} for index in range(25)]
    assert "and 5 more" in render_lineage(lineage(sources=sources))


def reproduction(**changes):
    commit = {"commit": "b" * 40, "dirty": False, "version": "0.1.0"}
    files = [{"name": "model/config.json", "state": "equal"}, {"name": "model/model.safetensors", "state": "equal"}]
    document = {
        "model": "reviews-section", "version": "3", "status": "equal", "first_difference": None, "environment": {},
        "code": {"then": commit, "now": commit, "same": True},
        "sources": [{"name": "data/a.jsonl", "state": "equal"}],
        "stages": [{"name": "pretrain", "state": "equal", "same_code": True, "files": files}],
        "released": {"name": "model.safetensors", "state": "equal", "then": "9" * 64},
    }  # fmt: skip
    return document | changes


def test_equal_is_said_with_the_number_of_files():
    lines = render_reproduction(reproduction()).splitlines()
    assert lines[0].split() == ["source", "equal", "data/a.jsonl"]
    assert "2 of 2 files equal" in lines[1]
    assert lines[-1] == "reviews-section version 3: equal, 2 files in 1 stages"


def test_difference_names_stage_file_code_and_libraries():
    files = [{"name": "model/config.json", "state": "equal"}, {"name": "model/model.safetensors", "state": "different"}]
    changed = {"name": "pretrain", "state": "different", "same_code": False, "files": files}
    gone = {"name": "clean", "state": "different", "same_code": None, "files": []}
    code = {"then": {"commit": "b" * 40}, "now": {"commit": "c" * 40}, "same": False}
    first = {"stage": "pretrain", "what": ["model/model.safetensors"], "same_code": False}
    environment = {f"libraries.name{index}": ["1", "2"] for index in range(10)}
    text = render_reproduction(
        reproduction(
            status="different", first_difference=first, code=code, environment=environment, stages=[changed, gone]
        )
    )
    assert max(map(len, text.splitlines())) <= 80
    assert "bbbbbbbbbbbbbbbb then, cccccccccccccccc now" in text
    assert "libraries.name0 1 to 2" in text
    assert "and 2 more differences" in text
    assert "1 of 2 files equal; other code or libraries" in text
    assert "  different  model/model.safetensors" in text
    assert "by fingerprint" in text
    assert text.endswith("reviews-section version 3: first difference in pretrain\n  model/model.safetensors")


def test_a_long_list_of_sources_never_hides_one_that_differs():
    sources = [{"name": f"data/{index}", "state": "equal"} for index in range(30)]
    lines = render_reproduction(reproduction(sources=[*sources, {"name": "last", "state": "missing"}])).splitlines()
    assert lines[0].split() == ["source", "missing", "last"]
    assert lines[20].strip() == "and 11 more; all of them with --json"


def test_changed_sources_are_named_and_what_to_do():
    sources = [{"name": "data/a.jsonl", "state": "different"}]
    first = {"stage": "collect", "what": ["data/a.jsonl"], "same_code": None}
    text = render_reproduction(
        reproduction(
            status="sources differ", first_difference=first, sources=sources, stages=[], released=None,
            environment=None, code={"then": {"commit": None}, "now": {"commit": None}, "same": None},
        )
    )  # fmt: skip
    assert "libraries  not recorded" in text
    assert "source     different  data/a.jsonl" in text
    assert text.endswith("nothing was run; put the sources back, or add --despite-sources")
