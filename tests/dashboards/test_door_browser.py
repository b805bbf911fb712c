"""What a page elsewhere can do to the dashboards, in a real browser: `localhost` is another site than `127.0.0.1`."""

from __future__ import annotations

import http.server
import threading

import psutil
import pytest
from playwright.sync_api import sync_playwright

from tests.dashboards.browsers import IN_A_BROWSER, OPENING, launched, small
from workbench.config import DashboardSettings
from workbench.dashboards.serve import running

pytestmark = IN_A_BROWSER
PAGE = """<!doctype html><title>Elsewhere</title><link rel="prefetch" href="{url}?p"><script src="{url}?s"></script>
<img src="{url}?i"><iframe src="{url}?f"></iframe><a href="{url}?days=7">Look</a>
<script>fetch("{url}?c", {{mode: "no-cors", credentials: "include"}}).catch(() => 0)</script>"""


@pytest.fixture
def dashboards(tmp_path):
    with running(small(tmp_path), port=0, settings=DashboardSettings(warm=0, visitors=4)) as (url, server):
        yield url, psutil.Process(server.pid)


@pytest.fixture
def elsewhere(dashboards):
    """The address of a page of another site, which asks for a dashboard in every way there is."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE.format(url=dashboards[0]).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_page_elsewhere_starts_no_kernel_until_somebody_follows_its_link_and_says_so(dashboards, elsewhere):
    url, server = dashboards
    with sync_playwright() as play:
        page = launched(play).new_page()
        statuses = []
        page.on("response", lambda answer: statuses.append(answer.status) if answer.url.startswith(url) else None)
        page.goto(elsewhere, wait_until="networkidle")
        assert (set(statuses), server.children()) == ({403}, [])
        page.click("text=Look")
        page.wait_for_selector("text=Open the dashboard?")
        assert server.children() == []
        page.click("main a")
        page.wait_for_selector(".wb-bar [aria-current]", timeout=OPENING)
        assert page.url == f"{url}?days=7"
        page.wait_for_function("document.body.innerHTML.includes('42')", timeout=OPENING)
        assert len(server.children()) == 1
        assert page.is_hidden(".wb-logout")  # without a token there is nothing to log out of
