"""Stage `pretrain`: learn the language from token blocks."""

from __future__ import annotations

from pathlib import Path

from prefect.client.schemas.objects import State

from lmforge.artifacts import Artifact
from lmforge.artifacts.store import Outcome
from lmforge.training.spec import TrainingSpec
from tasks import tracking
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
            objective=recipe.pretraining.objective,
            settings=recipe.pretraining,
            num_threads=num_threads(),
            run_dir=run.training_directory("pretrain", out.name),
            model_dir=out / "model",
        )
        facts = train(run, spec, "pretrain")
        tracking.log_dataset(run.home, facts["mlflow_run_id"], tokens, "token blocks", "training")
        return Outcome(facts=facts)

    return make(run, "pretrain", {"tokenize": tokens}, build)
