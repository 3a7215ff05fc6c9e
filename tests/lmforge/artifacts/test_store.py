"""The store: complete or absent, verified, made once."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lmforge.artifacts import Counts, Store
from lmforge.artifacts.store import Outcome, Request, verify, watched
from lmforge.errors import InputError, IntegrityError


def request(**config):
    return Request("clean", "clean_corpus", config, {"raw_corpus": "aa"}, "code")


def build(text="hello"):
    def fill(out):
        (out / "part.txt").write_text(text)
        (out / "logs").mkdir()
        (out / "logs" / "time.txt").write_text(str(time.time_ns()))
        return Outcome(Counts(read=3, kept=2, quarantined=1, reasons={"empty": 1}), {"words": 7})

    return fill


def never(out):
    raise AssertionError("built although it was stored")


def test_builds_once_and_reuses(tmp_path):
    store = Store(tmp_path)
    first, cached = store.get_or_build(request(a=1), build())
    again, cached_again = store.get_or_build(request(a=1), never)
    assert (cached, cached_again) == (False, True)
    assert again == first
    assert first.manifest.counts.reasons == {"empty": 1}
    assert first.manifest.facts == {"words": 7}


def test_key_depends_on_config_inputs_and_code_only():
    key = request(a=1, b=2).key
    assert request(b=2, a=1).key == key
    assert request(a=2, b=2).key != key
    assert request(a=1, b=2)._replace(inputs={"raw_corpus": "bb"}).key != key
    assert request(a=1, b=2)._replace(code="other").key != key


def test_fingerprint_is_of_content_without_logs(tmp_path):
    one, _ = Store(tmp_path / "one").get_or_build(request(a=1), build())
    other, _ = Store(tmp_path / "other").get_or_build(request(a=2), build())
    third, _ = Store(tmp_path / "other").get_or_build(request(a=3), build("different"))
    assert one.fingerprint == other.fingerprint != third.fingerprint


def test_an_input_that_changes_during_the_build_publishes_nothing(tmp_path):
    inputs = {"a.jsonl": "11", "b.jsonl": "22"}

    def ask():
        return request()._replace(inputs=dict(inputs))

    def change(out):
        inputs["b.jsonl"] = "33"
        return Outcome()

    with pytest.raises(InputError, match=r"^b\.jsonl: changed while it was read; run again when nothing writes to it$"):
        Store(tmp_path).get_or_build(*watched(ask, change))
    assert [path for path in (tmp_path / "clean").iterdir() if not path.name.startswith(".")] == []


def test_an_input_that_comes_or_goes_during_the_build_is_left_to_the_next_run(tmp_path):
    inputs = {"a.jsonl": "11"}

    def build_and_move(out):
        inputs["b.jsonl"] = inputs.pop("a.jsonl")
        return Outcome()

    asked, checked = watched(lambda: request()._replace(inputs=dict(inputs)), build_and_move)
    artifact, _ = Store(tmp_path).get_or_build(asked, checked)
    assert artifact.manifest.inputs == {"a.jsonl": "11"}


def test_failed_build_leaves_nothing(tmp_path):
    store = Store(tmp_path)

    def fail(out):
        (out / "half.txt").write_text("half")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        store.get_or_build(request(a=1), fail)
    assert store.find(request(a=1)) is None
    assert not list(tmp_path.rglob("half.txt"))
    assert not store.get_or_build(request(a=1), build())[1]


def test_unbalanced_counts_are_not_published(tmp_path):
    with pytest.raises(IntegrityError, match="do not balance"):
        Store(tmp_path).get_or_build(request(a=1), lambda out: Outcome(Counts(read=3, kept=1)))
    assert Store(tmp_path).find(request(a=1)) is None


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_text("hell"), "4 bytes found, 5 expected"),
        (lambda path: path.write_text("jello"), "SHA-256"),
    ],
)
def test_damage_is_found_and_made_again(tmp_path, damage, words):
    store = Store(tmp_path)
    artifact, _ = store.get_or_build(request(a=1), build())
    damage(artifact.path / "part.txt")
    with pytest.raises(IntegrityError, match=words):
        store.find(request(a=1))
    mended, cached = store.get_or_build(request(a=1), build())
    assert not cached
    assert mended.fingerprint == artifact.fingerprint
    assert list((tmp_path / "clean").glob(".damaged-*")), "the damaged one is set aside, not lost"


def test_every_flipped_bit_of_a_manifest_is_found(tmp_path):
    artifact, _ = Store(tmp_path).get_or_build(request(a=1), build())
    manifest = artifact.path / "manifest.json"
    document = json.loads(manifest.read_text())
    document["files"]["part.txt"] = "0" * 64
    manifest.write_text(json.dumps(document))
    with pytest.raises(IntegrityError, match="fingerprint"):
        verify(artifact)
    manifest.write_text("{")
    with pytest.raises(IntegrityError, match="not a readable manifest"):
        Store(tmp_path).find(request(a=1))


def slow_build(out):
    (out / "part.txt").write_text("hello")
    (out.parents[2] / f"built-{os.getpid()}").touch()
    time.sleep(0.3)
    return Outcome()


def get(root):
    Store(root).get_or_build(request(a=1), slow_build)


def test_two_processes_make_one_artifact(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=get, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(tmp_path.glob("built-*"))) == 1


def hang(out):
    (out / "half.txt").write_text("half")
    (out.parents[2] / "started").touch()
    time.sleep(60)
    return Outcome()


def test_killed_build_frees_its_lock_and_leaves_no_artifact(tmp_path):
    process = multiprocessing.get_context("fork").Process(
        target=lambda: Store(tmp_path).get_or_build(request(a=1), hang)
    )
    process.start()
    while not (tmp_path / "started").exists():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert Store(tmp_path).find(request(a=1)) is None
    artifact, cached = Store(tmp_path).get_or_build(request(a=1), build())
    assert not cached
    assert not (artifact.path / "half.txt").exists()


def test_history_is_newest_first_and_skips_damaged(tmp_path):
    store = Store(tmp_path)
    for number in (1, 2, 3):
        artifact, _ = store.get_or_build(request(a=number), build())
        os.utime(artifact.path, (number, number))
    (artifact.path / "manifest.json").write_text("{")
    assert [manifest.config["a"] for manifest in store.history("clean")] == [2, 1]


def test_unwritable_store_names_the_directory(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write to the store"):
        Store(tmp_path / "file").get_or_build(request(a=1), build())


ONE_BUILD = """
import sys
from pathlib import Path
from lmforge.artifacts import Store
from lmforge.artifacts.store import Outcome, Request

def build(out):
    (out / "part.txt").write_text("hello")
    return Outcome()

Store(Path(sys.argv[1])).get_or_build(Request("clean", "clean_corpus", {}, {}, "code"), build)
"""


def commit(root, **environment):
    return subprocess.run(
        [sys.executable, "-c", ONE_BUILD, str(root)],
        env=os.environ | environment, cwd=Path(__file__).parents[3], capture_output=True, check=False,
    ).returncode  # fmt: skip


def test_killed_at_every_point_of_a_commit_it_is_absent_or_complete(tmp_path):
    record = tmp_path / "points.txt"
    assert commit(tmp_path / "whole", LMFORGE_FAULT_RECORD=str(record)) == 0
    points = record.read_text().split()
    assert points == ["store.built", "store.fsynced", "store.described", "store.renamed"]
    asked = Request("clean", "clean_corpus", {}, {}, "code")
    whole = Store(tmp_path / "whole").find(asked)
    for point in points:
        store = Store(tmp_path / point)
        assert commit(store.root, LMFORGE_FAULT=f"{point}:kill9") == -9
        assert (store.find(asked) is not None) == (point == "store.renamed")
        assert commit(store.root) == 0
        assert store.find(asked).fingerprint == whole.fingerprint
