"""The command line: every command is a thin call of a room below."""

from workbench.cli.app import main

__all__ = ["main"]
