"""A run goes on only as what it was begun as, and says what differs otherwise."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from lmforge.errors import InputError
from lmforge.training.identity import FILE, hold_to


@pytest.fixture
def begun(make_spec, training_data, tmp_path):
    """A spec whose run has begun, with data of its own that may be changed."""
    shutil.copytree(training_data, tmp_path / "data")
    spec = make_spec().model_copy(update={"data": tmp_path / "data", "tokenizer": tmp_path / "data" / "tokenizer"})
    spec.run_dir.mkdir()
    hold_to(spec, resumed=False)
    return spec


def changed(spec, **changes):
    return spec.model_copy(update={"settings": spec.settings.model_copy(update=changes)})


def test_same_spec_goes_on_and_other_places_do_not_matter(begun, tmp_path):
    noted = (begun.run_dir / FILE).read_bytes()
    hold_to(begun, resumed=True)
    shutil.copytree(begun.data, tmp_path / "moved")
    moved = {"data": tmp_path / "moved", "tokenizer": tmp_path / "moved" / "tokenizer", "model_dir": tmp_path / "else"}
    hold_to(begun.model_copy(update=moved), resumed=True)
    assert (begun.run_dir / FILE).read_bytes() == noted


def test_what_only_people_see_may_change(begun):
    noted = (begun.run_dir / FILE).read_bytes()
    shown = {"keep_checkpoints": 5, "log_every_n_steps": 7, "name": "other"}
    hold_to(changed(begun.model_copy(update=shown), checkpoint_every_n_steps=3), resumed=True)
    assert (begun.run_dir / FILE).read_bytes() == noted


def test_all_differences_are_listed_old_and_new(begun):
    other = changed(begun.model_copy(update={"seed": 2, "num_threads": 2}), learning_rate=1e-3, dropout=0.5)
    with pytest.raises(InputError) as caught:
        hold_to(other, resumed=True)
    lines = str(caught.value).splitlines()
    assert lines[1:-1] == [
        "  num_threads: 1 then, 2 now",
        "  seed: 1 then, 2 now",
        "  settings.dropout: 0.0 then, 0.5 now",
        "  settings.learning_rate: 0.002 then, 0.001 now",
    ]
    assert lines[0].startswith(f"{begun.run_dir}: the checkpoints here are of another run")
    assert lines[-1] == "write that again to go on with it; for a new run use another directory or remove this one"


@pytest.mark.parametrize("file", ["train.npy", "validation.npy", "tokenizer/tokenizer.json"])
def test_changed_data_is_refused_by_its_content(begun, file):
    path = begun.data / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    name = f"data/{file}" if file.endswith(".npy") else "tokenizer/tokenizer.json"
    with pytest.raises(InputError, match=rf"{name}: sha256 [0-9a-f]{{16}} then, sha256 [0-9a-f]{{16}} now"):
        hold_to(begun, resumed=True)


def test_missing_data_is_refused(begun):
    (begun.data / "validation.npy").unlink()
    with pytest.raises(InputError, match=r"data/validation\.npy: sha256 .* then, nothing now"):
        hold_to(begun, resumed=True)


def test_content_is_not_read_again_while_size_time_and_inode_stay(begun):
    path = begun.data / "train.npy"
    status, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    hold_to(begun, resumed=True)
    os.utime(path)
    with pytest.raises(InputError, match=r"data/train\.npy"):
        hold_to(begun, resumed=True)


def test_other_files_beside_the_data_do_not_count(begun):
    (begun.data / "manifest.json").write_text("{}")
    (begun.data / "quarantine.jsonl").write_text("{}")
    hold_to(begun, resumed=True)
    noted = (begun.run_dir / FILE).read_text(encoding="utf-8")
    assert "train.npy" in noted
    assert "quarantine" not in noted


def test_before_the_first_checkpoint_another_spec_takes_over(begun):
    other = changed(begun, learning_rate=1e-4)
    hold_to(other, resumed=False)
    hold_to(other, resumed=True)
    with pytest.raises(InputError, match=r"settings\.learning_rate: 0\.0001 then, 0\.002 now"):
        hold_to(begun, resumed=True)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]"])
def test_checkpoints_without_their_note_are_refused(begun, content):
    path = begun.run_dir / FILE
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="seed: nothing then, 1 now"):
        hold_to(begun, resumed=True)


def test_note_holds_no_paths(begun):
    noted = json.loads((begun.run_dir / FILE).read_bytes())
    assert str(begun.run_dir) not in json.dumps(noted)
    assert noted["data/train.npy"].keys() == {"size_bytes", "inode", "mtime_ns", "sha256"}
