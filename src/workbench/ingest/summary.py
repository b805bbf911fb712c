"""What an ingest did, to print and to compare."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import NamedTuple

from workbench.times import NaiveTimes


class KnownFile(NamedTuple):
    """A file that was never ingested before, and most of whose events the store had already.

    Attributes:
        name: What a person calls it.
        known: Its events that the store had.
        events: All of its events.
    """

    name: str
    known: int
    events: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The outcome of one ingest: `read` = `accepted` + `duplicates` + rejected.

    Attributes:
        files: Files read, those that were complete before not counted.
        read: Rows read.
        accepted: Events that are new to the store.
        duplicates: Events that it had already, or that came twice.
        rejected: Rows that are no events, and events with the id of another one, by reason; they are kept.
        seconds: How long it took.
        skipped: Files of which every row was read by an earlier ingest.
        mostly_known: New files of which more than half of the events were there already.
        naive: How many accepted rows had a time without a zone, and how many of these fell into an hour that the
            clocks skip or repeat; repeated events are counted too.
        zone: Time zone that these were read in.
        notes: What else there is to know, a sentence each.
        past_retention: Events of these files that are older than the retention, and would expire.
        retention_days: The retention, in days; `None` where nothing expires.
    """

    files: int
    read: int
    accepted: int
    duplicates: int
    rejected: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    skipped: tuple[str, ...] = ()
    mostly_known: tuple[KnownFile, ...] = ()
    naive: NaiveTimes = field(default_factory=NaiveTimes)
    zone: str = "UTC"
    notes: tuple[str, ...] = ()
    past_retention: int = 0
    retention_days: int | None = None

    @property
    def rows_per_second(self) -> float:
        """Rows read in a second of wall time."""
        return self.read / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types."""
        return {
            "files": self.files,
            "read": self.read,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected": dict(self.rejected),
            "seconds": self.seconds,
            "rows_per_second": self.rows_per_second,
            "skipped": list(self.skipped),
            "mostly_known": [file._asdict() for file in self.mostly_known],
            "naive_times": self.naive.read,
            "naive_times_skipped": self.naive.skipped,
            "naive_times_repeated": self.naive.repeated,
            "zone": self.zone,
            "notes": list(self.notes),
            "past_retention": self.past_retention,
        }

    def reading(self) -> str:
        """Say in a few sentences what happened.

        >>> print(Summary(files=1, read=9, accepted=7, duplicates=1, rejected={"bad_json": 1}, seconds=0.5).reading())
        Read 9 rows of 1 file in 0.5 s (18 a second): 7 new events, 1 repeated.
        1 row is no event (bad_json 1) and was set aside: see `workbench rejects list`.
        """
        said = []
        if self.files or self.read:
            where = f" of {_counted(self.files, 'file')}" if self.files else ""
            pace = f"in {self.seconds:,.1f} s ({self.rows_per_second:,.0f} a second)"
            found = f"{_counted(self.accepted, 'new event')}, {self.duplicates:,} repeated"
            said.append(f"Read {_counted(self.read, 'row')}{where} {pace}: {found}.")
        said += [
            f"{file.known:,} of {file.events:,} events were there already: {file.name} is new, and most of what it "
            "holds is not. Was another export of the same events ingested before?"
            for file in self.mostly_known
        ]
        conflicts = self.rejected.get("conflicting_id", 0)
        if total := sum(self.rejected.values()) - conflicts:
            others = {reason: count for reason, count in self.rejected.items() if reason != "conflicting_id"}
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(others.items()))
            are = "is no event" if total == 1 else "are no events"
            was = "was" if total == 1 else "were"
            said.append(
                f"{_counted(total, 'row')} {are} ({reasons}) and {was} set aside: see `workbench rejects list`."
            )
        if conflicts:
            have = (
                "has the id of another event, but differs" if conflicts == 1 else "have ids of other events, but differ"
            )
            said.append(
                f"{_counted(conflicts, 'event')} {have} in type, user or time (conflicting_id {conflicts:,}); the "
                "first stays: see `workbench rejects list --reason conflicting_id`."
            )
        if self.past_retention:
            said.append(
                f"{_counted(self.past_retention, 'event')} of it {'is' if self.past_retention == 1 else 'are'} older "
                "than the retention of "
                f"{self.retention_days:,} days: `workbench lake expire` drops them."
            )
        if self.skipped:
            said.append(
                f"{_counted(len(self.skipped), 'file')} had been ingested before, nothing of it was read again."
            )
        if self.naive.read:
            said.append(self._local_times())
        return "\n".join([*said, *self.notes]) or "There was nothing to do."

    def _local_times(self) -> str:
        """Say in which zone times without one were read.

        >>> counts = NaiveTimes(1_200, skipped=2, repeated=1)
        >>> print(Summary(files=1, read=9, accepted=9, duplicates=0, naive=counts, zone="Europe/Berlin")._local_times())
        1,200 times without a zone were read in Europe/Berlin.
        2 of them do not exist on its clocks and were moved forward by the gap.
        1 of them comes twice on its clocks and was taken as the first.
        """
        naive = self.naive
        were = "was" if naive.read == 1 else "were"
        said = [f"{_counted(naive.read, 'time')} without a zone {were} read in {self.zone}."]
        if naive.skipped:
            verb, was = ("does", "was") if naive.skipped == 1 else ("do", "were")
            said.append(f"{naive.skipped:,} of them {verb} not exist on its clocks and {was} moved forward by the gap.")
        if naive.repeated:
            verb, was = ("comes", "was") if naive.repeated == 1 else ("come", "were")
            said.append(f"{naive.repeated:,} of them {verb} twice on its clocks and {was} taken as the first.")
        return "\n".join(said)

    def _repr_html_(self) -> str:
        rows = {
            "files": f"{self.files:,}",
            "rows read": f"{self.read:,}",
            "new events": f"{self.accepted:,}",
            "repeated": f"{self.duplicates:,}",
            **{f"rejected: {reason}": f"{count:,}" for reason, count in sorted(self.rejected.items())},
            "already complete": f"{len(self.skipped):,}",
            "seconds": f"{self.seconds:,.1f}",
            "rows a second": f"{self.rows_per_second:,.0f}",
            **({f"times without a zone, read in {self.zone}": f"{self.naive.read:,}"} if self.naive.read else {}),
        }
        cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{value}</td></tr>" for name, value in rows.items())
        return f"<table>{cells}</table>"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
