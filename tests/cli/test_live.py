from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.store.deliveries import put
from workbench.cli import main
from workbench.store.lake import LakeStore
from workbench.store.live_open import open_live
from workbench.testing import events_of, stored

BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=4)


@pytest.fixture
def lake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return LakeStore(tmp_path / "data" / "lake")


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(words)
    return int(stop.value.code or 0), capsys.readouterr()


def stream(lake, journeys):
    events = sorted(events_of(journeys, unit=timedelta(seconds=1), start=BEGIN), key=lambda event: event.occurred_at)
    rows = stored(events, source="events-0").drop_columns(["ingested_at", "source", "user_key"])
    lake.append(rows, source="events-0", start=0, end=len(events), ingested_at=datetime.now(UTC))


JOURNEYS = {"ann": "message_sent:0 request:30 view:200", "bob": "view:100"}


def test_without_live_numbers_the_commands_say_how_to_get_them(lake, capsys):
    for words in (("live", "show"), ("live", "check")):
        code, said = run(capsys, *words)
        assert code == 1
        assert "no live numbers" in said.err
        assert "workbench stream" in said.err
    code, said = run(capsys, "doctor")
    assert code == 0
    assert "live      none: `workbench stream`" in said.out


def test_live_numbers_are_shown_in_sentences(lake, capsys):
    stream(lake, JOURNEYS)
    put(open_live("sqlite", lake=lake.path), JOURNEYS, start=BEGIN, now=datetime.now(UTC))
    code, said = run(capsys, "live", "show")
    assert code == 0
    assert "1 requests, of which 0 failed" in said.out
    assert "events-0" in said.out


def test_a_check_that_finds_nothing_succeeds_and_one_that_does_fails(lake, capsys):
    stream(lake, JOURNEYS)
    put(open_live("sqlite", lake=lake.path), JOURNEYS, start=BEGIN, now=datetime.now(UTC))
    code, said = run(capsys, "live", "check")
    assert code == 0, said
    assert "without any residual" in said.out
    put(open_live("sqlite", lake=lake.path), {"nobody": "view:60"}, start=BEGIN, now=datetime.now(UTC))
    lake.append(stored([]).drop_columns(["ingested_at", "source", "user_key"]), source="events-0", start=4, end=5,
                ingested_at=datetime.now(UTC))  # fmt: skip
    code, said = run(capsys, "live", "check")
    assert code == 1
    assert "without a known cause" in said.err


def test_live_numbers_are_made_anew_from_history(lake, capsys):
    stream(lake, JOURNEYS)
    code, said = run(capsys, "live", "rebuild")
    assert code == 0
    assert "4 events of history" in said.out
    assert run(capsys, "live", "check")[0] == 0
    code, said = run(capsys, "doctor")
    assert "live.db, 0." in said.out
    assert "4 counted, 0 revised, 0 late" in said.out
