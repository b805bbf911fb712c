"""What only Redis does: it forgets, it has a limit, and it may throw things out."""

from __future__ import annotations

import subprocess
import time
from datetime import timedelta

import pytest
import redis

from tests.store.conftest import SERVER, answers, free_port
from tests.store.deliveries import put, told
from workbench.errors import StoreCorrupt, StoreError, StoreFull
from workbench.store.live import LiveStore
from workbench.store.live_open import open_live
from workbench.store.live_redis import RedisBlobs
from workbench.store.live_state import SECOND, micros
from workbench.testing import START


@pytest.fixture
def opened(redis_server, request):
    made = []

    def live(**options):
        made.append(RedisBlobs(redis_server, prefix=request.node.name, **options))
        return LiveStore(made[-1])

    yield live
    [blobs.close() for blobs in made]


def test_numbers_have_a_time_to_live_of_an_hour_and_positions_none(opened, redis_server, request):
    put(opened(), {"ann": "view:0 raid_joined:1"}, raid_id="r")
    with redis.Redis.from_url(redis_server) as client:
        left = {room: client.ttl(f"{request.node.name}:{room}") for room in ("state", "minutes", "seen", "raids")}
    assert left.pop("state") == -1
    assert all(3590 <= seconds <= 3600 for seconds in left.values())


def test_after_an_hour_of_silence_the_numbers_are_gone_and_what_lies_before_is_not_known(opened):
    live = opened(ttl_seconds=0.2)
    put(live, {"ann": "view:0 view:9", "host": "raid_started:5"}, raid_id="r")
    time.sleep(0.3)
    picture = live.picture()
    assert (picture.minutes, picture.raids, picture.state.raids) == ({}, {}, {})
    assert picture.state.known_from == micros(START) // SECOND + 10
    assert live.position("events-0") == 3
    put(live, {"bob": "view:20"})
    assert len(told(live.picture())) == 1


def test_numbers_of_which_a_part_was_evicted_are_not_shown(opened, redis_server, request):
    live = opened()
    put(live, {"ann": "view:0"})
    with redis.Redis.from_url(redis_server) as client:
        client.delete(f"{request.node.name}:seen")
    with pytest.raises(StoreCorrupt, match=r"only minutes, raids are left.*workbench live rebuild"):
        live.picture()


def test_more_memory_than_allowed_is_refused_and_nothing_is_lost(opened):
    live = opened(memory_mb=0.01)
    put(live, {f"user {n}": "view:0" for n in range(2000)})
    again = opened(memory_mb=0.01)
    with pytest.raises(StoreFull, match=r"MB in redis://127.*may take 0.*live_memory_mb"):
        put(again, {"ann": "view:0"})
    assert again.position("events-0") == 2000
    put(opened(memory_mb=10), {"ann": "view:0"})


@pytest.mark.skipif(SERVER is None, reason="there is no redis-server here; `make test` installs it where it can")
def test_a_redis_whose_own_memory_is_full_says_so(tmp_path):
    port = free_port()
    limits = ["--maxmemory", "2mb", "--maxmemory-policy", "noeviction", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(
        [SERVER, "--port", str(port), "--bind", "127.0.0.1", *limits], stdout=subprocess.DEVNULL
    ) as own:
        answers(port)
        blobs = RedisBlobs(f"redis://127.0.0.1:{port}/0")
        with pytest.raises(StoreFull, match="no memory left"):
            [put(LiveStore(blobs), {f"user {turn} {n}": "view:0" for n in range(9000)}) for turn in range(40)]
        blobs.close()
        own.terminate()


def test_a_password_is_never_shown(tmp_path):
    with pytest.raises(StoreError) as error:
        open_live("redis://ann:secret@127.0.0.1:1/0", lake=tmp_path)
    assert "secret" not in str(error.value)
    assert "redis://127.0.0.1:1/0" in str(error.value)


def test_what_is_no_address_is_refused(tmp_path):
    with pytest.raises(StoreError, match="a Redis is named"):
        open_live("redis://127.0.0.1:port/0", lake=tmp_path)


def test_time_passes_without_a_window_being_lost_to_the_time_to_live(opened):
    live = opened(ttl_seconds=1)
    for turn in range(4):
        put(live, {f"user {turn}": f"view:{turn}"}, now=START + timedelta(days=1, seconds=turn))
        time.sleep(0.4)
    assert len(told(live.picture())) == 4


def test_what_was_read_while_another_wrote_is_read_again_even_if_it_made_no_sense(opened):
    one, other = opened(), opened()
    put(one, {"ann": "view:0"})
    tries = []

    def work(get):
        tries.append(get("state", ["state"]))
        if len(tries) == 1:
            put(other, {"bob": "view:0"})
            raise KeyError("a piece that the other has dropped")
        return len(tries)

    assert one.blobs.read(work) == 2


def test_an_error_that_nobody_else_caused_is_raised(opened):
    def work(get):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        opened().blobs.read(work)
