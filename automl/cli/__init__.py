"""The command line: parse arguments, run a search, print results."""

from automl.cli.app import main

__all__ = ["main"]
