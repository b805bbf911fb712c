"""The parameters that a notebook declares, and the refusal of any other: Papermill would take them all in silence."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

import papermill

from workbench.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SCALARS: Final = (str, int, float, bool)
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}
"""What may be passed, by the type of the default. An int does for a float."""


def declared(notebook: Path) -> dict[str, tuple[type, ...]]:
    """Return the parameters of a notebook, each with the types that it takes.

    A parameter takes what its default is; one that is `None` takes any single value, or what a
    comment such as `# type: int` says; a parameter that may be `None` says so by its default.

    Raises:
        InvalidArgument: It is no notebook, has no cell tagged `parameters`, or a default is no literal.
    """
    try:
        found = papermill.inspect_notebook(str(notebook))
    except (OSError, ValueError, KeyError, AttributeError, papermill.exceptions.PapermillException) as error:
        raise InvalidArgument(f"{notebook} cannot be read as a notebook with a Python kernel: {error}") from error
    if not found:
        raise InvalidArgument(f"{notebook} declares no parameters: its first code cell must be tagged `parameters`")
    return {name: _types(notebook, name, facts) for name, facts in found.items()}


def check(notebook: Path, values: Mapping[str, object]) -> None:
    """Refuse values that a notebook does not declare, or of another type than it declares.

    Raises:
        InvalidArgument: A name is unknown or a value has the wrong type; both are named.
    """
    known = declared(notebook)
    for name, value in values.items():
        if name not in known:
            raise InvalidArgument(f"{notebook.name} has no parameter {name!r}: it has {', '.join(known)}")
        if not _fits(value, known[name]):
            wanted = " or ".join(_name(kind) for kind in known[name])
            raise InvalidArgument(f"{notebook.name} takes {wanted} as {name}, not {value!r}")


def _types(notebook: Path, name: str, facts: Mapping[str, str]) -> tuple[type, ...]:
    try:
        default = ast.literal_eval(facts["default"])
    except (ValueError, SyntaxError) as error:
        raise InvalidArgument(f"{notebook}: parameter {name} must be a literal, not {facts['default']}") from error
    said = _TYPES.get(facts["inferred_type_name"])
    if default is None:
        return (*(said or _SCALARS), type(None))
    return said or _TYPES.get(type(default).__name__, (type(default),))


def _fits(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):  # which Python counts among the ints
        return bool in kinds
    return isinstance(value, kinds)


def _name(kind: type) -> str:
    return "None" if kind is type(None) else kind.__name__
