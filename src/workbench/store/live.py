"""Live numbers: windows of event time that are kept beside the history, whatever holds their bytes.

`LiveStore` is the arithmetic; where its bytes lie is a `Blobs` (`live_sqlite`, `live_redis`). One transaction adds a
batch: counts, people, ids, raids and the positions of the sources together, so that a batch counts once or not at all.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec
import numpy as np

from workbench.errors import StoreConflict, StoreCorrupt, StoreTooNew
from workbench.store import live_minutes, live_raids, live_seen, live_sources
from workbench.store.base import SOURCE_START
from workbench.store.live_batch import batch_of
from workbench.store.live_minutes import Addition, Minute
from workbench.store.live_state import LAYOUT, MINUTE, SECOND, Held, Policy, Source, State, micros

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa
    from numpy.typing import NDArray

    from workbench.store.live_batch import Batch, RaidEvent

    Known = dict[int, tuple[int, live_seen.Hashes]]
    """Per minute how many of its pieces were read, and the ids in them."""

T = TypeVar("T")

STATE: Final = "state"
MINUTES: Final = "minutes"
SEEN: Final = "seen"
RAIDS: Final = "raids"
ROOMS: Final = (STATE, MINUTES, SEEN, RAIDS)
"""What bytes are named by: a room, and a key in it. `STATE` has one key, which every transaction writes."""

EXPIRING: Final = (MINUTES, SEEN, RAIDS)
ALIVE: Final = "alive"
"""A key in every room that may expire, by which to know whether it has."""


class Get(Protocol):
    """How a transaction reads."""

    def __call__(self, room: str, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of those keys of a room that there are."""


@dataclass(slots=True)
class Changes:
    """What a transaction writes: all of it, or nothing."""

    put: dict[tuple[str, str], bytes] = field(default_factory=dict)
    drop: list[tuple[str, str]] = field(default_factory=list)
    clear: bool = False
    """Whether everything is dropped first."""


class Blobs(Protocol):
    """Named bytes that are read and changed together; safe for several processes and threads."""

    @property
    def name(self) -> str:
        """Where they are, for messages; without any password."""

    @property
    def size(self) -> int:
        """How many bytes they take there."""

    def read(self, work: Callable[[Get], T]) -> T:
        """Read as of one moment; `work` may be called again if the moment passed before it was done."""

    def change(self, work: Callable[[Get], tuple[Changes, T]]) -> T:
        """Read, and write what comes of it, as if nobody else were there; `work` may be called again.

        Raises:
            StoreFull: There is no room; nothing was written.
        """

    def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A live store at one moment.

    Attributes:
        name: Where it is.
        state: Where it has come to.
        minutes: Those that are kept, by minutes since 1970.
        raids: Who joined those that are kept, by `raid_id`.
    """

    name: str
    state: State
    minutes: Mapping[int, Minute]
    raids: Mapping[str, live_raids.Joined]


class LiveReader(Protocol):
    """Live numbers, wherever they are counted."""

    @property
    def name(self) -> str:
        """Where they are, without a password."""

    @property
    def size(self) -> int:
        """How many bytes they take there; 0 where that is not known."""

    def state(self) -> State:
        """Return where they have come to."""

    def picture(self) -> Picture:
        """Read all that is kept, as of one moment."""

    def ids(self, minute: int) -> NDArray[np.uint64]:
        """Return the hashes of the ids of the events that were counted in a minute, ascending."""

    def close(self) -> None:
        """Let go of them."""


class LiveStore:
    """Numbers of the last hour or so, kept second by second beside the history; see `base.Live`."""

    def __init__(self, blobs: Blobs, policy: Policy | None = None) -> None:
        """Take where the bytes are, and how event time is read: as the store did before, if not given."""
        self.blobs = blobs
        self._policy = policy
        self._seen = live_seen.Seen()
        self._read: tuple[str, dict[int, tuple[int, Minute]]] = ("", {})

    @property
    def name(self) -> str:
        """Where it is."""
        return self.blobs.name

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return self.blobs.size

    @property
    def policy(self) -> Policy | None:
        """How it was opened to read event time."""
        return self._policy

    def close(self) -> None:
        """Let go of it."""
        self.blobs.close()

    def state(self) -> State:
        """Return where the store has come to."""
        return self.blobs.read(_state)

    def position(self, source: str) -> int:
        """Return where to resume reading `source`; see `base.Live.position`."""
        known = self.state().sources.get(source)
        return known.position if known else SOURCE_START

    def apply(
        self, events: pa.Table, *, moved: Mapping[str, tuple[int, int]], rejected: Mapping[str, int], now: datetime
    ) -> None:
        """Add a batch to the numbers and move the positions of its sources; see `base.Live.apply`."""
        batch = batch_of(events)
        strangers = {*batch.source.values, *rejected} - {*moved}
        if strangers and batch.rows + len(rejected):
            raise StoreConflict(f"a batch has events of {sorted(map(str, strangers))}, but moves only {sorted(moved)}")

        def work(get: Get) -> tuple[Changes, Known]:
            state = _state(get)
            self._seen.turn_to(state.generation)
            live_sources.move(state, moved, rejected, now=micros(now))
            live_sources.skip(state, batch, moved, rejected)
            return self._add(get, state, batch, now=micros(now))

        for minute, (last, ids) in self.blobs.change(work).items():
            self._seen.keep(minute, last, ids)

    def picture(self) -> Picture:
        """Read all that is kept, as of one moment; what did not change since the last time is not read again."""
        generation, known = self._read

        def work(get: Get) -> Picture:
            state = _state(get)
            usable = known if generation == state.generation else {}
            old = {m: usable[m][1] for m, held in state.minutes.items() if usable.get(m, (-1,))[0] == held.changed}
            packed = get(MINUTES, [str(minute) for minute in state.minutes if minute not in old])
            minutes = {m: old[m] if m in old else live_minutes.unpack(packed.get(str(m))) for m in state.minutes}
            raids = {raid_id: live_raids.Joined(joined) for raid_id, joined in get(RAIDS, [*state.raids]).items()}
            return Picture(self.name, state, minutes, raids)

        picture = self.blobs.read(work)
        state = picture.state
        self._read = state.generation, {m: (held.changed, picture.minutes[m]) for m, held in state.minutes.items()}
        return picture

    def ids(self, minute: int) -> NDArray[np.uint64]:
        """Return the hashes of the ids of the events that were counted in a minute, ascending."""

        def work(get: Get) -> NDArray[np.uint64]:
            held = _state(get).minutes.get(minute, Held(0))
            keys = [live_seen.key(minute, piece) for piece in range(held.first, held.last)]
            return live_seen.Seen().ids(minute, held, get(SEEN, keys))

        return self.blobs.read(work)

    def replace(self, events: pa.Table, sources: Mapping[str, Source], *, raids: pa.Table, now: datetime) -> None:
        """Forget everything, and begin anew from events that history has: what `rebuild` does at the end.

        Args:
            events: Columns of `STORED_EVENT`, of the time that is kept.
            sources: By name, where reading goes on and up to when their events have come.
            raids: Earlier events of raids that may be in progress still.
            now: When the last event was read.
        """
        batch = batch_of(events)
        told = [*batch_of(raids).raids, *batch.raids]

        def work(get: Get) -> tuple[Changes, None]:
            state = State(generation=secrets.token_hex(4), policy=self._policy or _state(get).policy)
            state.sources = {name: msgspec.structs.replace(source) for name, source in sources.items()}
            self._seen.turn_to(state.generation)
            changes, _ = self._add(_nothing, state, dataclasses.replace(batch, raids=told), now=micros(now), anew=True)
            changes.clear = True
            return changes, None

        self.blobs.change(work)
        self._seen.turn_to("")

    def _add(self, get: Get, state: State, batch: Batch, *, now: int, anew: bool = False) -> tuple[Changes, Known]:
        """Add a batch to what was read, and say what that changes, and which ids a minute has then."""
        state.policy = self._policy or state.policy
        state.transaction += 1
        if not anew:
            live_sources.reach(state, batch, now)
        closed, edge = (0, 0) if anew or state.closed is None or state.edge is None else (state.closed, state.edge)
        state.advance(now)
        changes = Changes()
        late = batch.occurred < edge * SECOND
        live_sources.tally(state, batch, late, "late")
        known = self._add_minutes(get, state, batch, ~late, closed=closed, changes=changes)
        _add_raids(get, state, batch.raids, changes)
        _prune(state, changes)
        changes.put[STATE, STATE] = msgspec.msgpack.encode(state)
        changes.put.update({(room, ALIVE): b"" for room in EXPIRING})
        return changes, known

    def _add_minutes(
        self, get: Get, state: State, batch: Batch, taken: NDArray[np.bool_], *, closed: int, changes: Changes
    ) -> Known:
        rows = live_sources.by_minute(batch, taken)
        seen = {minute: state.minutes.get(minute, Held(0)) for minute in rows}
        pieces = get(
            SEEN, [live_seen.key(m, piece) for m, held in seen.items() for piece in self._seen.missing(m, held)]
        )
        packed = get(MINUTES, [str(minute) for minute in rows])
        known = {}
        duplicate = np.zeros(batch.rows, dtype=bool)
        revised = np.zeros(batch.rows, dtype=bool)
        for minute, candidates in rows.items():
            held = seen[minute]
            ids = self._seen.ids(minute, held, pieces)
            new = live_seen.fresh(batch.event[candidates], ids)
            duplicate[candidates[~new]] = True
            mine = candidates[new]
            if not len(mine):
                continue
            revised[mine] = batch.occurred[mine] < closed * SECOND
            numbers = live_minutes.unpack(packed.get(str(minute)))
            live_minutes.add(numbers, batch, Addition(minute * MINUTE, mine, closed, state.transaction))
            changes.put[MINUTES, str(minute)] = live_minutes.pack(numbers)
            added = np.sort(batch.event[mine])
            ids = live_seen.joined([ids, added])
            _add_piece(held, minute, added, ids, changes)
            held.changed = state.transaction
            state.minutes[minute] = held
            known[minute] = (held.last, ids)
        live_sources.tally(state, batch, duplicate, "duplicate")
        live_sources.tally(state, batch, revised, "revised")
        live_sources.tally(state, batch, taken & ~duplicate, "counted")
        return known


def _nothing(room: str, keys: Sequence[str]) -> dict[str, bytes]:
    """Find nothing, as in a store that is made anew."""
    del room, keys
    return {}


def _state(get: Get) -> State:
    packed = get(STATE, [STATE]).get(STATE)
    if packed is None:
        return State(generation=secrets.token_hex(4))
    try:
        state = msgspec.msgpack.decode(packed, type=State)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"the live numbers cannot be read: {error}; {_ANEW}") from error
    if state.layout > LAYOUT:
        raise StoreTooNew(f"the live numbers have layout {state.layout}, this Workbench knows {LAYOUT}: upgrade it")
    alive = [room for room in EXPIRING if get(room, [ALIVE])]
    if not alive:
        state.expire()
    elif len(alive) < len(EXPIRING):
        raise StoreCorrupt(f"of the live numbers only {', '.join(alive)} are left: the others were evicted; {_ANEW}")
    return state


_ANEW: Final = "make them anew with `workbench live rebuild`"


def _add_piece(
    held: Held, minute: int, added: live_seen.Hashes, everything: live_seen.Hashes, changes: Changes
) -> None:
    """Write the new ids of a minute as a piece; many pieces are written as one."""
    if held.last - held.first < live_seen.PIECES:
        changes.put[SEEN, live_seen.key(minute, held.last)] = added.tobytes()
    else:
        changes.drop.extend((SEEN, live_seen.key(minute, piece)) for piece in range(held.first, held.last))
        held.first = held.last
        changes.put[SEEN, live_seen.key(minute, held.last)] = everything.tobytes()
    held.last += 1


def _add_raids(get: Get, state: State, told: Sequence[RaidEvent], changes: Changes) -> None:
    joins = live_raids.tell(state.raids, told)
    packed = get(RAIDS, [*joins])
    for raid_id, events in joins.items():
        people = live_raids.Joined(packed.get(raid_id))
        people.add([event.user for event in events], [event.occurred for event in events])
        changes.put[RAIDS, raid_id] = people.pack()


def _prune(state: State, changes: Changes) -> None:
    """Drop what is too old to be asked for; the ids of events of which none can come any more before that."""
    if state.edge is None or state.oldest is None:
        return
    gone: dict[str, set[str]] = defaultdict(set)
    state.ids_from = max(state.ids_from, state.edge // MINUTE * MINUTE)
    for minute, held in [*state.minutes.items()]:
        if minute < state.edge // MINUTE:
            gone[SEEN] |= {live_seen.key(minute, piece) for piece in range(held.first, held.last)}
            held.first = held.last
        if minute * MINUTE < state.oldest:
            gone[MINUTES].add(str(minute))
            del state.minutes[minute]
    for raid_id in live_raids.over(state.raids, state.oldest * SECOND):
        gone[RAIDS].add(raid_id)
        del state.raids[raid_id]
    state.known_from = max(state.known_from or 0, state.oldest)
    for room, keys in gone.items():
        for key in keys:
            changes.put.pop((room, key), None)
            changes.drop.append((room, key))
