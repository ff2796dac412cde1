"""Calls with a time limit."""

import threading
import time

import pytest

from automl.time_limit import in_time


def test_in_time_raises_the_error_of_the_call():
    with pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 / 0, 5.0)


def test_in_time_returns_none_as_a_result():
    assert in_time(lambda: None, 5.0) is None


@pytest.mark.parametrize("interrupt", [True, False])
def test_late_call_ends_only_if_interrupted(interrupt):
    ended, leave = threading.Event(), threading.Event()

    def late():
        try:
            while not leave.is_set():
                time.sleep(0.005)
        finally:
            ended.set()

    with pytest.raises(TimeoutError, match=r"took longer than 0\.05 s"):
        in_time(late, 0.05, interrupt=interrupt)
    assert ended.wait(2.0 if interrupt else 0.2) is interrupt
    leave.set()
    assert ended.wait(2.0)
