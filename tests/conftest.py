"""Shared by all tests: a home in a temporary directory, set before Prefect or MLflow can be imported, and small real
data to train on.
"""

import gzip
import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# At import, before any test module: Prefect reads its home when it is imported, and so does matplotlib.
_HOME = Path(tempfile.mkdtemp(prefix="lmforge-tests-"))
os.environ["LMFORGE_HOME"] = str(_HOME)
os.environ.pop("MLFLOW_TRACKING_URI", None)
os.environ.pop("PREFECT_API_URL", None)
# A shell in the background starts its children with SIGINT ignored, and what the tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

from lmforge.home import Home  # noqa: E402

Home.find().prepare()

import polars as pl  # noqa: E402

from lmforge.recipe.optimization import Finetuning, Pretraining  # noqa: E402
from lmforge.recipe.schema import Tokenizer  # noqa: E402
from lmforge.tokenization.encoding import encode  # noqa: E402
from lmforge.tokenization.packing import write_blocks, write_origin  # noqa: E402
from lmforge.tokenization.tokenizer import train_tokenizer  # noqa: E402
from lmforge.training.spec import TrainingSpec  # noqa: E402

SAMPLE = Path(__file__).parent.parent / "examples" / "data" / "debian_descriptions.jsonl.gz"
SECTIONS = ("games", "net", "text")
LENGTH = 32


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of this test's own; the project is the repository."""
    monkeypatch.setenv("LMFORGE_HOME", str(tmp_path / "home"))
    return Home.find(Path(__file__).parents[1]).prepare()


@pytest.fixture(scope="session")
def descriptions() -> list[dict[str, Any]]:
    """Every 12th package of the three sections."""
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row for row in rows if row["section"] in SECTIONS][::12]


@pytest.fixture(scope="session")
def training_data(tmp_path_factory, descriptions) -> Path:
    """`tokenizer/`, `train|validation.npy` and `train|validation.parquet`."""
    directory = tmp_path_factory.mktemp("data")
    texts = [row["description"] for row in descriptions]
    tokenizer = train_tokenizer(texts, Tokenizer(vocab_size=600, lowercase=True), LENGTH, directory / "tokenizer")
    for split, part in (("train", slice(40, None)), ("validation", slice(0, 40))):
        write_blocks(directory / f"{split}.npy", [encode(tokenizer, texts[part])], LENGTH)
        rows = [{"text": row["description"], "label": row["section"]} for row in descriptions[part]]
        pl.DataFrame(rows).write_parquet(directory / f"{split}.parquet")
    write_origin(directory, directory / "tokenizer", LENGTH)
    return directory


@pytest.fixture
def make_spec(training_data, tmp_path) -> Callable[..., TrainingSpec]:
    """A spec that trains in a directory of its own; keywords change its settings, `objective` and `start` the spec."""

    def make(
        name: str = "run",
        *,
        objective: str = "masked_lm",
        architecture: str = "bert",
        start: Path | None = None,
        seed: int = 1,
        **changes: Any,
    ) -> TrainingSpec:
        settings = {
            "max_steps": 24, "global_batch_size": 8, "max_seq_length": LENGTH, "warmup_steps": 3, "learning_rate": 2e-3,
            "eval_every_n_steps": 7, "checkpoint_every_n_steps": 5,
        } | changes  # fmt: skip
        fine = objective == "sequence_classification"
        return TrainingSpec(
            name=name,
            seed=seed,
            architecture=architecture,
            size="nano",
            tokenizer=start or training_data / "tokenizer",
            data=training_data,
            start=start,
            objective=objective,
            settings=Finetuning(**settings) if fine else Pretraining(objective=objective, **settings),
            labels=SECTIONS if fine else (),
            num_threads=1,
            log_every_n_steps=1,
            run_dir=tmp_path / name,
            model_dir=tmp_path / name / "model",
        )

    return make
