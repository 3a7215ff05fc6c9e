"""Fingerprints of values, files and code."""

import hashlib

import pytest

from lmforge.errors import InputError
from lmforge.hashing import hash_code, hash_file, hash_value, short


def test_values_hash_by_content_not_by_order():
    assert hash_value({"a": 1, "b": [1, 2]}) == hash_value({"b": [1, 2], "a": 1})
    assert hash_value({"a": [2, 1]}) != hash_value({"a": [1, 2]})
    assert hash_value({"a": 1}) != hash_value({"a": "1"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        hash_value(float("nan"))


def test_files_hash_as_sha256(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(b"x" * 3_000_000)
    assert hash_file(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert short(hash_file(path)) == hash_file(path)[:16]


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path):
    with pytest.raises(InputError, match=r"gone: cannot be read: No such file or directory; check"):
        hash_file(tmp_path / "gone")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        hash_file(tmp_path)


def test_code_hash_covers_every_module_of_a_package(tmp_path, monkeypatch):
    package = tmp_path / "made_up_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = hash_code(["made_up_package"])
    assert hash_code(["made_up_package"]) == before
    (package / "inner.py").write_text("x = 2\n")
    assert hash_code(["made_up_package"]) != before
    with pytest.raises(AssertionError, match="unknown module"):
        hash_code(["no_such_module_here"])
