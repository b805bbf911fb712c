from __future__ import annotations

import socket
from pathlib import Path

import pytest

from workbench.dashboards.serve import ServerError, running
from workbench.errors import InvalidArgument

NOTEBOOKS = Path(__file__).parents[2] / "notebooks" / "dashboards"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.org", "::"])  # noqa: S104 - the point of it
def test_another_address_than_this_machines_own_is_refused(host):
    with pytest.raises(InvalidArgument, match=r"they have no login yet.*SSH tunnel"), running(NOTEBOOKS, host=host):
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
