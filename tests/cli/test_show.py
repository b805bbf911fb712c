from __future__ import annotations

from workbench.cli.show import columns


def test_what_would_move_the_cursor_is_shown_as_its_code():
    assert columns(("id",), [("\x1b[2J\n",)]).splitlines() == ["id", "\\x1b[2J\\n"]
