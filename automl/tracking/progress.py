"""Show the progress of a search: a live view in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from automl.records import SearchRecord, State, TrialRecord

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

__all__ = ["Progress", "NullProgress"]

_LINE_SECONDS = 10.0
_MAX_EXCLUDED = 12  # lines; a table may have hundreds of columns


class Progress:
    """Show the time left, trials by state, the best score and the current work of a search.

    A terminal is redrawn; a file or pipe gets a line at most every ten seconds, and one for each stage.

    Parameters
    ----------
    console : rich.console.Console or None
        The output; None for standard error, so that standard output can be piped.

    Examples
    --------
    ::

        with Progress() as progress:
            progress.started(search_record, timeout=60, n_trials=None)
            progress.training("mlp", 8)
            progress.trial(trial_record)
            progress.stage("refitting the winner")
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True)
        self._record: SearchRecord | None = None
        self._timeout: float | None = None
        self._n_trials: int | None = None
        self._began = time.monotonic()
        self._counts: dict[State, int] = {"complete": 0, "stopped": 0, "pruned": 0, "failed": 0}
        self._best: TrialRecord | None = None
        self._doing = "starting"
        self._live: Live | None = None
        self._last_line = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=5)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._doing = "interrupted" if error is not None else "done"
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif self._record is not None:
            self._line()

    def started(self, search: SearchRecord, timeout: float | None, n_trials: int | None) -> None:
        """Show the title of the search and the columns and options it excludes.

        Parameters
        ----------
        search : SearchRecord
            The search.
        timeout : float or None
            Its limit in seconds.
        n_trials : int or None
            Its limit in trials.
        """
        self._record, self._timeout, self._n_trials = search, timeout, n_trials
        if self._live is None:
            self._print(self._title())
            self._last_line = time.monotonic()
        if search.task_reason:
            self._print(f"task {search.task}: {search.task_reason}")
        for excluded in search.left_out[:_MAX_EXCLUDED]:
            self._print(f"left out: {excluded}")
        if more := len(search.left_out[_MAX_EXCLUDED:]):
            self._print(
                f"left out: {more} more; the run's tag automl.left_out and left_out_ have all of them"
            )

    def training(self, cohort_description: str, n: int) -> None:
        """Show that ``n`` trials are training together."""
        self._doing = f"training {n} {'trials' if n > 1 else 'trial'}: {cohort_description}"

    def trial(self, record: TrialRecord) -> None:
        """Count a finished trial."""
        self._counts[record.state] += 1
        ahead = self._best is None or record.place(self._record) < self._best.place(self._record)
        if record.score is not None and ahead:
            self._best = record
        if self._live is None and time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._line()

    def stage(self, text: str) -> None:
        """Show a stage other than training, e.g. ``"refitting the winner"``."""
        self._doing = text
        if self._live is None:
            self._line()

    def note(self, text: str) -> None:
        """Show a line, also before the search has started."""
        self._print(text)

    def _line(self) -> None:
        self._last_line = time.monotonic()
        self._print(f"{self._clock()}  {self._tally()}  {self._winner()}  {self._doing}")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _title(self) -> str:
        record = self._record
        if record is None:
            return "search"
        task = f"{record.task}, positive: {record.positive_class}" if record.positive_class else record.task
        return (
            f"{record.study_name}: {record.target} ({task}), {record.scoring}, "
            f"{record.rows_searched} rows, {record.n_folds} folds"
        )

    def _clock(self) -> str:
        passed = time.monotonic() - self._began
        if self._timeout is None:
            return _time(passed)
        left = self._timeout - passed
        return f"{_time(left)} left of {_time(self._timeout)}" if left > 0 else f"{_time(passed)} passed"

    def _tally(self) -> str:
        done = sum(self._counts.values())
        of = f" of {self._n_trials}" if self._n_trials else ""
        return f"{done}{of} {'trial' if done == 1 and not of else 'trials'}: " + ", ".join(
            f"{count} {state}" for state, count in self._counts.items() if count or state != "stopped"
        )

    def _winner(self) -> str:
        if self._best is None:
            return "no score yet"
        return f"best {self._best.score:.5g} (trial {self._best.number}, {self._best.family})"

    def _share(self) -> float:
        """Return the completed share of the nearer limit; 0 without limits."""
        by_time = (time.monotonic() - self._began) / self._timeout if self._timeout else 0.0
        by_count = sum(self._counts.values()) / self._n_trials if self._n_trials else 0.0
        return min(1.0, max(by_time, by_count))

    def _draw(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        head = Table.grid(expand=True)
        head.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        head.add_column(justify="right", no_wrap=True)
        head.add_row(Text(self._title(), "bold"), Text(self._clock(), "cyan"))
        body = Table.grid(expand=True)
        body.add_column(ratio=1)
        body.add_column(justify="right", no_wrap=True)
        body.add_row(self._tally(), Text(self._winner(), "green" if self._best else "dim"))
        doing = Text(self._doing, "dim", no_wrap=True, overflow="ellipsis")
        if self._timeout or self._n_trials:
            bar = Table.grid(expand=True)  # a bar alone does not end its line
            bar.add_row(ProgressBar(total=1.0, completed=self._share()))
            return Group(head, bar, body, doing)
        return (
            Group(head, body, Spinner("dots", doing)) if self._doing != "done" else Group(head, body, doing)
        )


class NullProgress:
    """A `Progress` without output."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to restore."""

    def started(self, search: SearchRecord, timeout: float | None, n_trials: int | None) -> None:
        """Do nothing."""

    def training(self, cohort_description: str, n: int) -> None:
        """Do nothing."""

    def trial(self, record: TrialRecord) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def stage(self, text: str) -> None:
        """Do nothing."""


def _time(seconds: float) -> str:
    """Return seconds as ``m:ss`` or ``h:mm:ss``.

    Examples
    --------
    >>> _time(75), _time(3725.9)
    ('1:15', '1:02:05')
    """
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
