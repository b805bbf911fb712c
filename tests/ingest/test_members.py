from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from workbench.errors import SourceError
from workbench.ingest import members


def test_processes_have_different_names_and_one_that_ended_leaves_its_own(tmp_path):
    with members.member(tmp_path, "group") as one:
        with members.member(tmp_path, "group") as two:
            assert one != two
        with members.member(tmp_path, "group") as again:
            assert again == two


def test_a_name_is_free_again_however_its_process_ended(tmp_path):
    script = (
        "import pathlib, sys, time\nfrom workbench.ingest.members import member\n"
        "with member(pathlib.Path(sys.argv[1]), 'group') as name:\n    print(name, flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with process:
        name = process.stdout.readline().strip()
        with members.member(tmp_path, "group") as other:
            assert other != name
        process.send_signal(signal.SIGKILL)
        process.wait()
    with members.member(tmp_path, "group") as mine:
        assert mine == name


def test_there_is_an_end_to_names(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "MOST", 1)
    full = pytest.raises(SourceError, match="1 processes of this machine")
    with members.member(tmp_path, "group"), full, members.member(tmp_path, "group"):
        pass
