from __future__ import annotations

import pytest

import workbench as wb
from workbench.config import Settings
from workbench.errors import StoreNotFound
from workbench.store.opening import open_store


def test_a_mistyped_name_makes_no_lake_and_the_nearest_is_suggested(tmp_path):
    open_store(tmp_path / "lake", Settings(), create=True)
    with pytest.raises(StoreNotFound, match=rf"no lake at {tmp_path}/lakes: did you mean {tmp_path}/lake\?"):
        wb.open(tmp_path / "lakes")
    with pytest.raises(StoreNotFound, match=rf"did you mean {tmp_path}/lake\?"):
        wb.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


def test_an_error_says_how_a_lake_is_made_and_what_the_settings_name(tmp_path):
    settings = Settings(store=str(tmp_path / "own"))
    with pytest.raises(StoreNotFound, match=rf"--store {tmp_path}/a`.*create=True.* `store` names {tmp_path}/own"):
        wb.open(tmp_path / "a", settings=settings)
    with pytest.raises(
        StoreNotFound, match=rf"no lake at {tmp_path}/own: ingest a file first, with `workbench ingest FILE`"
    ):
        wb.open(settings=settings)


def test_without_a_name_the_store_of_the_settings_is_opened(tmp_path):
    settings = Settings(store=str(tmp_path / "own"))
    made = wb.open(settings=settings, create=True)
    assert wb.open(settings=settings).store.name == made.store.name == str(tmp_path / "own")


def test_a_name_that_is_no_text_is_no_traceback():
    with pytest.raises(StoreNotFound, match="must be UTF-8"):
        wb.open("lakes/\ud800", create=True)
