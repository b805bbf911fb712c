"""The whole pipeline of this project on a lake, a server of ClickHouse and the engine in a process: one report."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from workbench.simulate import write
from workbench.store.clickhouse import ClickHouseStore

ROOT = Path(__file__).parents[2]
PAGES = [
    "churn", "cohorts", "engagement", "forecasting", "funnels", "ingestion", "ltv", "next_action", "raids", "training",
]  # fmt: skip
OF_A_RUN = [
    r"\d{8}-\d{6}-[0-9a-f]{4}",  # its name
    r"\d{4}-\d\d-\d\d(T| )\d\d:\d\d(:\d\d)?(\.\d+)?( UTC|\+00:00)?",  # when it was, and when models were published
    r"\d+-[0-9a-f]{6,16}",  # the version of the events, and of models
    r"\d+(\.\d+)? s\b|[\d,]+ a second|<th>(seconds|rows a second)</th><td>[^<]*",  # how long it took
    r"\bc[0-9a-f]{10}\b",  # the name of a picture, which is made of all digits of its numbers
    r"<dt>version</dt><dd>\d+",
    r"(chdb|clickhouse)://[\w./:-]+|data/lake",
]


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    file = tmp_path_factory.mktemp("sample") / "events.jsonl.gz"
    write(file, users=600, days=120, seed=7)
    return file


def reports_of(folder, store, export):
    """Run the pipeline in a project of its own; return what its tasks left, and its pages."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    for name in ("pipeline.yaml", "env.yaml"):
        shutil.copy(ROOT / name, folder)
    environment = {**os.environ, "WORKBENCH_STORE": store}
    command = [sys.executable, "-m", "workbench", "run", "--source", str(export)]
    said = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    products = {name: pd.read_parquet(folder / "data/products" / f"{name}.parquet") for name in PAGES}
    (run,) = (folder / "reports").glob("2*")
    return products, {name: plain((run / f"{name}.html").read_text()) for name in PAGES}


def plain(page):
    """Leave out of a page what is of its run alone; the page with its pictures."""
    page = re.sub(r"svg\+xml;base64,([A-Za-z0-9+/=]+)", lambda found: base64.b64decode(found[1]).decode(), page)
    for pattern in OF_A_RUN:
        page = re.sub(pattern, "…", page)
    return page


@pytest.fixture(scope="module")
def of_a_lake(tmp_path_factory, export):
    return reports_of(tmp_path_factory.mktemp("lake"), "data/lake", export)


def assert_same(one, other):
    for name in PAGES:
        frames = [of_one[0][name].filter(regex="^(?!.*_version$)") for of_one in (one, other)]
        pd.testing.assert_frame_equal(*frames, rtol=1e-5)  # sums in another order
        assert one[1][name] == other[1][name], name


@pytest.mark.slow
def test_reports_of_the_engine_in_a_process_are_those_of_a_lake(of_a_lake, export, tmp_path):
    assert_same(of_a_lake, reports_of(tmp_path, "chdb://data/house", export))


@pytest.mark.slow
def test_reports_of_a_server_are_those_of_a_lake_and_show_no_password(of_a_lake, export, tmp_path, clickhouse_server):
    house = ClickHouseStore(clickhouse_server.dsn)
    house.clear()
    found = reports_of(tmp_path, clickhouse_server.dsn, export)
    house.clear()
    assert_same(of_a_lake, found)
