from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import pytest

from automl.records import SearchRecord, State, TrialRecord
from automl.tracking import NotebookProgress, Progress, open_progress
from automl.tracking.notebook import in_notebook


class Handle:
    """A notebook display that keeps its outputs."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def __call__(self, content: object, display_id: bool) -> Handle:
        assert display_id
        self.update(content)
        return self

    def update(self, content: object) -> None:
        self.shown.append(content._repr_html_())  # type: ignore[attr-defined]


def trial(number: int, state: State, score: float | None = None) -> TrialRecord:
    return TrialRecord(
        number=number, configuration={}, params={}, seed=0, state=state, family="linear", score=score
    )


def test_notebook_progress_updates_one_output(
    search: SearchRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    handle = Handle()
    with NotebookProgress(handle) as progress:
        progress.started(
            search.model_copy(update={"left_out": ("column <b>id</b>: an identifier",)}), 60, None
        )
        progress.trial(trial(0, "complete", 0.5))
        progress.training("mlp", 8)
        time.sleep(1.2)  # it redraws by itself
        middle = handle.shown[-1]
        progress.trial(trial(1, "failed"))
    assert "2 trials" not in middle
    assert "training 8 trials: mlp" in middle
    assert "best 0.5 (trial 0, linear)" in middle
    assert "flights: late (binary), roc_auc" in handle.shown[-1]
    assert "2 trials: 1 complete, 0 pruned, 1 failed" in handle.shown[-1]
    assert "left out: column &lt;b&gt;id&lt;/b&gt;" in handle.shown[-1]
    assert ">done<" in handle.shown[-1]
    assert "width:100%" in handle.shown[-1]
    assert capsys.readouterr() == ("", "")


def test_notebook_progress_tells_an_interrupt(search: SearchRecord) -> None:
    handle = Handle()

    def interrupted() -> None:
        with NotebookProgress(handle) as progress:
            progress.started(search, None, 4)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "interrupted" in handle.shown[-1]


@pytest.mark.parametrize(("shell", "kind"), [
    (SimpleNamespace(kernel=object()), NotebookProgress), (SimpleNamespace(kernel=None), Progress),
    (SimpleNamespace(), Progress), (None, Progress),
])  # fmt: skip
def test_open_progress_asks_for_the_kernel(
    monkeypatch: pytest.MonkeyPatch, shell: object, kind: type
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_notebook() is (kind is NotebookProgress)
    assert type(open_progress()) is kind


def test_open_progress_outside_of_a_notebook_is_plain() -> None:
    assert type(open_progress()) is Progress
