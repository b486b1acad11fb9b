"""The command line `gather`: one module a family of commands, each command calls one function."""

from gather_pipeline.cli.app import main

__all__ = ["main"]
