"""Every kind of source is found by name from a recipe, and follows the rules of its base class."""

import inspect
import json
import subprocess
import sys
from typing import Any

import pytest

from lmforge.errors import RecipeError
from lmforge.recipe.loading import load_recipe
from lmforge.sources.base import SourceBase
from lmforge.sources.registry import SOURCES, kind_of

EXAMPLES: dict[str, dict[str, Any]] = {
    "files": {"path": "data/*.jsonl", "license": "CC0-1.0"},
    "dataset": {"path": "data/saved", "split": "test"},
    "warc": {"path": "data/*.warc.gz", "max_records": 10},
    "wikipedia": {"path": "data/dump.xml.bz2"},
    "debian": {"languages": ["en", "pt_BR"], "text": "synopsis"},
    "url": {"url": "https://example.org/a.jsonl", "allowed_hosts": ["cdn.example.org"], "sha256": "0" * 64},
    "hub": {"name": "org/data", "revision": "abc"},
}


def load(tmp_path, *sources):
    path = tmp_path / "recipe.yaml"
    # JSON is YAML.
    path.write_text("name: x\ncorpus:\n  sources:\n" + "".join(f"    - {json.dumps(one)}\n" for one in sources))
    return load_recipe(path).corpus.sources


@pytest.mark.parametrize("source", SOURCES, ids=kind_of)
def test_each_kind_is_found_by_its_name(tmp_path, source):
    kind = kind_of(source)
    (loaded,) = load(tmp_path, {"kind": kind, **EXAMPLES[kind]})
    assert type(loaded) is source
    assert (loaded.kind, isinstance(loaded.path, str)) == (kind, True)
    assert type(loaded).model_validate(loaded.model_dump()) == loaded


def test_files_are_meant_where_no_kind_is_named(tmp_path):
    assert [one.kind for one in load(tmp_path, {"path": "a.txt"}, {"kind": "warc", "path": "b"})] == ["files", "warc"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"kind": "wrac", "path": "x"}, 'expected one of files, dataset, .*; got "wrac"; did you mean warc?'),
        ({"kind": None, "path": "x"}, "expected one of files, dataset, .*; got null"),
        ({"kind": "url", "ulr": "https://a.org/x"}, "unknown key; did you mean url?"),
        ({"kind": "url", "url": "https://a.org/x", "format": "jsnol"}, "sources.0.format: .* did you mean jsonl?"),
        ({"kind": "url", "url": "file:///etc/passwd"}, "sources.0.url: file:///etc/passwd: scheme 'file' is refused"),
    ],
)
def test_mistakes_are_told_in_the_words_of_recipes(tmp_path, source, words):
    with pytest.raises(RecipeError, match=words):
        load(tmp_path, source)


@pytest.mark.parametrize("source", SOURCES, ids=kind_of)
def test_a_kind_says_what_it_is_and_how_it_reads(source):
    assert issubclass(source, SourceBase)
    assert inspect.getdoc(source)
    assert source.read is not SourceBase.read
    assert {"license", "language", "origin"} <= source.model_fields.keys()
    assert "Reason codes" in (inspect.getdoc(source.read) or "") or "see `read_records`" in (
        inspect.getdoc(source.read) or ""
    )


@pytest.mark.parametrize(
    "module", ["lmforge.recipe", "lmforge.sources.registry", "lmforge.sources.base", "lmforge.sources.warc"]
)
def test_any_module_may_be_imported_first_and_brings_nothing_heavy(module):
    heavy = "{'polars', 'pyarrow', 'datasets', 'fastwarc', 'resiliparse', 'fsspec', 'numpy'}"
    code = f"import sys, {module}; sys.exit(str(sorted({heavy} & sys.modules.keys()) or ''))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.stderr.strip() == ""
