"""Write environment.yml, so that conda users get the versions that uv.lock names.

Run with `--check` to compare only. The packages come from the same registry as uv's; conda gives
Python, so that one file serves every platform.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.markers import Marker

ROOT = Path(__file__).parents[1]
PYTHON = "3.11"
HEAD = f"""\
# Made by `python .ci/environment.py` from pyproject.toml and uv.lock: change those.
name: workbench
channels:
  - conda-forge
dependencies:
  - python={PYTHON}
  - pip
  - pip:
"""


def environment() -> str:
    """Return the text of environment.yml: every direct dependency at its locked version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    versions = {package["name"]: package["version"] for package in packages if applies(package)}
    lines = [f"      - {pinned(requirement, versions)}" for requirement in sorted(project["dependencies"])]
    return HEAD + "\n".join([*lines, "      - --editable ."]) + "\n"


def applies(package: dict[str, Any]) -> bool:
    """Tell whether this locked version is the one for `PYTHON` (some differ by Python's version)."""
    where = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0", "sys_platform": "linux"}
    return any(Marker(text).evaluate(where) for text in package.get("resolution-markers", ["python_version > '3'"]))


def pinned(requirement: str, versions: dict[str, str]) -> str:
    """Replace the bounds of one requirement by its locked version."""
    match = re.match(r"([A-Za-z0-9._-]+)(\[[^\]]+\])?", requirement)
    if match is None:
        raise ValueError(f"not a requirement: {requirement!r}")
    name, extra = match.group(1), match.group(2) or ""
    return f"{name}{extra}=={versions[name]}"


def main() -> int:
    """Write the file, or with `--check` say whether it is in step."""
    file = ROOT / "environment.yml"
    if "--check" not in sys.argv:
        file.write_text(environment())
        return 0
    if file.read_text() == environment():
        return 0
    sys.stderr.write("environment.yml is not in step with pyproject.toml and uv.lock: run python .ci/environment.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
