"""Places where a test makes the consumer stop, wait or fail, to prove that no moment is a bad one to die."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workbench.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAMES: Final = (
    "on_assigned",
    "after_poll",
    "before_decode",
    "after_decode",
    "before_rejects",
    "after_rejects",
    "before_history",
    "after_history",
    "after_live",
    "before_commit",
    "after_commit",
    "before_close",
)
"""In the order in which a batch passes them; `commit` is that of the queue, which is only advice."""


class Failpoints:
    """What to do at which places; nothing, unless a test says so."""

    def __init__(self, actions: Mapping[str, Callable[[], object]] | None = None) -> None:
        """Take an action for each of some places.

        Raises:
            InvalidArgument: There is no such place.
        """
        self._actions = dict(actions or {})
        unknown = self._actions.keys() - set(NAMES)
        if unknown:
            raise InvalidArgument(f"no failpoint {min(unknown)!r}: there are {', '.join(NAMES)}")

    def at(self, name: str) -> None:
        """Do what is to be done at a place."""
        action = self._actions.get(name)
        if action is not None:
            action()
