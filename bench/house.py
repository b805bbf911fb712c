"""How readable the house is: sizes of folders, circles of imports, names, words, and what is written twice.

Each figure is counted from the source by `ast`, and stands beside its goal.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/workbench"
VAGUE = frozenset(
    [
        "found",
        "asked",
        "told",
        "kept",
        "said",
        "given",
        "wanted",
        "there",
        "here",
        "known",
        "seen",
        "chosen",
        "taken",
        "made",
        "gone",
        "begun",
        "ended",
        "shown",
        "written",
        "named",
        "came",
        "went",
        "held",
        "lost",
        "moved",
    ]
)
"""Participles, pronouns and adverbs: a name is the thing that it holds."""

EXEMPT = frozenset({"stored", "parsed", "declared"})
STORES = {"LakeStore", "ClickHouseStore", "MemoryStore", "FrameStore"}
ENGINES = {"duckdb", "clickhouse"}
_PRONOUN = re.compile(r"\b(?:what|who|whom|whose)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Module:
    """One module: its dotted name, its file and its tree."""

    name: str
    path: Path
    tree: ast.Module

    @cached_property
    def imports(self) -> list[tuple[str, bool]]:
        """Names that it imports from the package, and whether inside a function."""
        hidden = {
            node
            for function in ast.walk(self.tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
        }
        names = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "workbench":
                names += [(f"{node.module}.{alias.name}", node in hidden) for alias in node.names]
            elif isinstance(node, ast.Import):
                names += [(alias.name, node in hidden) for alias in node.names if alias.name.startswith("workbench")]
        return names

    @property
    def room(self) -> str:
        """The first folder below the package; empty for a ground file."""
        parts = self.path.relative_to(PACKAGE).parts
        return parts[0] if len(parts) > 1 else ""


def modules() -> dict[str, Module]:
    """Read all modules of the package, by name."""
    read = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        read[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return read


def graph(house: dict[str, Module]) -> nx.DiGraph:
    """Draw who imports whom, imports for types and inside functions included."""
    arrows = nx.DiGraph()
    for module in house.values():
        for target, _ in module.imports:
            name = target if target in house else target.rpartition(".")[0]
            if name in house and name != module.name:
                arrows.add_edge(module.name, name)
    return arrows


def circles(house: dict[str, Module]) -> int:
    """Count groups of modules that import each other."""
    return sum(len(group) > 1 for group in nx.strongly_connected_components(graph(house)))


def largest_folder(house: dict[str, Module]) -> int:
    """Count the modules of the fullest folder."""
    return max(Counter(module.path.parent for module in house.values() if module.path.stem != "__init__").values())


def hidden_imports(house: dict[str, Module]) -> int:
    """Count statements that import the package inside a function."""
    return sum(hidden for module in house.values() for _, hidden in module.imports)


def bindings(tree: ast.AST) -> Iterator[str]:
    """Yield every name that a tree gives to something."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name


def vague_names(house: dict[str, Module]) -> float:
    """Return the share of names that are a bare participle, pronoun or adverb, in percent."""
    names = [name.strip("_") for module in house.values() for name in bindings(module.tree)]
    return 100 * sum(name in VAGUE and name not in EXEMPT for name in names) / len(names)


def pronouns(house: dict[str, Module]) -> float:
    """Return how many "what", "who", "whom" and "whose" there are in a thousand words of docstring."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [
        ast.get_docstring(node) or ""
        for module in house.values()
        for node in ast.walk(module.tree)
        if isinstance(node, kinds)
    ]
    words = sum(len(text.split()) for text in texts)
    return 1000 * sum(len(_PRONOUN.findall(text)) for text in texts) / words


def engine_names(house: dict[str, Module]) -> int:
    """Count where questions and models say the name of an engine, or ask a snapshot for it."""
    return sum(
        (isinstance(node, ast.Constant) and node.value in ENGINES)
        or (isinstance(node, ast.Attribute) and node.attr == "engine")
        for module in house.values()
        if module.room in {"metrics", "models"}
        for node in ast.walk(module.tree)
    )


def concrete_stores(house: dict[str, Module]) -> int:
    """Count the checks for a certain store outside the room of stores."""
    return sum(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "isinstance"
        and bool(STORES & {name.id for name in ast.walk(node) if isinstance(name, ast.Name)})
        for module in house.values()
        if module.room != "store"
        for node in ast.walk(module.tree)
    )


def live_imports(house: dict[str, Module]) -> int:
    """Count the modules outside the room of stores that import its live numbers."""
    inner = re.compile(r"workbench\.store\.live[_.]")
    return sum(
        any(inner.match(f"{target}.") for target, _ in module.imports)
        for module in house.values()
        if module.room != "store"
    )


def open_options(house: dict[str, Module]) -> int:
    """Count the questions of the bench that hide their options behind `**options: Any`."""
    names = [
        name for name in ("workbench.bench", "workbench.models.questions", "workbench.models.accessor") if name in house
    ]
    return sum(
        isinstance(node, ast.FunctionDef)
        and node.args.kwarg is not None
        and node.args.kwarg.annotation is not None
        and ast.unparse(node.args.kwarg.annotation) == "Any"
        for name in names
        for node in ast.walk(house[name].tree)
    )


def untested(house: dict[str, Module]) -> int:
    """Count the modules without a test file of their own name."""
    tests = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    return sum(
        module.path.stem not in {"__init__", "__main__"}
        and not any(
            test == f"test_{module.path.stem}" or test.startswith(f"test_{module.path.stem}_") for test in tests
        )
        for module in house.values()
    )


def calls_of(house: dict[str, Module], *names: str) -> int:
    """Count the modules that call a function of one of these names."""

    def called(node: ast.AST) -> str:
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
                return name
        return ""

    return sum(any(called(node) in names for node in ast.walk(module.tree)) for module in house.values())


def atomic_replaces(house: dict[str, Module]) -> int:
    """Count the modules that put one file in the place of another: a `replace` of one argument is that of a path."""
    return sum(
        any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "replace"
            and len(node.args) == 1
            and not node.keywords
            for node in ast.walk(module.tree)
        )
        for module in house.values()
    )


def defined(house: dict[str, Module], word: str) -> int:
    """Count the modules that define a function with a word in its name."""
    return sum(
        any(isinstance(node, ast.FunctionDef) and word in node.name for node in ast.walk(module.tree))
        for module in house.values()
    )


GOALS: tuple[tuple[str, Callable[[dict[str, Module]], float], float], ...] = (
    ("files in the fullest folder", largest_folder, 15),
    ("circles of imports", circles, 0),
    ("imports of the package inside functions", hidden_imports, 15),
    ("names that are bare participles or pronouns, %", vague_names, 0.5),
    ("what, who, whom, whose in 1,000 words of docstring", pronouns, 2),
    ("engines named in metrics and models", engine_names, 0),
    ("isinstance of a certain store outside of store", concrete_stores, 0),
    ("modules outside of store that import its live numbers", live_imports, 0),
    ("questions of the bench with **options: Any", open_options, 0),
    ("modules without a test of their own name", untested, 60),
    ("modules that lock a file by themselves", lambda house: calls_of(house, "flock", "lockf"), 1),
    ("modules that replace a file by themselves", atomic_replaces, 1),
    ("modules with an own Wilson interval", lambda house: defined(house, "wilson"), 1),
)


def rows(house: dict[str, Module]) -> Iterable[tuple[str, float, float]]:
    """Yield each figure: what it is, how much, and at most how much."""
    for name, count, goal in GOALS:
        yield name, count(house), goal


def main(_: list[str]) -> int:
    """Print each figure beside its goal; 1 if one is missed."""
    missed = 0
    for name, count, goal in rows(modules()):
        missed |= count > goal
        print(f"{name:56s} {count:8.4g}   goal {goal:g}{'   missed' if count > goal else ''}")
    return missed
