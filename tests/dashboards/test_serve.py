from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from urllib.parse import urljoin, urlsplit

import psutil
import pytest

from tests.dashboards.browsers import NOTEBOOKS, small
from workbench.dashboards import serve as serve_module
from workbench.dashboards.serve import ServerError, running
from workbench.errors import InvalidArgument


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.org", "::"])  # noqa: S104 - the point of it
def test_another_address_than_this_machines_own_is_refused(host):
    with (
        pytest.raises(InvalidArgument, match=r"without a token are served to this machine only"),
        running(NOTEBOOKS, host=host),
    ):
        pass


def test_a_port_that_is_taken_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InvalidArgument, match=f"port {port} is taken"), running(NOTEBOOKS, port=port):
            pass


def test_a_folder_without_dashboards_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match=r"no main\.ipynb"), running(tmp_path):
        pass


def test_a_server_that_does_not_start_says_why(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    (tmp_path / "voila.py").write_text("raise SystemExit('broken on purpose')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ServerError, match="broken on purpose"), running(NOTEBOOKS, port=0):
        pass


@pytest.fixture(scope="module")
def page():
    with running(NOTEBOOKS, port=0) as (url, _):
        yield url


def answer(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:  # noqa: S310
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def test_the_list_of_dashboards_is_at_the_root(page):
    status, headers, text = answer(urljoin(page, "/"))
    assert status == 200
    assert f'href="{urlsplit(page).path}"' in text
    assert "default-src 'self'" in headers["Content-Security-Policy"]


def test_a_page_elsewhere_cannot_read_by_a_name_of_its_own(page):
    assert answer(urljoin(page, "/"), Host="example.org")[0] == 403


def test_the_notebooks_themselves_are_not_given_away(page):
    assert answer(urljoin(page, "/voila/files/main.ipynb"))[0] == 403


def test_a_visitor_cannot_choose_another_template(page):
    _, _, text = answer(f"{page}?template=lab&theme=dark")
    assert "wb-skeleton" in text
    assert "cdn" not in text


# What a suite in the background or under nohup was started with would be handed on, and nothing heard.
SERVE = """
import signal, sys
from pathlib import Path
from workbench.dashboards.serve import serve
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.Handlers[sys.argv[2]])
serve(Path(sys.argv[1]), port=0, announce=lambda line: print(line, flush=True))
"""


@contextmanager
def served(hangup="SIG_DFL", notebooks=NOTEBOOKS):
    command = [sys.executable, "-c", SERVE, str(notebooks), hangup]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().split()[1]
        finally:
            process.terminate()


def test_under_nohup_it_outlives_its_terminal():
    with served(hangup="SIG_IGN") as (process, url):
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        assert answer(urljoin(url, "/"))[0] == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whatever_ends_it_ends_voila_too(number):
    with served() as (process, url):
        process.send_signal(number)
        assert process.wait(30) == 0
    with pytest.raises(urllib.error.URLError, match="refused"):
        answer(url)


def test_killed_it_leaves_neither_voila_nor_kernels(tmp_path):
    with served(notebooks=small(tmp_path)) as (process, url):
        assert answer(url)[0] == 200  # a kernel for this page, and five that wait or start
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) > 1
        process.kill()
    assert psutil.wait_procs(family, timeout=30)[1] == []
    with socket.create_server(("127.0.0.1", urlsplit(url).port)):
        pass


def test_a_weak_token_is_named_at_the_start(monkeypatch, tmp_path):
    lines = []

    @contextmanager
    def started(*_, **__):
        yield "http://127.0.0.1:1", subprocess.Popen(["true"])

    monkeypatch.setattr(serve_module, "running", started)
    for token, warned in (("passwordpassword", True), ("929da734a61075c7184ea94efec5e210", False)):
        monkeypatch.setenv("WORKBENCH_DASHBOARDS__TOKEN", token)
        lines.clear()
        serve_module.serve(tmp_path, announce=lines.append)
        assert any("`dashboards.token` is weak" in line for line in lines) is warned
        assert token not in "".join(lines)
