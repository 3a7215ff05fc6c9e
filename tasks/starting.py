"""Find the model that a recipe starts from: a directory of the project, or a version in MLflow's registry."""

from __future__ import annotations

from pathlib import Path

from lmforge.artifacts import Artifact, Store
from lmforge.artifacts.store import verify
from lmforge.errors import InputError
from lmforge.home import Home
from lmforge.recipe import Recipe
from lmforge.starting import Start, is_registered, local_replay, local_start, started
from tasks import registry

# What a version's tag says of the tokens that it was trained on.
TOKENS_TAG = "lmforge.tokenize"


def resolve(home: Home, recipe: Recipe) -> tuple[Recipe, Start | None]:
    """The recipe with what it starts from spelled out, an alias as its version; None where it starts from nothing.

    Raises InputError for a model that is not there or does not fit the recipe.
    """
    start = _registered(home, recipe) if is_registered(recipe) else local_start(recipe, home.project)
    if start is None:
        return recipe, None
    resolved = started(recipe, start)
    if recipe.corpus is not None and not is_registered(recipe):
        # A stage would say it, too, after the corpus has been collected and cleaned.
        from lmforge.tokenization.adopting import check_adoption

        check_adoption(start.directory, recipe.pretraining.max_seq_length, recipe.pretraining.objectives)
    return resolved, start


def _registered(home: Home, recipe: Recipe) -> Start:
    version = registry.version_of(home, str(recipe.model.start_from))
    name = f"models:/{version.name}/{version.version}"
    replay = local_replay(recipe, home.project)
    if recipe.pretraining.replay and replay is None:
        replay = _tokens(home, name, version.tags.get(TOKENS_TAG))
    return Start(name, registry.model_directory(home, name), replay)


def _tokens(home: Home, name: str, fingerprint: str | None) -> Path:
    """The token artifact in the store that a version was trained on."""
    store = Store(home.store)
    for manifest in store.history("tokenize") if fingerprint else ():
        if manifest.fingerprint == fingerprint:
            place = store.root / manifest.stage / manifest.key
            verify(Artifact(kind=manifest.kind, path=place, fingerprint=manifest.fingerprint))
            return place
    said = f"tokens {fingerprint[:16]}, which the store {store.root} does not hold" if fingerprint else "no tokens"
    raise InputError(
        f"pretraining.replay: {name} was trained on {said}; name as pretraining.replay.tokens a directory that a stage "
        "tokenize wrote"
    )
