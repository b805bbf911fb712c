"""The main dashboard in Chromium while a community is sent to Kafka and read: how often does it move?"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from bench.stream_world import World
from workbench.dashboards.serve import running
from workbench.ingest.files import ingest
from workbench.simulate import write

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from tests.kafka_broker import Broker

WATCH = """
    () => {
        window.moves = [];
        const seen = () => document.querySelector('.wb-live').innerText
            + [...document.querySelectorAll('.wb-live path.line')].map(line => line.getAttribute('d'));
        let before = seen();
        setInterval(() => {
            const now = seen();
            if (now !== before) { window.moves.push(performance.now() / 1000); before = now; }
        }, 50);
    }
"""


def dashboard(broker: Broker, times: int, rng: random.Random) -> bool:
    """Watch the page for some seconds while `simulate --to` runs. Figure: it moves every second."""
    del rng
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only here

    from tests.dashboards.browsers import CHROMIUM, NOTEBOOKS, launched  # noqa: PLC0415

    if CHROMIUM is None:
        print("dashboard: skipped, there is no Chromium here")
        return True
    with World(broker) as world, sync_playwright() as play:
        write(world.folder / "past.parquet", users=200, days=60)
        ingest(world.lake, world.folder / "past.parquet")
        with _flowing(world), running(NOTEBOOKS, port=0, store=str(world.lake.path)) as (url, _):
            browser = launched(play)
            page = browser.new_page(viewport={"width": 1400, "height": 1200})
            page.goto(url, timeout=120_000)
            page.wait_for_selector(".wb-live-cards .wb-number", timeout=120_000)
            page.wait_for_selector(".wb-live path.line[d]", state="attached", timeout=60_000)
            page.evaluate(WATCH)
            time.sleep(times)
            moves = page.evaluate("window.moves")
            shot = Path(tempfile.gettempdir()) / "workbench-dashboard.png"
            page.screenshot(path=shot, full_page=True)
            said = " · ".join(page.locator(".wb-live-cards .wb-card").all_inner_texts()).replace("\n", " ")
            browser.close()
    pauses = sorted(after - before for before, after in pairwise(moves))
    longest, usual = (pauses[-1], pauses[len(pauses) // 2]) if pauses else (float("inf"), float("inf"))
    print(f"  {said}\n  {shot}")
    print(
        f"dashboard: moved {len(moves)} times in {times} s while simulate --to kafka:// sent 2,000 events/s; every"
        f" {usual:.2f} s (figure: every second), at the longest after {longest:.2f} s"
    )
    return len(moves) >= 0.95 * times and longest <= 2


@contextlib.contextmanager
def _flowing(world: World) -> Iterator[None]:
    """Run `workbench stream` and `workbench simulate --to` as a person would, until the block ends."""
    address, topic = world.settings.brokers, world.settings.events
    calls = (
        ["stream", "--brokers", address, "--topic", topic, "--store", str(world.lake.path)],
        ["simulate", "--to", f"kafka://{address}/{topic}", "--rate", "2000", "--speed", "60x"],
    )
    environment = {**os.environ, "WORKBENCH_LIVE": "sqlite"}
    with contextlib.ExitStack() as stack:
        for number, call in enumerate(calls):
            log = stack.enter_context((world.folder / f"{number}.log").open("w"))
            process = subprocess.Popen(
                [sys.executable, "-m", "workbench", *call], stdout=log, stderr=log, env=environment, cwd=world.folder
            )
            stack.callback(process.wait, timeout=60)
            stack.callback(process.terminate)
        time.sleep(3)
        for number in range(len(calls)):
            said = (world.folder / f"{number}.log").read_text()
            if "rror" in said:
                print(said)
        yield
