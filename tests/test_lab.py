"""JupyterLab's server, as `make lab` starts it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from workbench.dashboards.serve import free_port

ROOT = Path(__file__).parents[1]
TOKEN = "for-this-test-alone"  # noqa: S105 - of a server that ends with the test


@pytest.fixture
def server(tmp_path):
    port = free_port("127.0.0.1", 0)
    options = [
        f"--port={port}",
        "--no-browser",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}",
        "--allow-root",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", ROOT / "notebooks", *options], stdout=log, stderr=log
        )
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        process.wait(20)


def asked(url):
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{url}?token={TOKEN}") as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code, None
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def test_the_notebooks_can_be_listed_and_opened(server):
    status, folder = asked(f"{server}/api/contents")
    assert status == 200
    names = {item["name"] for item in folder["content"]}
    assert {"dashboards", "ingestion.ipynb", "cohorts.ipynb", "funnels.ipynb"} <= names
    assert {"training.ipynb", "forecasting.ipynb"} <= names
    assert asked(f"{server}/api/contents/funnels.ipynb")[0] == 200
