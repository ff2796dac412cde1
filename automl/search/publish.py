"""Results of a finished search in MLflow: description, leaderboard, and, if there is time, report and figures."""

from __future__ import annotations

import io
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import SettingError, without_passwords
from automl.search.budget import Budget

if TYPE_CHECKING:
    from automl.records import SearchRecord
    from automl.report import StudyResults

__all__ = ["PartTimes", "next_commands", "report_files", "report_note", "report_seconds", "shell_options"]

_REPORT_SECONDS = 3.0  # that report and figures take
_MAX_SHARE = 0.05  # of a search that they may take
_FIGURES = ("history", "families", "curves", "parameters", "importances")
_OF_ROWS = {"regression": ("residuals",)}
_OF_CLASSES = ("confusion", "roc", "calibration")
_DPI = 110


class PartTimes:
    """Seconds that parts of a search take.

    Examples
    --------
    >>> times = PartTimes()
    >>> with times.of("refitting"):
    ...     pass
    >>> list(times.seconds)
    ['refitting']
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Add the time of a block to a part."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - started


def report_seconds(timeout: float | None, slowness: float = 1.0) -> float:
    """Return the seconds that a search with a timeout reserves for report and figures; 0 if they would take too much.

    Parameters
    ----------
    timeout : float or None
        Of the search.
    slowness : float
        Factor on their duration, for a slow machine.
    """
    seconds = slowness * _REPORT_SECONDS
    return seconds if timeout is not None and seconds <= _MAX_SHARE * timeout else 0.0


def report_note(facts: SearchRecord, budget: Budget, slowness: float, options: str | None) -> str:
    """Return why a search writes no report into MLflow, and the command that does; empty if it writes one.

    Parameters
    ----------
    facts : SearchRecord
        The search.
    budget : Budget
        Its time.
    slowness : float
        Factor on the seconds of a report, for a slow machine.
    options : str or None
        As `shell_options` returns them.
    """
    seconds, searched = slowness * _REPORT_SECONDS, budget.elapsed
    if budget.timeout is not None and budget.remaining < searched:
        searched = budget.timeout  # time for the report was reserved
    if budget.remaining >= seconds and seconds <= _MAX_SHARE * searched:
        return ""
    reason = "the time was up" if budget.remaining < seconds else "the search was short"
    code = "search.report()" if options is None else f"automl report {shlex.quote(facts.study_name)}{options}"
    return f"No report was written, because {reason}. Write it with `{code}`."


def shell_options(stores: Mapping[str, Any]) -> str | None:
    """Return the options of the command line for the stores of a search, each with a space in front.

    Returns
    -------
    str or None
        None if no shell can reach the study: its storage is an object of the program.
    """
    if not isinstance(stores["storage"], str | Path | None):
        return None
    given = {f"--{name.replace('_', '-')}": value for name, value in stores.items() if value is not None}
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in given.items())


def next_commands(
    facts: SearchRecord, model_uri: str, tracking_uri: str, options: str | None
) -> dict[str, str]:
    """Return code that loads the model and a command that continues the search, by description."""
    commands = {}
    if model_uri:
        uri = without_passwords(tracking_uri)
        load = f"model = automl.load_model({model_uri!r}, tracking_uri={uri!r})"
        commands["Load the model in Python"] = f"{load}\nmodel.predict(table)"
    if options is not None:
        file = "" if facts.file else " FILE"
        command = f"automl resume {shlex.quote(facts.study_name)}{file}{options}"
        commands["Continue the search in a shell"] = without_passwords(command)
    return commands


def report_files(results: StudyResults, in_time: Callable[[], bool]) -> Mapping[str, str | bytes]:
    """Return the report as HTML and the figures as PNG, by path; figures that do not fit the search are left out.

    Parameters
    ----------
    results : StudyResults
        The search.
    in_time : callable
        Whether there is time for another figure.
    """
    from automl.report import html_report

    files: dict[str, str | bytes] = {"report.html": html_report(results)}
    for name, draw in _figures(results):
        if not in_time():
            break
        with suppress(SettingError):
            target = io.BytesIO()
            draw().savefig(target, format="png", dpi=_DPI)
            files[f"figures/{name}.png"] = target.getvalue()
    return files


def _figures(results: StudyResults) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the figures of a search that its task has, each with its name."""
    from automl.report import Plots

    plots = Plots(lambda: results)
    for name in (*_FIGURES, *_OF_ROWS.get(results.facts.task, _OF_CLASSES)):
        yield name, getattr(plots, name)
