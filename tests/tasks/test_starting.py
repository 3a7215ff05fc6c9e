"""A version in a real registry is found by number and by alias, with the tokens that it was trained on."""

from __future__ import annotations

import json

import pytest

from lmforge.artifacts import Counts, Store
from lmforge.artifacts.store import Outcome, Request
from lmforge.errors import InputError
from lmforge.recipe import load_recipe
from tasks import tracking
from tasks.starting import resolve
from tests.stock import stock_checkpoint
from tests.tiny import RECIPE

HEAD, TAIL = RECIPE.split("tokenizer:")[0], RECIPE[RECIPE.index("pretraining:") :]


@pytest.fixture
def tokens(home):
    """The artifact of a stage tokenize in the store."""

    def fill(out):
        (out / "train.npy").write_bytes(b"blocks")
        return Outcome(Counts())

    return Store(home.store).get_or_build(Request("tokenize", "tokens", {}, {}, "c"), fill)[0]


@pytest.fixture
def version(home, tokens, tmp_path):
    """`models:/reviews/1`, which is also `@champion`; its files are a directory."""
    model = tmp_path / "logged" / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps({"model_type": "bert", "max_position_embeddings": 64}))
    (model / "tokenizer.json").write_text("{}")
    tracker = tracking.client(home)
    tracker.create_registered_model("reviews")
    tags = {"lmforge.tokenize": tokens.fingerprint}
    made = tracker.create_model_version("reviews", (tmp_path / "logged").as_uri(), tags=tags)
    tracker.set_registered_model_alias("reviews", "champion", made.version)
    return made


def recipe(tmp_path, start, *overrides):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"{HEAD}model: {{from: '{start}'}}\n{TAIL}")
    return load_recipe(path, overrides)


@pytest.mark.parametrize("uri", ["models:/reviews/1", "models:/reviews@champion"])
def test_an_alias_becomes_its_version(home, version, tmp_path, uri):
    found, start = resolve(home, recipe(tmp_path, uri))
    assert found.model.start_from == start.name == "models:/reviews/1"
    assert found.model.architecture == "bert"
    assert start.directory == tmp_path / "logged" / "model"
    assert start.replay is None


def test_replay_takes_the_tokens_of_the_version(home, version, tokens, tmp_path):
    _, start = resolve(home, recipe(tmp_path, "models:/reviews/1", "pretraining.replay.share=0.25"))
    assert start.replay == tokens.path
    tracking.client(home).set_model_version_tag("reviews", "1", "lmforge.tokenize", "0" * 64)
    with pytest.raises(InputError, match=r"trained on tokens 0000000000000000, which the store .* does not hold"):
        resolve(home, recipe(tmp_path, "models:/reviews/1", "pretraining.replay.share=0.25"))
    tracking.client(home).delete_model_version_tag("reviews", "1", "lmforge.tokenize")
    with pytest.raises(InputError, match="trained on no tokens; name as"):
        resolve(home, recipe(tmp_path, "models:/reviews/1", "pretraining.replay.share=0.25"))


@pytest.mark.parametrize(
    ("uri", "known"),
    [
        ("models:/reviews/7", "reviews has the versions 1"),
        ("models:/reviews@nobody", "reviews has the versions 1"),
        ("models:/other/1", "registered models: reviews"),
        ("models:/reviews", "reviews has the versions 1"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(home, version, tmp_path, uri, known):
    with pytest.raises(InputError, match=known):
        resolve(home, recipe(tmp_path, uri))


def test_a_recipe_that_starts_from_nothing_is_left_alone(home, tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text(RECIPE)
    loaded = load_recipe(path)
    assert resolve(home, loaded) == (loaded, None)


def test_a_token_that_an_objective_lacks_is_missed_before_anything_runs(home, tmp_path):
    texts = [f"package {number} reads and writes files of the net" for number in range(200)]
    home = home.model_copy(update={"project": tmp_path})
    stock_checkpoint("t5", texts, tmp_path / "stock")
    spans, hidden = (
        recipe(tmp_path, "stock", f"pretraining.objective={one}") for one in ("span_corruption", "denoising")
    )
    found, start = resolve(home, spans)
    assert (found.model.architecture, start.name) == ("t5", "stock")
    with pytest.raises(InputError, match=rf"denoising needs a token for mask, .* of {tmp_path}/stock does not have"):
        resolve(home, hidden)
