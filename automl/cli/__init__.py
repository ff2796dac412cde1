"""The command line: parse arguments, run a search, print results."""

from automl.cli.app import app, main

__all__ = ["app", "main"]
