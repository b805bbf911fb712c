"""The parameters that a notebook declares, and the refusal of any other: Papermill would take them all in silence."""

from __future__ import annotations

import ast
import math
import re
from typing import TYPE_CHECKING, Final

import nbformat

from workbench.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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

_TYPE_COMMENT: Final = re.compile(r"\s*#\s*type:\s*(?P<type>\w+)\s*$")


def declared(notebook: Path) -> dict[str, tuple[type, ...]]:
    """Return the parameters of a notebook, each with the types that it takes.

    A parameter takes what its default is; one that is `None` takes any single value, or what an
    annotation or a comment such as `# type: int` says; a parameter that may be `None` says so by its default.
    The cell is parsed: Papermill's own inspection goes by line and misreads a default with `=` or `#` in it.

    Raises:
        InvalidArgument: It is no notebook, has no cell tagged `parameters`, or a default is no literal.
    """
    source = _parameters_cell(notebook)
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise InvalidArgument(f"{notebook}: the parameters cell is not valid Python: {error}") from error
    lines = source.splitlines()
    types: dict[str, tuple[type, ...]] = {}
    for statement in statements:
        for name, default in assignment(statement):
            types[name] = _types(notebook, name, default, _stated_type(statement, lines))
    if not types:
        raise InvalidArgument(f"{notebook} declares no parameters: its first code cell must be tagged `parameters`")
    return types


def assignment(statement: ast.stmt) -> list[tuple[str, ast.expr | None]]:
    """Return the name and value of an assignment to one name; nothing for any other statement."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return [(name, value)]
        case ast.AnnAssign(target=ast.Name(id=name), value=value):
            return [(name, value)]
    return []


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
            types = " or ".join(_name(kind) for kind in known[name])
            raise InvalidArgument(f"{notebook.name} takes {types} as {name}, not {value!r}")
        if not is_finite(value):
            raise InvalidArgument(f"{notebook.name} takes finite numbers as {name}, not {value!r}")


def _parameters_cell(notebook: Path) -> str:
    """Return the source of the cell tagged `parameters`; empty where there is none."""
    try:
        nb = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
        cells = [cell.source for cell in nb.cells if "parameters" in cell.metadata.get("tags", [])]
        language = nb.metadata.get("kernelspec", {}).get("language", "python")
    except (OSError, ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        raise InvalidArgument(f"{notebook} cannot be read as a notebook with a Python kernel: {error}") from error
    if language != "python":
        raise InvalidArgument(
            f"{notebook} cannot be read as a notebook with a Python kernel: its language is {language}"
        )
    return cells[0] if cells else ""


def _stated_type(statement: ast.stmt, lines: Sequence[str]) -> str:
    """Return the type that an annotation or a comment after the statement names; empty where neither does."""
    if isinstance(statement, ast.AnnAssign):
        annotation = ast.unparse(statement.annotation)
        return annotation.replace("Optional[", "").rstrip("]").split(" |")[0].split("[")[0]
    # Columns of `ast` count UTF-8 bytes.
    rest = lines[(statement.end_lineno or 1) - 1].encode()[statement.end_col_offset or 0 :].decode()
    comment = _TYPE_COMMENT.match(rest)
    return comment["type"] if comment else ""


def _types(notebook: Path, name: str, default: ast.expr | None, stated: str) -> tuple[type, ...]:
    try:
        value = None if default is None else ast.literal_eval(default)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        text = "" if default is None else ast.unparse(default)
        raise InvalidArgument(f"{notebook}: parameter {name} must be a literal, not {text}") from error
    kinds = _TYPES.get(stated)
    if value is None:
        return (*(kinds or _SCALARS), type(None))
    return kinds or _TYPES.get(type(value).__name__, (type(value),))


def is_finite(value: object) -> bool:
    """Tell whether a value holds no NaN and no infinity, which Papermill would write as a name."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(is_finite(each) for pair in value.items() for each in pair)
    return all(map(is_finite, value)) if isinstance(value, (list, tuple, set)) else True


def _fits(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):  # which Python counts among the ints
        return bool in kinds
    return isinstance(value, kinds)


def _name(kind: type) -> str:
    return "None" if kind is type(None) else kind.__name__
