from __future__ import annotations

import os

import pytest

from workbench.errors import SourceError
from workbench.pipeline import stamps
from workbench.pipeline.stamps import code


def test_a_source_differs_when_its_bytes_do_and_not_otherwise(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("one")
    before = stamps.source(file)
    assert stamps.source(file) == before
    file.write_text("other")
    assert stamps.source(file) != before


def test_a_folder_differs_when_a_file_is_added(tmp_path):
    (tmp_path / "a.jsonl").write_text("one")
    before = stamps.source(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/b.jsonl").write_text("two")
    assert stamps.source(tmp_path) != before


def test_a_file_replaced_by_one_of_the_same_size_differs(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("one")
    before = stamps.source(file)
    file.write_text("two")
    os.utime(file, ns=(0, 1))
    assert stamps.source(file) != before


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"no file or folder .*nothing"):
        stamps.source(tmp_path / "nothing")


def test_what_changed_is_said_in_words():
    old = {"code": "a", "source": "s", "lake": "1"}
    assert stamps.difference(old, old) == ""
    assert stamps.difference(old, {"code": "a", "source": "t", "lake": "2"}) == "the source and the lake changed"
    assert stamps.difference({}, old) == "not finished before"


def test_a_stamp_that_cannot_be_read_is_none(tmp_path):
    stamps.write(tmp_path, "cohorts", {"code": "a"})
    assert stamps.read(tmp_path, "cohorts") == {"code": "a"}
    (tmp_path / ".cohorts.stamp").write_text("{")
    assert stamps.read(tmp_path, "cohorts") == {}


def test_the_package_differs_when_a_file_of_it_does_and_not_for_compiled_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(stamps, "_PACKAGE", tmp_path)
    (tmp_path / "a.sql").write_text("SELECT 1")
    before = code()
    (tmp_path / "a.pyc").write_text("compiled")
    assert code() == before
    (tmp_path / "a.sql").write_text("SELECT 2")
    assert code() != before
