"""The chain as data: which stages a recipe asks for, what each reads, and which code and settings decide its result.

The flow runs these stages and `lmforge plan` explains them; both take the keys from here, so they cannot disagree.
A stage's key depends on its part of the recipe, the content of its inputs, the source of its code and the versions
of the libraries that compute its result; never on times or places.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from lmforge.artifacts.store import Request
from lmforge.dependencies import CLEANING, CLEANING_LIBRARIES, COLLECTING, COLLECTING_LIBRARIES
from lmforge.hashing import code_fingerprint, hash_file, hash_path
from lmforge.paths import expand
from lmforge.recipe.data import Corpus, LabelledData
from lmforge.recipe.schema import Recipe, Task
from lmforge.sources.base import SourceBase, source_name
from lmforge.starting import CONFIG, Start

TRAINING = ("lmforge.training", "lmforge.tokenization.roles", "models")
# Suites share how they measure, so all of them count for each.
SUITES, PROFILE = "expectations", "lmforge.text.profiling"
EVALUATION_LIBRARIES = ("torch", "transformers", "scipy", "matplotlib")
TRAINING_LIBRARIES = ("torch", "transformers", "pytorch-lightning")


class Stage(NamedTuple):
    """One step of the chain. `inputs` maps a role to the stage that fills it.

    files: paths or globs in the project that it reads; sources: kinds of text, which know their files themselves;
    given: files by role, wherever they are, of a model that the run starts from.
    """

    name: str
    kind: str
    config: dict[str, Any]
    inputs: dict[str, str]
    code: tuple[str, ...]
    libraries: tuple[str, ...]
    files: tuple[str, ...] = ()
    sources: tuple[SourceBase, ...] = ()
    given: Mapping[str, Path] = MappingProxyType({})

    def paths(self, root: Path) -> list[Path]:
        """The files of the project that the stage reads.

        Raises InputError where one is missing, NotFetchedError for a remote source that no run has fetched yet.
        """
        found = [path for pattern in self.files for path in expand(root, pattern)]
        for source in self.sources:
            own = source.files(root)
            found += [*own, *(other for path in own for other in source.companions(path))]
        return found

    def request(self, fingerprints: dict[str, str], root: Path) -> Request:
        """The store's request, given the fingerprints of the input stages by stage name."""
        inputs = {role: fingerprints[stage] for role, stage in self.inputs.items()}
        inputs.update({f"file:{source_name(path, root)}": hash_path(path) for path in self.paths(root)})
        inputs.update({role: hash_file(path) for role, path in self.given.items()})
        return Request(self.name, self.kind, self.config, inputs, code_fingerprint(self.code, self.libraries))


def stages(recipe: Recipe, start: Start | None = None) -> dict[str, Stage]:
    """The stages of a recipe that leave an artifact, by name, in an order in which they can run.

    start: what `model.from` names; without it the stages are known, but not what those that read it are made of.
    """
    chain = [_label_stage(recipe, task) for task in recipe.tasks]
    if recipe.corpus:
        chain += _language_stages(recipe, recipe.corpus, start)
    for task in recipe.tasks:
        chain += _task_stages(recipe, task, start)
    return {stage.name: stage for stage in chain}


def _label_stage(recipe: Recipe, task: Task) -> Stage:
    config = {
        "data": _dump(task.data),
        "cleaning": _dump(recipe.cleaning),
        "deduplication": _dump(recipe.deduplication),
        "expectations": _dump(recipe.expectations.labelled_examples),
    }
    code = (*COLLECTING, *CLEANING, SUITES)
    return Stage(
        f"label-{task.name}",
        "labelled",
        config,
        {},
        code,
        (*COLLECTING_LIBRARIES, *CLEANING_LIBRARIES),
        _files(task.data),
    )


def _language_stages(recipe: Recipe, corpus: Corpus, start: Start | None) -> list[Stage]:
    """From raw documents to a base model. The labelled sets guard the clean corpus against text of the test sets."""
    promises = recipe.expectations
    collect = {"sources": [_dump(source) for source in corpus.sources], "expectations": _dump(promises.raw_corpus)}
    clean = _dump(corpus) | {"expectations": _dump(promises.clean_corpus)}
    del clean["sources"]
    guards = {f"label-{task.name}": f"label-{task.name}" for task in recipe.tasks}
    length = recipe.pretraining.max_seq_length
    tokens = {
        # Which engine encodes changes no id. A model that is started from has its own tokenizer.
        "tokenizer": None if start else recipe.tokenizer.model_dump(mode="json", exclude={"engine"}),
        "max_seq_length": length,
        "expectations": _dump(promises.tokenized_corpus),
    }
    chain = [
        Stage(
            "collect", "raw_corpus", collect, {}, (*COLLECTING, PROFILE, SUITES), COLLECTING_LIBRARIES,
            sources=corpus.sources,
        ),
        Stage(
            "clean", "clean_corpus", clean, {"raw_corpus": "collect", **guards},
            (*CLEANING, SUITES), CLEANING_LIBRARIES, corpus.decontamination.paths,
        ),
        Stage(
            "tokenize", "tokens", tokens, {"clean_corpus": "clean"},
            ("lmforge.tokenization", SUITES), ("tokenizers", "transformers"),
            given=start.tokenizer_files() if start else {},
        ),
    ]  # fmt: skip
    pretrain = {"seed": recipe.seed, "model": _dump(recipe.model), "pretraining": _dump(recipe.pretraining)}
    given = start.files() | start.replayed_files() if start else {}
    chain.append(
        Stage("pretrain", "base_model", pretrain, {"tokens": "tokenize"}, TRAINING, TRAINING_LIBRARIES, given=given)
    )
    if recipe.pretraining.predicts_text:
        measured = {"base_model": "pretrain", "tokens": "tokenize"}
        config: dict[str, Any] = {"pretraining": _dump(recipe.pretraining), "seed": recipe.seed}
        if recipe.releases_base:
            measured["clean_corpus"] = "clean"
            config["max_documents"] = recipe.release.max_documents
        code = ("lmforge.evaluation", "models")
        chain.append(Stage("evaluate-language", "evidence", config, measured, code, EVALUATION_LIBRARIES))
    return chain


def _task_stages(recipe: Recipe, task: Task, start: Start | None) -> list[Stage]:
    name, labelled = task.name, {"labelled": f"label-{task.name}"}
    settings = {"seed": recipe.seed, "finetuning": _dump(task.finetuning)}
    base = {"base_model": "pretrain"} if recipe.corpus else {}
    given = start.files() if start and not recipe.corpus else {}
    measured = {"model": f"finetune-{name}", "baselines": f"baselines-{name}", **labelled}
    floor = {"seed": recipe.seed, "baselines": _dump(task.baselines)}
    floors = ("lmforge.evaluation.baselines",)
    chain = [
        Stage(f"baselines-{name}", "baselines", floor, labelled, floors, ("scikit-learn", "snowballstemmer")),
        Stage(f"finetune-{name}", "task_model", settings, base | labelled, TRAINING, TRAINING_LIBRARIES, given=given),
    ]
    if recipe.corpus and task.finetuning.scratch_baseline:
        scratch, inputs = {**settings, "model": _dump(recipe.model)}, {"tokens": "tokenize"} | labelled
        network = {"start:config": start.directory / CONFIG} if start else {}
        chain.append(
            Stage(f"scratch-{name}", "task_model", scratch, inputs, TRAINING, TRAINING_LIBRARIES, given=network)
        )
        measured["scratch"] = f"scratch-{name}"
    config = {
        "metric": task.metric,
        "seed": recipe.seed,
        "resamples": recipe.release.resamples,
        "expectations": _dump(recipe.expectations.predictions),
    }
    code = ("lmforge.evaluation", "lmforge.serving", SUITES)
    chain.append(Stage(f"evaluate-{name}", "evidence", config, measured, code, EVALUATION_LIBRARIES))
    return chain


def _files(data: LabelledData) -> tuple[str, ...]:
    return tuple(path for path in (data.path, data.train, data.validation, data.test) if path)


def _dump(part: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = part.model_dump(mode="json")
    return dumped
