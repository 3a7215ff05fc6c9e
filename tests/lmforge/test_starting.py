"""A start is checked by its files alone: what is there, what fits, and what the recipe says against it."""

from __future__ import annotations

import json

import pytest

from lmforge.errors import InputError
from lmforge.hashing import hash_file
from lmforge.pipeline import stages
from lmforge.recipe import load_recipe
from lmforge.starting import Start, local_start, started
from tests.tiny import RECIPE

HEAD, TAIL = RECIPE.split("tokenizer:")[0], RECIPE[RECIPE.index("pretraining:") :]


@pytest.fixture
def base(tmp_path):
    """A directory that looks like a model of BERT, and tokens beside it."""
    directory = tmp_path / "base"
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps({"model_type": "bert", "max_position_embeddings": 64}))
    (directory / "tokenizer.json").write_text("{}")
    (directory / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "train.npy").write_bytes(b"blocks")
    return directory


@pytest.fixture
def load(tmp_path):
    def loaded(*overrides, model="{from: base}", tail=TAIL):
        path = tmp_path / "recipe.yaml"
        path.write_text(f"{HEAD}model: {model}\n{tail}")
        return load_recipe(path, overrides)

    return loaded


def test_the_recipe_gets_the_architecture_of_its_start(load, base, tmp_path):
    recipe = load()
    start = local_start(recipe, tmp_path)
    assert start == Start("base", base)
    assert started(recipe, start).model.architecture == "bert"
    assert recipe.model.architecture == "modernbert"
    assert local_start(load(model="{architecture: bert}"), tmp_path) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mamba"}, "is of architecture mamba; those that can be started from are bert, modernbert"),
        ({"model_type": "gpt2"}, "architecture gpt2 does not fit objective masked_lm"),
        ({"max_position_embeddings": 16}, "pretraining.max_seq_length: 32 is more than the 16 positions of base"),
        ({}, None),
    ],
)
def test_what_does_not_fit_is_named(load, base, tmp_path, change, message):
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | change))
    recipe = load()
    start = local_start(recipe, tmp_path)
    if message is None:
        assert started(recipe, start).model.start_from == "base"
        return
    with pytest.raises(InputError, match=message):
        started(recipe, start)


def test_contradictions_and_missing_files_are_named(load, base, tmp_path):
    contrary = load(model="{from: base, architecture: t5}", tail=TAIL)
    with pytest.raises(InputError, match=r"model\.architecture says t5, but base is of architecture bert; remove"):
        started(contrary, Start("base", base))
    replayed = load("pretraining.replay.tokens=nowhere")
    with pytest.raises(InputError, match=r"nowhere has no train\.npy"):
        started(replayed, local_start(replayed, tmp_path))
    (base / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"lacks tokenizer\.json"):
        started(load(), Start("base", base))
    (base / "config.json").write_text("[1]")
    with pytest.raises(InputError, match="holds no configuration"):
        started(load(), Start("base", base))
    with pytest.raises(InputError, match=r"config\.json does not exist; name the directory of a transformers model"):
        started(load(), Start("base", tmp_path / "absent"))
    outside = load(model="{from: ../base}")
    with pytest.raises(InputError, match="outside of the project"):
        local_start(outside, tmp_path / "tokens")


def test_a_start_decides_the_keys_of_what_is_made_from_it(load, base, tmp_path):
    recipe = load("pretraining.replay.tokens=tokens")
    start = local_start(recipe, tmp_path)
    chain = stages(started(recipe, start), start)
    assert chain["tokenize"].config["tokenizer"] is None
    assert chain["tokenize"].given == {"start:tokenizer": base / "tokenizer.json"}
    (base / "tokenizer_config.json").write_text("{}")
    named = stages(recipe, start)["tokenize"].given
    assert named == chain["tokenize"].given | {"start:tokenizer_config.json": base / "tokenizer_config.json"}
    (base / "tokenizer_config.json").unlink()
    assert chain["scratch-section"].given == {"start:config": base / "config.json"}
    assert chain["finetune-section"].given == {}, "it reads the base model that was made"
    request = chain["pretrain"].request({"tokenize": "t"}, tmp_path)
    assert request.inputs["start:model.safetensors"] == hash_file(base / "model.safetensors")
    assert request.inputs["replay:train.npy"] == hash_file(tmp_path / "tokens" / "train.npy")
    (base / "model.safetensors").write_bytes(b"other weights")
    assert chain["pretrain"].request({"tokenize": "t"}, tmp_path).key != request.key


def test_without_a_corpus_tasks_are_learned_from_the_start(load, base, tmp_path):
    path = tmp_path / "only.yaml"
    path.write_text("name: only\nmodel: {from: base}\n" + RECIPE[RECIPE.index("tasks:") :])
    recipe = load_recipe(path)
    start = local_start(recipe, tmp_path)
    chain = stages(started(recipe, start), start)
    assert "pretrain" not in chain
    assert chain["finetune-section"].given["start:model.safetensors"] == base / "model.safetensors"
