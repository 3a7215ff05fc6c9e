"""Stage `pretrain`: learn the language from token blocks, with new weights or those of a model to go on from."""

from __future__ import annotations

from pathlib import Path

from prefect.client.schemas.objects import State

from lmforge.artifacts import Artifact
from lmforge.artifacts.store import Outcome
from lmforge.training.spec import TrainingSpec
from tasks.context import Run
from tasks.stage import make, stage_task
from tasks.training import num_threads, train


@stage_task
def pretrain_model(run: Run, tokens: Artifact) -> State[Artifact]:
    """The base model as a transformers directory."""
    recipe = run.recipe

    def build(out: Path) -> Outcome:
        spec = TrainingSpec(
            name="pretrain",
            seed=recipe.seed,
            architecture=recipe.model.architecture,
            size=recipe.model.size,
            tokenizer=tokens.path / "tokenizer",
            data=tokens.path,
            start=run.start.directory if run.start else None,
            replay=run.start.replay if run.start else None,
            objective=recipe.pretraining.objective,
            settings=recipe.pretraining,
            num_threads=num_threads(),
            run_dir=run.training_directory("pretrain", out.name),
            model_dir=out / "model",
            probes=run.home.path / "probes.json",
        )
        facts = train(run, spec, "pretrain", {"token blocks": tokens})
        return Outcome(facts=facts)

    return make(run, "pretrain", {"tokenize": tokens}, build)
