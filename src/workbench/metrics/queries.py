"""The SQL files of the questions, and the only two ways in which their text varies.

A file is complete SQL, but for names in braces that are replaced by text written here (never by
anything that a user gave: that is bound), and for blocks that are repeated for each further step:

    --[ for each step from 2
    reached_{k} AS (SELECT … FROM reached_{before}),
    --]
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Final

_BLOCK: Final = re.compile(r"^[ ]*--\[ for each step from 2\n(.*?)^[ ]*--\]\n", re.DOTALL | re.MULTILINE)


def filled(sql: str, **parts: str) -> str:
    """Put text written by us in the place of each name in braces.

    >>> filled("SELECT {what}", what="1")
    'SELECT 1'
    """
    for name, part in parts.items():
        sql = sql.replace(f"{{{name}}}", part)
    return sql


@cache
def text(name: str) -> str:
    """Return the SQL file of that name, without its ending."""
    return resources.files("workbench.metrics").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def repeated(sql: str, steps: int) -> str:
    r"""Write each block once per step from 2 to `steps`; in it `{k}` is the step, `{before}` the one before.

    >>> repeated("a1\n--[ for each step from 2\na{k} of a{before}\n--]\nend", 3)
    'a1\na2 of a1\na3 of a2\nend'
    """
    return _BLOCK.sub(
        lambda block: "".join(
            block[1].replace("{k}", str(k)).replace("{before}", str(k - 1)) for k in range(2, steps + 1)
        ),
        sql,
    )
