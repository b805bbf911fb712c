"""Live numbers in Redis: for a cluster, where consumers and readers are on several machines."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import redis

from workbench.errors import StoreConflict, StoreError, StoreFull
from workbench.store.live import ROOMS, STATE, Changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workbench.store.live import Get

T = TypeVar("T")
_Value: TypeAlias = "bytes | bytearray | memoryview[int] | str | int | float"

PREFIX: Final = "{workbench:live}"
"""Before the names of all keys; the braces keep them on one node of a Redis cluster."""

TTL_SECONDS: Final = 3600
"""Numbers to which nothing was added for so long are dropped. Positions stay."""

MEMORY_MB: Final = 512

_SECONDS: Final = 10
_TRIES: Final = 200
_WEIGHED: Final = 20
"""The memory is weighed every so many transactions."""


class RedisBlobs:
    """A hash a room. Who writes watches the state, which every transaction changes, and begins again if it did."""

    def __init__(
        self, url: str, *, prefix: str = PREFIX, ttl_seconds: int = TTL_SECONDS, memory_mb: float = MEMORY_MB
    ) -> None:
        """Open the database at `redis://user:password@host:port/number`.

        Args:
            url: Where it is; `rediss://` for TLS.
            prefix: Before the names of all keys.
            ttl_seconds: Numbers to which nothing was added for so long are dropped.
            memory_mb: Most memory that they may take; more is refused, for what is evicted would be counted wrong.

        Raises:
            StoreError: Nothing answers there, or it refuses the user or the password.
        """
        self._prefix = prefix
        self._ttl_seconds = ttl_seconds
        self._most = memory_mb * 1e6
        self._turn = 0
        try:
            self._redis = redis.Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
        except ValueError as error:
            raise StoreError(f"a Redis is named redis://user:password@host:6379/0: {error}") from error
        where = self._redis.connection_pool.connection_kwargs
        self._name = f"redis://{where.get('host', 'localhost')}:{where.get('port', 6379)}/{where.get('db', 0)}"
        with self._named():
            self._redis.ping()

    @property
    def name(self) -> str:
        """Where it is, without any password."""
        return self._name

    @property
    def size(self) -> int:
        """How much of Redis's memory they take."""
        with self._named():
            return sum(int(self._redis.memory_usage(self._key(room), samples=0) or 0) for room in ROOMS)

    def read(self, work: Callable[[Get], T]) -> T:
        """Read as of one moment: again, if somebody wrote meanwhile; see `live.Blobs.read`."""
        return self._tried(lambda pipe: (work(_getter(pipe, self._prefix)), Changes()))

    def change(self, work: Callable[[Get], tuple[Changes, T]]) -> T:
        """Read and write, again if somebody else wrote meanwhile; see `live.Blobs.change`."""
        self._weigh()

        def both(pipe: redis.client.Pipeline) -> tuple[T, Changes]:
            changes, result = work(_getter(pipe, self._prefix))
            return result, changes

        return self._tried(both)

    def _tried(self, work: Callable[[redis.client.Pipeline], tuple[T, Changes]]) -> T:
        """Read, and write what comes of it, until nobody wrote in between.

        What is read while another writes may not fit together: an error of that means nothing, and is tried again.
        """
        for turn in range(_TRIES):
            with self._named(), self._redis.pipeline() as pipe:
                pipe.watch(self._key(STATE))  # type: ignore[no-untyped-call]
                try:
                    result, changes = work(pipe)
                except redis.exceptions.RedisError:
                    raise
                except Exception:
                    if _done(pipe, self._key(STATE)):
                        raise
                else:
                    pipe.multi()
                    self._write(pipe, changes)
                    if _done(pipe, self._key(STATE)):
                        return result
            time.sleep(random.uniform(0, min(0.001 * 2**turn, 0.05)))  # noqa: S311 - so that writers are not in step
        raise StoreConflict(f"{self.name} changes too often: {_TRIES} times another process was first")

    def close(self) -> None:
        """Let go of the connections."""
        self._redis.close()

    def _key(self, room: str) -> str:
        return f"{self._prefix}:{room}"

    def _write(self, pipe: redis.client.Pipeline, changes: Changes) -> None:
        if not changes.put and not changes.drop and not changes.clear:
            return
        expires = int((time.time() + self._ttl_seconds) * 1000)  # one instant for all: none is without the others
        for room in ROOMS:
            key = self._key(room)
            if changes.clear:
                pipe.delete(key)
            dropped = [name for where, name in changes.drop if where == room]
            put: dict[_Value, _Value] = {name: packed for (where, name), packed in changes.put.items() if where == room}
            if dropped:
                pipe.hdel(key, *dropped)
            if put:
                pipe.hset(key, mapping=put)
            if room != STATE:
                pipe.pexpireat(key, expires)

    def _weigh(self) -> None:
        self._turn += 1
        if self._turn % _WEIGHED == 1 and (size := self.size) > self._most:
            self._turn -= 1
            raise StoreFull(
                f"the live numbers take {size / 1e6:,.0f} MB in {self.name}, and may take {self._most / 1e6:,.0f}: "
                "raise live_memory_mb, or shorten live_horizon_seconds and run `workbench live rebuild`"
            )

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except redis.exceptions.OutOfMemoryError as error:
            raise StoreFull(f"{self.name} has no memory left (its maxmemory is reached): {error}") from error
        except redis.exceptions.ResponseError as error:
            kind = StoreFull if str(error).startswith("OOM") else StoreError
            raise kind(f"{self.name} refuses the live numbers: {error}") from error
        except redis.exceptions.RedisError as error:
            raise StoreError(f"cannot use the live numbers in {self.name}: {error}") from error


def _getter(pipe: redis.client.Pipeline, prefix: str) -> Get:
    def get(room: str, keys: Sequence[str]) -> dict[str, bytes]:
        found = pipe.hmget(f"{prefix}:{room}", [*keys]) if keys else []
        return {key: packed for key, packed in zip(keys, found, strict=True) if isinstance(packed, bytes)}

    return get


def _done(pipe: redis.client.Pipeline, watched: str) -> bool:
    """Run what was asked since MULTI, if anything; `False` if what was watched has changed."""
    if not pipe.explicit_transaction:
        pipe.multi()
    pipe.exists(watched)  # an empty transaction would not be sent, and so would not notice
    try:
        pipe.execute()
    except redis.exceptions.WatchError:
        return False
    return True
