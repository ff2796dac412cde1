from __future__ import annotations

import inspect
import io
import re
import time

import pytest
from rich.console import Console

from automl.records import Curve, SearchRecord, State, TrialRecord
from automl.select import best_record
from automl.tracking import NullProgress, Progress


def trial(number: int, state: State, score: float | None = None) -> TrialRecord:
    return TrialRecord(
        number=number, configuration={}, params={}, seed=0, state=state, family="linear", score=score
    )


def terminal(width: int = 100) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


def shown(console: Console) -> str:
    """Return the output without cursor codes."""
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


def run(progress: Progress, search: SearchRecord) -> None:
    progress.started(search, timeout=60, n_trials=None)
    progress.training("mlp", 8)
    progress.trial(trial(0, "complete", -0.5))
    progress.trial(trial(1, "complete", -0.25))
    progress.trial(trial(2, "complete", -0.75))
    progress.trial(trial(3, "pruned", 0.1))
    progress.trial(trial(4, "failed"))


def test_progress_in_a_terminal(search: SearchRecord) -> None:
    console = terminal()
    with Progress(console) as progress:
        run(progress, search)
        time.sleep(0.5)  # it redraws by itself
        text = shown(console)
    assert "flights: late (binary), roc_auc, 1,000 rows, 3 folds" in text
    assert "left of 1:00" in text
    assert not re.search("[━╸╺].*trial", text)  # the bar has a line of its own
    assert "5 trials: 3 complete, 1 pruned, 1 failed" in text
    assert "best -0.25 (trial 1, linear)" in text
    assert "training 8 trials: mlp" in text
    assert shown(console).rstrip().endswith("done")


@pytest.mark.parametrize(
    ("timeout", "n_trials", "expected"),
    [(None, 40, "1 of 40 trials"), (60.0, 40, "1 of 40 trials"), (None, None, "1 trial: 1 complete")],
)
def test_progress_shows_limits(
    timeout: float | None, n_trials: int | None, expected: str, search: SearchRecord
) -> None:
    console = terminal()
    with Progress(console) as progress:
        progress.started(search, timeout, n_trials)
        progress.trial(trial(0, "complete", 0.5))
    assert expected in shown(console)
    assert ("left of 1:00" in shown(console)) == (timeout is not None)


@pytest.mark.parametrize(("first", "second", "best"), [(0.0, -1.0, "0"), (-1.0, 0.0, "0"), (0.5, 0.5, "0.5")])
def test_progress_shows_the_best(first: float, second: float, best: str, search: SearchRecord) -> None:
    console = terminal()
    with Progress(console) as progress:
        progress.started(search, None, None)
        progress.trial(trial(0, "complete", first))
        progress.trial(trial(1, "complete", second))
    assert f"best {best} (trial {int(second > first)}, linear)" in shown(console)


def test_progress_lists_exclusions_once(search: SearchRecord) -> None:
    for console in (terminal(), Console(file=io.StringIO(), force_terminal=False, width=80)):
        with Progress(console) as progress:
            reasons = tuple(f"column {number}: free text" for number in range(14))
            progress.started(search.model_copy(update={"left_out": reasons}), 60, None)
            progress.trial(trial(0, "complete", 0.5))
        lines = [line for line in shown(console).splitlines() if line.startswith("left out:")]
        assert lines[0].strip() == "left out: column 0: free text"
        assert len(lines) == 13
        assert "2 more" in lines[-1]


@pytest.mark.parametrize("width", [20, 40])
def test_progress_in_a_narrow_terminal(width: int, search: SearchRecord) -> None:
    console = terminal(width)
    with Progress(console) as progress:
        run(progress, search)
    assert max(len(line) for line in shown(console).splitlines()) <= width


def test_progress_restores_the_terminal(search: SearchRecord) -> None:
    console = terminal()

    def interrupted() -> None:
        with Progress(console) as progress:
            progress.started(search, 60, None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue()
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1  # cursor hidden once, shown once
    assert "interrupted" in written


def test_progress_in_a_file(search: SearchRecord) -> None:
    console = Console(file=io.StringIO(), force_terminal=False, width=80)
    with Progress(console) as progress:
        run(progress, search)
        progress.stage("refitting the winner")
    lines = shown(console).splitlines()
    assert len(lines) == 3  # the title, the stage, the end; no line for each trial
    assert lines[0].startswith("flights: late (binary)")
    assert re.fullmatch(
        r"(1:00|0:59) left of 1:00  5 trials: .*  best -0\.25 \(trial 1, linear\)  refitting the winner",
        lines[1],
    )
    assert lines[2].endswith("done")
    assert isinstance(console.file, io.StringIO)
    assert "\x1b" not in console.file.getvalue()


def test_progress_repeats_lines(search: SearchRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("automl.tracking.progress.time.monotonic", lambda: now)
    console = Console(file=io.StringIO(), force_terminal=False, width=80)
    with Progress(console) as progress:
        progress.started(search, None, None)
        for number in range(100):
            now += 1.0
            progress.trial(trial(number, "complete", 0.5))
    assert len(shown(console).splitlines()) == 1 + 10 + 1


def test_progress_clock(search: SearchRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5.0
    monkeypatch.setattr("automl.tracking.progress.time.monotonic", lambda: now)
    console = Console(file=io.StringIO(), force_terminal=False, width=80)
    with Progress(console) as progress:
        now += 20.0
        progress.started(search, 60, None)
        progress.stage("refitting")
    assert "0:40 left of 1:00" in shown(console)


def test_null_progress_has_the_same_methods(search: SearchRecord, capsys: pytest.CaptureFixture[str]) -> None:
    def public(kind: type) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(method)
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_") or name in ("__enter__", "__exit__")
        }

    assert public(NullProgress) == public(Progress)
    with NullProgress() as silent:
        silent.started(search, 60, None)
        silent.stage("refitting")
    assert capsys.readouterr() == ("", "")


def test_progress_ranks_as_the_leaderboard(search: SearchRecord) -> None:
    early = {"curve": Curve(rungs=(1,), scores=(0.9,), epoch_steps=8)}
    ended = [
        trial(0, "pruned", 0.95),
        trial(1, "stopped", 0.9).model_copy(update=early),
        trial(2, "complete", 0.6),
        trial(3, "stopped", 0.7),
        trial(4, "complete", 0.8).model_copy(update={"violation": {"model_bytes": 0.5}}),
        trial(5, "failed"),
    ]
    for n in range(1, len(ended) + 1):
        console = terminal()
        with Progress(console) as progress:
            progress.started(search, None, None)
            for record in ended[:n]:
                progress.trial(record)
        best = best_record(ended[:n], search)
        assert best is not None
        assert f"(trial {best.number}, linear)" in shown(console)
    assert best.number == 3
