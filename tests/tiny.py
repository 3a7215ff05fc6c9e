"""A small project of its own: real package descriptions, a recipe that trains in seconds, all below one directory."""

import gzip
import itertools
import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "examples" / "data" / "debian_descriptions.jsonl.gz"
LABELS = ("games", "net", "science", "sound")

RECIPE = """\
name: tiny
corpus:
  sources:
    - {kind: files, path: data/descriptions.jsonl, text: description, id: id}
  cleaning: {languages: [en]}
  validation_share: 0.1
tokenizer: {kind: wordpiece, vocab_size: 1000, lowercase: true}
model: {architecture: modernbert, size: nano}
pretraining:
  max_steps: 12
  max_seq_length: 32
  global_batch_size: 8
  warmup_steps: 2
  eval_every_n_steps: 6
  checkpoint_every_n_steps: 4
tasks:
  - name: section
    data:
      {path: data/descriptions.jsonl, text: description, label: section, id: id, labels: [games, net, science, sound]}
    finetuning: {max_steps: 12, max_seq_length: 32, global_batch_size: 8, learning_rate: 3e-3, warmup_steps: 2}
release: {resamples: 1000}
"""


def make_project(directory: Path, num_documents: int = 900) -> Path:
    """Write the project and return its recipe's path; every label has a fourth of the documents."""
    (directory / "data").mkdir(parents=True)
    (directory / "prefect.yaml").write_text((ROOT / "prefect.yaml").read_text())
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["section"] in LABELS]
    by_label = [[row for row in rows if row["section"] == label][: num_documents // len(LABELS)] for label in LABELS]
    chosen = [row for group in itertools.zip_longest(*by_label) for row in group if row]
    with (directory / "data" / "descriptions.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({key: row[key] for key in ("id", "section", "description")}) + "\n" for row in chosen
        )
    recipe = directory / "recipes" / "tiny.yaml"
    recipe.parent.mkdir()
    recipe.write_text(RECIPE)
    return recipe
