"""`workbench doctor`: what it says of a sound lake, of a damaged one, and how it mends it."""

from __future__ import annotations

import json
import warnings
from datetime import datetime

import pytest

from workbench.cli import main
from workbench.errors import LostEventsWarning
from workbench.store import control
from workbench.store.lake import LakeStore


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "workbench.yaml").write_text("port: 9000\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def typed(project, capsys):
    """Type a command; get its exit code and what it said."""

    def run(*words):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LostEventsWarning)
            try:
                main(words)
            except SystemExit as stop:
                said = capsys.readouterr()
                return stop.code or 0, said.out + said.err
        raise AssertionError("a command must end by exiting")

    return run


def export(project, name, people):
    path = project / name
    lines = [
        {
            "event_id": f"{name}{number}",
            "event_type": "view",
            "user_id": user,
            "occurred_at": f"2026-0{month}-05T10:00:00Z",
        }
        for number, (user, month) in enumerate(people)
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return str(path)


@pytest.fixture
def one(project, typed):
    path = export(project, "one.jsonl", [("ann", 1), ("bob", 1), ("cy", 2)])
    assert typed("ingest", path)[0] == 0
    return path


@pytest.fixture
def lake(project, typed, one):
    assert typed("ingest", export(project, "two.jsonl", [("dan", 1), ("eve", 3)]))[0] == 0
    return LakeStore(project / "data/lake")


def total(lake):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LostEventsWarning)
        opened = LakeStore(lake.path)
    return opened.snapshot().query("SELECT count(*) AS n FROM events")["n"].to_pylist()[0]


def test_a_sound_lake_needs_no_repair(typed, lake):
    assert typed("doctor", "--scrub")[0] == 0
    code, text = typed("doctor", "--repair")
    assert (code, "repaired  nothing" in text, "events    5\n" in text) == (0, True, True)


def test_a_lost_file_comes_back_from_its_export(typed, lake, one):
    for path in lake.root.rglob("month=2026-01/*/*.parquet"):
        path.unlink()
    code, text = typed("doctor")
    assert (code, ": missing" in text, "doctor --repair" in text) == (1, True, True)
    code, text = typed("doctor", "--repair")
    assert (code, "gap       1 events from 2026-01-05 to 2026-01-05 are lost" in text, total(lake)) == (1, True, 2)
    assert "gap  " in typed("doctor")[1]
    code, text = typed("doctor", "--repair", "--from", one)
    assert (code, "refilled  2 events" in text, total(lake)) == (1, True, 4)
    code, text = typed("doctor", "--repair", "--from", "two.jsonl")
    assert (code, "refilled  1 events" in text, total(lake)) == (0, True, 5)
    assert typed("doctor", "--scrub")[0] == 0
    with control.connect(lake.control) as connection:
        (finished,) = connection.execute("SELECT finished_at FROM ingests WHERE name LIKE '%one.jsonl'").fetchone()
    known = LakeStore(lake.path).snapshot(known_at=datetime.fromisoformat(finished))
    assert known.query("SELECT count(*) AS n FROM events")["n"].to_pylist() == [3]


def test_a_lost_log_entry_is_refused_everywhere_until_it_is_repaired(typed, lake, one):
    newest = lake.log.entry(lake.snapshot().version)
    newest.unlink()
    for words in (("doctor",), ("doctor", "--scrub"), ("ingest", one), ("lake", "vacuum"), ("lake", "compact")):
        code, text = typed(*words)
        assert (code, "doctor --repair" in text) == (1, True), (words, text)
    typed("doctor", "--repair")
    assert typed("ingest", "two.jsonl")[0] == 0
    assert (typed("doctor", "--scrub")[0], total(lake)) == (0, 5)


def test_a_log_that_is_behind_the_ledger_is_flagged(typed, lake, project):
    with control.connect(lake.control) as connection:
        connection.execute("UPDATE ingests SET position = 9 WHERE name LIKE '%two.jsonl'")
    code, text = typed("doctor")
    assert (code, "two.jsonl: ingests end at 9, the store at 2: rows 2 to 9 may be missing" in text) == (1, True)
    typed("ingest", "two.jsonl")
    assert typed("doctor")[0] == 0


def test_an_export_is_read_again_only_by_a_repair(typed, lake, one):
    code, text = typed("doctor", "--from", one)
    assert (code, "--from is for --repair" in text) == (1, True)


def test_only_a_lake_is_repaired(typed):
    code, text = typed("doctor", "--repair", "--store", "chdb://:memory:")
    assert (code, "only a lake is repaired" in text) == (1, True)
    assert typed("doctor", "--repair")[0] == 1
