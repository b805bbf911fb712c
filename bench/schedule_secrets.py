"""Secrets planted wherever they may come to lie, and looked for in everything that is left or sent."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from bench.schedule_day import GIVEN

if TYPE_CHECKING:
    import argparse

VARIABLES = [
    "SMTP_PASSWORD", "MY_TOKEN", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "DB_PASSWD", "GITHUB_TOKEN", "SLACK_TOKEN",
    "CLIENT_SECRET", "GOOGLE_CREDENTIALS", "STRIPE_APIKEY",
]  # fmt: skip
SETTINGS = {
    "delivery": ["smtp_password"], "kafka": ["sasl_password", "ssl_key_password"], "dashboards": ["token"],
}  # fmt: skip
WAYS = [
    "print({0})", "import sys; print({0}, file=sys.stderr)", "import warnings; warnings.warn({0})",
    "from IPython.display import HTML; HTML('<b>' + {0} + '</b>')",
    "from IPython.display import Markdown; Markdown('**' + {0} + '**')",
    "import pandas as pd; pd.DataFrame({{'a': [{0}]}})", "{0}", "[{0}, {{'k': {0}}}]",
    "import logging; logging.getLogger('x').error({0})",
    "from IPython.display import SVG; SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"><text>' + {0} + '</text></svg>')",
    "import subprocess; subprocess.run(['echo', {0}])", "import os; os.system('echo ' + {0})",
    "from IPython.display import JSON; JSON({{'k': {0}}})",
    "get_ipython().set_next_input({0}) if False else None; {0}", "open('left.txt', 'w').write('x'); {0}.encode()",
    "raise ValueError({0})",
]  # fmt: skip
"""Ways in which a cell may show the secret that an expression gives; the last one fails."""


def secrets(wanted: argparse.Namespace) -> bool:
    """Plant 30 secrets. Figure: 0 found in any page, notebook, letter, log, notice or history."""
    del wanted
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        planted = {name: f"planted-{number:02}-secret" for number, name in enumerate(VARIABLES)}
        told: dict[str, dict[str, str]] = {}
        for section, names in SETTINGS.items():
            for name in names:
                planted[f"{section}.{name}"] = f"planted-{len(planted):02}-secret"
                told.setdefault(section, {})[name] = planted[f"{section}.{name}"]
        planted["live"] = f"planted-{len(planted):02}-secret"
        (root / "workbench.yaml").write_text(
            yaml.safe_dump({**told, "live": f"redis://:{planted['live']}@127.0.0.1:1/0"})
        )
        hook = f"https://127.0.0.1/planted-{len(planted):02}-secret"
        planted["webhook"] = hook.rsplit("/", 1)[1]
        values = list(planted.values())
        cells = [way.format(f"os.environ[{VARIABLES[number % len(VARIABLES)]!r}]") for number, way in enumerate(WAYS)]
        cells.insert(0, "import os; print(open('workbench.yaml').read())")
        _project(root, cells, hook)
        environment = {**os.environ, **{name: planted[name] for name in VARIABLES}}
        for words in (
            ["simulate", "--users", "30", "--days", "20", "--out", "sample.jsonl"], ["ingest", "sample.jsonl"],
            ["report", "run", "shows", "--deliver"], ["report", "run", "fails", "--deliver"], ["schedule"],
            ["report", "run", "shows", "--to", f"slack:{hook}"], ["schedule", "now", "shows"],
            ["schedule", "now", "fails"], ["schedule", "--once"], ["runs", "list"], ["config"],
        ):  # fmt: skip
            with (root / "said.log").open("ab") as said:
                bound = {"timeout": 6} if words == ["schedule"] else {"timeout": 120}
                try:
                    subprocess.run(
                        [sys.executable, "-m", "workbench", *words], cwd=root, env=environment, stdout=said,
                        stderr=subprocess.STDOUT, check=False, **bound,
                    )  # fmt: skip
                except subprocess.TimeoutExpired:
                    continue
        kept = [
            file for file in root.rglob("*") if file.is_file() and file.name not in {"workbench.yaml", "reports.yaml"}
        ]
        found = {
            (str(file.relative_to(root)), secret)
            for file in kept
            for secret in values
            if secret.encode() in file.read_bytes()
        }
        places = len(values) + len(WAYS)
        for name, secret in sorted(found)[:20]:
            print(f"  found {secret} in {name}")
        print(f"secrets: {len(values)} secrets shown in {places} places; found {len(found)} times in {len(kept)} files")
        return not found and places >= 30


def _project(root: Path, cells: list[str], hook: str) -> None:
    for name, own in (("shows", cells[:-1]), ("fails", cells)):
        nb = new_notebook(
            metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
        )
        nb.cells = [new_markdown_cell(f"# {name}\n\nA test."), new_code_cell(GIVEN), *map(new_code_cell, own)]
        nb.cells[1].metadata["tags"] = ["parameters"]
        nbformat.write(nb, root / f"{name}.ipynb")
    entry = {"formats": ["html"], "to": [f"folder:{root}/out", "mailto:ann@example.com", hook]}
    catalog = {name: {"title": name, "notebook": f"{name}.ipynb", **entry} for name in ("shows", "fails")}
    (root / "reports.yaml").write_text(yaml.safe_dump({"reports": catalog}))
    jobs = {
        name: {"kind": "report", "schedule": "@daily", "options": {"report": name}, "retries": 0}
        for name in ("shows", "fails")
    }
    notify = [f"folder:{root}/notices", hook]
    (root / "schedule.yaml").write_text(yaml.safe_dump({"notify": [notify[0]], "jobs": jobs}))
