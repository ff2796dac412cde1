"""The MLflow run of a search, opened on a thread."""

import threading

import pytest

from automl.errors import StoreError
from automl.search import Opening


def test_opening_holds_nothing_up():
    answer, taken = threading.Event(), []

    def open_run():
        assert answer.wait(30)
        return "run"

    opening = Opening()
    opening.take()
    opening.start(open_run, taken.append, after=lambda: True, warms=False)
    opening.take()
    assert taken == []
    with pytest.raises(TimeoutError):
        opening.take(0.01)
    answer.set()
    opening.settle()
    opening.take()
    assert taken == ["run"]


def test_opening_raises_where_it_is_taken():
    def fail():
        raise StoreError("tracking_uri: broken")

    opening, taken = Opening(), []
    opening.start(fail, taken.append, after=lambda: True, warms=False)
    with pytest.raises(StoreError, match="broken"):
        opening.settle()
    assert taken == []


def test_opening_waits_for_the_first_trial():
    ended, begun = [], threading.Event()

    def open_run():
        begun.set()
        return "run"

    opening, taken = Opening(), []
    opening.start(open_run, taken.append, after=lambda: bool(ended), warms=False)
    opening.take()
    assert not begun.is_set()
    ended.append(0)
    opening.take()
    assert begun.wait(30)
    opening.settle()
    assert taken == ["run"]


def test_opening_starts_where_a_search_ends_without_a_trial():
    opening, taken = Opening(), []
    opening.start(lambda: "run", taken.append, after=lambda: False, warms=True)
    opening.settle()
    assert taken == ["run"]
