"""The words in which the databases differ: fragments of SQL that mean the same in both.

Nothing of a user is ever part of a text: a fragment names a column of `events`, or a value that is bound as `$name`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.store.base import Engine


class Words(Protocol):
    """What each database has words for. Arguments and results are SQL, but for the name of a property."""

    def micros(self, time: str) -> str:
        """Microseconds since 1970 of a time, as a 64-bit integer."""

    def moment(self, time: str) -> str:
        """Return a time as what turns into microseconds since 1970 the fastest: their number, or the instant itself."""

    def number(self, text: str) -> str:
        """Read text as a number, without blanks or other signs around it; null where it is none."""

    def text(self, number: str) -> str:
        """Write a 64-bit float as text, at its shortest."""

    def one_of(self, value: str, among: str) -> str:
        """Whether a value is in a bound list; null counts as no."""

    def place(self, value: str, among: str) -> str:
        """Return the place of a value in a bound list, from 1; 0 where it is not in it, or null."""

    def number_of(self, value: str, numbers: Mapping[str, int]) -> str:
        """Return the number of the bound value that a value equals; 0 where it equals none, or is null."""

    def property(self, key: str) -> str:
        """Return a property as text, null where it is absent or null; `key` is bound to what `key_of` returns.

        Numbers are written at their shortest (`1.0` and `1` are `1`), lists and objects as JSON without blanks.
        """

    def key_of(self, name: str) -> str:
        """Return what is bound to ask for the property of a name."""

    def byte(self, number: str) -> str:
        """Make a number an 8-bit integer, so that less has to travel."""

    def short(self, number: str) -> str:
        """Make a number a 16-bit integer, so that less has to travel."""

    def long(self, number: str) -> str:
        """Make a number a 64-bit integer."""

    def total(self, number: str) -> str:
        """Add up 64-bit floats from the smallest on, so that the sum is the same in every run; 0 of none."""

    def pair(self, one: str, other: str) -> str:
        """Make one 64-bit integer of two values: equal for equal ones, and as good as never for others."""


_PLAIN: Final = (
    """regexp_replace(replace(replace({text}, chr(8232), '\\u2028'), chr(8233), '\\u2029'), """
    """'("(?:[^"\\\\]|\\\\.)*")|\\.0([],}}]|$)', '\\1\\2', 'g')"""
)
"""JSON as ClickHouse writes it: whole numbers without a fraction, but nothing changed in the texts."""


@dataclass(frozen=True)
class DuckDB:
    """DuckDB's words."""

    def micros(self, time: str) -> str:
        """See `Words`."""
        return f"epoch_us({time})"

    def moment(self, time: str) -> str:
        """See `Words`."""
        return time

    def number(self, text: str) -> str:
        """See `Words`. DuckDB alone would also read ` 5`, `1_000` and `+-1`."""
        return f"CASE WHEN NOT regexp_matches({text}, '[\\s\\v_]|^\\+-') THEN TRY_CAST({text} AS DOUBLE) END"

    def text(self, number: str) -> str:
        """See `Words`. JSON writes numbers as ClickHouse does, but for whole ones."""
        written = f"regexp_replace(CAST(to_json({number}) AS VARCHAR), '\\.0$', '')"
        other = f"CASE WHEN isnan({number}) THEN 'nan' ELSE CAST({number} AS VARCHAR) END"
        return f"CASE WHEN isfinite({number}) THEN {written} ELSE {other} END"

    def one_of(self, value: str, among: str) -> str:
        """See `Words`."""
        return f"coalesce(list_contains({among}, {value}), false)"

    def place(self, value: str, among: str) -> str:
        """See `Words`."""
        return f"coalesce(list_position({among}, {value}), 0)"

    def number_of(self, value: str, numbers: Mapping[str, int]) -> str:
        """See `Words`."""
        cases = " ".join(f"WHEN {name} THEN {number:d}" for name, number in numbers.items())
        return f"CASE {value} {cases} ELSE 0 END"

    def property(self, key: str) -> str:
        """See `Words`. What can be written in two ways is looked at once more, and that is rare."""
        text, kind = f"json_extract_string(properties, {key})", f"json_type(properties, {key})"
        return (
            f"CASE WHEN NOT regexp_matches({text}, '^[\\[{{]|\\.0$') THEN {text} "
            f"WHEN {kind} = 'VARCHAR' THEN {text} "
            f"ELSE {_PLAIN.format(text=text)} END"
        )

    def key_of(self, name: str) -> str:
        """Return a JSON pointer."""
        return "/" + name.replace("~", "~0").replace("/", "~1")

    def byte(self, number: str) -> str:
        """See `Words`."""
        return f"({number})::TINYINT"

    def short(self, number: str) -> str:
        """See `Words`."""
        return f"({number})::SMALLINT"

    def long(self, number: str) -> str:
        """See `Words`."""
        return f"({number})::BIGINT"

    def total(self, number: str) -> str:
        """See `Words`."""
        return f"coalesce(sum({number} ORDER BY {number}), 0)"

    def pair(self, one: str, other: str) -> str:
        """See `Words`."""
        return f"(hash({one}, {other}) >> 1)::BIGINT"


@dataclass(frozen=True)
class ClickHouse:
    """ClickHouse's words."""

    def micros(self, time: str) -> str:
        """See `Words`."""
        return f"toUnixTimestamp64Micro({time})"

    def moment(self, time: str) -> str:
        """See `Words`."""
        return self.micros(time)

    def number(self, text: str) -> str:
        """See `Words`."""
        return f"toFloat64OrNull({text})"

    def text(self, number: str) -> str:
        """See `Words`."""
        return f"toString({number})"

    def one_of(self, value: str, among: str) -> str:
        """See `Words`."""
        return f"ifNull({value} IN {among}, false)"

    def place(self, value: str, among: str) -> str:
        """See `Words`."""
        return f"toInt64(ifNull(transform({value}, {among}, arrayEnumerate({among}), 0), 0))"

    def number_of(self, value: str, numbers: Mapping[str, int]) -> str:
        """See `Words`. One look at each distinct value of a part, and not a comparison per row and number."""
        names, given = ", ".join(numbers), ", ".join(f"{number:d}" for number in numbers.values())
        return f"ifNull(transform({value}, [{names}], [{given}], 0), 0)"

    def property(self, key: str) -> str:
        """See `Words`."""
        return (
            f"if(JSONType(properties, {key}) = 'Null', NULL, "
            f"CAST(JSONExtractString(properties, {key}) AS Nullable(String)))"
        )

    def key_of(self, name: str) -> str:
        """Return the name itself."""
        return name

    def byte(self, number: str) -> str:
        """See `Words`."""
        return f"toInt8({number})"

    def short(self, number: str) -> str:
        """See `Words`."""
        return f"toInt16({number})"

    def long(self, number: str) -> str:
        """See `Words`."""
        return f"toInt64({number})"

    def total(self, number: str) -> str:
        """See `Words`."""
        return f"arraySum(arraySort(groupArray({number})))"

    def pair(self, one: str, other: str) -> str:
        """See `Words`."""
        return f"toInt64(bitShiftRight(cityHash64({one}, {other}), 1))"


_WORDS: Final[dict[str, Words]] = {"duckdb": DuckDB(), "clickhouse": ClickHouse()}


def words(engine: Engine) -> Words:
    """Return the words of a database."""
    return _WORDS[engine]
