"""The command line, called in this process."""

from __future__ import annotations

import sys

import pytest

__all__ = ["run", "streams"]


@pytest.fixture
def streams(monkeypatch, capsys):
    """Run a command line; return its exit code, output and error output."""
    from automl.cli import (
        main,  # a console made when the tests start would have the terminal's width of pytest-xdist
    )

    def streams(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["automl", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return int(stop.value.code or 0), printed.out, printed.err

    return streams


@pytest.fixture
def run(streams):
    """Run a command line; return its exit code and all output."""

    def run(*words: object) -> tuple[int, str]:
        code, output, errors = streams(*words)
        return code, output + errors

    return run
